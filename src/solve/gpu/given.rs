//! Which graphics processor the scheduler gave this process, by its place on the PCI bus.
//!
//! Vulkan shows all of them whatever `CUDA_VISIBLE_DEVICES` says. Only NVIDIA's driver says which number is which place; where it does not, nothing is matched.

use std::path::Path;

/// The places (`0000:3b:00.0`) of the graphics processors that this process was given, and the variable that says so; `None` where nobody said, or it
/// cannot be told.
///
/// `root` is the root directory, and `variable` reads an environment variable.
pub(super) fn given(root: &Path, variable: impl Fn(&str) -> Option<String>) -> Option<Given> {
    let cards = cards(root);
    // Slurm's numbers are those of the device files; CUDA's are places in the list of those that are there, or identifiers.
    ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES"]
        .into_iter()
        .filter_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
        .find_map(|(name, value)| {
            let words = value.split(',').map(str::trim);
            let places: Option<Vec<String>> = words
                .map(|word| {
                    let card = match word.parse::<usize>() {
                        Ok(number) if name == "CUDA_VISIBLE_DEVICES" => cards.get(number),
                        Ok(number) => cards.iter().find(|card| card.minor == Some(number)),
                        Err(_) => cards
                            .iter()
                            .find(|card| !word.is_empty() && card.identifier.starts_with(word)),
                    };
                    card.map(|card| card.place.clone())
                })
                .collect();
            Some(Given {
                variable: name,
                places: places?,
            })
        })
}

/// What the scheduler said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// The variable.
    pub(super) variable: &'static str,
    /// Places on the PCI bus, in the variable's order.
    pub(super) places: Vec<String>,
}

impl Given {
    /// Whether a place is among them.
    pub(super) fn has(&self, place: &str) -> bool {
        self.places.iter().any(|given| is_same_place(given, place))
    }
}

struct Card {
    place: String,
    minor: Option<usize>,
    identifier: String,
}

/// NVIDIA's cards in the order of their places.
fn cards(root: &Path) -> Vec<Card> {
    let directory = root.join("proc/driver/nvidia/gpus");
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut cards: Vec<Card> = entries
        .map(|entry| {
            let text =
                std::fs::read_to_string(entry.path().join("information")).unwrap_or_default();
            let value = |key: &str| {
                let line = text.lines().find(|line| line.starts_with(key))?;
                Some(line.split_once(':')?.1.trim().to_owned())
            };
            Card {
                place: entry.file_name().to_string_lossy().to_lowercase(),
                minor: value("Device Minor").and_then(|text| text.parse().ok()),
                identifier: value("GPU UUID").unwrap_or_default(),
            }
        })
        .collect();
    cards.sort_by(|a, b| a.place.cmp(&b.place));
    cards
}

/// Whether two names are of one place: domains may have four digits or eight, and be left out.
fn is_same_place(a: &str, b: &str) -> bool {
    let short = |place: &str| {
        let place = place.to_lowercase();
        let mut parts: Vec<&str> = place.rsplit(':').collect();
        parts.truncate(3);
        let domain = parts
            .get(2)
            .map_or("", |domain| domain.trim_start_matches('0'))
            .to_owned();
        (
            domain,
            parts.get(1).map(|s| (*s).to_owned()),
            parts.first().map(|s| (*s).to_owned()),
        )
    };
    !a.is_empty() && !b.is_empty() && short(a) == short(b)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_scheduler_s_numbers_become_places() {
        let root = tempfile::tempdir().unwrap();
        for (place, minor, identifier) in
            [("0000:86:00.0", 0, "GPU-aa"), ("0000:3B:00.0", 1, "GPU-bb")]
        {
            let directory = root.path().join("proc/driver/nvidia/gpus").join(place);
            fs::create_dir_all(&directory).unwrap();
            let text = format!(
                "Model: \t\t NVIDIA H100\nGPU UUID: \t {identifier}\nDevice Minor: \t {minor}\n"
            );
            fs::write(directory.join("information"), text).unwrap();
        }
        let places = |variables: &[(&str, &str)]| {
            let value = |name: &str| {
                variables
                    .iter()
                    .find(|v| v.0 == name)
                    .map(|v| v.1.to_owned())
            };
            given(root.path(), value).map(|given| given.places.join(" "))
        };
        let first = Some("0000:3b:00.0".to_owned());
        let second = Some("0000:86:00.0".to_owned());
        assert_eq!(places(&[]), None);
        assert_eq!(places(&[("CUDA_VISIBLE_DEVICES", "0")]), first);
        assert_eq!(places(&[("CUDA_VISIBLE_DEVICES", "GPU-aa")]), second);
        assert_eq!(
            places(&[("SLURM_JOB_GPUS", "1"), ("CUDA_VISIBLE_DEVICES", "0")]),
            first
        );
        assert_eq!(
            places(&[("SLURM_JOB_GPUS", "0"), ("CUDA_VISIBLE_DEVICES", "0")]),
            second
        );
        assert_eq!(
            places(&[("SLURM_STEP_GPUS", "1"), ("SLURM_JOB_GPUS", "0,1")]),
            first
        );
        assert_eq!(
            places(&[("SLURM_JOB_GPUS", "0,1")]),
            Some("0000:86:00.0 0000:3b:00.0".to_owned())
        );
        for unknown in ["7", "MIG-x", "-1", "NoDevFiles"] {
            assert_eq!(places(&[("CUDA_VISIBLE_DEVICES", unknown)]), None);
        }
    }

    #[test]
    fn a_place_has_several_spellings() {
        assert!(is_same_place("0000:3b:00.0", "00000000:3B:00.0"));
        assert!(is_same_place("3b:00.0", "0000:3b:00.0"));
        assert!(!is_same_place("0000:3b:00.0", "0000:3c:00.0"));
        assert!(!is_same_place("0001:3b:00.0", "0000:3b:00.0"));
        assert!(!is_same_place("", ""));
    }
}
