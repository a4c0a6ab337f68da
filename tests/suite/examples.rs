//! The documentation of goals against the engine: the script that follows it, and the numbers it prints.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use powersweep::io::read_mdp;
use powersweep::mdp::Mdp;
use powersweep::plan::Plan;
use powersweep::reward::{GoalLaw, Marginal, Uniform};
use powersweep::rng::{self, Stream};
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, CellProblem, GoalProgram, Goals, ReferenceBackend, SolvedGoal};
use powersweep::{Discount, SampleIndex, Seed};

/// One goal to be made again.
struct Case {
    file: &'static str,
    seed: u64,
    index: u64,
    gamma: f64,
    ends: (f64, f64),
}

/// Seeds and indices beyond 32 bits, laws on both sides of zero and off the lattice, a stochastic MDP and a larger one.
const CASES: [Case; 4] = [
    Case {
        file: "turner-2021-fig1.json",
        seed: 42,
        index: 0,
        gamma: 0.9,
        ends: (0.0, 1.0),
    },
    Case {
        file: "turner-2021-fig3.json",
        seed: 0x1234_5678_9abc_def0,
        index: (1 << 40) + 3,
        gamma: 0.5,
        ends: (-1.0, 2.0),
    },
    Case {
        file: "bench/w6.json",
        seed: 5,
        index: 77,
        gamma: 0.99,
        ends: (-3.7, -0.1),
    },
    Case {
        file: "taxi.json",
        seed: 0,
        index: 999_999,
        gamma: 0.95,
        ends: (0.3, 10.1),
    },
];

fn dataset(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("datasets")
        .join(file)
}

fn solve(backend: &dyn Backend, mdp: &Arc<Mdp>, case: &Case) -> SolvedGoal {
    let law = Uniform::new(case.ends.0, case.ends.1).unwrap();
    let discount = Discount::new(case.gamma).unwrap();
    let range = law.range();
    let problem = CellProblem {
        program: GoalProgram::optimal(mdp.clone(), GoalLaw::iid(mdp, Marginal::Uniform(law))),
        discount,
        tolerance: 1e-5 * range,
        max_sweeps: CellProblem::sufficient_sweeps(discount, 1e-5 * range, range),
        seed: Seed(case.seed),
        plan: Arc::new(Plan::draw(mdp, discount)),
        asked: Arc::default(),
        rule: powersweep::solve::DecisionRule::default(),
    };
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &[SampleIndex(case.index)],
    };
    let solver = backend.prepare(problem).unwrap();
    solver.solve_goals(goals).unwrap().remove(0)
}

/// A Python that has NumPy, or `None` with a word on stderr, or a panic where one is required.
#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn numpy() -> Option<String> {
    let named = std::env::var("POWERSWEEP_PYTHON").ok();
    let python = named.unwrap_or_else(|| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import numpy"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let problem = format!("{python} cannot import numpy (set POWERSWEEP_PYTHON to one that can)");
    let required = std::env::var_os("POWERSWEEP_REQUIRE_PYTHON").is_some_and(|v| v == "1");
    assert!(!required, "{problem}");
    eprintln!("SKIPPED: {problem}");
    None
}

/// What the script says: reward and optimal value of every state.
fn regenerate(python: &str, case: &Case) -> Vec<(f64, f64)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(root.join("examples/regenerate_goal.py"))
        .arg(dataset(case.file))
        .args([case.seed, case.index].map(|x| x.to_string()))
        .args([case.gamma, case.ends.0, case.ends.1].map(|x| x.to_string()))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", case.file);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut number = || words.next().unwrap().parse::<f64>().unwrap();
        (number(), number())
    };
    text.lines().map(line).collect()
}

