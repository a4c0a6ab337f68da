//! A small writer of SVG: elements in, well-formed text out. It knows nothing of what is drawn.

use std::fmt::Write;

/// An SVG fragment under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Svg {
    text: String,
    open: Vec<&'static str>,
}

/// Where a text's anchor point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Font<'a> {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) fill: &'a str,
    pub(super) anchor: Anchor,
}

impl Svg {
    /// Opens an element; [`close`](Self::close) ends it.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, ">\n");
        self.open.push(name);
    }

    /// Ends the element opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.text += &format!("</{name}>\n");
        }
    }

    /// An element that holds text alone.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &str)], content: &str) {
        self.tag(name, attributes, ">");
        self.text += &format!("{}</{name}>\n", escape(content));
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, [x, y, width, height]: [f64; 4], fill: &str) {
        let (x, y, w, h) = (number(x), number(y), number(width), number(height));
        self.tag(
            "rect",
            &[
                ("x", &x),
                ("y", &y),
                ("width", &w),
                ("height", &h),
                ("fill", fill),
            ],
            "/>\n",
        );
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        let ends = [from.0, from.1, to.0, to.1, width].map(number);
        let [x1, y1, x2, y2, width] = &ends;
        let attributes = [
            ("x1", &**x1),
            ("y1", y1),
            ("x2", x2),
            ("y2", y2),
            ("stroke", stroke),
            ("stroke-width", width),
        ];
        self.tag("line", &attributes, "/>\n");
    }

    /// A filled circle.
    pub(super) fn circle(&mut self, centre: (f64, f64), radius: f64, fill: &str) {
        let (cx, cy, r) = (number(centre.0), number(centre.1), number(radius));
        self.tag(
            "circle",
            &[("cx", &cx), ("cy", &cy), ("r", &r), ("fill", fill)],
            "/>\n",
        );
    }

    /// A line of text whose baseline passes through `at`.
    pub(super) fn text(&mut self, at: (f64, f64), content: &str, font: Font<'_>) {
        let (x, y, size) = (number(at.0), number(at.1), number(font.size));
        let anchor = match font.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if font.bold { "bold" } else { "normal" };
        let attributes = [
            ("x", &*x),
            ("y", &y),
            ("font-size", &size),
            ("font-weight", weight),
            ("fill", font.fill),
            ("text-anchor", anchor),
        ];
        self.leaf("text", &attributes, content);
    }

    /// Appends a finished fragment.
    pub(super) fn append(&mut self, other: Self) {
        self.text += &other.finish();
    }

    /// The text, all elements closed.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        self.text.push('<');
        self.text += name;
        for (key, value) in attributes {
            write!(self.text, " {key}=\"{}\"", escape(value)).expect("a string takes all text");
        }
        self.text += end;
    }
}

/// Text as XML character data: the five reserved characters escaped, control characters XML forbids replaced.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            '\t' | '\n' | '\r' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A coordinate in hundredths of a pixel.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_escaped() {
        let mut svg = Svg::default();
        svg.open("g", &[("id", "a\"<&")]);
        svg.leaf("title", &[], "x < y & \u{1}'z'");
        let text = svg.finish();
        let document = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(document.root_element().attribute("id"), Some("a\"<&"));
        assert_eq!(
            document
                .descendants()
                .find_map(|n| n.text().filter(|t| t.contains('z'))),
            Some("x < y & \u{fffd}'z'")
        );
    }

    #[test]
    fn the_check_of_wellformedness_can_fail() {
        assert!(roxmltree::Document::parse("<svg><title>a & b</title></svg>").is_err());
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(
            [1.0, 0.126, -0.001, 10.5].map(number),
            ["1", "0.13", "0", "10.5"].map(str::to_owned)
        );
    }
}
