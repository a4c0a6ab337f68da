//! What came of the exact cases, as text.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::digits::{fixed, grouped, small};
use super::table::layout;
use crate::experiment::verify::{ALLOWED_STD_ERRORS, CaseResult, SkippedCase, Verification};

/// Decimals of exact values and estimates: one more than a million goals can show.
const DECIMALS: usize = 6;

/// Reasons listed for cases that were not run.
const REASONS: usize = 4;

/// One line per case, and a summary that says what was not run.
#[must_use]
pub fn verification_table(verification: &Verification) -> String {
    let header = [
        "case",
        "exact",
        "estimate",
        "std errors",
        "bound",
        "verdict",
    ];
    let outcomes = verification.outcomes.iter();
    let rows = outcomes.clone().map(|(id, outcome)| match outcome {
        Ok(result) => row(id, result),
        Err(_) => {
            let mut row = vec![id.clone()];
            row.resize(header.len() - 1, "-".to_owned());
            row.push("FAIL".to_owned());
            row
        }
    });
    let mut text = layout(header.map(str::to_owned).into(), rows.collect());
    for (id, outcome) in outcomes {
        match outcome {
            Err(error) => text += &format!("FAIL {id}: {error}\n"),
            Ok(result) if result.unconverged > 0 => {
                let goals = grouped(result.unconverged);
                text += &format!("WARNING {id}: {goals} goals missed the tolerance\n");
            }
            Ok(_) => {}
        }
    }
    text + &summary(verification)
}

/// The same as one JSON document; what is missing is null.
#[must_use]
pub fn verification_json(verification: &Verification) -> Value {
    let cases = verification.outcomes.iter().map(|(id, outcome)| {
        let result = outcome.as_ref().ok();
        json!({
            "case": id,
            "passed": result.is_some_and(CaseResult::passed),
            "std_errors": result.and_then(CaseResult::std_errors),
            "exact": result.map(|r| r.exact),
            "measured": result.map(|r| r.estimate),
            "unconverged": result.map(|r| r.unconverged),
            "error": outcome.as_ref().err().map(ToString::to_string),
        })
    });
    let skipped = verification.skipped.iter();
    json!({
        "schema": 1,
        "backend": verification.backend,
        "samples": verification.samples,
        "seed": verification.seed.0,
        "passed": verification.passed(),
        "allowed_std_errors": ALLOWED_STD_ERRORS,
        "cases": cases.collect::<Vec<_>>(),
        "skipped": skipped.map(|c| json!({"case": c.id, "reason": c.reason})).collect::<Vec<_>>(),
    })
}

fn row(id: &str, result: &CaseResult) -> Vec<String> {
    let estimate = result.estimate;
    let std_errors = result.std_errors();
    vec![
        id.to_owned(),
        fixed(result.exact, DECIMALS),
        fixed(estimate.estimate, DECIMALS),
        std_errors.map_or("-".to_owned(), |e| format!("{e:+.2}")),
        small(estimate.bound),
        if result.passed() { "pass" } else { "FAIL" }.to_owned(),
    ]
}

fn summary(verification: &Verification) -> String {
    let text = format!(
        "{} of {} cases pass on the {} backend: {} goals each, seed {}.\n\
         A case passes within {ALLOWED_STD_ERRORS} standard errors and the numerical bound.\n",
        verification.n_passed(),
        verification.outcomes.len(),
        verification.backend,
        grouped(verification.samples),
        verification.seed,
    );
    text + &skipped(&verification.skipped)
}

/// How many cases were not run, and the commonest reasons.
fn skipped(cases: &[SkippedCase]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        *counts.entry(&case.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = counts.into_iter().collect();
    reasons.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let mut text = match cases.len() {
        0 => String::new(),
        n => format!("{n} further cases were not run:\n"),
    };
    for (reason, count) in reasons.iter().take(REASONS) {
        text += &format!("  {count:>3}  {reason}\n");
    }
    let rest: usize = reasons.iter().skip(REASONS).map(|(_, count)| count).sum();
    if rest > 0 {
        text += &format!("  {rest:>3}  for other reasons\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::CellError;
    use crate::experiment::verify::VerifyError;
    use crate::solve::SolveError;
    use crate::statistics::Estimate;
    use crate::units::Seed;

    fn result(exact: f64, mean: f64, unconverged: u64) -> CaseResult {
        CaseResult {
            exact,
            estimate: Estimate::of_mean(1_000_000, mean, 0.04, 0.95, 1.2e-6, 9e-6),
            unconverged,
        }
    }

    #[test]
    fn passes_failures_errors_and_skips_are_all_told() {
        let refused = SolveError::Unsupported {
            backend: "cpu",
            feature: "stars".to_owned(),
        };
        let error = VerifyError::Cell {
            case: "C".to_owned(),
            error: Box::new(CellError::Solve(refused)),
        };
        let skip = |id: &str, reason: &str| SkippedCase {
            id: id.to_owned(),
            reason: reason.to_owned(),
        };
        let verification = Verification {
            backend: "cpu".to_owned(),
            samples: 1_000_000,
            seed: Seed(7),
            outcomes: vec![
                ("A_star".to_owned(), Ok(result(2.0 / 3.0, 0.666_7, 0))),
                ("B_tree".to_owned(), Ok(result(0.75, 0.751, 3))),
                ("C".to_owned(), Err(error)),
            ],
            skipped: vec![
                skip("D", "needs limit_1-"),
                skip("E", "needs ties"),
                skip("F", "needs ties"),
            ],
        };
        assert!(!verification.passed());
        insta::assert_snapshot!(verification_table(&verification));
        let document = verification_json(&verification);
        let verdicts = (0..3).map(|i| document["cases"][i]["passed"].as_bool());
        assert!(verdicts.eq([Some(true), Some(false), Some(false)]));
        assert_eq!(document["cases"][2]["measured"], Value::Null);
        assert_eq!(document["cases"][1]["measured"]["n"], 1_000_000);
    }
}
