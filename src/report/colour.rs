//! Colours: the ramp that values are painted with, and how a terminal is told.

/// Red, green and blue, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Eleven equidistant colours of viridis (Smith and van der Walt 2015, CC0): equal steps look equal, also in grey and
/// to eyes that cannot tell red from green.
const VIRIDIS: [Rgb; 11] = [
    Rgb(0x44, 0x01, 0x54),
    Rgb(0x48, 0x24, 0x75),
    Rgb(0x41, 0x44, 0x87),
    Rgb(0x35, 0x5f, 0x8d),
    Rgb(0x2a, 0x78, 0x8e),
    Rgb(0x21, 0x91, 0x8c),
    Rgb(0x22, 0xa8, 0x84),
    Rgb(0x44, 0xbf, 0x70),
    Rgb(0x7a, 0xd1, 0x51),
    Rgb(0xbd, 0xdf, 0x26),
    Rgb(0xfd, 0xe7, 0x25),
];

/// The colour of a share in [0, 1]: dark violet at 0, yellow at 1. What lies outside is cut off.
#[must_use]
pub fn viridis(share: f64) -> Rgb {
    let last = VIRIDIS.len() - 1;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let left = (at as usize).min(last - 1);
    let (a, b, t) = (VIRIDIS[left], VIRIDIS[left + 1], at - left as f64);
    let mix = |x: u8, y: u8| (f64::from(x) + (f64::from(y) - f64::from(x)) * t).round() as u8;
    Rgb(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

impl Rgb {
    /// Black or white, whichever is easier to read on this colour (WCAG relative luminance).
    #[must_use]
    pub fn ink(self) -> Self {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        let luminance = 0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2);
        // Contrast to white, 1.05 / (L + 0.05), equals contrast to black, (L + 0.05) / 0.05, at L = 0.179.
        if luminance > 0.179 {
            Self(0, 0, 0)
        } else {
            Self(255, 255, 255)
        }
    }

    /// `#rrggbb`.
    #[must_use]
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// The nearest colour of the 6x6x6 cube of 256-colour terminals.
    fn cube(self) -> u8 {
        let level = |c: u8| match c {
            0..48 => 0,
            48..115 => 1,
            _ => (c - 35) / 40,
        };
        16 + 36 * level(self.0) + 6 * level(self.1) + level(self.2)
    }
}

/// What colours the output can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Plain characters only.
    #[default]
    None,
    /// The 256 colours of xterm.
    Ansi256,
    /// 24 bits.
    True,
}

impl Colours {
    /// What to use, from whether the output is a terminal and from the variables `NO_COLOR`, `COLORTERM` and `TERM`.
    ///
    /// A non-empty `NO_COLOR` (<https://no-color.org>) and `TERM=dumb` turn colours off.
    ///
    /// ```
    /// use powersweep::report::Colours;
    /// assert_eq!(Colours::choose(true, None, Some("truecolor"), Some("xterm")), Colours::True);
    /// assert_eq!(Colours::choose(true, Some("1"), Some("truecolor"), Some("xterm")), Colours::None);
    /// assert_eq!(Colours::choose(false, None, None, None), Colours::None);
    /// ```
    #[must_use]
    pub fn choose(
        terminal: bool,
        no_color: Option<&str>,
        colorterm: Option<&str>,
        term: Option<&str>,
    ) -> Self {
        let refused = no_color.is_some_and(|v| !v.is_empty()) || term == Some("dumb");
        if !terminal || refused {
            return Self::None;
        }
        let direct = matches!(colorterm, Some("truecolor" | "24bit"))
            || term.is_some_and(|t| t.contains("direct"));
        if direct { Self::True } else { Self::Ansi256 }
    }

    /// Text on a background, reset afterwards; the text alone without colours.
    #[must_use]
    pub(super) fn on(self, background: Rgb, text: &str) -> String {
        let ink = background.ink();
        match self {
            Self::None => text.to_owned(),
            Self::Ansi256 => {
                format!(
                    "\x1b[48;5;{};38;5;{}m{text}\x1b[0m",
                    background.cube(),
                    ink.cube()
                )
            }
            Self::True => format!(
                "\x1b[48;2;{};{};{};38;2;{};{};{}m{text}\x1b[0m",
                background.0, background.1, background.2, ink.0, ink.1, ink.2
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_ends_in_violet_and_yellow_and_brightens_throughout() {
        assert_eq!((viridis(-1.0), viridis(2.0)), (VIRIDIS[0], VIRIDIS[10]));
        let grey =
            |c: Rgb| 0.299 * f64::from(c.0) + 0.587 * f64::from(c.1) + 0.114 * f64::from(c.2);
        let greys: Vec<f64> = (0..=100)
            .map(|i| grey(viridis(f64::from(i) / 100.0)))
            .collect();
        // Rounding to bytes moves a grey by half a unit at most.
        assert!(greys.windows(2).all(|w| w[1] >= w[0] - 1.0));
        assert_eq!(
            (viridis(0.0).ink(), viridis(1.0).ink()),
            (Rgb(255, 255, 255), Rgb(0, 0, 0))
        );
    }

    #[test]
    fn the_cube_holds_its_own_colours() {
        assert_eq!(Rgb(0, 0, 0).cube(), 16);
        assert_eq!(Rgb(255, 255, 255).cube(), 231);
        assert_eq!(Rgb(95, 135, 175).cube(), 16 + 36 + 12 + 3);
    }
}
