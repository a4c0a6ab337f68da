//! Copies of everything that was read, so that a run directory can be run again anywhere.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Experiment, RewardFile};
use crate::experiment::checkpoint::Shard;
use crate::io::write_json;

/// Most copies of MDPs that interventions made.
const MAX_VARIANT_FILES: usize = 100;

impl Experiment {
    /// The files of a run's `inputs/`, as (path below it, content): `experiment.toml`, resolved, with every value and its
    /// origin; `original/`, the experiment file as it was written; `mdp/`, `reward/` and `policy/`, the MDP files and the files of laws and policies, where the
    /// resolved experiment looks for them; `variant-mdp/`, MDPs that stand in place of the environments; `variants/`, what the interventions made, to look at.
    #[must_use]
    pub fn inputs(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut taken = HashSet::new();
        let places: Vec<PathBuf> = self
            .mdp_files
            .iter()
            .enumerate()
            .map(|(i, file)| {
                // The name must stay: an MDP without the key `name` is called after its file.
                let name = file_name(&file.path);
                let place = Path::new("mdp").join(&name);
                match taken.insert(name.clone()) {
                    true => place,
                    false => Path::new("mdp").join(i.to_string()).join(name),
                }
            })
            .collect();
        let matrices = self.matrix_places();
        let policies = self.policy_places();
        let replacements = self.replacement_places();
        let resolved = self.to_toml_with(
            &|i, path| places.get(i).cloned().unwrap_or_else(|| path.into()),
            &|law, written| {
                let place = matrices
                    .iter()
                    .find(|m| m.0 == law && m.1.written == written);
                place.map(|(_, _, place)| place.to_string_lossy().into_owned())
            },
            &|policy| {
                let place = policies.iter().find(|(of, ..)| *of == policy);
                place.map(|(.., place)| place.to_string_lossy().into_owned())
            },
            &|table| {
                let place = replacements.iter().find(|(of, ..)| *of == table);
                place.map(|(.., place)| place.to_string_lossy().into_owned())
            },
        );
        let original = Path::new("original").join(file_name(&self.file.path));
        let mut files = vec![
            (PathBuf::from("experiment.toml"), resolved.into_bytes()),
            (original, self.file.bytes.clone()),
        ];
        let beside = self.companions.iter().map(|(of, file)| {
            let extension = file.path.extension().unwrap_or_default();
            (places[*of].with_extension(extension), file.bytes.clone())
        });
        files.extend(beside);
        let of_laws = matrices
            .iter()
            .map(|(_, file, place)| (place.clone(), file.file.bytes.clone()));
        files.extend(of_laws);
        let of_policies = policies.iter();
        files.extend(of_policies.map(|(_, bytes, place)| (place.clone(), bytes.to_vec())));
        let of_variants = replacements.iter();
        files.extend(of_variants.map(|(_, bytes, place)| (place.clone(), bytes.to_vec())));
        let mdps = self.mdp_files.iter().map(|file| file.bytes.clone());
        files.extend(places.into_iter().zip(mdps));
        files.extend(self.variant_files());
        files
    }

    /// The MDPs that interventions made, as JSON; none where there are very many of them: they follow from the other inputs.
    fn variant_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let changed = self.variants.iter().enumerate();
        let changed: Vec<_> = changed
            .filter(|(_, variant)| !variant.interventions.is_empty())
            .collect();
        if changed.len() * self.environments.len() > MAX_VARIANT_FILES {
            return Vec::new();
        }
        let mut files = Vec::new();
        for mdp in &self.environments {
            let environment = Arc::new(mdp.clone());
            for (number, variant) in &changed {
                // Every variant was made once when the experiment was read.
                let Ok(made) = variant.apply(&environment) else {
                    continue;
                };
                let name = format!("{}-{number}-{}.json", safe(mdp.name()), safe(&variant.name));
                let path = Path::new("variants").join(name);
                files.push((path, write_json(&made).into_bytes()));
            }
        }
        files
    }

    /// Where copies of the files of laws go: number of the law, file, place below `inputs/`.
    fn matrix_places(&self) -> Vec<(usize, &RewardFile, PathBuf)> {
        let laws = self.rewards.value.iter().enumerate();
        laws.flat_map(|(i, law)| {
            let place = move |(j, file): (usize, &RewardFile)| {
                let below = format!("{i}-{j}");
                Path::new("reward")
                    .join(below)
                    .join(file_name(&file.file.path))
            };
            let files = law.files.iter().enumerate();
            files.map(move |(j, file)| (i, file, place((j, file))))
        })
        .collect()
    }

    /// Where copies of the files of policies go: number of the policy, content, place below `inputs/`.
    fn policy_places(&self) -> Vec<(usize, &[u8], PathBuf)> {
        let policies = self.policies.iter().enumerate();
        let each = policies.filter_map(|(i, entry)| {
            let file = entry.file()?;
            let place = Path::new("policy").join(i.to_string());
            Some((i, &file.bytes[..], place.join(file_name(&file.path))))
        });
        each.collect()
    }

    /// Where copies of the MDPs of variants go: number of the table, content, place below `inputs/`.
    fn replacement_places(&self) -> Vec<(usize, &[u8], PathBuf)> {
        let each = self.variant_files.iter().map(|variant| {
            let place = Path::new("variant-mdp").join(variant.table.to_string());
            let place = place.join(file_name(&variant.file.path));
            (variant.table, &variant.file.bytes[..], place)
        });
        each.collect()
    }

    /// The directory a run goes to where nothing else is said: its name and the first digits of its hash, below
    /// `powersweep-runs`.
    #[must_use]
    pub fn default_directory(&self, backend: &str) -> PathBuf {
        let name = safe(&self.name.value);
        let name = name.trim_start_matches('.');
        Path::new("powersweep-runs").join(format!("{name}-{}", &self.hash(backend)[..8]))
    }

    /// The directory that a shard of a run goes to where nothing else is said: beside the run's.
    #[must_use]
    pub fn default_shard_directory(&self, backend: &str, shard: Shard) -> PathBuf {
        let mut beside = self.default_directory(backend).into_os_string();
        beside.push("-shards");
        PathBuf::from(beside).join(format!("{}-of-{}", shard.number(), shard.of()))
    }
}

/// A name that every file system takes.
fn safe(name: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let letters = name.chars();
    letters.map(|c| if is_safe(c) { c } else { '-' }).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || "file".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
