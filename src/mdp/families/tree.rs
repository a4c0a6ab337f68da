//! Trees.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};

/// A regular tree: the states of levels 0 to `depth - 1` have `branching` children each, the leaves are absorbing.
///
/// State `n2_3` is the fourth of level 2; the root `n0_0` is where it starts. Choice `child0`, `child1`, ... leads to the child of
/// that number. The label `leaves` is on the last level.
///
/// Keys: `depth`, `branching` (default 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Number of steps from the root to a leaf.
    pub depth: u64,
    /// Number of children of every state that is not a leaf.
    pub branching: u64,
}

impl Tree {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            depth: from.count("depth"),
            branching: from.count_or("branching", 2),
        }
    }

    /// States of a level.
    fn width(&self, level: u64) -> u64 {
        self.branching
            .saturating_pow(u32::try_from(level).unwrap_or(u32::MAX))
    }

    /// The largest depth at which `1 + branching + ... + branching^depth` states are allowed.
    fn deepest(&self) -> u64 {
        if self.branching < 2 {
            return MAX_STATES - 1;
        }
        let mut states = 1;
        let mut depth = 0;
        loop {
            states += self.width(depth + 1).min(MAX_STATES);
            if states > MAX_STATES {
                return depth;
            }
            depth += 1;
        }
    }
}

impl Generator for Tree {
    fn name(&self) -> &'static str {
        "tree"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("branching", self.branching, 1..=MAX_STATES - 1);
        limits.count("depth", self.depth, 0..=self.deepest());
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let mut levels = Vec::new();
        for level in 0..=self.depth {
            let names = (0..self.width(level)).map(|i| format!("n{level}_{i}"));
            levels.push(names.map(|n| builder.state(n)).collect::<Vec<_>>());
        }
        for pair in levels.windows(2) {
            let children = pair[1].chunks_exact(self.branching as usize);
            for (&parent, children) in pair[0].iter().zip(children) {
                for (number, &child) in children.iter().enumerate() {
                    builder.choice(parent, format!("child{number}"), [(child, 1.0)]);
                }
            }
        }
        let leaves = levels.pop().unwrap_or_default();
        for &leaf in &leaves {
            builder.absorbing(leaf);
        }
        builder.label("leaves", leaves);
    }
}
