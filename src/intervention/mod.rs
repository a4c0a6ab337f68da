//! What can be done to an MDP: off switches, resources, oversight and other interventions.
//!
//! An [`Intervention`] is a pure transform of an MDP. It carries reward coordinates and base states along, so that goals of the
//! unmodified MDP and of what is made of it are the same goals. A [`Variant`] is a name and a list of interventions, applied one
//! after the other; without any it is the `baseline`. The construction itself is shared ([`weave`](Construction)): an intervention
//! says which copies of states and which new states there are, and where choices lead.
//!
//! Some interventions depend on what is worth how much: [`Linked`] ones say which stages a goal is solved in, on the MDP that they make.
//!
//! To add one: a file with a struct that is an [`Intervention`] (and usually a [`Construction`]), its reader, and a line in
//! `parameter::READERS`.

mod approval;
mod axis;
mod capability;
mod change;
mod constrain_authority;
mod copy;
mod goal_button;
mod impact_penalty;
mod information;
mod length_neutral;
mod linked;
mod off_switch;
mod oversight;
mod parameter;
mod placed;
mod reachability;
mod replacement;
mod resources;
mod reward_uncertainty;
mod safe_interruptibility;
mod shutdown_indifference;
mod steps;
mod tampering;
mod time_limit;
mod variant;
mod watched;
mod weave;
mod without_shutdown;

use std::fmt::Debug;
use std::sync::Arc;

pub use approval::Approval;
pub use capability::Capability;
pub use change::Change;
pub use constrain_authority::ConstrainAuthority;
pub use copy::SecondBody;
pub use goal_button::{Agent, GoalButton};
pub use impact_penalty::{ImpactPenalty, Measure};
pub use information::{Hidden, Information};
pub use length_neutral::LengthNeutral;
pub use linked::{Linked, World};
pub use off_switch::{Disable, OffSwitch};
pub use oversight::{Answer, Oversight};
pub use parameter::{Names, kinds, read};
pub(crate) use placed::Placed;
pub use reachability::reachability;
pub use replacement::Replacement;
pub use resources::Resources;
pub use reward_uncertainty::{Belief, RewardUncertainty};
pub use safe_interruptibility::SafeInterruptibility;
pub use shutdown_indifference::ShutdownIndifference;
pub use tampering::Tampering;
pub use time_limit::TimeLimit;
pub use variant::{BASELINE, LinkedTo, Made, Variant, VariantError, read_variants};
pub use watched::Watched;
pub use weave::{Construction, Place, Woven, weave};

use crate::document::{Faults, Span};
use crate::mdp::Mdp;

/// A pure transform of an MDP.
pub trait Intervention: Debug + Send + Sync {
    /// Its name in an experiment file.
    fn kind(&self) -> &'static str;

    /// Whether its strength is zero, so that it leaves every MDP as it is: the very same value, byte for byte.
    fn is_neutral(&self) -> bool;

    /// Makes the modified MDP. Every fault is collected; `None` where there is one.
    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp>;

    /// What it is beyond that, where goals are solved in linked stages. It must then be the last intervention of its variant.
    fn linked(&self) -> Option<&dyn Linked> {
        None
    }

    /// Where it stands in the file it was read of.
    fn place(&self) -> Option<Span> {
        None
    }
}

/// An intervention that variants share.
pub type SharedIntervention = Arc<dyn Intervention>;
