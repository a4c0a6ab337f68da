//! Graphs whose degrees follow a power law.

use super::draw::Draws;
use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// A graph grown by preferential attachment: each new state is linked to `links` earlier ones, drawn with probabilities proportional to
/// the links they have. Every link can be gone both ways, for certain.
///
/// It begins with `links + 1` states that are all linked to each other. A new state draws ends of links, each end equally likely,
/// until it has met `links` different states. Few states get many links: the share of states with k of them falls as k^-3.
///
/// States `s0`, `s1`, ... in the order in which they come; a choice `to_s3` for each link, in the order in which the links were made, and with `stay` a
/// choice `stay` before them; it starts in `s0`.
///
/// Keys: `states`, `links` (default 2), `stay` (default false).
///
/// # Addressing
///
/// Item = the new state's number. Its words are the draws of ends, numbered as links were made (two ends each), repeats among them.
///
/// # Source
///
/// A.-L. Barabasi and R. Albert, "Emergence of scaling in random networks", Science 286 (1999).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerLaw {
    /// Number of states.
    pub states: u64,
    /// Links of a new state to earlier ones.
    pub links: u64,
    /// Whether a state can be stayed in.
    pub stay: bool,
}

impl PowerLaw {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            links: from.count_or("links", 2),
            stay: from.boolean_or("stay", false),
        }
    }

    /// Both ends of every link, one link after the other.
    fn ends(&self, seed: u64) -> Vec<u32> {
        let first = self.links as u32 + 1;
        let mut ends: Vec<u32> = (0..first)
            .flat_map(|a| (0..a).flat_map(move |b| [a, b]))
            .collect();
        let mut met = Vec::with_capacity(self.links as usize);
        for new in first..self.states as u32 {
            let mut draws = Draws::new(seed, u64::from(new));
            met.clear();
            while met.len() < self.links as usize {
                let end = ends[draws.below(ends.len() as u64) as usize];
                if !met.contains(&end) {
                    met.push(end);
                }
            }
            ends.extend(met.iter().flat_map(|&old| [new, old]));
        }
        ends
    }
}

impl Generator for PowerLaw {
    fn name(&self) -> &'static str {
        "power-law"
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("links", self.links, 1..=1_000);
        limits.count(
            "states",
            self.states,
            self.links.saturating_add(1).min(MAX_STATES)..=MAX_STATES,
        );
        limits.transitions("2 * `states` * `links`", &[2, self.states, self.links]);
    }

    fn describe(&self, builder: &mut MdpBuilder, seed: u64) {
        for s in 0..self.states {
            builder.state(format!("s{s}"));
        }
        if self.stay {
            for s in 0..self.states as u32 {
                builder.row(StateId(s), "stay", &[s], &[1.0]);
            }
        }
        for link in self.ends(seed).chunks_exact(2) {
            for (from, to) in [(link[0], link[1]), (link[1], link[0])] {
                builder.row(StateId(from), &format!("to_s{to}"), &[to], &[1.0]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_states_have_many_links() {
        let graph = PowerLaw {
            states: 20_000,
            links: 2,
            stay: false,
        };
        let mut degrees = vec![0u32; 20_000];
        graph.ends(1).iter().for_each(|&s| degrees[s as usize] += 1);
        assert_eq!(degrees.iter().sum::<u32>(), 2 * (3 + 2 * (20_000 - 3)));
        assert!(degrees.iter().all(|&d| d >= 2));
        // P(degree >= k) -> m (m + 1) / (k (k + 1)) for m links (Dorogovtsev et al. 2000): 6 / 110 at k = 10. A share of 20,000 has a standard deviation
        // of at most sqrt(0.0545 * 0.9455 / 20000) = 0.0016 were the degrees independent; five of them are 0.008.
        let share = degrees.iter().filter(|&&d| d >= 10).count() as f64 / 20_000.0;
        assert!((share - 6.0 / 110.0).abs() < 0.008, "{share}");
        // Links to states drawn uniformly would leave 2^(2 - 10) or so; and the largest grows as the square root of the number.
        assert!(*degrees.iter().max().unwrap() > 100);
    }
}
