//! The `[statistics]` table: what is asked, with every name looked up in every environment.

use std::collections::HashSet;

use super::condition::read_choice;
use super::read::{in_range, one_of};
use crate::document::{Faults, Node, Span, Spanned, TableReader, nearest};
use crate::experiment::run_spec::unknown_per_goal;
use crate::experiment::{PerGoal, VariantMdp};
use crate::mdp::{Influence, Mdp};
use crate::statistics::behaviour::{Drives, Ties};
use crate::statistics::{DominanceRequest, EventRequest, MajorityRequest, OptimalRequest, Request};

/// Most steps of the measure `within`.
const MAX_STEPS: u64 = 1_000_000;

/// Most pairs of states whose distributions are compared: for each there are hundreds of counts in every block.
const MOST_PAIRS: usize = 100;

/// All drives there are.
pub(super) const ALL: &str = "all";

/// Most steps of an empowerment.
const MOST_STEPS: u64 = 1_000;

/// Names with their places, statistic by statistic.
type Places = Vec<(&'static str, Vec<Span>)>;

/// What the table asks for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) per_goal: Option<PerGoal>,
    /// Steps of the empowerment, where structure is told beside behaviour.
    pub(super) structure: Option<u32>,
    /// Whether intervals are also given that hold at once.
    pub(super) simultaneous: bool,
}

/// Reads the table. `None` where it asks for nothing that can be told.
pub(super) fn read_statistics(
    node: &Spanned<Node>,
    environments: &[Vec<VariantMdp>],
    faults: &mut Faults,
) -> Option<Asked> {
    let mut table = TableReader::open(node, "[statistics]", faults)?;
    if let Some(power) = table.boolean("power", faults)
        && !power.value
    {
        faults.error(power.span, "POWER is always measured: leave `power` out");
    }
    let mut request = Request::default();
    let mut places = Places::new();
    if let Some(list) = table.list("optimality") {
        let names = read_names("optimality", &list, faults);
        places.push(("optimality", names.iter().map(|n| n.span.clone()).collect()));
        request.optimality = names.into_iter().map(|n| n.value).collect();
    }
    if let Some(list) = table.list("majority") {
        let (pairs, spans) = read_majority(&list, faults);
        places.push(("majority", spans));
        request.majority = pairs;
    }
    if let Some(list) = table.list("choices") {
        let names = read_names("choices", &list, faults);
        places.push(("choices", names.iter().map(|n| n.span.clone()).collect()));
        request.choices = names.into_iter().map(|n| n.value).collect();
    }
    if let Some(list) = table.list("events") {
        let events = read_events(&list, faults);
        places.push(("events", events.iter().map(|e| e.span.clone()).collect()));
        request.events = events.into_iter().map(|e| e.value).collect();
    }
    request.occupancy = table
        .boolean("occupancy", faults)
        .is_some_and(|yes| yes.value);
    if let Some(list) = table.list("distribution") {
        let names = read_names("distribution", &list, faults);
        places.push((
            "distribution",
            names.iter().map(|n| n.span.clone()).collect(),
        ));
        request.distribution = names.into_iter().map(|n| n.value).collect();
    }
    if let Some(list) = table.list("dominance") {
        let (pairs, spans) = read_dominance(&list, faults);
        places.push(("dominance", spans));
        request.dominance = pairs;
    }
    if let Some(list) = table.list("indifference") {
        let names = read_names("indifference", &list, faults);
        let spans = names.iter().map(|n| n.span.clone());
        places.push(("indifference", spans.collect()));
        request.indifference = names.into_iter().map(|n| n.value).collect();
    }
    if let Some(list) = table.list("drives") {
        let names = read_names("drives", &list, faults);
        request.drives = read_drives(names, environments, faults);
    }
    if let Some(split) = table.boolean("split_drives", faults) {
        request.split_drives = split.value;
        if split.value && request.drives.is_empty() {
            faults.error(
                split.span,
                "`split_drives` splits the drives that `drives` names, and it names none",
            );
        }
    }
    let structure = table.count("structure", faults);
    let structure_stands = structure.as_ref().map(|steps| steps.span.clone());
    let some = |n| (1..=MOST_STEPS).contains(&n);
    let structure = structure.and_then(|steps| {
        let words = "a number of steps from 1 to 1000";
        in_range(steps, "`structure`", words, some, faults)
    });
    let structure = structure.and_then(|steps| u32::try_from(steps).ok());
    let mut mdps = environments.iter().flatten().map(|variant| &variant.mdp);
    if structure.is_some()
        && let Some(large) = mdps.find(|mdp| mdp.n_states() > Influence::MAX_STATES)
    {
        let message = format!(
            "`structure` is for at most {} states, {} has {}",
            Influence::MAX_STATES,
            large.name(),
            large.n_states()
        );
        faults.error(structure_stands, message);
    }
    let simultaneous = table.boolean("simultaneous", faults);
    let simultaneous = simultaneous.is_some_and(|yes| yes.value);
    let per_goal = table.take("per_goal");
    let per_goal = per_goal.and_then(|node| read_per_goal(node, environments, faults));
    table.finish(faults);
    check_names(&request, &places, environments, faults);
    Some(Asked {
        request,
        per_goal,
        structure,
        simultaneous,
    })
}

