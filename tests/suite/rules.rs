//! Decision rules against their definitions, written down once more in the plainest way: values by iteration, plans by going through all policies.

use std::sync::Arc;

use powersweep::experiment::{CellStatistics, Engine, RunSpec};
use powersweep::mdp::Mdp;
use powersweep::mdp::families::{Family, Star};
use powersweep::reward::GoalLaw;
use powersweep::rng::Stream;
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, DecisionRule, Level, Otherwise, ReferenceBackend, Rule};
use powersweep::statistics::{EventRequest, Key, Measure, Request};
use powersweep::{ChoiceId, Discount, SampleIndex, Seed, StateId};

use crate::behaviour::small_mdp;

/// Numbers that differ by less are equal for the judge.
const EQUAL: f64 = 1e-11;
const GOALS: u64 = 12;
const SEED: Seed = Seed(9);

fn rules() -> Vec<Rule> {
    let satisfice = |otherwise| Rule::Satisfice {
        threshold: 0.6,
        otherwise,
    };
    vec![
        Rule::Optimal,
        Rule::Minimise,
        Rule::Uniform,
        Rule::Boltzmann { beta: 6.0 },
        Rule::Soft { beta: 6.0 },
        Rule::EpsilonGreedy { epsilon: 0.3 },
        satisfice(Otherwise::Stop),
        satisfice(Otherwise::Best),
        satisfice(Otherwise::Uniform),
        Rule::Quantilise { q: 0.45 },
        Rule::BestOf { draws: 2 },
    ]
}

/// Probabilities of options by the definition of a rule, option by option.
fn pick(rule: Rule, values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let equal = |a: f64, b: f64| (a - b).abs() < EQUAL;
    let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let evenly = |wanted: &dyn Fn(f64) -> bool| -> Vec<f64> {
        let count = values.iter().filter(|&&x| wanted(x)).count().max(1) as f64;
        let each = values.iter();
        each.map(|&x| if wanted(x) { 1.0 / count } else { 0.0 })
            .collect()
    };
    match rule {
        Rule::Optimal => evenly(&|x| equal(x, best)),
        Rule::Minimise => evenly(&|x| equal(x, least)),
        Rule::Uniform => vec![1.0 / n as f64; n],
        Rule::Given(_) => unreachable!("policies from outside are a topic of their own"),
        Rule::Boltzmann { beta } | Rule::Soft { beta } => {
            let sum: f64 = values.iter().map(|x| (beta * x).exp()).sum();
            values.iter().map(|x| (beta * x).exp() / sum).collect()
        }
        Rule::EpsilonGreedy { epsilon } => {
            let greedy = evenly(&|x| equal(x, best));
            let each = greedy.iter();
            each.map(|p| (1.0 - epsilon) * p + epsilon / n as f64)
                .collect()
        }
        Rule::Satisfice {
            threshold,
            otherwise,
        } => {
            let good = evenly(&|x| x >= threshold);
            match otherwise {
                _ if good.iter().any(|p| *p > 0.0) => good,
                Otherwise::Stop => good,
                Otherwise::Best => pick(Rule::Optimal, values),
                Otherwise::Uniform => pick(Rule::Uniform, values),
            }
        }
        // An option has the part of [0, q] that its place among all takes up; equal ones share their places.
        Rule::Quantilise { q } => {
            let each = values.iter().map(|&x| {
                let above = values.iter().filter(|&&y| y > x && !equal(x, y)).count() as f64;
                let equals = values.iter().filter(|&&y| equal(x, y)).count() as f64;
                let part = (q * n as f64 - above).clamp(0.0, equals);
                part / equals / (q * n as f64)
            });
            each.collect()
        }
        // All pairs of draws.
        Rule::BestOf { draws } => {
            assert_eq!(draws, 2);
            let mut shares = vec![0.0; n];
            for a in 0..n {
                for b in 0..n {
                    let chance = 1.0 / (n * n) as f64;
                    let top = values[a].max(values[b]);
                    // A tie is shared by all that are as good: exchangeable draws.
                    let equals: Vec<usize> = (0..n).filter(|&i| equal(values[i], top)).collect();
                    let share = chance / equals.len() as f64;
                    equals.iter().for_each(|&i| shares[i] += share);
                }
            }
            shares
        }
    }
}

struct Judged {
    shares: Vec<f64>,
    /// POWER integrand.
    integrand: Vec<f64>,
    /// Target: ever, discounted, within 3.
    event: [f64; 3],
    visits: Vec<f64>,
}

