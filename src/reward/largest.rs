//! Goals of which it is known which of some states is the best: drawn as such, none thrown away.
//!
//! Where rewards are independent and of one law, swapping the largest of them into a given place makes a goal of the law given that the largest is there: permuting
//! coordinates leaves the law alone, and every goal whose largest reward is in that place comes of as many others as there are places.
//! Source: Krakovna & Kramar 2023, section 4; the swap is that of their proposition 3.

use std::sync::Arc;

use super::goal_law::{Facts, GoalKey, GoalLaw, Independent, Recipe, Source, WholeGoal};
use super::{Marginal, RewardDomain};

/// Which of some coordinates has the largest reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Largest {
    /// The coordinate.
    pub winner: u32,
    /// All of them, itself included, each once.
    pub among: Vec<u32>,
}

impl GoalLaw {
    /// The law of goals given that rewards are largest where it is said. The sets have no coordinate in common.
    ///
    /// `is_base` for the MDP that the coordinates are of: elsewhere some of them may be missing.
    ///
    /// # Precision
    ///
    /// Exact for the law that is drawn from, but for ties: rewards of a law without atoms are among 2^24 numbers or more, and of k of them two are equal in a share of about k^2 / 2^25 of goals.
    ///
    /// # Errors
    ///
    /// Why there is no such exchange of rewards: they are not drawn one by one, not all of one law, or of one with atoms.
    pub fn given_largest(&self, sets: &[Largest], is_base: bool) -> Result<Self, String> {
        let Recipe::Independent(inner) = self.recipe() else {
            return Err("its rewards are not independent draws".to_owned());
        };
        if self.domain() != RewardDomain::State {
            return Err("it is about rewards of choices".to_owned());
        }
        let law_of = |coordinate: u32| {
            inner.sources.iter().find_map(|source| match source {
                Source::Draw { coordinate: c, law } if *c == coordinate => Some(*law),
                _ => None,
            })
        };
        let mut bound = Vec::new();
        for set in sets {
            let laws: Vec<Option<u32>> = set.among.iter().map(|c| law_of(*c)).collect();
            if is_base && laws.contains(&None) {
                return Err("a reward among those that are compared is fixed or shared".to_owned());
            }
            let mut known = laws.into_iter().flatten();
            let Some(law) = known.next() else { continue };
            if known.any(|other| inner.laws[other as usize] != inner.laws[law as usize]) {
                return Err("rewards that are compared have different laws".to_owned());
            }
            if matches!(
                inner.laws[law as usize],
                Marginal::Bernoulli(_) | Marginal::Discrete(_)
            ) {
                return Err("rewards that are compared tie: their law has atoms".to_owned());
            }
            bound.push((set.clone(), law));
        }
        let swapped = Swapped {
            inner: inner.clone(),
            facts: *self.facts(),
            sets: bound,
        };
        let recipe = Recipe::Whole(Arc::new(swapped));
        Ok(Self::new(RewardDomain::State, self.n_rewards(), recipe))
    }
}

/// Independent rewards with the largest of every set in its place.
#[derive(Debug)]
struct Swapped {
    inner: Independent,
    facts: Facts,
    /// With the position of their law.
    sets: Vec<(Largest, u32)>,
}

impl WholeGoal for Swapped {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        // Pairs of coordinates that exchange their draws.
        let swaps = self.sets.iter().map(|(set, law)| {
            let value = |c: &u32| self.inner.laws[*law as usize].value(key.word(*c));
            let best = set
                .among
                .iter()
                .max_by(|a, b| value(a).total_cmp(&value(b)));
            (set.winner, best.copied().unwrap_or(set.winner))
        });
        let swaps: Vec<(u32, u32)> = swaps.collect();
        let moved = |coordinate: u32| {
            let swap = swaps
                .iter()
                .find(|(a, b)| *a == coordinate || *b == coordinate);
            swap.map_or(coordinate, |&(a, b)| if a == coordinate { b } else { a })
        };
        for (reward, source) in rewards.iter_mut().zip(&self.inner.sources) {
            *reward = self.inner.value(*source, |c| key.word(moved(c)));
        }
    }

    fn facts(&self) -> Facts {
        self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::rng::Stream;
    use crate::units::{SampleIndex, Seed};

    #[test]
    fn the_largest_is_where_it_is_said_and_the_rest_is_as_it_was() {
        let mut b = MdpBuilder::new("five");
        for i in 0..5 {
            let s = b.state(format!("s{i}"));
            b.absorbing(s);
        }
        let mdp = b.build().unwrap();
        let law = GoalLaw::unit_uniform(&mdp);
        let set = Largest {
            winner: 2,
            among: vec![1, 2, 4],
        };
        let given = law.given_largest(std::slice::from_ref(&set), true).unwrap();
        let (mut sums, mut kept) = ([0.0; 5], 0);
        let n = 20_000;
        for i in 0..n {
            let draw = |law: &GoalLaw| law.draw(Seed(4), Stream::Reward, SampleIndex(i));
            let (plain, goal) = (draw(&law), draw(&given));
            assert!(goal[2] >= goal[1] && goal[2] >= goal[4]);
            assert_eq!((goal[0], goal[3]), (plain[0], plain[3]));
            // A goal that has it is left alone.
            if plain[2] > plain[1] && plain[2] > plain[4] {
                assert_eq!(goal, plain);
                kept += 1;
            }
            for (sum, x) in sums.iter_mut().zip(&goal) {
                *sum += f64::from(*x) / n as f64;
            }
        }
        // Given that it is the largest of three its mean is 3/4, and that of the others half of that.
        for (at, mean) in [(2, 0.75), (1, 0.375), (4, 0.375), (0, 0.5)] {
            assert!((sums[at] - mean).abs() < 0.01, "{at}: {}", sums[at]);
        }
        assert!((f64::from(kept) / n as f64 - 1.0 / 3.0).abs() < 0.015);
        let tied = GoalLaw::iid(&mdp, Marginal::bernoulli(0.5, 0.0, 1.0).unwrap());
        let error = tied.given_largest(std::slice::from_ref(&set), true);
        assert!(error.unwrap_err().contains("atoms"));
        let beyond = Largest {
            winner: 9,
            among: vec![9, 1],
        };
        assert!(
            law.given_largest(std::slice::from_ref(&beyond), true)
                .is_err()
        );
        assert!(law.given_largest(&[beyond], false).is_ok());
    }
}
