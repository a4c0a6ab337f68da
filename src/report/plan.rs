//! How an experiment will be solved: for `plan`, and what `inspect` says of memory.

use super::digits::{counted, grouped, plain_name};
use super::variant::of_variant;
use crate::experiment::{Forecast, Memory};
use crate::solve::CellProblem;
use crate::statistics::Blocks;

/// How one cell of an experiment will be solved. `device`: what there is to say of the backend's device.
#[must_use]
pub fn plan_text(
    variant: &str,
    reward: &str,
    problem: &CellProblem,
    blocks: Blocks,
    memory: &Memory,
    device: Option<&str>,
) -> String {
    let stage = problem.program.stage();
    let mut text = format!(
        "{}{}: discount {}, {} goals\n",
        plain_name(stage.mdp.name(), 60),
        of_variant(variant),
        problem.discount,
        plain_name(reward, 24)
    );
    for line in problem.plan.to_string().lines() {
        text += &format!("  {line}\n");
    }
    let hash: String = problem
        .plan
        .hash()
        .iter()
        .take(4)
        .map(|b| format!("{b:02x}"))
        .collect();
    let entries = [
        (
            "tolerance",
            format!(
                "{} on POWER, at most {} sweeps",
                problem.tolerance,
                grouped(problem.max_sweeps.into())
            ),
        ),
        (
            "goals",
            format!(
                "{} in blocks of {}: {}",
                grouped(blocks.count()),
                grouped(blocks.size()),
                counted(blocks.len() as usize, "block")
            ),
        ),
        ("memory", memory_line(memory)),
        (
            "plan",
            format!("{hash} (runs are merged only if it is the same)"),
        ),
    ];
    let device = device.map(|words| ("device", words.to_owned()));
    for (key, value) in device.into_iter().chain(entries) {
        text += &format!("  {key:<13}{value}\n");
    }
    text
}

/// What a run is expected to take, by a trial on this machine: of so many goals in each of `cells` cells, or where it stops by itself of a million.
#[must_use]
pub fn forecast_text(
    forecast: &Forecast,
    goals: Option<u64>,
    cells: usize,
    memory_bytes: usize,
) -> String {
    let rate = cells as f64 / forecast.seconds_per_goal;
    let rate = grouped(if rate >= 1.0 { rate as u64 } else { 1 });
    let (what, seconds) = match goals {
        Some(n) => (format!("{} goals", grouped(n)), forecast.seconds(n)),
        None => (
            "a run that stops by itself, for a million goals".to_owned(),
            forecast.seconds(1_000_000),
        ),
    };
    let threads = counted(forecast.threads, "thread");
    format!(
        "expected: {what} in each of {} in {} on {threads} of this machine ({rate} a second over all cells), about {} of memory\n",
        counted(cells, "cell"),
        duration(seconds),
        bytes(memory_bytes),
    )
}

/// A time with two digits.
fn duration(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < 100.0 => (s, "seconds"),
        s if s < 6_000.0 => (s / 60.0, "minutes"),
        s => (s / 3_600.0, "hours"),
    };
    match number < 10.0 {
        true => format!("{number:.1} {unit}"),
        false => format!("{number:.0} {unit}"),
    }
}

/// `24 KiB per thread, 2 KiB for the structure, 2 KiB for sums`.
#[must_use]
pub fn memory_line(memory: &Memory) -> String {
    let observed = match memory.observations_bytes {
        0 => String::new(),
        n => format!(" and {} for observations", bytes(n)),
    };
    format!(
        "{} per thread for values{observed}, {} for the structure, {} for sums",
        bytes(memory.values_bytes),
        bytes(memory.structure_bytes),
        bytes(memory.sums_bytes)
    )
}

/// A number of bytes in the largest binary unit of which there is at least one.
fn bytes(count: usize) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = "bytes";
    for next in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "bytes" {
        format!("{count} bytes")
    } else {
        format!("{value:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::RunSpec;
    use crate::report::samples::ring;
    use crate::reward::RewardDistribution;
    use crate::units::Discount;

    #[test]
    fn a_cell_says_how_it_will_be_solved() {
        let mdp = std::sync::Arc::new(ring(5));
        let reward = RewardDistribution::unit_uniform();
        let problem = RunSpec::default().problem(&mdp, &reward, Discount::new(0.5).unwrap());
        let text = plan_text(
            "baseline",
            reward.name(),
            &problem.unwrap(),
            Blocks::new(1_000_000, 16_384),
            &Memory::of(&mdp),
            None,
        );
        insta::assert_snapshot!(text);
        assert!(!text.contains("device"));
    }

    #[test]
    fn sizes_are_written_in_their_unit() {
        assert_eq!(
            [0, 1023, 1024, 5 << 20].map(bytes),
            ["0 bytes", "1023 bytes", "1.0 KiB", "5.0 MiB"]
        );
    }
}