/// Everything that follows from shares that may sum to less than one.
struct Acts<'a> {
    mdp: &'a Mdp,
    gamma: f64,
    shares: &'a [f64],
}

impl Acts<'_> {
    fn next(&self, s: StateId, of: &dyn Fn(u32) -> f64) -> f64 {
        let each = self.mdp.choices(s).map(|c| {
            let (to, p) = self.mdp.row(c);
            self.shares[c.index()] * to.iter().zip(p).map(|(&t, p)| p * of(t)).sum::<f64>()
        });
        each.sum()
    }

    fn values(&self, rewards: &[f64]) -> Vec<f64> {
        let mut v = vec![0.0; rewards.len()];
        for _ in 0..800 {
            v = (self.mdp.states())
                .map(|s| rewards[s.index()] + self.gamma * self.next(s, &|t| v[t as usize]))
                .collect();
        }
        v
    }

    /// `E gamma^tau` within so many steps.
    fn hits(&self, gamma: f64, steps: u32) -> f64 {
        let target = &self.mdp.state_labels()["target"];
        let hit = |s: StateId| target.contains(&s);
        let mut h: Vec<f64> = (self.mdp.states())
            .map(|s| f64::from(u8::from(hit(s))))
            .collect();
        for _ in 0..steps {
            h = (self.mdp.states())
                .map(|s| match hit(s) {
                    true => 1.0,
                    false => gamma * self.next(s, &|t| h[t as usize]),
                })
                .collect();
        }
        let start = self.mdp.start().iter();
        start.map(|(s, p)| p * h[s.index()]).sum()
    }

    fn visits(&self) -> Vec<f64> {
        let mut now = vec![0.0; self.mdp.n_states()];
        for (s, p) in self.mdp.start() {
            now[s.index()] += p;
        }
        let mut all = vec![0.0; now.len()];
        let mut weight = 1.0;
        for _ in 0..800 {
            for (a, x) in all.iter_mut().zip(&now) {
                *a += weight * x;
            }
            let mut next = vec![0.0; now.len()];
            for s in self.mdp.states() {
                for c in self.mdp.choices(s) {
                    let (to, p) = self.mdp.row(c);
                    for (&t, p) in to.iter().zip(p) {
                        next[t as usize] += now[s.index()] * self.shares[c.index()] * p;
                    }
                }
            }
            now = next;
            weight *= self.gamma;
        }
        all
    }

    fn event(&self) -> [f64; 3] {
        [
            self.hits(1.0, 4_000),
            self.hits(self.gamma, 800),
            self.hits(1.0, 3),
        ]
    }
}

/// What the rule makes of a goal at every step.
fn judge_steps(mdp: &Mdp, gamma: f64, rewards: &[f64], rule: Rule) -> Judged {
    let mut w = vec![0.0; rewards.len()];
    let q = |c: ChoiceId, w: &[f64]| -> f64 {
        let (to, p) = mdp.row(c);
        to.iter().zip(p).map(|(&t, p)| p * w[t as usize]).sum()
    };
    for _ in 0..800 {
        w = (mdp.states())
            .map(|s| {
                let values = mdp.choices(s).map(|c| q(c, &w));
                let x = match rule {
                    Rule::Minimise => values.fold(f64::INFINITY, f64::min),
                    Rule::Soft { beta } => {
                        values.map(|x| (beta * x).exp()).sum::<f64>().ln() / beta
                    }
                    _ => values.fold(f64::NEG_INFINITY, f64::max),
                };
                (1.0 - gamma) * rewards[s.index()] + gamma * x
            })
            .collect();
    }
    let mut shares = Vec::new();
    for s in mdp.states() {
        let values: Vec<f64> = mdp.choices(s).map(|c| q(c, &w)).collect();
        shares.extend(pick(rule.clone(), &values));
    }
    let acts = Acts {
        mdp,
        gamma,
        shares: &shares,
    };
    let v = acts.values(rewards);
    let (event, visits) = (acts.event(), acts.visits());
    let integrand = v.iter().zip(rewards);
    Judged {
        integrand: integrand
            .map(|(v, r)| (1.0 - gamma) / gamma * (v - r))
            .collect(),
        event,
        visits,
        shares,
    }
}

/// One element of F(s) with the policies that have it, and what comes of these from the start.
struct Plan {
    visits: Vec<f64>,
    firsts: Vec<ChoiceId>,
    event: [f64; 3],
    visits_of_start: Vec<f64>,
}

