//! Variants: a name and the interventions that make it.

use std::collections::HashSet;
use std::sync::Arc;

use super::axis::{doses, n_doses};
use super::{SharedIntervention, parameter};
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::mdp::Mdp;

/// The name of the variant without interventions.
pub const BASELINE: &str = "baseline";

/// Most interventions of a variant, one after the other.
const MAX_INTERVENTIONS: usize = 100;

/// Most variants that one `[[variant]]` may make.
const MAX_DOSES: u64 = 1_000;

/// The MDP after a list of interventions.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The name it is reported under.
    pub name: String,
    /// What is done, in this order.
    pub interventions: Vec<SharedIntervention>,
}

/// What a variant makes of an MDP.
#[derive(Clone, Debug)]
pub struct Made {
    /// The modified MDP.
    pub mdp: Arc<Mdp>,
    /// What its goals are linked to; `None` where they are solved on it and nothing else.
    pub linked: Option<LinkedTo>,
}

/// An intervention whose goals are solved in linked stages, and what it was done to.
#[derive(Clone, Debug)]
pub struct LinkedTo {
    /// The MDP before it.
    pub before: Arc<Mdp>,
    /// The intervention.
    pub by: SharedIntervention,
}

/// Interventions that do not fit an MDP, with every reason.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("variant {variant:?} of {environment:?}: {faults}")]
pub struct VariantError {
    /// Name of the variant.
    pub variant: String,
    /// Name of the MDP.
    pub environment: String,
    /// What is wrong.
    pub faults: Faults,
}

impl Variant {
    /// The unmodified MDP.
    #[must_use]
    pub fn baseline() -> Self {
        Self::new(BASELINE)
    }

    /// A variant without interventions yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            interventions: Vec::new(),
        }
    }

    /// With one more intervention at the end.
    #[must_use]
    pub fn with(mut self, intervention: impl super::Intervention + 'static) -> Self {
        self.interventions.push(Arc::new(intervention));
        self
    }

    /// Makes the modified MDP; the very same one where nothing has any strength.
    ///
    /// # Errors
    ///
    /// [`VariantError`] with every fault of the first intervention that does not fit.
    pub fn apply(&self, mdp: &Arc<Mdp>) -> Result<Arc<Mdp>, VariantError> {
        let mut faults = Faults::default();
        self.make(mdp, &mut faults)
            .map(|made| made.mdp)
            .ok_or_else(|| self.error(mdp, faults))
    }

    /// Like [`apply`](Self::apply), with what goals are linked to.
    ///
    /// # Errors
    ///
    /// [`VariantError`] as [`apply`](Self::apply).
    pub fn made_of(&self, mdp: &Arc<Mdp>) -> Result<Made, VariantError> {
        let mut faults = Faults::default();
        self.make(mdp, &mut faults)
            .ok_or_else(|| self.error(mdp, faults))
    }

    fn error(&self, mdp: &Mdp, faults: Faults) -> VariantError {
        VariantError {
            variant: self.name.clone(),
            environment: mdp.name().to_owned(),
            faults,
        }
    }

    /// The MDP after each of the interventions, with its kind.
    ///
    /// # Errors
    ///
    /// [`VariantError`] as [`apply`](Self::apply).
    pub fn steps(&self, mdp: &Arc<Mdp>) -> Result<Vec<(&'static str, Arc<Mdp>)>, VariantError> {
        let mut steps: Vec<(&'static str, Arc<Mdp>)> = Vec::new();
        for intervention in &self.interventions {
            let one = Self {
                name: self.name.clone(),
                interventions: vec![intervention.clone()],
            };
            let before = steps.last().map_or(mdp, |(_, made)| made);
            let made = one.apply(before)?;
            steps.push((intervention.kind(), made));
        }
        Ok(steps)
    }

    /// Like [`apply`](Self::apply), for faults that go with those of a file.
    pub fn try_apply(&self, mdp: &Arc<Mdp>, faults: &mut Faults) -> Option<Arc<Mdp>> {
        self.make(mdp, faults).map(|made| made.mdp)
    }

    /// The modified MDP, and what its goals are linked to.
    pub fn make(&self, mdp: &Arc<Mdp>, faults: &mut Faults) -> Option<Made> {
        let mut made = Made {
            mdp: mdp.clone(),
            linked: None,
        };
        for by in self.interventions.iter().filter(|i| !i.is_neutral()) {
            if let Some(LinkedTo { by, .. }) = &made.linked {
                let message = format!(
                    "{}: what it does depends on what is worth how much, so that it must be the last intervention of {:?}",
                    by.kind(),
                    self.name
                );
                faults.error(by.place(), message);
                return None;
            }
            let before = made.mdp;
            made = Made {
                mdp: Arc::new(by.transform(&before, faults)?),
                linked: by.linked().map(|_| LinkedTo {
                    before,
                    by: by.clone(),
                }),
            };
        }
        Some(made)
    }
}

