//! Parts of a run that are solved apart and merged later.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most parts a run is cut into.
const MAX_SHARDS: u64 = 1_000_000;

/// One of so many parts of a run: environments one after another, blocks of goals within an environment.
///
/// All cells of an environment that a shard has blocks of are solved on those blocks: what joins cells goal by goal stays in one shard, and every shard
/// has its share of the slow cells and of the fast ones.
///
/// ```
/// use powersweep::experiment::checkpoint::Shard;
///
/// let shard: Shard = "2/3".parse()?;
/// assert_eq!((shard.number(), shard.of()), (2, 3));
/// // Two environments of 4 and 8 blocks are 4 blocks each shard: none of the first one's are left for the second shard.
/// assert_eq!(shard.cut(&[4, 8]), [4..4, 0..4]);
/// # Ok::<(), powersweep::experiment::checkpoint::ShardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    number: u64,
    of: u64,
}

/// What is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shard is k/n with k from 1 to n, and n up to {MAX_SHARDS}, like 2/16; this is {0:?}")]
pub struct ShardError(pub String);

/// Why the task of a job array does not tell its shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// A variable that Slurm sets in job arrays is not set.
    #[error("{0} is not set: this is no task of a Slurm job array")]
    Missing(&'static str),
    /// It is not a number.
    #[error("{0} is {1:?}, which is no number")]
    Number(&'static str, String),
    /// Some tasks were left out.
    #[error(
        "the array's {count} tasks, numbered from {first} to {last}, have gaps: its tasks do not say which shards they are"
    )]
    Gaps {
        /// Lowest number.
        first: u64,
        /// Highest.
        last: u64,
        /// How many tasks there are.
        count: u64,
    },
    /// Too many of them.
    #[error(transparent)]
    Shard(ShardError),
}

impl Shard {
    /// Number `number` (from 1) of `of`.
    ///
    /// # Errors
    ///
    /// [`ShardError`] unless `1 <= number <= of`, at most a million.
    pub fn new(number: u64, of: u64) -> Result<Self, ShardError> {
        match (1..=of).contains(&number) && of <= MAX_SHARDS {
            true => Ok(Self { number, of }),
            false => Err(ShardError(format!("{number}/{of}"))),
        }
    }

    /// The one of a task of a Slurm job array, given its environment variables: the first task is the first shard.
    ///
    /// # Errors
    ///
    /// [`ArrayError`] outside of a job array, and in one with gaps, where the task's number does not tell its place.
    pub fn of_array_task(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ArrayError> {
        let read = |name: &'static str| {
            let value = variable(name).ok_or(ArrayError::Missing(name))?;
            value
                .parse::<u64>()
                .map_err(|_| ArrayError::Number(name, value))
        };
        let task = read("SLURM_ARRAY_TASK_ID")?;
        let count = read("SLURM_ARRAY_TASK_COUNT")?;
        let [first, last] = [read("SLURM_ARRAY_TASK_MIN")?, read("SLURM_ARRAY_TASK_MAX")?];
        let gapless = last.checked_sub(first) == count.checked_sub(1);
        if !gapless || !(first..=last).contains(&task) {
            return Err(ArrayError::Gaps { first, last, count });
        }
        Self::new(task - first + 1, count).map_err(ArrayError::Shard)
    }

    /// Which one, from 1.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }

    /// Of how many.
    #[must_use]
    pub fn of(self) -> u64 {
        self.of
    }

    /// Its blocks of each environment, given how many blocks each has. The shards of a run share no block and leave none out.
    #[must_use]
    pub fn cut(self, blocks: &[u64]) -> Vec<Range<u64>> {
        let total: u128 = blocks.iter().map(|&n| u128::from(n)).sum();
        let edge = |number: u64| total * u128::from(number) / u128::from(self.of);
        let mut before = 0;
        let mut ranges = Vec::with_capacity(blocks.len());
        for &n in blocks {
            let within = |edge: u128| edge.saturating_sub(before).min(n.into()) as u64;
            ranges.push(within(edge(self.number - 1))..within(edge(self.number)));
            before += u128::from(n);
        }
        ranges
    }
}

/// The same part of another number of blocks: laws that enumerate their goals have more or fewer of them than was asked for.
#[must_use]
pub(in super::super) fn rescale(range: &Range<u64>, from: u64, to: u64) -> Range<u64> {
    let at = |x: u64| (u128::from(to) * u128::from(x) / u128::from(from.max(1))) as u64;
    at(range.start)..at(range.end)
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError(text.to_owned());
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let [number, of] = [number, of].map(str::parse::<u64>);
        Self::new(number.map_err(|_| wrong())?, of.map_err(|_| wrong())?).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Self, ShardError> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_leave_no_block_out_and_share_none() {
        for blocks in [
            vec![1],
            vec![5, 0, 3],
            vec![100, 1, 1, 57],
            vec![u64::MAX, 7],
        ] {
            for of in [1, 2, 3, 7, 64] {
                let cuts: Vec<_> = (1..=of)
                    .map(|k| Shard::new(k, of).unwrap().cut(&blocks))
                    .collect();
                for (e, &n) in blocks.iter().enumerate() {
                    let mut at = 0;
                    for range in cuts.iter().map(|cut| &cut[e]).filter(|r| !r.is_empty()) {
                        assert_eq!(range.start, at, "{blocks:?} in {of}");
                        at = range.end;
                    }
                    assert_eq!(at, n, "{blocks:?} in {of}");
                }
            }
        }
    }

    #[test]
    fn a_part_of_other_goals_is_still_a_part() {
        // Ten blocks were thought of, there are three, or thirty.
        for actual in [0, 3, 30] {
            let mut at = 0;
            for range in [0..4, 4..5, 5..10] {
                let part = rescale(&range, 10, actual);
                assert_eq!(part.start, at);
                at = part.end;
            }
            assert_eq!(at, actual);
        }
    }

    #[test]
    fn a_task_of_a_job_array_knows_its_shard() {
        let shard = |task: &str, count: &str, first: &str, last: &str| {
            let values = [
                ("ID", task),
                ("COUNT", count),
                ("MIN", first),
                ("MAX", last),
            ];
            Shard::of_array_task(|name| {
                let found = values.iter().find(|(end, _)| name.ends_with(end));
                found
                    .map(|(_, value)| (*value).to_owned())
                    .filter(|v| !v.is_empty())
            })
        };
        assert_eq!(shard("0", "4", "0", "3").unwrap().to_string(), "1/4");
        assert_eq!(shard("7", "4", "5", "8").unwrap().to_string(), "3/4");
        assert_eq!(
            shard("", "4", "0", "3"),
            Err(ArrayError::Missing("SLURM_ARRAY_TASK_ID"))
        );
        for gaps in [
            ("3", "2", "1", "3"),
            ("9", "4", "1", "4"),
            ("1", "0", "1", "1"),
        ] {
            let error = shard(gaps.0, gaps.1, gaps.2, gaps.3).unwrap_err();
            assert!(matches!(error, ArrayError::Gaps { .. }), "{error}");
        }
        assert!(shard("one", "1", "1", "1").is_err());
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for wrong in [
            "0/4",
            "5/4",
            "1",
            "1/0",
            "a/b",
            "-1/4",
            "1/4/8",
            "1/1000001",
            "",
        ] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("16/16".parse::<Shard>().unwrap().to_string(), "16/16");
    }
}