/// F(s), by going through all policies.
fn plans(mdp: &Mdp, gamma: f64, s: StateId) -> Vec<Plan> {
    let n = mdp.n_states();
    // Every policy by what it does where it gets to; the first choice with the same row stands for all.
    let mut policies: Vec<Vec<Option<usize>>> = Vec::new();
    let mut picks = vec![0_usize; n];
    loop {
        let mut policy = vec![None; n];
        let mut stack = vec![s];
        while let Some(at) = stack.pop() {
            if policy[at.index()].is_none() {
                let c = mdp.choices(at).nth(picks[at.index()]).unwrap();
                let stands = mdp.choices(at).position(|d| mdp.row(d) == mdp.row(c));
                policy[at.index()] = stands;
                stack.extend(mdp.row(c).0.iter().map(|&t| StateId(t)));
            }
        }
        if !policies.contains(&policy) {
            policies.push(policy);
        }
        let more = |i: &usize| picks[*i] + 1 < mdp.choices(StateId(*i as u32)).len();
        let Some(at) = (0..n).find(more) else { break };
        picks[at] += 1;
        picks[..at].fill(0);
    }
    let shares = |policy: &[Option<usize>]| -> Vec<f64> {
        let each = mdp.states().flat_map(|at| {
            let taken = policy[at.index()].unwrap_or(0);
            (0..mdp.choices(at).len()).map(move |i| f64::from(u8::from(i == taken)))
        });
        each.collect()
    };
    // Visits of every state: values of one goal after the other.
    let visits = |shares: &[f64], gamma: f64| -> Vec<f64> {
        let acts = Acts { mdp, gamma, shares };
        let unit = |i: usize| -> Vec<f64> {
            let each = (0..n).map(|j| f64::from(u8::from(i == j)));
            each.collect()
        };
        (0..n).map(|i| acts.values(&unit(i))[s.index()]).collect()
    };
    // Plans: policies of equal visits at two discounts.
    type Alike = (Vec<f64>, Vec<f64>, Vec<Vec<Option<usize>>>);
    let mut alike: Vec<Alike> = Vec::new();
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-7);
    for policy in policies {
        let shares = shares(&policy);
        let (f, g) = (visits(&shares, gamma), visits(&shares, 0.3));
        match alike.iter_mut().find(|p| same(&p.0, &f) && same(&p.1, &g)) {
            Some(plan) => plan.2.push(policy),
            None => alike.push((f, g, vec![policy])),
        }
    }
    let plan = |(visits, _, policies): Alike| {
        let mut plan = Plan {
            visits,
            firsts: Vec::new(),
            event: [0.0; 3],
            visits_of_start: vec![0.0; n],
        };
        for policy in &policies {
            let taken = mdp.choices(s).nth(policy[s.index()].unwrap()).unwrap();
            let equal = mdp.choices(s).filter(|c| mdp.row(*c) == mdp.row(taken));
            let new: Vec<ChoiceId> = equal.filter(|c| !plan.firsts.contains(c)).collect();
            plan.firsts.extend(new);
            let shares = shares(policy);
            let shares = &shares;
            let acts = Acts { mdp, gamma, shares };
            let weight = 1.0 / policies.len() as f64;
            for (total, x) in plan.event.iter_mut().zip(acts.event()) {
                *total += weight * x;
            }
            for (total, x) in plan.visits_of_start.iter_mut().zip(acts.visits()) {
                *total += weight * x;
            }
        }
        plan
    };
    alike.into_iter().map(plan).collect()
}

/// What the rule makes of a goal when it settles on a plan.
fn judge_plans(mdp: &Mdp, gamma: f64, rewards: &[f64], rule: Rule, all: &[Vec<Plan>]) -> Judged {
    let n = mdp.n_states();
    let start = mdp.start()[0].0;
    let mut judged = Judged {
        shares: vec![0.0; mdp.n_choices()],
        integrand: vec![0.0; n],
        event: [0.0; 3],
        visits: vec![0.0; n],
    };
    for s in mdp.states() {
        let plans = &all[s.index()];
        let utility = |plan: &Plan| -> f64 {
            let value: f64 = plan.visits.iter().zip(rewards).map(|(f, r)| f * r).sum();
            (1.0 - gamma) / gamma * (value - rewards[s.index()])
        };
        let utilities: Vec<f64> = plans.iter().map(utility).collect();
        let picked = pick(rule.clone(), &utilities);
        for ((plan, p), u) in plans.iter().zip(&picked).zip(&utilities) {
            judged.integrand[s.index()] += p * u;
            for c in &plan.firsts {
                judged.shares[c.index()] += p / plan.firsts.len() as f64;
            }
            if s == start {
                for (total, x) in judged.event.iter_mut().zip(plan.event) {
                    *total += p * x;
                }
                for (total, x) in judged.visits.iter_mut().zip(&plan.visits_of_start) {
                    *total += p * x;
                }
            }
        }
        if s == start {
            // An agent that does not begin is where it is, once.
            judged.visits[s.index()] += 1.0 - picked.iter().sum::<f64>();
        }
    }
    judged
}

