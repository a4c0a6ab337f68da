//! The `[mdp]` table: files, or a family with seeds.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{InputFile, Resolved};
use crate::document::{Faults, Node, Span, Spanned, TableReader};
use crate::io::{self, ReadError};
use crate::mdp::Mdp;
use crate::mdp::families::Family;

/// Most MDPs of one experiment.
pub const MAX_ENVIRONMENTS: u64 = 100_000;

/// Where the MDPs of an experiment come from.
#[derive(Clone, Debug)]
pub enum EnvironmentSource {
    /// Files, as their paths were written.
    Files(Vec<PathBuf>),
    /// A family of generated MDPs.
    Family {
        /// The family with its parameters.
        family: Family,
        /// `family` and its parameters as they were written, in file order.
        parameters: Vec<(String, Node)>,
        /// The seeds.
        seeds: Resolved<Range<u64>>,
    },
}

/// What the `[mdp]` table led to. Faults in MDP files are in `others`, one collection a file, warnings too.
#[derive(Default)]
pub(super) struct Environments {
    pub(super) source: Option<EnvironmentSource>,
    pub(super) mdps: Vec<Mdp>,
    pub(super) files: Vec<InputFile>,
    /// Files that were read beside one of `files`, with its number.
    pub(super) companions: Vec<(usize, InputFile)>,
    pub(super) others: Vec<Faults>,
}

impl Environments {
    /// Reads the table and everything it names.
    pub(super) fn read(node: &Spanned<Node>, directory: &Path, faults: &mut Faults) -> Self {
        let mut found = Self::default();
        let Some(mut table) = TableReader::open(node, "[mdp]", faults) else {
            return found;
        };
        let path = table.take_entry("path");
        let paths = table.take_entry("paths");
        let family = table.take_entry("family");
        let given: Vec<_> = [path, paths, family].into_iter().flatten().collect();
        if given.len() != 1 {
            let span = given
                .last()
                .map_or(table.span(), |(key, _)| key.span.clone());
            faults.error_with_help(
                span,
                format!(
                    "[mdp] has {} of `path`, `paths` and `family`",
                    how_many(given.len())
                ),
                "name one file by `path`, several by `paths`, or generate them by `family`",
            );
            // What else the table holds depends on which of them was meant.
            table.rest();
            return found;
        }
        if let Some((_, value)) = path.or(paths) {
            let list = path_list(value, path.is_some(), faults);
            found.read_files(&list, directory, faults);
        }
        if let Some((_, value)) = family {
            let parameters = match &node.value {
                Node::Table(entries) => entries.iter(),
                _ => [].iter(),
            };
            let parameters = parameters
                .filter(|(key, _)| key.value != "seeds")
                .map(|(key, value)| (key.value.clone(), value.value.clone()))
                .collect();
            found.generate(value, parameters, &mut table, faults);
        }
        table.finish(faults);
        found
    }

    fn read_files(&mut self, list: &[Spanned<PathBuf>], directory: &Path, faults: &mut Faults) {
        let mut named: HashMap<String, &Path> = HashMap::new();
        for path in list {
            let full = directory.join(&path.value);
            let Some(mdp) = self.read_file(&full, &path.span, faults) else {
                continue;
            };
            if let Some(other) = named.insert(mdp.name().to_owned(), &path.value) {
                faults.error_with_help(
                    path.span.clone(),
                    format!(
                        "the environment {:?} stands twice: {} has the same name",
                        mdp.name(),
                        other.display()
                    ),
                    "give one of the files another `name`",
                );
            }
            self.mdps.push(mdp);
        }
        let paths = list.iter().map(|p| p.value.clone()).collect();
        self.source = Some(EnvironmentSource::Files(paths));
    }

    fn read_file(&mut self, path: &Path, span: &Span, faults: &mut Faults) -> Option<Mdp> {
        match io::read_mdp(path) {
            Ok((mdp, warnings)) => {
                for companion in io::companions(path) {
                    if let Some(file) = copy(&companion, span, faults) {
                        self.companions.push((self.files.len(), file));
                    }
                }
                self.files.extend(copy(path, span, faults));
                if !warnings.list.is_empty() {
                    self.others.push(warnings);
                }
                Some(mdp)
            }
            Err(ReadError::Faults(faults)) => {
                self.others.push(faults);
                None
            }
            Err(error) => {
                faults.error(span.clone(), error.to_string());
                None
            }
        }
    }

