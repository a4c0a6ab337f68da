//! Reading the experiment file table by table. Every reader collects faults and goes on.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::agent::Agents;
use super::condition::read_condition;
use super::ensemble::{self, read_claims};
use super::environments::Environments;
use super::matrices;
use super::statistics::read_statistics;
use super::until::{check_until, read_until};
use super::variants::Variants;
use super::{Experiment, ExperimentError, InputFile, Overrides, Resolved, RewardEntry};
use crate::document::{
    Fault, Faults, Node, SourceText, Span, Spanned, TableReader, nearest, parse_toml,
};
use crate::experiment::compatible::walk_obstacles;
use crate::experiment::run_spec::{
    NO_BASELINE, PER_GOAL_OF_CHOICES, condition_of_choices, linked_beside, linked_obstacle,
    rule_at_limit, swap_obstacles, unknown_reward_names,
};
use crate::experiment::{BackendChoice, RunSpec, Until, VariantMdp};
use crate::intervention::BASELINE;
use crate::io::{ReadError, is_mdp, no_experiment};
use crate::plan::{Method, Precision};
use crate::reward::{RewardDistribution, RewardDomain};
use crate::statistics::{ConditionMethod, ConditionRequest, Request};
use crate::units::{Discount, Limit};

/// Tables and keys of later features: answered with "not yet supported" rather than "unknown".
const LATER: &[&str] = &["grid_search", "sweep", "comparison", "audit", "output"];
/// What people look for in the wrong place.
const ELSEWHERE: &[(&str, &str)] = &[
    ("intervention", "the kind of a [[variant]]"),
    ("rule", "a key of [agent]"),
    ("rules", "the key `rule` of [agent]"),
    ("policy", "a key of [agent]"),
    ("start", "for the MDP to say, in its file"),
];
const ELSEWHERE_SOLVE: &[(&str, &str)] = &[
    ("rule", "a key of [agent]"),
    ("rules", "the key `rule` of [agent]"),
    ("samples", "`count` in [sample]"),
    ("seed", "a key of [sample]"),
];
const LATER_SOLVE: &[&str] = &["horizon", "operator", "check_every"];
const LATER_SAMPLE: &[&str] = &["stream", "first", "exact", "accepted"];

