//! What a law of goals draws, beside what it should: for `inspect --reward`.

use super::digits::{fixed, grouped, plain_name};
use crate::reward::{BoundReward, QUANTILES, RewardDistribution, RewardDomain, RowSketch, Sketch};
use crate::units::{ChoiceId, StateId};

/// Most rewards that are listed one by one.
const MAX_ROWS: usize = 12;
/// Characters of the longest bar.
const BAR: usize = 40;

/// The law on one MDP: a line of facts, a row per reward (draws beside exact moments), correlations, a histogram.
#[must_use]
pub fn reward_text(
    distribution: &RewardDistribution,
    bound: &BoundReward,
    sketch: &Sketch,
) -> String {
    let (law, facts) = (&bound.law, bound.law.facts());
    let mut text = format!(
        "{} on {}: {}, {} rewards of {}\n",
        plain_name(distribution.name(), 40),
        plain_name(bound.mdp.name(), 40),
        distribution.law().name(),
        grouped(law.n_rewards() as u64),
        match law.domain() {
            RewardDomain::State => "states",
            RewardDomain::Choice => "choices",
        }
    );
    let scale = facts.scale;
    let decimals = (3.0 - scale.log10().floor()).clamp(0.0, 12.0) as usize;
    let number = |x: f64| fixed(x, decimals);
    let count = match facts.enumerated {
        Some(all) => format!("all {} there are, each once", grouped(all)),
        None => format!("{} drawn for this table", grouped(sketch.goals)),
    };
    let spread = if facts.finite_variance {
        String::new()
    } else {
        "; infinite variance: means get no interval".to_owned()
    };
    text += &format!(
        "  goals    {count}\n  range    {} to {}, tolerances relative to {}{spread}\n\n",
        number(facts.low),
        number(facts.high),
        number(scale)
    );
    let mut rows = vec![header()];
    for row in 0..law.n_rewards().min(MAX_ROWS) {
        let name = match law.domain() {
            RewardDomain::State => bound.mdp.state_name(StateId(row as u32)).to_owned(),
            RewardDomain::Choice => {
                let choice = ChoiceId(row as u32);
                let state = bound.mdp.state_name(bound.mdp.state_of(choice));
                format!("{state} / {}", bound.mdp.action_name(choice))
            }
        };
        rows.push(line(
            &plain_name(&name, 24),
            law.moments(row),
            &sketch.rows[row],
            &number,
        ));
    }
    text += &aligned(&rows);
    if law.n_rewards() > MAX_ROWS {
        text += &format!(
            "  ... and {} more\n",
            grouped((law.n_rewards() - MAX_ROWS) as u64)
        );
    }
    if let Some([least, mean, most]) = sketch.correlation {
        let each = [least, mean, most].map(|r| fixed(r, 3));
        text += &format!(
            "\n  correlation of two rewards: {} to {}, {} on average\n",
            each[0], each[2], each[1]
        );
    }
    if let Some(second) = sketch.second {
        text += &format!(
            "  correlation of a reward with that of the second goal: {}\n",
            fixed(second, 3)
        );
    }
    text + "\n" + &histogram(sketch, &number)
}

fn header() -> Vec<String> {
    let mut header = ["reward", "mean", "exact", "sd", "exact"]
        .map(str::to_owned)
        .to_vec();
    header.extend(QUANTILES.map(|p| format!("{}%", (p * 100.0).round())));
    header
}

fn line(
    name: &str,
    moments: Option<(f64, Option<f64>)>,
    row: &RowSketch,
    number: &dyn Fn(f64) -> String,
) -> Vec<String> {
    let mean = moments.map_or_else(|| "-".to_owned(), |(mean, _)| number(mean));
    let sd = moments.map_or_else(
        || "-".to_owned(),
        |(_, sd)| number(sd.unwrap_or(f64::INFINITY)),
    );
    let mut line = vec![name.to_owned(), number(row.mean), mean, number(row.sd), sd];
    line.extend(row.quantiles.map(number));
    line
}

/// Columns as wide as they need to be, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = format!("  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line += &format!("  {cell:>width$}");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn histogram(sketch: &Sketch, number: &dyn Fn(f64) -> String) -> String {
    let (low, high, cells) = &sketch.histogram;
    let most = cells.iter().copied().fold(0.0, f64::max);
    let step = (high - low) / cells.len() as f64;
    let labels: Vec<String> = (0..cells.len())
        .map(|i| number(low + step * i as f64))
        .collect();
    let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let mut text = String::from("  rewards that are not the same in every goal\n");
    for (label, share) in labels.iter().zip(cells) {
        let bar = "█".repeat((share / most * BAR as f64).round() as usize);
        let line = format!("  from {label:>width$}  {bar}");
        text += &format!("{} {:.1}%\n", line.trim_end(), share * 100.0);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Seed;
    use crate::report::samples::ring;
    use crate::reward::Marginal;

    #[test]
    fn a_law_is_shown_beside_its_exact_moments() {
        let law = RewardDistribution::iid("goals", Marginal::normal(0.5, 2.0).unwrap());
        let law = law.with_fixed("s0", 1.0);
        let bound = law.bind(&Arc::new(ring(4))).unwrap();
        let sketch = Sketch::of(&bound.law, Seed(0), 4096);
        insta::assert_snapshot!(reward_text(&law, &bound, &sketch));
    }
}