    fn generate(
        &mut self,
        value: &Spanned<Node>,
        parameters: Vec<(String, Node)>,
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) {
        let Node::String(name) = &value.value else {
            let message = format!(
                "`family` must be a name, this is {}",
                value.value.type_name()
            );
            faults.error(value.span.clone(), message);
            table.rest();
            return;
        };
        let seeds_at = table.take("seeds");
        let seeds = seeds_at.map_or(Some(0..1), |node| read_seeds(node, faults));
        let name = Spanned {
            value: name.clone(),
            span: value.span.clone(),
        };
        let family = Family::read(&name, table, faults);
        let (Some(family), Some(seeds)) = (family, seeds) else {
            return;
        };
        if !family.is_random() && seeds.end - seeds.start > 1 {
            faults.error(
                seeds_at.map(|node| node.span.clone()),
                format!(
                    "every seed of the family {:?} gives the same MDP",
                    family.name()
                ),
            );
            return;
        }
        for seed in seeds.clone() {
            match family.generate(seed) {
                Ok(mdp) => self.mdps.push(mdp),
                Err(error) => {
                    faults.error(name.span.clone(), error.to_string());
                    // The same parameters would fail again, seed by seed.
                    return;
                }
            }
        }
        self.source = Some(EnvironmentSource::Family {
            family,
            parameters,
            seeds: Resolved::new(None, seeds_at.map(|_| seeds.clone()), seeds),
        });
    }
}

/// The file as it is, for the run directory.
fn copy(path: &Path, span: &Span, faults: &mut Faults) -> Option<InputFile> {
    match std::fs::read(path) {
        Ok(bytes) => Some(InputFile {
            path: path.to_owned(),
            bytes,
        }),
        Err(error) => {
            faults.error(
                span.clone(),
                format!("cannot read {}: {error}", path.display()),
            );
            None
        }
    }
}

fn how_many(n: usize) -> &'static str {
    match n {
        0 => "none",
        2 => "two",
        _ => "all",
    }
}

fn path_list(value: &Spanned<Node>, single: bool, faults: &mut Faults) -> Vec<Spanned<PathBuf>> {
    let items = match &value.value {
        Node::Array(items) if !single => items.iter().collect(),
        _ => vec![value],
    };
    if items.is_empty() {
        faults.error(value.span.clone(), "`paths` is empty");
    }
    let mut list = Vec::new();
    for item in items {
        match &item.value {
            Node::String(path) if !path.is_empty() => list.push(Spanned {
                value: PathBuf::from(path),
                span: item.span.clone(),
            }),
            Node::String(_) => faults.error(item.span.clone(), "a path is empty"),
            other => {
                let help = if single {
                    "; several go into `paths`"
                } else {
                    ""
                };
                let found = other.type_name();
                let message = format!("a path must be a string, this is {found}{help}");
                faults.error(item.span.clone(), message);
            }
        }
    }
    list
}

/// `"0..1000"` (the end left out), or one seed.
fn read_seeds(node: &Spanned<Node>, faults: &mut Faults) -> Option<Range<u64>> {
    let range = match &node.value {
        Node::Integer(seed) => u64::try_from(*seed).ok().map(|seed| seed..seed + 1),
        Node::String(text) => text.split_once("..").and_then(|(first, end)| {
            let (first, end) = (first.trim().parse().ok()?, end.trim().parse().ok()?);
            Some(first..end)
        }),
        _ => None,
    };
    let Some(range) = range else {
        faults.error_with_help(
            node.span.clone(),
            "`seeds` must be a range of whole numbers",
            "write \"0..1000\" for the seeds 0 to 999",
        );
        return None;
    };
    let count = range.end.saturating_sub(range.start);
    if count == 0 || count > MAX_ENVIRONMENTS {
        faults.error(
            node.span.clone(),
            format!(
                "{count} seeds: an experiment has between 1 and {MAX_ENVIRONMENTS} environments"
            ),
        );
        return None;
    }
    Some(range)
}