fn run(
    backend: impl Backend + 'static,
    mdp: &Mdp,
    gamma: f64,
    rules: Vec<DecisionRule>,
) -> Vec<CellStatistics> {
    let engine = Engine::with_backend(Arc::new(backend));
    let spec = RunSpec {
        samples: GOALS,
        seed: SEED,
        rules,
        threads: 1,
        statistics: Request {
            choices: mdp.states().map(|s| mdp.state_name(s).to_owned()).collect(),
            events: vec![EventRequest {
                label: "target".to_owned(),
                within: Some(3),
                ..EventRequest::default()
            }],
            occupancy: true,
            ..Request::default()
        },
        ..RunSpec::default()
    };
    let spec = spec.environment(&engine.upload(mdp.clone()));
    let statistics = engine.run(&spec.discount(gamma).unwrap()).unwrap();
    assert!(statistics.is_complete(), "{:?}", statistics.failures);
    statistics.cells
}

/// Every mean of a cell: POWER, shares, the event's three, visits.
fn measured(cell: &CellStatistics) -> Vec<f64> {
    let column = |table: &str, measure: &str| -> Vec<f64> {
        let table = cell.table(table).unwrap();
        let of_states = table.rows.iter().filter(|row| row.keys[0] != Key::Missing);
        let each = of_states.map(|row| match table.measure(row, measure).unwrap() {
            Measure::Estimate(e) => e.estimate,
            other => panic!("{other:?}"),
        });
        each.collect()
    };
    let mut all: Vec<f64> = cell.power.iter().map(|e| e.estimate).collect();
    all.extend(column("choices", "probability"));
    all.extend(
        ["ever", "discounted", "within"]
            .iter()
            .flat_map(|m| column("events", m)),
    );
    all.extend(column("occupancy", "visits"));
    all
}

fn judged(mdp: &Mdp, gamma: f64, rule: DecisionRule, plans: &[Vec<Plan>]) -> Vec<f64> {
    let law = GoalLaw::unit_uniform(mdp);
    let mut means: Vec<f64> = Vec::new();
    for goal in 0..GOALS {
        let rewards = law.draw(SEED, Stream::Reward, SampleIndex(goal));
        let rewards: Vec<f64> = rewards.into_iter().map(f64::from).collect();
        let judge = match rule.level {
            Level::Action => judge_steps(mdp, gamma, &rewards, rule.rule.clone()),
            Level::Plan => judge_plans(mdp, gamma, &rewards, rule.rule.clone(), plans),
        };
        let all = [
            judge.integrand,
            judge.shares,
            judge.event.to_vec(),
            judge.visits,
        ]
        .concat();
        means.resize(all.len(), 0.0);
        for (mean, x) in means.iter_mut().zip(all) {
            *mean += x / GOALS as f64;
        }
    }
    means
}

fn hold(mdp: &Mdp, gamma: f64, level: Level, rules: Vec<Rule>) {
    let rules: Vec<DecisionRule> = rules
        .into_iter()
        .map(|rule| DecisionRule { rule, level })
        .collect();
    let used = Discount::new(gamma).unwrap().used();
    let cells = run(ReferenceBackend::new(), mdp, gamma, rules.clone());
    let plans: Vec<Vec<Plan>> = match level {
        Level::Action => Vec::new(),
        Level::Plan => mdp.states().map(|s| plans(mdp, used, s)).collect(),
    };
    let mut differ = 0;
    let first = judged(mdp, used, rules[0].clone(), &plans);
    for (cell, rule) in cells.iter().zip(rules) {
        assert_eq!(cell.rule, rule.to_string());
        let (found, wanted) = (measured(cell), judged(mdp, used, rule.clone(), &plans));
        assert_eq!(found.len(), wanted.len());
        for (i, (a, b)) in found.iter().zip(&wanted).enumerate() {
            // An optimal cell is as good as its tolerance.
            let allowed = if rule.is_optimal() {
                1e-9
            } else {
                2e-8 / (1.0 - gamma) * 0.1
            };
            assert!(
                (a - b).abs() <= allowed,
                "{} {rule}, number {i}: {a} {b}",
                mdp.name()
            );
        }
        differ += usize::from(found.iter().zip(&first).any(|(a, b)| (a - b).abs() > 1e-3));
    }
    assert!(differ > 0, "rules make a difference");
}

