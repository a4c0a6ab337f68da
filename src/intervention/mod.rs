//! What can be done to an MDP: off switches, resources, oversight and other interventions.
//!
//! An [`Intervention`] is a pure transform of an MDP. It carries reward coordinates and base states along, so that goals of the
//! unmodified MDP and of what is made of it are the same goals. A [`Variant`] is a name and a list of interventions, applied one
//! after the other; without any it is the `baseline`. The construction itself is shared ([`weave`](Construction)): an intervention
//! says which copies of states and which new states there are, and where choices lead.
//!
//! To add one: a file with a struct that is an [`Intervention`] (and usually a [`Construction`]), its reader, and a line in
//! `parameter::READERS`.

mod approval;
mod axis;
mod capability;
mod change;
mod constrain_authority;
mod copy;
mod information;
mod off_switch;
mod oversight;
mod parameter;
mod resources;
mod steps;
mod time_limit;
mod variant;
mod watched;
mod weave;

use std::fmt::Debug;
use std::sync::Arc;

pub use approval::Approval;
pub use capability::Capability;
pub use change::Change;
pub use constrain_authority::ConstrainAuthority;
pub use copy::SecondBody;
pub use information::Information;
pub use off_switch::{Disable, OffSwitch};
pub use oversight::{Answer, Oversight};
pub use parameter::{Names, kinds, read};
pub use resources::Resources;
pub use time_limit::TimeLimit;
pub use variant::{BASELINE, Variant, VariantError, read_variants};
pub use watched::Watched;
pub use weave::{Construction, Place, Woven, weave};

use crate::document::Faults;
use crate::mdp::Mdp;

/// A pure transform of an MDP.
pub trait Intervention: Debug + Send + Sync {
    /// Its name in an experiment file.
    fn kind(&self) -> &'static str;

    /// Whether its strength is zero, so that it leaves every MDP as it is: the very same value, byte for byte.
    fn is_neutral(&self) -> bool;

    /// Makes the modified MDP. Every fault is collected; `None` where there is one.
    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp>;
}

/// An intervention that variants share.
pub type SharedIntervention = Arc<dyn Intervention>;
