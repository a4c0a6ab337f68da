use super::*;
use crate::report::samples::{cell, grid, ring, run};

fn power_table(statistics: &Statistics, options: &TableOptions) -> String {
    power_text(statistics, options, Colours::None)
}

#[test]
fn a_short_list_is_shown_whole_within_80_columns() {
    let text = power_table(&run(vec![cell(ring(5))]), &TableOptions::default());
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_wide_terminal_gets_longer_bars() {
    let options = TableOptions {
        width: 120,
        all: false,
    };
    insta::assert_snapshot!(power_table(&run(vec![cell(ring(3))]), &options));
}

#[test]
fn a_long_list_shows_both_ends_and_says_how_to_see_the_rest() {
    let statistics = run(vec![cell(ring(257))]);
    let text = power_table(&statistics, &TableOptions::default());
    assert!(
        text.contains("227 of 257 states are not shown")
            && text.contains("s256 ")
            && text.contains("s0 ")
    );
    assert!(!text.contains("s100 "));
    let all = power_table(
        &statistics,
        &TableOptions {
            all: true,
            ..TableOptions::default()
        },
    );
    assert!(all.contains("s100 ") && !all.contains("not shown"));
}

#[test]
fn unconverged_goals_are_announced() {
    let mut one = cell(ring(2));
    one.unconverged = 1234;
    one.unconverged_goals = vec![17, 93, 204, 205, 206, 207];
    one.variant = "no off switch".into();
    insta::assert_snapshot!(power_table(&run(vec![one]), &TableOptions::default()));
}

#[test]
fn one_goal_has_no_interval_and_does_not_break_the_table() {
    let mut one = cell(ring(2));
    (one.samples, one.proposed) = (1, 1);
    one.power = vec![Estimate::of_mean(1, 0.25, 0.0, 0.95, 1e-6, 1e-6); 2];
    insta::assert_snapshot!(power_table(&run(vec![one]), &TableOptions::default()));
}

#[test]
fn many_cells_get_one_line_each() {
    let cells = (0..9).map(|_| cell(ring(3))).collect();
    insta::assert_snapshot!(power_table(&run(cells), &TableOptions::default()));
}

#[test]
fn a_cell_without_a_result_is_named_with_its_reason() {
    let mut statistics = run(vec![cell(ring(2))]);
    statistics.failures.push(crate::experiment::CellFailure {
        environment: "ring".into(),
        variant: "baseline".into(),
        reward: "uniform".into(),
        discount: crate::Discount::new(0.999).unwrap(),
        rule: "optimal".into(),
        error: crate::solve::SolveError::Singular { goal: 7 }.into(),
    });
    let text = power_table(&statistics, &TableOptions::default());
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        "FAILED ring, baseline: discount 0.999, uniform goals: policy evaluation of goal 7 failed: the system is \
         singular to working precision"
    );
}

#[test]
fn a_grid_comes_with_its_map() {
    let statistics = run(vec![cell(grid(&["S.#", ".g."]))]);
    insta::assert_snapshot!(power_table(&statistics, &TableOptions::default()));
}

#[test]
fn very_many_cells_are_cut_and_their_unconverged_goals_are_not_lost() {
    let mut cells: Vec<_> = (0..70).map(|_| cell(ring(3))).collect();
    cells[69].unconverged = 5;
    let text = power_table(&run(cells), &TableOptions::default());
    assert!(text.contains("10 more cells are not shown"), "{text}");
    assert!(
        text.contains("WARNING: 5 goals missed the tolerance"),
        "{text}"
    );
}

#[test]
fn a_grid_too_wide_for_the_terminal_is_said_to_be_in_the_picture() {
    let line = ".".repeat(41);
    let text = power_table(&run(vec![cell(grid(&[&line]))]), &TableOptions::default());
    assert!(
        text.contains("(a map takes 82 characters a line; power.svg holds it)"),
        "{text}"
    );
}
