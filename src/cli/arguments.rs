//! Arguments that several commands share, and how their values are read.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use powersweep::experiment::checkpoint::{Shard, ShardError};
use powersweep::experiment::{BackendChoice, Engine, EngineError, RunSpec};
use powersweep::io::{Layout, MdpFormat};
use powersweep::plan::{Method, Precision};
use powersweep::report::grouped;
use powersweep::{Discount, DiscountError};
use serde_json::Value;

use super::failure::{Failure, Kind};

/// A count as people write it: `1000000`, `1_000_000` or `1e6`, at least 1.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let whole = |x: &f64| *x >= 1.0 && x.fract() == 0.0;
    let number = match digits.parse::<u64>() {
        Ok(number) => Some(number).filter(|&n| n > 0),
        // What is beyond the largest number becomes it, and is too large below.
        Err(_) => digits.parse().ok().filter(whole).map(|x: f64| x as u64),
    };
    match number {
        Some(number) if number > RunSpec::MAX_SAMPLES => Err(format!(
            "at most {} (2^53): so many goals take {:.0} years at a million a second",
            grouped(RunSpec::MAX_SAMPLES),
            RunSpec::MAX_SAMPLES as f64 / 1e6 / (365.25 * 86_400.0)
        )),
        Some(number) => Ok(number),
        None => Err("a whole number, 1 or more, like 20000, 1_000_000 or 1e6".to_owned()),
    }
}

/// A seed: what fits in a signed 64-bit integer, since files must be able to hold it.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    let number = text.replace('_', "").parse::<i64>().ok();
    let number = number.and_then(|n| u64::try_from(n).ok());
    number.ok_or_else(|| format!("a whole number from 0 to {}", i64::MAX))
}

/// A discount in (0, 1), `->0` or `->1`.
pub(crate) fn discount(text: &str) -> Result<Discount, String> {
    text.parse()
        .map_err(|error: DiscountError| error.to_string())
}

/// A positive number.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|x: &f64| *x > 0.0 && x.is_finite());
    number.ok_or_else(|| "a number above 0".to_owned())
}

/// A time, up to a year.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|x: &f64| (0.0..=366.0 * 86_400.0).contains(x));
    number.ok_or_else(|| "a number of seconds, 0 or more".to_owned())
}

/// A shard, or the place in Slurm's job array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardChoice {
    Auto,
    One(Shard),
}

impl ShardChoice {
    /// The shard.
    pub(crate) fn resolve(self) -> Result<Shard, Failure> {
        match self {
            Self::One(shard) => Ok(shard),
            Self::Auto => {
                let shard = Shard::of_array_task(|name| std::env::var(name).ok());
                let help = "say which shard it is: --shard 1/16";
                shard.map_err(|error| Failure::new(Kind::Input, error).with_help(help))
            }
        }
    }
}

/// `k/n` or `auto`.
pub(crate) fn shard(text: &str) -> Result<ShardChoice, String> {
    match text {
        "auto" => Ok(ShardChoice::Auto),
        _ => match text.parse() {
            Ok(shard) => Ok(ShardChoice::One(shard)),
            Err(error) => Err(ShardError::to_string(&error)),
        },
    }
}

/// A number in (0, 1).
pub(crate) fn level(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| *x > 0.0 && *x < 1.0);
    number.ok_or_else(|| "a number between 0 and 1, like 0.95".to_owned())
}

/// Which adapter the GPU backend uses.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Adapter {
    /// The adapter of the gpu backend: a part of its name, or its number in `powersweep devices` [default:
    /// $POWERSWEEP_ADAPTER, else the best graphics processor].
    #[arg(long, value_name = "NAME|INDEX")]
    adapter: Option<String>,
}

impl Adapter {
    /// Starts the backend of a finished run: on the adapter that its manifest names, where it is here and no other one is asked for.
    pub(crate) fn engine_of_run(
        &self,
        backend: BackendChoice,
        manifest: &Value,
    ) -> Result<Engine, EngineError> {
        let of_run = manifest["backend"]["adapter"].as_str();
        let is_asked = self.adapter.is_some() || Self::standing_wish().is_some();
        match (of_run, backend) {
            (Some(name), BackendChoice::Auto | BackendChoice::Gpu) if !is_asked => {
                Engine::on_adapter(backend, Some(name)).or_else(|_| self.engine(backend))
            }
            _ => self.engine(backend),
        }
    }

    fn standing_wish() -> Option<String> {
        let name = std::env::var("POWERSWEEP_ADAPTER").ok();
        name.filter(|name| !name.is_empty())
    }

    /// Starts the backend.
    pub(crate) fn engine(&self, backend: BackendChoice) -> Result<Engine, EngineError> {
        match (&self.adapter, backend) {
            (Some(name), _) => Engine::on_adapter(backend, Some(name)),
            // A standing wish is for those who ask for the GPU.
            (None, BackendChoice::Gpu) => {
                Engine::on_adapter(backend, Self::standing_wish().as_deref())
            }
            (None, _) => Engine::new(backend),
        }
    }
}

/// The backends by name.
pub(crate) fn backend() -> impl TypedValueParser<Value = BackendChoice> {
    named(BackendChoice::ALL.map(|b| (b.name(), b)).to_vec())
}

/// A method, or the pilot's choice. A type of its own, since clap gives `Option<Option<_>>` another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MethodChoice(pub(crate) Option<Method>);

/// The methods by name, and `auto`.
pub(crate) fn method() -> impl TypedValueParser<Value = MethodChoice> {
    let methods = Method::ALL.map(|m| (m.name(), MethodChoice(Some(m))));
    let auto = [("auto", MethodChoice(None))];
    named(auto.into_iter().chain(methods).collect())
}

/// The arithmetics by name.
pub(crate) fn precision() -> impl TypedValueParser<Value = Precision> {
    named(Precision::ALL.map(|p| (p.name(), p)).to_vec())
}

/// The formats of MDPs by name.
pub(crate) fn mdp_format() -> impl TypedValueParser<Value = MdpFormat> {
    named(MdpFormat::ALL.map(|f| (f.name(), f)).to_vec())
}

/// The orders of indices by name.
pub(crate) fn layout() -> impl TypedValueParser<Value = Layout> {
    named(Layout::ALL.map(|l| (l.name(), l)).to_vec())
}

fn named<T: Copy + Send + Sync + 'static>(
    values: Vec<(&'static str, T)>,
) -> impl TypedValueParser<Value = T> {
    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    PossibleValuesParser::new(names).try_map(move |name| {
        let found = values.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| *value)
            .ok_or("not one of the possible values")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for text in ["1000000", "1_000_000", "1e6", "1E6"] {
            assert_eq!(count(text), Ok(1_000_000), "{text}");
        }
        for text in [
            "0",
            "-1",
            "1.5",
            "1e-3",
            "",
            "many",
            "1e17",
            "nan",
            "inf",
            "9007199254740993",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
        assert_eq!(count("9007199254740992"), Ok(RunSpec::MAX_SAMPLES));
        let told = count("1e18").unwrap_err();
        assert!(
            told.contains("at most 9,007,199,254,740,992 (2^53)") && told.contains("285 years"),
            "{told}"
        );
        assert!(!count("1.5").unwrap_err().contains("at most"));
    }

    #[test]
    fn a_seed_fits_in_a_file() {
        assert_eq!(seed("9223372036854775807"), Ok(i64::MAX as u64));
        assert!(seed("9223372036854775808").is_err() && seed("-1").is_err());
    }
}