/// Reads one `[[variant]]` table, `name` and `interventions`: one variant for each combination of doses. Interventions come after `first`, where there is one; it was read
/// of the keys `mdp` and `states`.
///
/// A parameter that is a list of numbers is a dose axis; the variants are then named `NAME (p = 0.1)`.
pub fn read_variants(
    node: &Spanned<Node>,
    first: Option<&SharedIntervention>,
    faults: &mut Faults,
) -> Vec<Variant> {
    let Some(mut table) = TableReader::open(node, "[[variant]]", faults) else {
        return Vec::new();
    };
    table.require("name", faults);
    let name = table.string("name", faults);
    let replaces = table.take("mdp").is_some();
    let states = table.take("states");
    if !replaces {
        table.require("interventions", faults);
        if let Some(states) = states {
            let message = "`states` of a variant goes with `mdp`";
            faults.error(states.span.clone(), message);
        }
    }
    let list = table.list("interventions");
    let list = list.or_else(|| replaces.then(Vec::new));
    table.finish(faults);
    if let Some(name) = &name
        && (name.value.is_empty() || name.value == BASELINE)
    {
        let message = match name.value.as_str() {
            BASELINE => {
                "the variant \"baseline\" is the unmodified MDP, which is there unless `baseline = false`"
            }
            _ => "a variant has an empty name",
        };
        faults.error(name.span.clone(), message);
    }
    let (Some(name), Some(list)) = (name, list) else {
        return Vec::new();
    };
    if list.is_empty() && !replaces {
        faults.error(
            name.span.clone(),
            format!("the variant {:?} has no interventions", name.value),
        );
    }
    if list.len() > MAX_INTERVENTIONS {
        let message = format!(
            "the variant {:?} has {} interventions, at most {MAX_INTERVENTIONS} are allowed",
            name.value,
            list.len()
        );
        faults.error(name.span.clone(), message);
        return Vec::new();
    }
    let count = n_doses(&list);
    if count > MAX_DOSES {
        let message = format!(
            "the variant {:?} has {count} combinations of doses, at most {MAX_DOSES} are allowed",
            name.value
        );
        faults.error(name.span.clone(), message);
        return Vec::new();
    }
    let mut told = HashSet::new();
    let mut variants = Vec::new();
    for dose in doses(&list) {
        let mut own = Faults::default();
        let read = dose.interventions.iter();
        let read: Vec<_> = read.map(|node| parameter::read(node, &mut own)).collect();
        // What is wrong with every dose is told once.
        let new = own.list.into_iter();
        let new = new.filter(|fault| told.insert((fault.message.clone(), fault.span.clone())));
        faults.list.extend(new);
        let Some(read) = read.into_iter().collect::<Option<Vec<_>>>() else {
            continue;
        };
        let interventions = first.cloned().into_iter().chain(read).collect();
        variants.push(Variant {
            name: match dose.name.as_str() {
                "" => name.value.clone(),
                doses => format!("{} ({doses})", name.value),
            },
            interventions,
        });
    }
    warn_of_no_strength(&name.value, &variants, faults);
    variants
}

/// An intervention that does nothing at all is most likely not meant so; one of several doses that does nothing is a control.
fn warn_of_no_strength(name: &str, variants: &[Variant], faults: &mut Faults) {
    let Some(first) = variants.first() else {
        return;
    };
    for (at, by) in first.interventions.iter().enumerate() {
        let mut doses = variants.iter();
        if doses.all(|variant| variant.interventions[at].is_neutral()) {
            let message = format!(
                "the intervention {:?} of the variant {name:?} does nothing: as it stands it has no strength (docs/interventions.md, \"Strength zero\")",
                by.kind()
            );
            faults.warning(by.place(), message);
        }
    }
}
