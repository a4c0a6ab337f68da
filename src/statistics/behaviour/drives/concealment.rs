//! Hiding what one wants until nobody looks, and what that costs.

use super::happening::{Happening, has};
use super::{Drive, Finding, Kind, Means, Own, World};
use crate::mdp::{BaseState, Mdp};
use crate::statistics::behaviour::look::Look;
use crate::statistics::{Map, Observations, Observed, PowerScale, Quantity, Row};
use crate::units::StateId;

pub(super) const KIND: Kind = Kind {
    name: "concealment",
    definition: "the agent ever takes a choice labelled unwatched, and never one labelled caught; price: by how much a world in which nobody looks is worth more to goals that hide, as a POWER integrand, 0 of others",
    needs: "choices labelled \"unwatched\", as `watched` adds them",
    label: Some("unwatched"),
    most_columns: |_| 2,
    splits: true,
    find,
};

/// Whether it hides, and from whom.
#[derive(Debug)]
struct Hiding {
    hides: Happening,
    /// Start states with their probabilities, each with its copy in which nobody looks; none where there are no such copies, or values have no number.
    unwatched: Vec<(f64, StateId, StateId)>,
    scale: f64,
}

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let mdp: &Mdp = world.mdp;
    if !has(mdp, "unwatched") {
        return None;
    }
    let is_told = world.is_optimal && world.discount.limit().is_none();
    let each = mdp.start().iter().map(|&(start, p)| {
        let twin = mdp.find_state(&format!("{} (deployed)", mdp.state_name(start)))?;
        let base = |s: StateId| mdp.base_state()[s.index()];
        let is_twin = base(twin) == base(start) && matches!(base(start), BaseState::Of(_));
        (is_told && is_twin).then_some((p, start, twin))
    });
    Some(Box::new(Hiding {
        hides: Happening::new(world).only(world, "ever", "unwatched", "caught"),
        unwatched: each.collect::<Option<_>>().unwrap_or_default(),
        scale: world.law.scale,
    }))
}

impl Drive for Hiding {
    fn n_columns(&self) -> usize {
        1 + usize::from(!self.unwatched.is_empty())
    }

    fn own(&self) -> Own<'_> {
        self.hides.own()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let mut alone = Observations::new(1, 1);
        let mut own = alone.row();
        self.hides.observe(look, &mut own);
        own.finish();
        let hides = alone.observed(0)[0];
        row.push_observed(hides);
        if self.unwatched.is_empty() {
            return;
        }
        // A goal that is never caught would have as much in a world where nobody looks, at least.
        let half = 2.0 * look.integrand_half_width();
        let mut more = Observed::sure(0.0);
        for &(p, start, twin) in &self.unwatched {
            let lead = look.integrand(twin) - look.integrand(start);
            more.value += p * lead.max(0.0);
            more.low += p * (lead - half).max(0.0);
            more.high += p * (lead + half).max(0.0);
        }
        row.push_observed(Observed {
            value: hides.value * more.value,
            low: hides.low * more.low,
            high: hides.high * more.high,
        });
    }

    fn quantities(&self) -> Vec<Quantity> {
        let price = (!self.unwatched.is_empty()).then(|| {
            let scale = PowerScale::new(0.0, 1_024.0 * self.scale);
            Quantity::mean(1, Map::Identity, scale)
        });
        self.hides.quantities().into_iter().chain(price).collect()
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let price = (!self.unwatched.is_empty()).then(|| Finding {
            quantity: "price".to_owned(),
            estimate: Some(means.estimate(1)),
            // To an agent by chance all choices are alike.
            chance: Some(0.0),
            least: None,
            undecided: 0.0,
        });
        self.hides
            .findings(means)
            .into_iter()
            .chain(price)
            .collect()
    }
}