/// See [`Experiment::load`].
pub(super) fn load(
    path: &Path,
    overrides: &Overrides,
) -> Result<(Experiment, Vec<Faults>), ExperimentError> {
    no_experiment(path)?;
    let bytes = std::fs::read(path).map_err(|error| ReadError::File {
        path: path.into(),
        error,
    })?;
    let text = String::from_utf8(bytes).map_err(|error| ReadError::NotText {
        path: path.into(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    let source = SourceText::new(path.display().to_string(), text.clone());
    let mut faults = Faults::about(source.clone());
    let root = parse_toml(&source, &mut faults);
    if !faults.list.is_empty() {
        // What the parser guesses after a syntax error would draw faults that are not the user's.
        return Err(ExperimentError::Faults(vec![faults]));
    }
    if is_mdp(&root, path, &mut faults) {
        return Err(ExperimentError::Faults(vec![faults]));
    }
    let file = InputFile {
        path: path.to_owned(),
        bytes: text.into_bytes(),
    };
    let (experiment, others) = read(&root, file, overrides, &mut faults);
    faults.sort_by_place();
    let mut all = vec![faults];
    all.extend(others);
    all.retain(|faults| !faults.list.is_empty());
    match experiment {
        Some(experiment) if !all.iter().any(Faults::has_errors) => Ok((experiment, all)),
        _ => Err(ExperimentError::Faults(all)),
    }
}

fn read(
    root: &Spanned<Node>,
    file: InputFile,
    overrides: &Overrides,
    faults: &mut Faults,
) -> (Option<Experiment>, Vec<Faults>) {
    let Some(mut table) = TableReader::open(root, "the experiment", faults) else {
        return (None, Vec::new());
    };
    read_schema(&mut table, faults);
    let name = table.string("name", faults);
    table.string("description", faults);
    let directory = file.path.parent().unwrap_or(Path::new("")).to_owned();
    let mut environments = match table.require("mdp", faults) {
        Some(node) => Environments::read(node, &directory, faults),
        None => Environments::default(),
    };
    let others = &mut environments.others;
    let rewards = table
        .list_of_some("reward", faults)
        .map(|list| read_rewards(&list, &directory, faults, others));
    let solve = Solve::read(table.take("solve"), !overrides.discounts.is_empty(), faults);
    let sample = Sample::read(table.take("sample"), faults);
    let others = &mut environments.others;
    let variants = Variants::read(&mut table, &directory, faults, others);
    let made = variants.make(&environments.mdps, faults);
    let statistics = table.take("statistics");
    let statistics = statistics.and_then(|node| read_statistics(node, &made, faults));
    let structure = statistics.as_ref().and_then(|asked| asked.structure);
    let simultaneous = statistics.as_ref().is_some_and(|asked| asked.simultaneous);
    let (statistics, per_goal) =
        statistics.map_or((None, None), |asked| (Some(asked.request), asked.per_goal));
    let agents = table.take("agent");
    let others = &mut environments.others;
    let agents = agents.map(|node| Agents::read(node, &directory, faults, others));
    let agents = agents.unwrap_or_default();
    let condition = table.take("condition");
    let condition = condition.and_then(|node| {
        read_condition(
            node,
            &directory,
            &environments.mdps,
            faults,
            &mut environments.others,
        )
    });
    if let Some(until) = &sample.until {
        let compared = variants.baseline.value && !variants.tables.is_empty();
        let method = condition.as_ref().map(|condition| condition.value.method);
        let walked = method == Some(ConditionMethod::HitAndRun);
        check_until(until, statistics.as_ref(), compared, walked, faults);
    }
    let claims = table.take("ensemble").map(|node| {
        let beside = ensemble::Beside {
            environments: &environments.mdps,
            statistics: statistics.as_ref(),
            compared: variants.baseline.value && !variants.tables.is_empty(),
        };
        read_claims(node, &beside, faults)
    });
    table.reserve(LATER, faults);
    table.redirect(ELSEWHERE, faults);
    table.finish(faults);

    let defaults = RunSpec::default();
    let stem = file
        .path
        .file_stem()
        .map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let flag_discounts = (!overrides.discounts.is_empty()).then(|| overrides.discounts.clone());
    let default_rewards = || {
        vec![RewardEntry {
            distribution: RewardDistribution::unit_uniform(),
            parameters: vec![(
                "distribution".to_owned(),
                Node::String("uniform".to_owned()),
            )],
            place: None,
            files: Vec::new(),
        }]
    };
    let discounts = match overrides.discounts.is_empty() {
        true => solve.discounts.as_ref(),
        false => Some(&overrides.discounts),
    };
    let limits = discounts.into_iter().flatten().filter_map(|d| d.limit());
    let limits: Vec<Limit> = limits.collect();
    // Nowhere in the file, where they come from the command line.
    let limits_stand = match overrides.discounts.is_empty() {
        true => place_of(root, &["solve", "discount"], &|_| true),
        false => None,
    };
    for obstacle in limits
        .iter()
        .flat_map(|limit| statistics.iter().flat_map(|s| s.obstacles(*limit)))
    {
        faults.error(limits_stand.clone(), obstacle);
    }
    let others = agents.others();
    if let Some(rule) = others.first() {
        let at_limits = limits.iter().map(|limit| rule_at_limit(*limit));
        for obstacle in at_limits {
            faults.error(rule.span.clone(), obstacle);
        }
    }
    if let Some(rule) = others.iter().find(|rule| !rule.value.is_given()) {
        for obstacle in statistics.iter().flat_map(Request::obstacles_of_rules) {
            faults.error(rule.span.clone(), obstacle);
        }
    }
    // What is in the way in one of a thousand MDPs is said once.
    let mut beside = made
        .iter()
        .map(|variants| linked_beside(variants, &limits, !others.is_empty()));
    for (place, obstacle) in beside.find(|all| !all.is_empty()).unwrap_or_default() {
        faults.error(place, obstacle);
    }
    for rule in &others {
        // What is in the way in one of a thousand MDPs is said once.
        let mut each = (environments.mdps.iter().zip(&made))
            .flat_map(|(base, variants)| variants.iter().map(move |v| (base, &v.mdp)));
        let obstacles = each.find_map(|(base, mdp)| rule.value.on(base, mdp).err());
        for obstacle in obstacles.unwrap_or_default() {
            faults.error(rule.span.clone(), obstacle);
        }
        for entry in rewards.iter().flatten() {
            if entry.distribution.domain() == RewardDomain::Choice {
                let message = format!(
                    "the rule \"{}\" is not yet supported for rewards of choices ({:?})",
                    rule.value,
                    entry.distribution.name()
                );
                faults.error(rule.span.clone(), message);
            }
        }
    }
    if let Some(condition) = &condition {
        let beside = Beside {
            limits: &limits,
            other_rules: !others.is_empty(),
            has_baseline: variants.tables.is_empty() || variants.baseline.value,
            rewards: rewards.as_deref().unwrap_or_default(),
        };
        beside.check(condition, faults);
        let request = &condition.value;
        let method = request.method;
        let laws = rewards.iter().flatten();
        let laws = laws.filter(|entry| entry.distribution.is_complete());
        let laws = laws.map(|entry| &*entry.distribution);
        // What is in the way in one of a thousand MDPs is said once.
        let mut each = environments.mdps.iter().zip(&made);
        let obstacles = each.find_map(|(mdp, variants)| {
            let mdp = Arc::new(mdp.clone());
            let all = match method {
                ConditionMethod::Rejection => Vec::new(),
                ConditionMethod::Swap => {
                    let mut all = swap_obstacles(request, &mdp, laws.clone());
                    all.extend(variants.iter().filter_map(|v| linked_obstacle(method, v)));
                    all
                }
                ConditionMethod::HitAndRun => {
                    let discounts = discounts.map_or(&[][..], |d| d);
                    walk_obstacles(request, &mdp, variants, laws.clone(), discounts)
                }
            };
            (!all.is_empty()).then_some(all)
        });
        for obstacle in obstacles.unwrap_or_default() {
            faults.error(condition.span.clone(), obstacle);
        }
    }
    for entry in rewards.iter().flatten() {
        if entry.distribution.domain() == RewardDomain::Choice {
            let asked = statistics.iter();
            let mut obstacles: Vec<String> = asked
                .flat_map(Request::obstacles_of_choice_rewards)
                .collect();
            obstacles.extend(per_goal.is_some().then(|| PER_GOAL_OF_CHOICES.to_owned()));
            let is_choices = |node: &Node| matches!(node, Node::String(x) if x == "choices");
            for obstacle in obstacles {
                let message = format!("{obstacle} ({:?})", entry.distribution.name());
                faults.error(place_of(root, &["reward", "domain"], &is_choices), message);
            }
        }
        if entry.distribution.domain() == RewardDomain::Choice
            && let Some(limit) = limits.first()
        {
            let message = format!(
                "the limit {} is not yet supported for rewards of choices ({:?})",
                limit.name(),
                entry.distribution.name()
            );
            faults.error(limits_stand.clone(), message);
        }
        // A law whose file could not be read fits nothing, which has been said.
        if entry.distribution.is_complete() {
            check_fit(entry, &made, faults);
        }
    }
    let experiment = environments.source.map(|source| Experiment {
        name: Resolved::new(None, name.map(|n| n.value), stem),
        source,
        environments: environments.mdps,
        baseline: variants.baseline,
        variant_tables: variants.tables,
        variant_files: variants.files,
        variants: variants.list,
        rewards: Resolved::new(None, rewards, default_rewards()),
        discounts: Resolved::new(flag_discounts, solve.discounts, Vec::new()),
        rules: Resolved::new(
            None,
            (agents.rules).map(|list| list.into_iter().map(|r| r.value).collect()),
            defaults.rules,
        ),
        policies: agents.policies.into_iter().map(|p| p.value).collect(),
        tolerance: Resolved::new(overrides.tolerance, solve.tolerance, defaults.tolerance),
        method: Resolved::new(overrides.method, solve.method, defaults.method),
        precision: Resolved::new(overrides.precision, solve.precision, defaults.precision),
        max_sweeps: Resolved::new(None, solve.max_sweeps.map(Some), defaults.max_sweeps),
        backend: Resolved::new(overrides.backend, solve.backend, BackendChoice::default()),
        samples: Resolved::new(
            overrides.samples,
            sample.count.or(sample.until.as_ref().map(|u| u.value.max)),
            defaults.samples,
        ),
        until: match overrides.samples {
            Some(_) => Resolved::new(Some(None), None, None),
            None => Resolved::new(None, sample.until.map(|u| Some(u.value)), None),
        },
        seed: Resolved::new(overrides.seed, sample.seed, defaults.seed.0),
        level: Resolved::new(overrides.level, sample.level, defaults.level),
        statistics: Resolved::new(None, statistics, defaults.statistics),
        condition: condition.map(|c| c.value),
        claims: claims.unwrap_or_default(),
        structure,
        simultaneous,
        per_goal,
        file,
        mdp_files: environments.files,
        companions: environments.companions,
    });
    (experiment, environments.others)
}

/// What stands beside a condition.
struct Beside<'a> {
    limits: &'a [Limit],
    other_rules: bool,
    has_baseline: bool,
    rewards: &'a [RewardEntry],
}

impl Beside<'_> {
    /// Tells what a condition has no meaning beside.
    fn check(&self, condition: &Spanned<ConditionRequest>, faults: &mut Faults) {
        let request = &condition.value;
        let mut obstacles = request.obstacles(None, self.other_rules);
        let at_limits = self.limits.iter();
        obstacles.extend(at_limits.flat_map(|limit| request.obstacles(Some(*limit), false)));
        if !self.has_baseline {
            obstacles.push(NO_BASELINE.to_owned());
        }
        let laws = self.rewards.iter().map(|entry| &entry.distribution);
        let on_choices = laws.filter(|law| law.domain() == RewardDomain::Choice);
        obstacles.extend(on_choices.map(|law| condition_of_choices(law.name())));
        for obstacle in obstacles {
            faults.error(condition.span.clone(), obstacle);
        }
    }
}

/// Binds a law to every variant of every environment. What does not fit one of a thousand MDPs is said once.
fn check_fit(entry: &RewardEntry, made: &[Vec<VariantMdp>], faults: &mut Faults) {
    let before = faults.list.len();
    let law = &entry.distribution;
    check_fit_of(law, made, faults);
    for fault in &mut faults.list[before..] {
        fault.span = fault.span.take().or(entry.place.clone());
    }
}

fn check_fit_of(law: &RewardDistribution, made: &[Vec<VariantMdp>], faults: &mut Faults) {
    for variants in made {
        let before = faults.list.len();
        let has_variants = variants.len() > 1 || variants.iter().any(|v| v.variant != BASELINE);
        if has_variants {
            for name in unknown_reward_names(law, variants) {
                let message = format!(
                    "no variant of {:?} has a state or label {:?}",
                    variants[0].mdp.name(),
                    name.value
                );
                faults.error(name.span.clone(), message);
            }
        }
        for variant in variants {
            let mdp = &variant.mdp;
            let fits = match has_variants {
                true => law.known_to(mdp).try_bind(mdp, faults),
                false => law.try_bind(mdp, faults),
            };
            // Whether stages fit together does not depend on the discount.
            let discount = Discount::new(0.5).expect("0.5 is a discount");
            if fits.is_some()
                && let Some(Err(error)) = variant.program(law, discount)
            {
                let place = variant.linked.as_ref().and_then(|linked| linked.by.place());
                faults
                    .list
                    .extend(error.faults.list.into_iter().map(|fault| Fault {
                        span: fault.span.or(place.clone()),
                        ..fault
                    }));
            }
            if fits.is_none() || faults.list.len() > before {
                return;
            }
        }
    }
}

/// Where the value of a key stands, given the keys on the way to it: in the first table of a list in which it is one that is looked for.
fn place_of(node: &Spanned<Node>, keys: &[&str], is_it: &dyn Fn(&Node) -> bool) -> Option<Span> {
    let Some((key, rest)) = keys.split_first() else {
        return is_it(&node.value).then(|| node.span.clone());
    };
    match &node.value {
        Node::Table(entries) => {
            let (_, value) = entries.iter().find(|(k, _)| k.value == *key)?;
            place_of(value, rest, is_it)
        }
        Node::Array(items) => items.iter().find_map(|item| place_of(item, keys, is_it)),
        _ => None,
    }
}

fn read_schema(table: &mut TableReader<'_>, faults: &mut Faults) {
    if table.require("schema", faults).is_none() {
        return;
    }
    if let Some(schema) = table.count("schema", faults)
        && schema.value != super::SCHEMA
    {
        faults.error(
            schema.span,
            format!(
                "schema {} is not known; this version reads schema 1",
                schema.value
            ),
        );
    }
}

fn read_rewards(
    list: &[&Spanned<Node>],
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Vec<RewardEntry> {
    let mut names = HashSet::new();
    let mut rewards = Vec::new();
    for node in list {
        let Some((mut distribution, name)) = RewardDistribution::read(node, faults) else {
            continue;
        };
        let files = matrices::load(&mut distribution, directory, faults, others);
        let span = name.map_or(node.span.clone(), |n| n.span);
        let name = distribution.name().to_owned();
        if !names.insert(name.clone()) {
            faults.error_with_help(
                span,
                format!("two rewards are named {name:?}"),
                "give each [[reward]] its own `name`",
            );
        }
        rewards.push(RewardEntry {
            parameters: parameters(node, &distribution),
            place: Some(place_of(node, &["distribution"], &|_| true).unwrap_or(node.span.clone())),
            distribution: distribution.into(),
            files,
        });
    }
    rewards
}

/// The law's name and the keys beside it, as they were written.
fn parameters(node: &Spanned<Node>, distribution: &RewardDistribution) -> Vec<(String, Node)> {
    let Node::Table(entries) = &node.value else {
        return Vec::new();
    };
    let mut list = vec![(
        "distribution".to_owned(),
        Node::String(distribution.law().name().to_owned()),
    )];
    let others = entries
        .iter()
        .filter(|(key, _)| key.value != "name" && key.value != "distribution");
    list.extend(others.map(|(key, value)| (key.value.clone(), value.value.clone())));
    list
}

/// The `[solve]` table.
#[derive(Default)]
struct Solve {
    discounts: Option<Vec<Discount>>,
    tolerance: Option<f64>,
    method: Option<Option<Method>>,
    precision: Option<Precision>,
    max_sweeps: Option<u32>,
    backend: Option<BackendChoice>,
}

impl Solve {
    fn read(node: Option<&Spanned<Node>>, discount_is_given: bool, faults: &mut Faults) -> Self {
        let mut solve = Self::default();
        let table = node.and_then(|node| TableReader::open(node, "[solve]", faults));
        let Some(mut table) = table else {
            if node.is_none() && !discount_is_given {
                faults.error_with_help(
                    None,
                    "the experiment has no discount",
                    "add a table [solve] with `discount = 0.9`, or a list of discounts",
                );
            }
            return solve;
        };
        solve.discounts = table
            .list_of_some("discount", faults)
            .map(|list| read_discounts(&list, faults));
        if solve.discounts.is_none() && !discount_is_given {
            table.require("discount", faults);
        }
        solve.tolerance = table
            .number("tolerance", faults)
            .and_then(|x| in_range(x, "`tolerance`", "above 0", |t| t > 0.0, faults));
        solve.method = table
            .string("method", faults)
            .and_then(|s| read_method(&s, faults));
        let precisions = Precision::ALL.map(|p| (p.name(), p));
        solve.precision = table
            .string("precision", faults)
            .and_then(|s| one_of("precision", &s, &precisions, faults));
        let cap = table.count("max_sweeps", faults);
        solve.max_sweeps = cap.and_then(|cap| match u32::try_from(cap.value) {
            Ok(sweeps) if sweeps > 0 => Some(sweeps),
            _ => {
                let message = format!("`max_sweeps` must be between 1 and {}", u32::MAX);
                faults.error(cap.span, message);
                None
            }
        });
        solve.backend = table
            .string("backend", faults)
            .and_then(|s| read_backend(&s, faults));
        table.reserve(LATER_SOLVE, faults);
        table.redirect(ELSEWHERE_SOLVE, faults);
        table.finish(faults);
        solve
    }
}

fn read_discounts(list: &[&Spanned<Node>], faults: &mut Faults) -> Vec<Discount> {
    let mut discounts: Vec<Discount> = Vec::new();
    for node in list {
        let limit = |name: &str| Limit::ALL.into_iter().find(|limit| limit.name() == name);
        let discount = match (&node.value, node.value.as_f64()) {
            (_, Some(number)) => Discount::new(number).map_err(|error| error.to_string()),
            (Node::String(name), _) => match limit(name) {
                Some(limit) => Ok(Discount::at(limit)),
                None => Err(format!(
                    "a discount must be a number, or one of the limits \"->0\" and \"->1\"; this is {name:?}"
                )),
            },
            (other, _) => Err(format!(
                "a discount must be a number, or one of the limits \"->0\" and \"->1\"; this is {}",
                other.type_name()
            )),
        };
        match discount {
            Ok(discount) if discounts.iter().any(|d| d.used() == discount.used()) => {
                let message = match discount.limit() {
                    Some(_) => format!("the discount {discount} stands twice"),
                    None => format!("the discount {discount} stands twice in single precision"),
                };
                faults.error(node.span.clone(), message);
            }
            Ok(discount) => discounts.push(discount),
            Err(message) => faults.error(node.span.clone(), message),
        }
    }
    discounts
}

fn read_method(name: &Spanned<String>, faults: &mut Faults) -> Option<Option<Method>> {
    let methods = Method::ALL.map(|m| (m.name(), Some(m)));
    let known: Vec<_> = [("auto", None)].into_iter().chain(methods).collect();
    one_of("method", name, &known, faults)
}

fn read_backend(name: &Spanned<String>, faults: &mut Faults) -> Option<BackendChoice> {
    one_of(
        "backend",
        name,
        &BackendChoice::ALL.map(|b| (b.name(), b)),
        faults,
    )
}

/// What [`RunSpec::is_count`] asks for.
pub(super) const SOME_GOALS: &str = "from 1 to 9007199254740992 (2^53)";

/// The value of one of a few words.
pub(super) fn one_of<T: Copy>(
    what: &str,
    word: &Spanned<String>,
    known: &[(&'static str, T)],
    faults: &mut Faults,
) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == word.value);
    if found.is_none() {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        let help = match nearest(&word.value, &names) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known: {}", names.join(", ")),
        };
        let message = format!("there is no {what} {:?}", word.value);
        faults.error_with_help(word.span.clone(), message, help);
    }
    found.map(|(_, value)| *value)
}

/// The `[sample]` table.
#[derive(Default)]
struct Sample {
    count: Option<u64>,
    until: Option<Spanned<Until>>,
    seed: Option<u64>,
    level: Option<f64>,
}

impl Sample {
    fn read(node: Option<&Spanned<Node>>, faults: &mut Faults) -> Self {
        let mut sample = Self::default();
        let table = node.and_then(|node| TableReader::open(node, "[sample]", faults));
        let Some(mut table) = table else {
            return sample;
        };
        let count = table.count("count", faults);
        let until = table.take("until");
        if let (Some(count), Some(_)) = (&count, until) {
            let message = "`count` and `until` in [sample] are two ways to say how many goals there are: choose one";
            faults.error(count.span.clone(), message);
        }
        sample.until = until.and_then(|node| {
            let value = read_until(node, faults)?;
            let span = node.span.clone();
            Some(Spanned { value, span })
        });
        sample.count =
            count.and_then(|c| in_range(c, "`count`", SOME_GOALS, RunSpec::is_count, faults));
        sample.seed = table.count("seed", faults).map(|seed| seed.value);
        let level = table.number("level", faults);
        let between = |x: f64| x > 0.0 && x < 1.0;
        sample.level =
            level.and_then(|x| in_range(x, "`level`", "between 0 and 1", between, faults));
        table.reserve(LATER_SAMPLE, faults);
        table.finish(faults);
        sample
    }
}

/// A number that is accepted; else a fault.
pub(super) fn in_range<T: Copy + std::fmt::Display>(
    x: Spanned<T>,
    what: &str,
    wanted: &str,
    accept: impl Fn(T) -> bool,
    faults: &mut Faults,
) -> Option<T> {
    if accept(x.value) {
        return Some(x.value);
    }
    faults.error(
        x.span,
        format!("{what} must be {wanted}, this is {}", x.value),
    );
    None
}
