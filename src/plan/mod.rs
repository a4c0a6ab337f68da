//! What is known before the first goal: structure found once and paid back a million times.
//!
//! [`Plan::draw`] is a pure function of the MDP and the discount. The pilot (in the room of the backends) adds the
//! [`Schedule`]. The plan's hash goes into the manifest; runs with different hashes are never merged.

mod elimination;
mod model;
mod order;
mod phases;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use elimination::{EliminatedRow, Elimination, Entry};
pub use model::{KernelClass, Part, SweepChoice, SweepModel, SweepState};
pub use phases::{Phasing, phases};

use crate::mdp::Mdp;
use crate::reward::RewardDomain;
use crate::units::Discount;

/// How a goal's values are iterated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// In-place sweeps over all states with self-loops eliminated, in alternating direction.
    InPlace,
    /// Sweeps from one buffer to another, finished by MacQueen's bounds.
    Jacobi,
    /// In-place sweeps that note which choices they take, and the exact values of these policies, by turns (Howard 1960).
    PolicyIteration,
    /// In-place sweeps by colours, forwards only, that go further than to the backup (Young 1954).
    OverRelaxed,
}

impl Method {
    /// All methods, in the order the pilot tries them.
    pub const ALL: [Self; 4] = [
        Self::InPlace,
        Self::Jacobi,
        Self::PolicyIteration,
        Self::OverRelaxed,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::Jacobi => "jacobi",
            Self::PolicyIteration => "policy-iteration",
            Self::OverRelaxed => "over-relaxed",
        }
    }
}

/// The arithmetic that goals are solved in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single precision, and double for what single cannot certify.
    #[default]
    Mixed,
    /// Double precision from the first sweep.
    Double,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Mixed, Self::Double];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mixed => "auto",
            Self::Double => "f64",
        }
    }
}

/// The method, its arithmetic, and when it is first asked for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// The method.
    pub method: Method,
    /// Sweeps before the first residual; of policy iteration, before the first policy.
    pub first_check: u32,
    /// The arithmetic.
    pub precision: Precision,
    /// Of over-relaxed sweeps: how far a value goes, where 100 is to its backup.
    pub relaxation: Percent,
    /// Of Jacobi sweeps over rows of most states: so many of the first are done with numbers of 16 bits, where the processor has instructions for them.
    pub rough_sweeps: u32,
    /// Whether a tile is done when most of its goals are, and the others go on with those of other tiles.
    pub leaves: bool,
}

/// States up to which tiles leave goals: beyond, a tile is larger than the second-level cache, and moving a goal costs more than it saves.
pub const LEAVES_UP_TO: usize = 1 << 11;

/// How far over-relaxed sweeps go where nothing else is known: what takes the fewest sweeps on a noisy grid (docs/performance/cpu.md).
pub const RELAXATION: Percent = Percent(120);

/// Hundredths of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Percent(pub u8);

impl Percent {
    /// As a part of one.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            method: Method::InPlace,
            first_check: 8,
            precision: Precision::Mixed,
            relaxation: RELAXATION,
            rough_sweeps: 0,
            leaves: false,
        }
    }
}

/// Everything computed once from the MDP, the discount and the pilot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    model: Arc<SweepModel>,
    discount: Discount,
    schedule: Schedule,
    mdp_hash: [u8; 32],
}

impl Plan {
    /// Draws the plan of an MDP for state rewards under the optimal rule.
    #[must_use]
    pub fn draw(mdp: &Mdp, discount: Discount) -> Self {
        Self::draw_for(mdp, discount, RewardDomain::State)
    }

    /// Draws the plan of an MDP under the optimal rule. Where choices have rewards of their own, equal rows are no reason to
    /// merge them.
    #[must_use]
    pub fn draw_for(mdp: &Mdp, discount: Discount, domain: RewardDomain) -> Self {
        Self {
            model: Arc::new(SweepModel::new(mdp, domain)),
            discount,
            schedule: Schedule::default(),
            mdp_hash: mdp.content_hash(),
        }
    }

    /// The same plan with another schedule. Where the method sweeps by colours, states are put into that order, and stay in it.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        if schedule.method == Method::OverRelaxed && !self.model.is_by_colours() {
            self.model = Arc::new(self.model.by_colours());
        }
        self
    }

    /// The MDP in the form that sweeps use, in their order.
    #[must_use]
    pub fn model(&self) -> &SweepModel {
        &self.model
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// The discount it was drawn for.
    #[must_use]
    pub fn discount(&self) -> Discount {
        self.discount
    }

    /// SHA-256 of everything in the plan that can change a bit of a result.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.mdp_hash);
        hash.update(self.discount.used().to_bits().to_le_bytes());
        hash.update(self.schedule.method.name());
        hash.update(self.schedule.first_check.to_le_bytes());
        if self.schedule.precision != Precision::default() {
            hash.update(self.schedule.precision.name());
        }
        if self.schedule.method == Method::OverRelaxed {
            hash.update([self.schedule.relaxation.0]);
        }
        if self.schedule.rough_sweeps > 0 {
            hash.update("rough");
            hash.update(self.schedule.rough_sweeps.to_le_bytes());
        }
        if self.schedule.leaves {
            hash.update("leaves");
        }
        self.model.feed_hash(&mut |bytes| hash.update(bytes));
        hash.finalize().into()
    }
}

/// What a user sees of it: why a run will be fast or slow.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.discount.limit() {
            Some(limit) => writeln!(f, "method       that of the limit {}", limit.name())?,
            None => writeln!(
                f,
                "method       {} (first {} after {} sweeps)",
                self.schedule.method.name(),
                match self.schedule.method {
                    Method::InPlace | Method::Jacobi | Method::OverRelaxed => "residual",
                    Method::PolicyIteration => "policy",
                },
                self.schedule.first_check
            )?,
        }
        if self.schedule.method == Method::OverRelaxed {
            let factor = self.schedule.relaxation.fraction();
            writeln!(f, "relaxation   {factor} of the way to the backup")?;
        }
        if self.schedule.rough_sweeps > 0 {
            writeln!(
                f,
                "rough        the first {} sweeps are in bfloat16 where the processor multiplies it",
                self.schedule.rough_sweeps
            )?;
        }
        if self.schedule.leaves {
            writeln!(f, "slow goals   go on with those of other tiles")?;
        }
        if self.schedule.precision == Precision::Double {
            writeln!(f, "precision    f64 from the first sweep")?;
        }
        write!(f, "{}", self.model)?;
        if self.schedule.method == Method::PolicyIteration
            && let Some(elimination) = Elimination::of(&self.model)
        {
            writeln!(
                f,
                "elimination  {} products and {} coefficients for every policy of a goal",
                elimination.products().len(),
                elimination.entries().len()
            )?;
        }
        Ok(())
    }
}
