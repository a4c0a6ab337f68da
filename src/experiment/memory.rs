//! How much memory a run will need, before anything is allocated.

use crate::mdp::Mdp;
use crate::plan::LEAVES_UP_TO;
use crate::program::{GoalProgram, Stage};
use crate::statistics::TILE;
use crate::units::ChoiceId;

/// Bytes that one cell needs.
///
/// ```
/// use powersweep::experiment::Memory;
/// use powersweep::mdp::MdpBuilder;
///
/// let mut builder = MdpBuilder::new("pair");
/// let [a, b] = ["a", "b"].map(|name| builder.state(name));
/// builder.choice(a, "go", [(b, 1.0)]);
/// builder.absorbing(b);
/// let memory = Memory::of(&builder.build().unwrap());
/// // 2 states, 64 goals side by side, 4 bytes, 4 buffers, 2 tiles.
/// assert_eq!(memory.values_bytes, 2 * 64 * 4 * 4 * 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Per thread: values, their successors, values before and rewards of a tile of goals, in f32, and of another one for goals that take longer
    /// ([`LEAVES_UP_TO`]); of all stages, where goals are solved in linked ones, with what later stages are made of.
    pub values_bytes: usize,
    /// Once: the transition structure, 40 bytes a successor (12 of the MDP, 16 of the rows that the plan makes, 12 of those of the kernels in either precision) and an offset per choice and
    /// state. [`Memory::PASSING`] comes to that while they are made.
    pub structure_bytes: usize,
    /// Once: integer sums of 16 bytes for both moments of every state, and as much again for the block being added.
    pub sums_bytes: usize,
    /// Per thread: what is observed of the goals of a block beyond POWER.
    pub observations_bytes: usize,
}

impl Memory {
    /// Buffers of a tile: V, U, R, and V of before.
    const BUFFERS: usize = 4;
    /// Bytes a successor that are there for a while only, as each structure is made of the one before. Measured by the peak memory of `powersweep run --samples 128 --threads 1`:
    /// 75 to 95 bytes a successor, kept ones included, on `generate dense states=2000 choices=2` and `generate garnet states=20000 choices=4 branching=8`.
    pub const PASSING: usize = 40;
    /// Moments per state: of first and second order.
    const MOMENTS: usize = 2;

    /// The estimate for one cell of an MDP.
    #[must_use]
    pub fn of(mdp: &Mdp) -> Self {
        let tile = mdp.n_states() * TILE * size_of::<f32>() * Self::BUFFERS;
        Self {
            values_bytes: match mdp.n_states() <= LEAVES_UP_TO {
                true => 2 * tile,
                false => tile,
            },
            structure_bytes: 40 * mdp.n_successors() + 4 * (mdp.n_choices() + mdp.n_states()),
            sums_bytes: 32 * mdp.n_states() * Self::MOMENTS,
            observations_bytes: 0,
        }
    }

    /// The same, where goals are solved in the stages of a program: every stage has a tile of its own, a second one in f64 for goals that single precision leaves open, and in f64
    /// rewards, integrands and worths, with the choices of its policy. Where later stages look at a few states only, less of that is ever touched.
    #[must_use]
    pub fn solving(self, program: &GoalProgram) -> Self {
        let of_stage = |stage: &Stage| {
            let states = stage.mdp.n_states();
            let kept = 2 * states + stage.n_rewards();
            let tiles = (kept + states) * (size_of::<f32>() + size_of::<f64>());
            TILE * (tiles + kept * size_of::<f64>() + states * size_of::<ChoiceId>())
        };
        Self {
            values_bytes: program.stages().iter().map(of_stage).sum(),
            structure_bytes: program
                .stages()
                .iter()
                .map(|stage| Self::of(&stage.mdp).structure_bytes)
                .sum(),
            ..self
        }
    }

    /// The same, with observations.
    #[must_use]
    pub fn observing(self, observations_bytes: usize) -> Self {
        Self {
            observations_bytes,
            ..self
        }
    }

    /// All of it, on so many threads.
    #[must_use]
    pub fn total_bytes(&self, threads: usize) -> usize {
        (self.values_bytes + self.observations_bytes) * threads
            + self.structure_bytes
            + self.sums_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::reward::GoalLaw;
    use std::sync::Arc;

    #[test]
    fn every_stage_has_tiles_of_its_own() {
        let mut builder = MdpBuilder::new("pair");
        let [a, b] = ["a", "b"].map(|name| builder.state(name));
        builder.choice(a, "go", [(b, 1.0)]);
        builder.absorbing(b);
        let mdp = Arc::new(builder.build().unwrap());
        let stage = Stage::optimal(mdp.clone(), GoalLaw::unit_uniform(&mdp));
        let program = GoalProgram::linked(vec![stage.clone(), stage], 1, Vec::new()).unwrap();
        let plain = Memory::of(&mdp).observing(7);
        let linked = plain.solving(&program);
        // Two stages of two states, for 64 goals: R, V, U and V of before in 4 bytes and in 8; rewards, integrands and worths in 8; a choice of 4.
        assert_eq!(linked.values_bytes, 2 * 64 * 2 * (4 * (4 + 8) + 3 * 8 + 4));
        assert_eq!(linked.structure_bytes, 2 * plain.structure_bytes);
        assert_eq!(
            (linked.sums_bytes, linked.observations_bytes),
            (plain.sums_bytes, 7)
        );
    }
}
