use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::experiment::{Question, RunSpec};
use crate::mdp::{GridLayout, Mdp, MdpBuilder};
use crate::report::samples::ring;
use crate::solve::ReferenceBackend;
use crate::units::{Discount, Seed};

/// A corridor of four cells, with moves against its ends, whose right end is absorbing.
fn corridor() -> Mdp {
    let mut b = MdpBuilder::new("corridor");
    let cells: Vec<StateId> = (0..4).map(|i| b.state(format!("c{i}"))).collect();
    for i in 0..3 {
        b.choice(cells[i], "west", [(cells[i.saturating_sub(1)], 1.0)]);
        b.choice(cells[i], "stay", [(cells[i], 1.0)]);
        b.choice(cells[i], "east", [(cells[i + 1], 1.0)]);
    }
    b.absorbing(cells[3]);
    b.start(cells[1]);
    b.label("off", vec![cells[3]]);
    b.layout(GridLayout::new(
        1,
        5,
        cells.iter().copied().map(Some).chain([None]).collect(),
    ));
    b.build().unwrap()
}

fn solve(mdp: Mdp, rewards: &[f64]) -> OneGoal {
    let question = Question::Given(rewards.to_vec());
    let (spec, discount) = (RunSpec::default(), Discount::new(0.5).unwrap());
    OneGoal::solve(
        &ReferenceBackend::new(),
        &spec,
        &Arc::new(mdp),
        discount,
        &question,
    )
    .unwrap()
}

fn report(goal: &OneGoal, check: impl Fn(&GoalReport<'_>)) {
    let path = goal.path(goal.start(), 20, Seed(0), 0);
    let origin = GoalOrigin::File("goal.json".to_owned());
    check(&GoalReport {
        goal,
        origin: &origin,
        backend: "reference",
        path: &path,
    });
}

/// Bounds differ in their last bits between processors: only their place is kept.
fn without_bounds(text: &str) -> String {
    let cut = |line: &str| match line.split_once("certified:") {
        Some((before, _)) => format!("{before}certified: ..."),
        None => line.to_owned(),
    };
    text.lines().map(|line| cut(line) + "\n").collect()
}

#[test]
fn a_grid_shows_arrows_states_and_a_path() {
    let goal = solve(corridor(), &[0.75, 0.0, 0.75, 0.25]);
    report(&goal, |r| {
        insta::assert_snapshot!(without_bounds(&goal_text(r, &MapOptions::default(), false)))
    });
}

#[test]
fn the_document_holds_the_same() {
    let goal = solve(corridor(), &[0.75, 0.0, 0.75, 0.25]);
    report(&goal, |r| {
        let mut document = goal_json(r);
        for key in ["integrand_bound", "value_bound"] {
            assert!(document[key].as_f64().unwrap() < 1e-12);
            document[key] = Value::Null;
        }
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    });
}

#[test]
fn what_the_bound_leaves_open_carries_a_question_mark() {
    let sharp = solve(corridor(), &[0.75, 0.0, 0.7501, 0.25]);
    let solved = crate::solve::SolvedGoal {
        settled: None,
        half_width: 0.01,
        ..sharp.solved.clone()
    };
    let blurred = OneGoal::of(sharp.mdp.clone(), sharp.discount, solved, 1.0);
    report(&blurred, |r| {
        let text = goal_text(r, &MapOptions::default(), false);
        assert!(
            text.contains("S←→?") && text.contains("west or east?"),
            "{text}"
        );
    });
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let goal = solve(ring(150), &[0.5; 150]);
    report(&goal, |r| {
        let text = goal_text(r, &MapOptions::default(), false);
        assert!(text.contains("50 of 150 states are not shown") && !text.contains("s120 "));
        assert!(goal_text(r, &MapOptions::default(), true).contains("s120 "));
    });
}

#[test]
fn a_narrow_map_still_shows_one_arrow_per_cell() {
    let goal = solve(corridor(), &[0.75, 0.0, 0.75, 0.25]);
    let options = MapOptions {
        width: 12,
        ..MapOptions::default()
    };
    report(&goal, |r| {
        assert!(
            goal_text(r, &options, false).contains("· + · · ##"),
            "{}",
            goal_text(r, &options, false)
        )
    });
}
