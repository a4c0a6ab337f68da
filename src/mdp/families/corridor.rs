//! A corridor with an off switch.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::mdp::GridLayout;
use crate::units::StateId;

/// A row of cells `c1`, `c2`, ... from west to east; west of `c1` lies the absorbing state `off`. It starts in cell `start`.
///
/// Choices of a cell: `stay`, `west`, `east` (none at the wall behind the last cell). With `slip`, a move goes wrong with that
/// probability and the agent stays; staying never goes wrong. Labels: `off`, and `cells` for all others.
///
/// As the discount nears 1 every state is as good as any other, so of `length + 1` places to end up in `off` is the best with
/// probability `1 / (length + 1)`; at smaller discounts the distance from the switch protects it.
///
/// Keys: `length`, `start` (default: the middle one, `(length + 1) / 2`), `slip` (default 0).
#[derive(Clone, Debug, PartialEq)]
pub struct Corridor {
    /// Number of cells.
    pub length: u64,
    /// Cell in which it starts, from 1.
    pub start: u64,
    /// Probability that a move fails.
    pub slip: f64,
}

impl Corridor {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let length = from.count("length");
        Self {
            length,
            start: from.count_or("start", length.div_ceil(2)),
            slip: from.number_or("slip", 0.0),
        }
    }
}

impl Generator for Corridor {
    fn name(&self) -> &'static str {
        "corridor"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("length", self.length, 1..=MAX_STATES - 1);
        limits.count("start", self.start, 1..=self.length.max(1));
        limits.probability("slip", self.slip);
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let off = builder.state("off");
        builder.absorbing(off);
        let mut cells = Vec::with_capacity(self.length as usize);
        for c in 1..=self.length as u32 {
            let cell = builder.state(format!("c{c}"));
            let step = |to: u32| {
                let row = [(StateId(to), 1.0 - self.slip), (cell, self.slip)];
                row.into_iter().filter(|&(_, p)| p > 0.0)
            };
            builder.choice(cell, "stay", [(cell, 1.0)]);
            builder.choice(cell, "west", step(c - 1));
            if u64::from(c) < self.length {
                builder.choice(cell, "east", step(c + 1));
            }
            cells.push(cell);
        }
        builder.start(StateId(self.start as u32));
        builder.label("off", vec![off]);
        builder.label("cells", cells);
        let columns = builder.n_states();
        let states = (0..columns as u32).map(|s| Some(StateId(s))).collect();
        builder.layout(GridLayout::new(1, columns, states));
    }
}