/// A number of goals, or a table with a `count` and `states`.
fn read_per_goal(
    node: &Spanned<Node>,
    environments: &[Vec<VariantMdp>],
    faults: &mut Faults,
) -> Option<PerGoal> {
    if !matches!(node.value, Node::Table(_)) {
        // As a table of its own, so that a number is read as everywhere.
        let key = Spanned {
            value: "count".to_owned(),
            span: node.span.clone(),
        };
        let alone = Spanned {
            value: Node::Table(vec![(key, node.clone())]),
            span: node.span.clone(),
        };
        return read_per_goal(&alone, environments, faults);
    }
    let mut table = TableReader::open(node, "`per_goal`", faults)?;
    table.require("count", faults);
    let count = table.count("count", faults);
    let count = count.and_then(|c| in_range(c, "`per_goal`", "at least 1", |n| n > 0, faults));
    let list = table.list("states").unwrap_or_default();
    let names = read_names("per_goal", &list, faults);
    table.finish(faults);
    let spans: Vec<Span> = names.iter().map(|n| n.span.clone()).collect();
    let states: Vec<String> = names.into_iter().map(|n| n.value).collect();
    let mut told = HashSet::new();
    for variants in environments.iter().filter(|v| !v.is_empty()) {
        for name in unknown_per_goal(&states, variants.iter().map(|v| &*v.mdp)) {
            if told.insert(name.position) {
                let message = format!("{} has no {} {:?}", name.mdp, name.wanted, name.name);
                faults.error(spans.get(name.position).cloned(), message);
            }
        }
    }
    Some(PerGoal {
        count: count?,
        states,
    })
}

/// A list of different names.
fn read_names(key: &str, list: &[&Spanned<Node>], faults: &mut Faults) -> Vec<Spanned<String>> {
    let mut names: Vec<Spanned<String>> = Vec::new();
    for node in list {
        match node.value.as_str() {
            Some(name) if names.iter().any(|n| n.value == name) => {
                let message = format!("{name:?} stands twice in `{key}`");
                faults.error(node.span.clone(), message);
            }
            Some(name) => names.push(Spanned {
                value: name.to_owned(),
                span: node.span.clone(),
            }),
            None => {
                let found = node.value.type_name();
                let message = format!("`{key}` in [statistics] holds names, this is {found}");
                faults.error(node.span.clone(), message);
            }
        }
    }
    names
}