/// What is wrong with a solved goal in the light of the script's.
fn difference(solved: &SolvedGoal, script: &[(f64, f64)], discount: Discount) -> Option<String> {
    if solved.rewards.len() != script.len() {
        return Some(format!("{} lines", script.len()));
    }
    let values = solved.values(discount);
    let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    // The script's own error: an LU solve in f64 is off by about n u cond |V| with cond <= 2 / (1 - gamma), and policy iteration
    // stops at a relative 1e-12, which leaves gamma / (1 - gamma) of it.
    let n = values.len() as f64;
    let script_error = (n * f64::EPSILON + 1e-12) / discount.complement() * size;
    let allowed = solved.value_half_width(discount) + script_error;
    let each = solved.rewards.iter().zip(&values).zip(script).enumerate();
    each.clone().find_map(|(state, ((r, v), (reward, value)))| {
        let same = r.to_bits() == reward.to_bits() && (v - value).abs() <= allowed;
        (!same).then(|| format!("state {state}: {r} {v}, not {reward} {value} ({allowed:e})"))
    })
}

#[test]
fn the_script_regenerates_goals_and_their_values() {
    let Some(python) = numpy() else { return };
    for case in CASES {
        let (mdp, _warnings) = read_mdp(&dataset(case.file)).unwrap();
        let (mdp, discount) = (Arc::new(mdp), Discount::new(case.gamma).unwrap());
        let script = regenerate(&python, &case);
        let backends: [&dyn Backend; 2] = [&ReferenceBackend::new(), &CpuBackend::new()];
        for backend in backends {
            let place = format!("{} on {}", case.file, backend.name());
            let mut solved = solve(backend, &mdp, &case);
            assert_eq!(difference(&solved, &script, discount), None, "{place}");
            // The controls: the last bit of a reward, another goal, and an error of three bounds are noticed.
            solved.rewards[2] = f64::from_bits(solved.rewards[2].to_bits() ^ 1);
            assert!(difference(&solved, &script, discount).is_some(), "{place}");
            let index = case.index + 1;
            let next = solve(backend, &mdp, &Case { index, ..case });
            assert!(difference(&next, &script, discount).is_some(), "{place}");
            let mut wrong = script.clone();
            wrong[1].1 += 3.0 * solved.value_half_width(discount) + 1e-6;
            assert!(difference(&solved, &wrong, discount).is_some(), "{place}");
        }
    }
}

#[test]
fn the_page_on_random_numbers_shows_what_the_engine_does() {
    let page = include_str!("../../docs/random-numbers.md");
    let words = |seed, index, coordinates: std::ops::Range<u32>| {
        let word = |j| rng::word(Seed(seed), Stream::Reward, SampleIndex(index), j);
        coordinates.map(word).collect::<Vec<u32>>()
    };
    let (mdp, _warnings) = read_mdp(&dataset(CASES[0].file)).unwrap();
    let mdp = Arc::new(mdp);
    let solved = solve(&ReferenceBackend::new(), &mdp, &CASES[0]);
    let values = solved.values(Discount::new(CASES[0].gamma).unwrap());
    for (state, word) in mdp.states().zip(words(42, 0, 0..8)) {
        let (s, name) = (state.index(), mdp.state_name(state));
        let (reward, value) = (solved.rewards[s], values[s]);
        let row = format!(
            "| {name} | {s} | `{word:08x}` | {} | {reward} | {value:.7} |",
            word >> 8
        );
        assert!(page.contains(&row), "{row}");
    }
    let wide = Uniform::new(-1.0, 2.0).unwrap().lattice();
    for word in words(42, 0, 0..2) {
        let (m, reward) = (wide.integer(word), f64::from(wide.value(word)));
        assert!(
            page.contains(&format!("`m` = {m} and R = {reward}")),
            "{m} {reward}"
        );
    }
    let block: Vec<String> = words(42, 7, 0..4)
        .iter()
        .map(|w| format!("{w:08x}"))
        .collect();
    assert!(page.contains(&block.join(" ")), "{block:?}");
    for number in [rng::MULTIPLIERS, rng::WEYL].concat() {
        assert!(page.contains(&format!("0x{number:08X}")), "{number:x}");
    }
    let used = Discount::new(0.9).unwrap().used();
    assert!(page.contains(&used.to_string()));
}
