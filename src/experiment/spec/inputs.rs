//! Copies of everything that was read, so that a run directory can be run again anywhere.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Experiment, RewardFile};

impl Experiment {
    /// The files of a run's `inputs/`, as (path below it, content): `experiment.toml`, resolved, with every value and its
    /// origin; `original/`, the experiment file as it was written; `mdp/` and `reward/`, the MDP files and the files of laws, where the
    /// resolved experiment looks for them.
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
        let resolved = self.to_toml_with(
            &|i, path| places.get(i).cloned().unwrap_or_else(|| path.into()),
            &|law, written| {
                let place = matrices
                    .iter()
                    .find(|m| m.0 == law && m.1.written == written);
                place.map(|(_, _, place)| place.to_string_lossy().into_owned())
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
        let mdps = self.mdp_files.iter().map(|file| file.bytes.clone());
        files.extend(places.into_iter().zip(mdps));
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

    /// The directory a run goes to where nothing else is said: its name and the first digits of its hash, below
    /// `powersweep-runs`.
    #[must_use]
    pub fn default_directory(&self, backend: &str) -> PathBuf {
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name: String = self
            .name
            .value
            .chars()
            .map(|c| if safe(c) { c } else { '-' })
            .collect();
        let name = name.trim_start_matches('.');
        Path::new("powersweep-runs").join(format!("{name}-{}", &self.hash(backend)[..8]))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || "file".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