/// Names of drives, `"all"` for every one. Whether any variant shows a drive that was named is checked here, as far as labels tell.
fn read_drives(
    names: Vec<Spanned<String>>,
    environments: &[Vec<VariantMdp>],
    faults: &mut Faults,
) -> Vec<String> {
    let known: Vec<&str> = Drives::names().collect();
    let mut wanted = Vec::new();
    let has_all = names.iter().any(|name| name.value == ALL);
    for name in names.into_iter().filter(|name| name.value != ALL) {
        let Some(needs) = Drives::needs(&name.value) else {
            let message = format!("there is no drive {:?}", name.value);
            let help = match nearest(&name.value, &known) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known: {}, or \"all\"", known.join(", ")),
            };
            faults.error_with_help(name.span, message, help);
            continue;
        };
        for variants in environments.iter().filter(|v| !v.is_empty()) {
            let mut each = variants.iter();
            if !each.any(|v| Drives::may_show(&name.value, &v.mdp)) {
                let message = format!(
                    "no variant of {} shows the drive {:?}: it needs {needs}",
                    variants[0].mdp.name(),
                    name.value
                );
                faults.error(name.span.clone(), message);
                break;
            }
        }
        wanted.push(name.value);
    }
    match has_all {
        true => known.into_iter().map(str::to_owned).collect(),
        false => wanted,
    }
}

/// A list of tables with two sets of choices, and the places of all choices in the order in which [`MajorityRequest`] counts them.
fn read_majority(
    list: &[&Spanned<Node>],
    faults: &mut Faults,
) -> (Vec<MajorityRequest>, Vec<Span>) {
    let (mut pairs, mut spans): (Vec<MajorityRequest>, Vec<Span>) = (Vec::new(), Vec::new());
    for node in list {
        let Some(mut table) = TableReader::open(node, "a pair of `majority`", faults) else {
            continue;
        };
        let name = table.string("name", faults);
        let mut set = |key: &'static str| {
            let is_there = table.require(key, faults).is_some();
            let list = table.list(key).unwrap_or_default();
            if list.is_empty() && is_there {
                let message = format!("`{key}` in `majority` holds no choice");
                faults.error(node.span.clone(), message);
            }
            let each = list.into_iter().filter_map(|node| {
                let choice = read_choice(node, [key, "`majority`"], faults)?;
                Some((choice, node.span.clone()))
            });
            each.unzip::<_, _, Vec<OptimalRequest>, Vec<Span>>()
        };
        let sets = [set("first"), set("second")];
        table.finish(faults);
        let [(first, of_first), (second, of_second)] = sets;
        if first.is_empty() || second.is_empty() {
            continue;
        }
        let own = MajorityRequest::name_of(&first, &second);
        let pair = MajorityRequest {
            name: name.as_ref().map_or(own, |name| name.value.clone()),
            first,
            second,
        };
        let problem = if pair.first == pair.second {
            Some("`majority` compares two sets of choices, and these are the same".to_owned())
        } else if pairs.iter().any(|other| other.name == pair.name) {
            let name = &pair.name;
            Some(format!(
                "two pairs of `majority` are called {name:?}: give each its own `name`"
            ))
        } else {
            None
        };
        if let Some(problem) = problem {
            faults.error(node.span.clone(), problem);
            continue;
        }
        pairs.push(pair);
        spans.extend(of_first.into_iter().chain(of_second));
    }
    (pairs, spans)
}

/// A list of tables with two states, and the places of all names.
fn read_dominance(
    list: &[&Spanned<Node>],
    faults: &mut Faults,
) -> (Vec<DominanceRequest>, Vec<Span>) {
    let (mut pairs, mut spans): (Vec<DominanceRequest>, Vec<Span>) = (Vec::new(), Vec::new());
    if let Some(node) = list.get(MOST_PAIRS) {
        let message = format!("`dominance` holds at most {MOST_PAIRS} pairs");
        faults.error(node.span.clone(), message);
    }
    for node in list {
        let Some(mut table) = TableReader::open(node, "a pair of `dominance`", faults) else {
            continue;
        };
        let mut name = |key: &'static str| {
            table.require(key, faults);
            table.string(key, faults)
        };
        let names = [name("first"), name("second")];
        table.finish(faults);
        let [Some(first), Some(second)] = names else {
            continue;
        };
        let pair = DominanceRequest {
            first: first.value,
            second: second.value,
        };
        if pair.first == pair.second {
            let message = format!("`dominance` compares {:?} with itself", pair.first);
            faults.error(node.span.clone(), message);
        } else if pairs.contains(&pair) {
            faults.error(node.span.clone(), "a pair stands twice in `dominance`");
        } else {
            pairs.push(pair);
            spans.extend([first.span, second.span]);
        }
    }
    (pairs, spans)
}

