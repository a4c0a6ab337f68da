//! The `[[variant]]` tables: what is made of every environment.

use std::collections::HashSet;
use std::sync::Arc;

use super::Resolved;
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::experiment::VariantMdp;
use crate::intervention::{Variant, read_variants};
use crate::mdp::Mdp;

/// Most variants of one experiment.
const MAX_VARIANTS: usize = 10_000;

/// What the tables and the key `baseline` led to.
pub(super) struct Variants {
    /// Whether the unmodified MDP is run.
    pub(super) baseline: Resolved<bool>,
    /// The tables as they were written.
    pub(super) tables: Vec<Node>,
    /// The baseline, then every dose of every table.
    pub(super) list: Vec<Variant>,
    /// Whether a table has a fault, so that nobody knows what it would have made.
    is_faulty: bool,
}

impl Variants {
    /// Reads `baseline` and `variant`.
    pub(super) fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Self {
        let before = faults.errors().count();
        let baseline = table.boolean("baseline", faults);
        let span = baseline.as_ref().map(|b| b.span.clone());
        let baseline = Resolved::new(None, baseline.map(|b| b.value), true);
        let nodes: Vec<&Spanned<Node>> = table.list("variant").unwrap_or_default();
        let mut list = Vec::new();
        if baseline.value {
            list.push(Variant::baseline());
        }
        let mut names = HashSet::new();
        for node in &nodes {
            for variant in read_variants(node, faults) {
                if !names.insert(variant.name.clone()) {
                    faults.error_with_help(
                        node.span.clone(),
                        format!("two variants are named {:?}", variant.name),
                        "give each [[variant]] its own `name`",
                    );
                }
                list.push(variant);
            }
        }
        if list.len() > MAX_VARIANTS {
            let message = format!(
                "{} variants, at most {MAX_VARIANTS} are allowed",
                list.len()
            );
            faults.error(None, message);
            list.truncate(MAX_VARIANTS);
        }
        if nodes.is_empty() && !baseline.value {
            faults.error_with_help(
                span,
                "`baseline = false` leaves nothing to run",
                "give a [[variant]], or leave `baseline` out",
            );
        }
        Self {
            baseline,
            tables: nodes.into_iter().map(|node| node.value.clone()).collect(),
            list,
            is_faulty: faults.errors().count() > before,
        }
    }

    /// What becomes of every environment. Nothing more is made once an environment has drawn faults.
    pub(super) fn make(&self, environments: &[Mdp], faults: &mut Faults) -> Vec<Vec<VariantMdp>> {
        let mut made = Vec::new();
        // Names that a faulty variant would have made cannot be missed.
        let environments = if self.is_faulty { &[] } else { environments };
        for mdp in environments {
            let before = faults.list.len();
            let mdp = Arc::new(mdp.clone());
            let mut told = HashSet::new();
            let mut variants = Vec::new();
            for variant in &self.list {
                let mut own = Faults::default();
                if let Some(made) = variant.make(&mdp, &mut own) {
                    variants.push(VariantMdp::new(&variant.name, made));
                }
                // What is wrong with every dose is told once.
                let new = own.list.into_iter();
                let new = new.filter(|f| told.insert((f.message.clone(), f.span.clone())));
                faults.list.extend(new);
            }
            if faults.list.len() > before {
                break;
            }
            made.push(variants);
        }
        made
    }
}