#[test]
fn rules_at_every_step_do_what_their_definitions_say() {
    for (seed, deterministic) in [(3, true), (4, false), (5, false), (6, false)] {
        let mdp = small_mdp(seed, deterministic);
        for gamma in [0.5, 0.95] {
            hold(&mdp, gamma, Level::Action, rules());
        }
    }
}

#[test]
fn rules_on_plans_do_what_their_definitions_say() {
    let mut tried = 0;
    for seed in [4, 8, 12] {
        let mdp = small_mdp(seed, seed == 12);
        let rules = rules()
            .into_iter()
            .filter(|r| !matches!(r, Rule::Soft { .. }));
        hold(&mdp, 0.9, Level::Plan, rules.collect());
        tried += 1;
    }
    assert_eq!(tried, 3);
}

#[test]
fn both_levels_are_one_on_a_star_and_no_backend_or_thread_changes_a_byte() {
    let star = Family::Star(Star { leaves: 4 }).generate(0).unwrap();
    let star = {
        let mut builder = powersweep::mdp::MdpBuilder::new("star");
        let states: Vec<StateId> = star
            .states()
            .map(|s| builder.state(star.state_name(s)))
            .collect();
        for s in star.states() {
            for c in star.choices(s) {
                let to = star.row(c).0.iter().map(|&t| (states[t as usize], 1.0));
                builder.choice(
                    states[s.index()],
                    star.action_name(c),
                    to.collect::<Vec<_>>(),
                );
            }
        }
        builder.label("target", vec![states[1]]);
        builder.build().unwrap()
    };
    let at = |level| -> Vec<DecisionRule> {
        let rules = rules()
            .into_iter()
            .filter(|r| !matches!(r, Rule::Soft { .. }));
        rules.map(|rule| DecisionRule { rule, level }).collect()
    };
    let steps = run(ReferenceBackend::new(), &star, 0.9, at(Level::Action));
    let plans = run(CpuBackend::new(), &star, 0.9, at(Level::Plan));
    for (a, b) in steps.iter().zip(&plans) {
        // Leaves have no choice: plan and step are the same decision.
        for (x, y) in measured(a).iter().zip(measured(b)) {
            assert!((x - y).abs() < 1e-6, "{}: {x} {y}", a.rule);
        }
    }
    assert!((measured(&steps[0])[0] - measured(&plans[1])[0]).abs() > 1e-2);
    let again = run(CpuBackend::new(), &star, 0.9, at(Level::Action));
    for (a, b) in steps.iter().zip(&again).skip(1) {
        assert_eq!(a.power, b.power, "{}", a.rule);
        assert_eq!(a.tables, b.tables, "{}", a.rule);
    }
}

#[test]
fn what_rules_cannot_be_asked_is_refused() {
    let engine = Engine::with_backend(Arc::new(ReferenceBackend::new()));
    let mdp = engine.upload(small_mdp(4, true));
    let spec = |rule, statistics| RunSpec {
        environments: vec![mdp.clone()],
        discounts: vec![Discount::new(0.9).unwrap()],
        rules: vec![rule],
        samples: 10,
        statistics,
        ..RunSpec::default()
    };
    let uniform = DecisionRule {
        rule: Rule::Uniform,
        level: Level::Action,
    };
    let optimality = Request {
        optimality: vec!["start".to_owned()],
        ..Request::default()
    };
    let message = |spec: &RunSpec| engine.run(spec).unwrap_err().to_string();
    assert!(message(&spec(uniform.clone(), optimality.clone())).contains("ask for `choices`"));
    assert!(
        engine
            .run(&spec(DecisionRule::default(), optimality))
            .is_ok()
    );
    let soft = DecisionRule {
        rule: Rule::Soft { beta: 1.0 },
        level: Level::Plan,
    };
    assert!(message(&spec(soft, Request::default())).contains("no level"));
    let never = DecisionRule {
        rule: Rule::Quantilise { q: 0.0 },
        level: Level::Action,
    };
    assert!(message(&spec(never, Request::default())).contains("above 0"));
    let twice = RunSpec {
        rules: vec![uniform.clone(), uniform.clone()],
        ..spec(uniform.clone(), Request::default())
    };
    assert!(message(&twice).contains("two decision rules are named"));
    let limit = RunSpec {
        discounts: vec![Discount::at(powersweep::Limit::One)],
        ..spec(uniform.clone(), Request::default())
    };
    assert!(message(&limit).contains("->1"));
}
