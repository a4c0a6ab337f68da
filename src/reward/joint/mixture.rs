//! One of several laws.

use std::sync::Arc;

use super::read_weights;
use crate::document::{Faults, TableReader};
use crate::reward::bind::Rows;
use crate::reward::goal_law::{Facts, GoalKey, GoalLaw, Recipe, WholeGoal};
use crate::reward::shuffle::Thresholds;
use crate::reward::{Law, Making, MatrixSource};

/// Each goal follows one of several laws, drawn by weight. Components draw their rewards from the same words.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    components: Vec<Law>,
    /// `None` for equal ones.
    weights: Option<Vec<f64>>,
}

impl Mixture {
    /// Components with their weights: finite, not negative, not all zero.
    ///
    /// # Panics
    ///
    /// If there is no component, or the weights are not of that kind.
    #[must_use]
    pub fn new(components: Vec<(f64, Law)>) -> Self {
        let weights: Vec<f64> = components.iter().map(|(w, _)| *w).collect();
        assert!(
            weights.iter().all(|w| w.is_finite() && *w >= 0.0) && weights.iter().sum::<f64>() > 0.0
        );
        Self {
            components: components.into_iter().map(|(_, law)| law).collect(),
            weights: Some(weights),
        }
    }

    pub(in crate::reward) fn matrices_mut(&mut self) -> Vec<&mut MatrixSource> {
        let components = self.components.iter_mut();
        components.flat_map(Law::matrices_mut).collect()
    }

    pub(in crate::reward) fn is_complete(&self) -> bool {
        self.components.iter().all(Law::is_complete)
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        table.require("components", faults)?;
        let nodes = table.list_of_some("components", faults)?;
        let mut components = Vec::new();
        for node in &nodes {
            let Some(mut inner) = TableReader::open(node, "a component of the mixture", faults)
            else {
                continue;
            };
            let name = match inner.require("distribution", faults) {
                Some(_) => inner.string("distribution", faults),
                None => {
                    inner.rest();
                    None
                }
            };
            components.extend(name.and_then(|name| Law::read(&name, &mut inner, faults)));
            inner.finish(faults);
        }
        let weights = read_weights(table, nodes.len(), "components", faults);
        if nodes.is_empty() {
            return None;
        }
        (components.len() == nodes.len()).then_some(Self {
            components,
            weights: weights?,
        })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let inside = rows.inside_mixture();
        let each = self.components.iter().map(|law| law.bind(&inside, faults));
        // All of them, so that what is wrong with one does not hide another.
        let recipes: Vec<Option<Recipe>> = each.collect();
        let recipes = recipes.into_iter().collect::<Option<Vec<_>>>()?;
        let components: Vec<GoalLaw> = recipes
            .into_iter()
            .map(|recipe| GoalLaw::new(rows.domain, rows.len(), recipe))
            .collect();
        let weights = self
            .weights
            .clone()
            .unwrap_or_else(|| vec![1.0; components.len()]);
        let total: f64 = weights.iter().sum();
        Some(Recipe::Whole(Arc::new(BoundMixture {
            components,
            thresholds: Thresholds::new(&weights),
            pick: rows.pick,
            weights: weights.iter().map(|w| w / total).collect(),
        })))
    }
}

#[derive(Debug)]
struct BoundMixture {
    components: Vec<GoalLaw>,
    weights: Vec<f64>,
    thresholds: Thresholds,
    /// The word that picks the component.
    pick: u32,
}

impl WholeGoal for BoundMixture {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        let component = self
            .thresholds
            .pick(key.on(key.stream.mixture()).word(self.pick));
        self.components[component].draw_into(key, rewards);
    }

    fn facts(&self) -> Facts {
        let parts: Vec<(f64, Facts)> = self
            .weights
            .iter()
            .zip(&self.components)
            .map(|(w, c)| (*w, *c.facts()))
            .collect();
        Facts::mixed(&parts)
    }

    fn making(&self) -> Option<Making<'_>> {
        Some(Making::OneOf {
            components: &self.components,
            word: self.pick,
            ends: self.thresholds.ends(),
        })
    }
}
