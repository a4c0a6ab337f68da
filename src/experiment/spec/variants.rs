//! The `[[variant]]` tables: what is made of every environment.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::{InputFile, Resolved};
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::experiment::VariantMdp;
use crate::intervention::{Placed, Replacement, SharedIntervention, Variant, read_variants};
use crate::io::{self, ReadError};
use crate::mdp::Mdp;

/// Most variants of one experiment.
const MAX_VARIANTS: usize = 10_000;

/// What the tables and the key `baseline` led to.
pub(super) struct Variants {
    /// Whether the unmodified MDP is run.
    pub(super) baseline: Resolved<bool>,
    /// The tables as they were written.
    pub(super) tables: Vec<Node>,
    /// MDPs that stand in place of the environments.
    pub(super) files: Vec<VariantFile>,
    /// The baseline, then every dose of every table.
    pub(super) list: Vec<Variant>,
    /// Whether a table has a fault, so that nobody knows what it would have made.
    is_faulty: bool,
}

/// The file with the MDP of a variant.
#[derive(Clone, Debug)]
pub(super) struct VariantFile {
    /// Number of its `[[variant]]` table.
    pub(super) table: usize,
    /// The file, byte for byte.
    pub(super) file: InputFile,
    /// What it holds.
    pub(super) hash: [u8; 32],
}

impl Variants {
    /// Reads `baseline` and `variant`. Faults of files go to `others`.
    pub(super) fn read(
        table: &mut TableReader<'_>,
        directory: &Path,
        faults: &mut Faults,
        others: &mut Vec<Faults>,
    ) -> Self {
        let of_files = |others: &[Faults]| others.iter().filter(|f| f.has_errors()).count();
        let before = (faults.errors().count(), of_files(others));
        let baseline = table.boolean("baseline", faults);
        let span = baseline.as_ref().map(|b| b.span.clone());
        let baseline = Resolved::new(None, baseline.map(|b| b.value), true);
        let nodes: Vec<&Spanned<Node>> = table.list("variant").unwrap_or_default();
        let mut list = Vec::new();
        if baseline.value {
            list.push(Variant::baseline());
        }
        let (mut names, mut files) = (HashSet::new(), Vec::new());
        for (number, node) in nodes.iter().enumerate() {
            let replacement = read_replacement(node, number, directory, faults, others);
            let first = replacement.map(|(first, file)| {
                files.push(file);
                first
            });
            for variant in read_variants(node, first.as_ref(), faults) {
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
            files,
            list,
            is_faulty: before != (faults.errors().count(), of_files(others)),
        }
    }

    /// What becomes of every environment. Nothing more is made once an environment has drawn faults; and nothing is handed on where a table has one: names that a
    /// faulty variant would have made cannot be missed.
    pub(super) fn make(&self, environments: &[Mdp], faults: &mut Faults) -> Vec<Vec<VariantMdp>> {
        let mut made = Vec::new();
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
        match self.is_faulty {
            true => Vec::new(),
            false => made,
        }
    }
}

/// The keys `mdp` and `states` of a table: another MDP in place of the environment. `None` where there is none, or where it cannot be read.
fn read_replacement(
    node: &Spanned<Node>,
    table: usize,
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Option<(SharedIntervention, VariantFile)> {
    let Node::Table(entries) = &node.value else {
        return None;
    };
    let of_key = |key: &str| entries.iter().find(|(k, _)| k.value == key).map(|(_, v)| v);
    let written = of_key("mdp")?;
    let Node::String(written_path) = &written.value else {
        let message = format!(
            "`mdp` of a variant is the path of an MDP file, this is {}",
            written.value.type_name()
        );
        faults.error(written.span.clone(), message);
        return None;
    };
    let path = directory.join(written_path);
    if !io::companions(&path).is_empty() {
        let message = "an MDP in several files cannot stand in a variant: convert it first (`powersweep convert`)";
        faults.error(written.span.clone(), message);
        return None;
    }
    let (mdp, bytes) = match (io::read_mdp(&path), std::fs::read(&path)) {
        (Ok((mdp, warnings)), Ok(bytes)) => {
            if !warnings.list.is_empty() {
                others.push(warnings);
            }
            (mdp, bytes)
        }
        (Err(ReadError::Faults(of_file)), _) => {
            others.push(of_file);
            return None;
        }
        (Err(error), _) => {
            faults.error(written.span.clone(), error.to_string());
            return None;
        }
        (_, Err(error)) => {
            let message = format!("cannot read {}: {error}", path.display());
            faults.error(written.span.clone(), message);
            return None;
        }
    };
    let states =
        of_key("states").map_or(Some(BTreeMap::new()), |node| read_states(node, faults))?;
    let file = VariantFile {
        table,
        hash: mdp.content_hash(),
        file: InputFile { path, bytes },
    };
    let replacement = Replacement::new(Arc::new(mdp), states);
    let placed = Placed {
        by: Arc::new(replacement),
        place: written.span.clone(),
    };
    Some((Arc::new(placed), file))
}

/// A table from states of the other MDP to those of the environment.
fn read_states(node: &Spanned<Node>, faults: &mut Faults) -> Option<BTreeMap<String, String>> {
    let mut states = BTreeMap::new();
    let Node::Table(entries) = &node.value else {
        let message = format!(
            "`states` of a variant is a table {{ STATE = \"state of the environment\" }}, this is {}",
            node.value.type_name()
        );
        faults.error(node.span.clone(), message);
        return None;
    };
    for (own, base) in entries {
        let Node::String(name) = &base.value else {
            let message = format!(
                "{:?} stands for a state by its name, this is {}",
                own.value,
                base.value.type_name()
            );
            faults.error(base.span.clone(), message);
            return None;
        };
        states.insert(own.value.clone(), name.clone());
    }
    Some(states)
}
