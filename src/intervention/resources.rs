//! Resources: a budget that some choices add to and others need.

use super::Intervention;
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, row, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// A budget, gathered by some choices and needed by others.
///
/// Every state has a copy for each budget, a whole number from 0 to `cap`. The choices `gather` add `gain` to it, up to `cap`. The
/// choices `spend` are there only where the budget is at least `cost`; they take `cost` from it, or leave it where `keep` says
/// so (a threshold rather than a price). It starts with the budget `start`, whose copies bear the names of the MDP; the others are
/// called `s (budget 2)`, as far as they can be reached. Copies share the rewards of what they are copies of.
///
/// Labels it adds: of choices `gather` and `spend`; of states `affluent` (the budget is `cap`).
///
/// Strength zero: `cost` is 0, so that nothing needs the budget.
///
/// # Source
///
/// T. Benson-Tilsen and N. Soares, "Formalizing convergent instrumental goals", AAAI workshop 2016: actions need resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Choices that add to the budget.
    pub gather: Names,
    /// Choices that need it.
    pub spend: Names,
    /// What gathering adds.
    pub gain: u32,
    /// What spending needs.
    pub cost: u32,
    /// The largest budget.
    pub cap: u32,
    /// The budget at the start.
    pub start: u32,
    /// Whether spending leaves the budget as it is.
    pub keep: bool,
}

impl Resources {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let cost = from.count_or("cost", 1) as u32;
        let start = from.count_or("start", 0) as u32;
        let cap = from.count_or("cap", u64::from(cost.max(start))) as u32;
        from.check(start <= cap, "start", "`start` is above `cap`");
        Self {
            gather: from.require_names("gather"),
            spend: from.require_names("spend"),
            gain: from.count_or("gain", 1) as u32,
            cost,
            cap,
            start,
            keep: from.switch("keep"),
        }
    }
}

impl Intervention for Resources {
    fn kind(&self) -> &'static str {
        "resources"
    }

    fn is_neutral(&self) -> bool {
        self.cost == 0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let gather = self.gather.choices(mdp, faults);
        let spend = self.spend.choices(mdp, faults);
        for state in mdp.states() {
            if mdp.choices(state).all(|c| spend[c.index()]) {
                self.spend.report_no_choice(mdp, state, faults);
            }
        }
        if faults.errors().count() > before {
            return None;
        }
        let budgets = Budgets {
            mdp,
            of: self,
            gather,
            spend,
        };
        weave(self.kind(), mdp, &budgets, faults)
    }
}

/// Layer `l` is the budget `l`, but that 0 and `start` change places: the layer 0 is where it starts.
struct Budgets<'m> {
    mdp: &'m Mdp,
    of: &'m Resources,
    gather: Vec<bool>,
    spend: Vec<bool>,
}

impl Budgets<'_> {
    /// Its own inverse: the budget of a layer, and the layer of a budget.
    fn swapped(&self, number: u32) -> u32 {
        match number {
            0 => self.of.start,
            n if n == self.of.start => 0,
            n => n,
        }
    }

    fn choice(&self, choice: ChoiceId, budget: u32) -> Option<Woven> {
        let mut left = budget;
        let (gathers, spends) = (self.gather[choice.index()], self.spend[choice.index()]);
        if spends {
            left = budget.checked_sub(self.of.cost)?;
            if self.of.keep {
                left = budget;
            }
        }
        if gathers {
            left = left.saturating_add(self.of.gain).min(self.of.cap);
        }
        let to = row(self.mdp, choice, self.swapped(left));
        let mut woven = Woven::leading(self.mdp, choice, to);
        if gathers {
            woven = woven.labelled("gather");
        }
        if spends {
            woven = woven.labelled("spend");
        }
        Some(woven)
    }
}

impl Construction for Budgets<'_> {
    fn layer_name(&self, layer: u32) -> String {
        format!("budget {}", self.swapped(layer))
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, layer) if self.swapped(layer) == self.of.cap => vec!["affluent"],
            _ => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        let budget = self.swapped(layer);
        let choices = self.mdp.choices(state);
        choices.filter_map(|c| self.choice(c, budget)).collect()
    }
}

impl Names {
    /// A state that would be left without a choice.
    pub(super) fn report_no_choice(&self, mdp: &Mdp, state: StateId, faults: &mut Faults) {
        let message = format!(
            "`{}`: the state {:?} of {:?} would have no choice left",
            self.key(),
            mdp.state_name(state),
            mdp.name()
        );
        faults.error_with_help(
            self.span(),
            message,
            "name choices by a label, or give the state a further choice",
        );
    }
}