/// A list of names, or of tables with a `label`.
fn read_events(list: &[&Spanned<Node>], faults: &mut Faults) -> Vec<Spanned<EventRequest>> {
    let mut events: Vec<Spanned<EventRequest>> = Vec::new();
    for node in list {
        let Some(event) = read_event(node, faults) else {
            continue;
        };
        if events.iter().any(|other| other.value == event.value) {
            let label = &event.value.label;
            faults.error(
                event.span,
                format!("the event {label:?} stands twice in `events`"),
            );
            continue;
        }
        events.push(event);
    }
    events
}

/// The key `within` of an event.
pub(super) fn read_steps(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<u64> {
    let steps = table.count("within", faults)?;
    if steps.value > MAX_STEPS {
        let message = format!(
            "`within` must be at most {MAX_STEPS}, this is {}",
            steps.value
        );
        faults.error(steps.span, message);
    }
    Some(steps.value)
}

fn read_event(node: &Spanned<Node>, faults: &mut Faults) -> Option<Spanned<EventRequest>> {
    match &node.value {
        Node::String(label) => Some(Spanned {
            value: EventRequest {
                label: label.clone(),
                ..EventRequest::default()
            },
            span: node.span.clone(),
        }),
        Node::Table(_) => {
            let mut table = TableReader::open(node, "an event", faults)?;
            table.require("label", faults);
            let label = table.string("label", faults);
            let within = read_steps(&mut table, faults);
            let known = Ties::ALL.map(|t| (t.name(), t));
            let ties = table.string("ties", faults);
            let ties = ties.map(|word| one_of("way to break ties", &word, &known, faults));
            table.finish(faults);
            let label = label?;
            Some(Spanned {
                value: EventRequest {
                    label: label.value,
                    within,
                    ties: ties.flatten().unwrap_or_default(),
                    without_time: false,
                },
                span: label.span,
            })
        }
        other => {
            let found = other.type_name();
            let message =
                format!("`events` in [statistics] holds names and tables, this is {found}");
            faults.error(node.span.clone(), message);
            None
        }
    }
}

/// Looks every name up in every environment; one of its variants must know it. A name that several environments lack is told once.
fn check_names(
    request: &Request,
    places: &Places,
    environments: &[Vec<VariantMdp>],
    faults: &mut Faults,
) {
    let mut told = HashSet::new();
    for variants in environments.iter().filter(|v| !v.is_empty()) {
        let mdps = || variants.iter().map(|v| &*v.mdp);
        for name in request.unknown_to_all(mdps()) {
            if !told.insert((name.statistic, name.position)) {
                continue;
            }
            let of_statistic = places
                .iter()
                .find(|(statistic, _)| *statistic == name.statistic);
            let span = of_statistic.and_then(|(_, spans)| spans.get(name.position).cloned());
            let message = match variants.len() {
                1 => format!("{} has no {} {:?}", name.mdp, name.wanted, name.name),
                _ => format!(
                    "no variant of {} has a {} {:?}",
                    name.mdp, name.wanted, name.name
                ),
            };
            match name.nearest {
                Some(near) => {
                    faults.error_with_help(span, message, format!("did you mean {near:?}?"));
                }
                None => faults.error_with_help(span, message, known(mdps())),
            }
        }
    }
}

/// What could have been named.
fn known<'m>(mdps: impl Iterator<Item = &'m Mdp>) -> String {
    let mut labels: Vec<&str> = Vec::new();
    for mdp in mdps {
        let own = mdp.state_labels().keys().chain(mdp.choice_labels().keys());
        for label in own.map(String::as_str) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    match labels.len() {
        0 => "it has no labels; states go by their names, the start by \"start\"".to_owned(),
        _ => format!(
            "its labels: {}; states go by their names, the start by \"start\"",
            labels.join(", ")
        ),
    }
}
