//! The resolved experiment as text: a TOML file that stands on its own, with the origin of every value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::policies::PolicySource;
use super::statistics::ALL;
use super::{EnvironmentSource, Experiment, Origin, PolicyEntry, RewardEntry, matrices};
use crate::document::{Faults, Node};
use crate::experiment::{Claim, PerGoal, Side};
use crate::plan::Method;
use crate::solve::{DecisionRule, Level, Otherwise, Rule};
use crate::statistics::behaviour::Drives;
use crate::statistics::{
    ConditionMethod, ConditionRequest, EventRequest, MajorityRequest, OptimalRequest, ReachRequest,
    Request,
};

/// Column of the comments that name origins.
const COMMENT_COLUMN: usize = 44;

impl Experiment {
    /// The experiment as a TOML file that holds every value, with its origin in a comment.
    ///
    /// `place` says where the MDP files are as seen from the new file; it is given the path as it was written.
    #[must_use]
    pub fn to_toml(&self, place: &dyn Fn(usize, &Path) -> PathBuf) -> String {
        self.to_toml_with(place, &|_, _| None, &|_| None, &|_| None)
    }

    /// The same, with other names for the files of laws, given the number of the law and the name that was written, and for those of policies and of MDPs of variants, given their numbers.
    pub(super) fn to_toml_with(
        &self,
        place: &dyn Fn(usize, &Path) -> PathBuf,
        matrix: &dyn Fn(usize, &str) -> Option<String>,
        policy: &dyn Fn(usize) -> Option<String>,
        variant: &dyn Fn(usize) -> Option<String>,
    ) -> String {
        let mut text = String::new();
        line(
            &mut text,
            "schema",
            &super::SCHEMA.into_value(),
            Origin::File,
        );
        line(
            &mut text,
            "name",
            &string(&self.name.value),
            self.name.origin,
        );
        if !self.variant_tables.is_empty() {
            line(
                &mut text,
                "baseline",
                &self.baseline.value.into(),
                self.baseline.origin,
            );
        }
        text.push_str("\n[mdp]\n");
        self.mdp_toml(&mut text, place);
        for (number, table) in self.variant_tables.iter().enumerate() {
            text.push_str("\n[[variant]]\n");
            if let Node::Table(entries) = table {
                for (key, value) in entries {
                    let value = match variant(number).filter(|_| key.value == "mdp") {
                        Some(place) => string(&place),
                        None => to_toml(&value.value),
                    };
                    line(&mut text, &key.value, &value, Origin::File);
                }
            }
        }
        for (i, reward) in self.rewards.value.iter().enumerate() {
            text.push_str("\n[[reward]]\n");
            line(
                &mut text,
                "name",
                &string(reward.distribution.name()),
                self.rewards.origin,
            );
            let parameters = matrices::renamed(&reward.parameters, &|name| matrix(i, name));
            for (key, value) in &parameters {
                line(&mut text, key, &to_toml(value), self.rewards.origin);
            }
        }
        text.push_str("\n[solve]\n");
        let discounts = self.discounts.value.iter().map(|d| match d.limit() {
            Some(limit) => string(limit.name()),
            None => d.asked().into(),
        });
        line(
            &mut text,
            "discount",
            &toml::Value::Array(discounts.collect()),
            self.discounts.origin,
        );
        line(
            &mut text,
            "tolerance",
            &self.tolerance.value.into(),
            self.tolerance.origin,
        );
        line(
            &mut text,
            "method",
            &string(method_name(self.method.value)),
            self.method.origin,
        );
        line(
            &mut text,
            "precision",
            &string(self.precision.value.name()),
            self.precision.origin,
        );
        match self.max_sweeps.value {
            Some(cap) => line(
                &mut text,
                "max_sweeps",
                &i64::from(cap).into(),
                self.max_sweeps.origin,
            ),
            None => text.push_str("# max_sweeps: by discount and tolerance\n"),
        }
        line(
            &mut text,
            "backend",
            &string(self.backend.value.name()),
            self.backend.origin,
        );
        text.push_str("\n[sample]\n");
        match self.until.value {
            Some(until) => {
                // Texts and numbers: every JSON value here is a TOML value.
                let table = toml::Value::try_from(until.to_json());
                let table = table.unwrap_or_else(|_| toml::Table::new().into());
                line(&mut text, "until", &table, self.until.origin);
            }
            None => line(
                &mut text,
                "count",
                &self.samples.value.into_value(),
                self.samples.origin,
            ),
        }
        line(
            &mut text,
            "seed",
            &self.seed.value.into_value(),
            self.seed.origin,
        );
        line(
            &mut text,
            "level",
            &self.level.value.into(),
            self.level.origin,
        );
        text.push_str("\n[agent]\n");
        let rules = self.rules.value.iter().map(rule_value);
        line(
            &mut text,
            "rule",
            &toml::Value::Array(rules.collect()),
            self.rules.origin,
        );
        if !self.policies.is_empty() {
            let entries = self.policies.iter().enumerate();
            let entries = entries.map(|(i, entry)| policy_value(entry, policy(i)));
            let list = toml::Value::Array(entries.collect());
            line(&mut text, "policy", &list, Origin::File);
        }
        text.push_str("\n[statistics]\n");
        line(&mut text, "power", &true.into(), Origin::Default);
        for (key, value) in request_entries(&self.statistics.value) {
            line(&mut text, key, &value, self.statistics.origin);
        }
        if let Some(steps) = self.structure {
            line(
                &mut text,
                "structure",
                &u64::from(steps).into_value(),
                Origin::File,
            );
        }
        if self.simultaneous {
            line(&mut text, "simultaneous", &true.into(), Origin::File);
        }
        if let Some(per_goal) = &self.per_goal {
            line(
                &mut text,
                "per_goal",
                &per_goal_value(per_goal),
                Origin::File,
            );
        }
        if let Some(condition) = &self.condition {
            text.push_str("\n[condition]\n");
            for (key, value) in condition_entries(condition) {
                line(&mut text, key, &value, Origin::File);
            }
        }
        if !self.claims.is_empty() {
            text.push_str("\n[ensemble]\n");
            let claims = self.claims.iter().map(claim_value);
            let list = toml::Value::Array(claims.collect());
            line(&mut text, "claims", &list, Origin::File);
        }
        text
    }

    fn mdp_toml(&self, text: &mut String, place: &dyn Fn(usize, &Path) -> PathBuf) {
        match &self.source {
            EnvironmentSource::Files(paths) => {
                let placed = paths.iter().enumerate().map(|(i, path)| place(i, path));
                let mut list: Vec<_> = placed.map(|path| string(&path.to_string_lossy())).collect();
                match list.len() {
                    1 => line(text, "path", &list.remove(0), Origin::File),
                    _ => line(text, "paths", &toml::Value::Array(list), Origin::File),
                }
            }
            EnvironmentSource::Family {
                parameters, seeds, ..
            } => {
                for (key, value) in parameters {
                    line(text, key, &to_toml(value), Origin::File);
                }
                let range = format!("{}..{}", seeds.value.start, seeds.value.end);
                line(text, "seeds", &string(&range), seeds.origin);
            }
        }
    }

    /// The `[[variant]]` tables.
    pub(super) fn variants_json(&self) -> serde_json::Value {
        let each = self.variant_tables.iter().enumerate();
        each.map(|(number, table)| {
            let mut json = to_json(table);
            // MDPs enter by content, so that files may move.
            let file = self.variant_files.iter().find(|f| f.table == number);
            if let Some(file) = file {
                json["mdp"] = json!(format!("sha256 {}", super::hexadecimal(&file.hash)));
            }
            json
        })
        .collect()
    }

    /// Every value with its origin, for the manifest.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let entry = |value: serde_json::Value, origin: Origin| json!({ "value": value, "origin": origin.name() });
        let mdp = match &self.source {
            EnvironmentSource::Files(paths) => json!({ "paths": paths }),
            EnvironmentSource::Family {
                parameters, seeds, ..
            } => {
                let range = format!("{}..{}", seeds.value.start, seeds.value.end);
                let mut table = table_json(parameters);
                table.insert("seeds".to_owned(), json!(range));
                table.into()
            }
        };
        let rewards = self.rewards.value.iter().map(reward_json).collect();
        let discounts = json!(self.discounts.value);
        let condition = match self.condition {
            Some(_) => Origin::File,
            None => Origin::Default,
        };
        json!({
            "name": entry(json!(self.name.value), self.name.origin),
            "mdp": entry(mdp, Origin::File),
            "baseline": entry(json!(self.baseline.value), self.baseline.origin),
            "variant": entry(self.variants_json(), Origin::File),
            "reward": entry(rewards, self.rewards.origin),
            "discount": entry(discounts, self.discounts.origin),
            "tolerance": entry(json!(self.tolerance.value), self.tolerance.origin),
            "method": entry(json!(method_name(self.method.value)), self.method.origin),
            "precision": entry(json!(self.precision.value.name()), self.precision.origin),
            "max_sweeps": entry(json!(self.max_sweeps.value), self.max_sweeps.origin),
            "backend": entry(json!(self.backend.value.name()), self.backend.origin),
            "count": entry(json!(self.samples.value), self.samples.origin),
            "until": entry(json!(self.until.value.map(|until| until.to_json())), self.until.origin),
            "seed": entry(json!(self.seed.value), self.seed.origin),
            "level": entry(json!(self.level.value), self.level.origin),
            "rule": entry(rules_json(&self.rules.value), self.rules.origin),
            "policy": entry(policies_json(&self.policies), Origin::File),
            "statistics": entry(statistics_json(&self.statistics.value), self.statistics.origin),
            "structure": self.structure,
            "simultaneous": self.simultaneous,
            "per_goal": self.per_goal.as_ref().map(|p| json!(per_goal_value(p))),
            "claims": entry(claims_json(&self.claims), Origin::File),
            "condition": entry(json!(self.condition.as_ref().map(condition_json)), condition),
        })
    }
}

/// One `key = value  # origin` line.
fn line(text: &mut String, key: &str, value: &toml::Value, origin: Origin) {
    let start = text.len();
    let _ = write!(text, "{key} = {value}");
    let padding = COMMENT_COLUMN.saturating_sub(text[start..].chars().count());
    let _ = writeln!(text, "{:padding$}  # {}", "", origin.name());
}

fn string(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}

/// Counts and seeds as TOML integers.
trait IntoValue {
    fn into_value(self) -> toml::Value;
}

impl IntoValue for u64 {
    /// Files cannot hold more than 63 bits: what was read from one or given by a flag fits.
    fn into_value(self) -> toml::Value {
        toml::Value::Integer(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

/// A tree as a TOML value. `null` never comes from a TOML file.
fn to_toml(node: &Node) -> toml::Value {
    match node {
        Node::Null => string("null"),
        Node::Bool(b) => (*b).into(),
        Node::Integer(i) => (*i).into(),
        Node::Float(x) => (*x).into(),
        Node::String(s) => string(s),
        Node::Array(items) => {
            toml::Value::Array(items.iter().map(|item| to_toml(&item.value)).collect())
        }
        Node::Table(entries) => {
            let pairs = entries
                .iter()
                .map(|(k, v)| (k.value.clone(), to_toml(&v.value)));
            toml::Value::Table(pairs.collect())
        }
    }
}

fn to_json(node: &Node) -> serde_json::Value {
    match node {
        Node::Null => serde_json::Value::Null,
        Node::Bool(b) => json!(b),
        Node::Integer(i) => json!(i),
        Node::Float(x) => json!(x),
        Node::String(s) => json!(s),
        Node::Array(items) => items.iter().map(|item| to_json(&item.value)).collect(),
        Node::Table(entries) => {
            // In one order, whatever it was written in: a copy of the experiment has the same hash.
            let pairs = entries.iter();
            let pairs: BTreeMap<String, serde_json::Value> = pairs
                .map(|(k, v)| (k.value.clone(), to_json(&v.value)))
                .collect();
            pairs.into_iter().collect()
        }
    }
}

fn table_json(entries: &[(String, Node)]) -> serde_json::Map<String, serde_json::Value> {
    entries
        .iter()
        .map(|(k, v)| (k.clone(), to_json(v)))
        .collect()
}

/// A reward's name and parameters.
pub(super) fn reward_json(reward: &RewardEntry) -> serde_json::Value {
    let mut table = serde_json::Map::new();
    table.insert("name".to_owned(), json!(reward.distribution.name()));
    // Files enter by content, so that they may move.
    let content = |name: &str| {
        let file = reward.files.iter().find(|file| file.written == name)?;
        let hash = Sha256::digest(&file.file.bytes);
        Some(format!("sha256 {}", super::hexadecimal(&hash)))
    };
    table.extend(table_json(&matrices::renamed(&reward.parameters, &content)));
    table.into()
}

/// The keys of `[statistics]` beside `power`.
fn request_entries(request: &Request) -> Vec<(&'static str, toml::Value)> {
    let mut entries = Vec::new();
    if !request.optimality.is_empty() {
        let names = request.optimality.iter().map(|name| string(name));
        entries.push(("optimality", toml::Value::Array(names.collect())));
    }
    if !request.majority.is_empty() {
        let pairs = request.majority.iter().map(pair_value);
        entries.push(("majority", toml::Value::Array(pairs.collect())));
    }
    if !request.choices.is_empty() {
        let names = request.choices.iter().map(|name| string(name));
        entries.push(("choices", toml::Value::Array(names.collect())));
    }
    if !request.events.is_empty() {
        let events = request.events.iter().map(event_value);
        entries.push(("events", toml::Value::Array(events.collect())));
    }
    if request.occupancy {
        entries.push(("occupancy", true.into()));
    }
    if !request.distribution.is_empty() {
        let names = request.distribution.iter().map(|name| string(name));
        entries.push(("distribution", toml::Value::Array(names.collect())));
    }
    if !request.dominance.is_empty() {
        let pairs = request.dominance.iter().map(|pair| {
            let entries = [("first", &pair.first), ("second", &pair.second)];
            let entries = entries.map(|(key, name)| (key.to_owned(), string(name)));
            toml::Value::Table(entries.into_iter().collect())
        });
        entries.push(("dominance", toml::Value::Array(pairs.collect())));
    }
    if !request.indifference.is_empty() {
        let names = request.indifference.iter().map(|name| string(name));
        entries.push(("indifference", toml::Value::Array(names.collect())));
    }
    if !request.drives.is_empty() {
        // By name they would all have to be there.
        let names = match Drives::names().eq(request.drives.iter().map(String::as_str)) {
            true => vec![string(ALL)],
            false => request.drives.iter().map(|name| string(name)).collect(),
        };
        entries.push(("drives", toml::Value::Array(names)));
    }
    if request.split_drives {
        entries.push(("split_drives", true.into()));
    }
    entries
}

/// The key `per_goal`.
fn per_goal_value(per_goal: &PerGoal) -> toml::Value {
    let states = per_goal.states.iter().map(|name| string(name)).collect();
    let pairs = [
        ("count", per_goal.count.into_value()),
        ("states", toml::Value::Array(states)),
    ];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
    toml::Value::Table(pairs.into_iter().collect())
}

/// A choice, or a label of choices.
fn choice_value(choice: &OptimalRequest) -> toml::Value {
    match choice {
        OptimalRequest::Label(label) => string(label),
        OptimalRequest::Choice { state, action } => {
            let pairs = [("state", state), ("action", action)];
            let pairs = pairs.map(|(key, name)| (key.to_owned(), string(name)));
            toml::Value::Table(pairs.into_iter().collect())
        }
    }
}

/// Two sets of choices.
fn pair_value(pair: &MajorityRequest) -> toml::Value {
    let set =
        |choices: &[OptimalRequest]| toml::Value::Array(choices.iter().map(choice_value).collect());
    let entries = [
        ("name", string(&pair.name)),
        ("first", set(&pair.first)),
        ("second", set(&pair.second)),
    ];
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    toml::Value::Table(entries.into_iter().collect())
}

/// The keys of `[condition]`.
fn condition_entries(condition: &ConditionRequest) -> Vec<(&'static str, toml::Value)> {
    let optimal = condition.optimal.iter().map(choice_value);
    let reach = |list: &[ReachRequest]| -> Vec<toml::Value> {
        let each = list.iter().map(|reach| {
            if reach.within.is_none() && reach.probability == 1.0 {
                return string(&reach.label);
            }
            let mut table = toml::Table::new();
            table.insert("label".to_owned(), string(&reach.label));
            if let Some(steps) = reach.within {
                table.insert("within".to_owned(), steps.into_value());
            }
            table.insert("probability".to_owned(), reach.probability.into());
            toml::Value::Table(table)
        });
        each.collect()
    };
    let lists = [
        ("optimal", optimal.collect()),
        ("reach", reach(&condition.reach)),
        ("avoid", reach(&condition.avoid)),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let mut entries: Vec<_> = lists
        .map(|(key, list)| (key, toml::Value::Array(list)))
        .collect();
    if condition.strict {
        entries.push(("strict", true.into()));
    }
    if condition.method != ConditionMethod::default() {
        entries.push(("method", string(condition.method.name())));
    }
    entries
}

/// A condition as it stands in the experiment file.
pub(super) fn condition_json(condition: &ConditionRequest) -> serde_json::Value {
    let entries = condition_entries(condition).into_iter();
    let entries = entries.map(|(key, value)| (key.to_owned(), json!(value)));
    serde_json::Value::Object(entries.collect())
}

/// A decision rule: its name, or a table where it has a parameter or another level.
fn rule_value(rule: &DecisionRule) -> toml::Value {
    let name = rule.rule.name();
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), string(name));
    let mut insert = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    match rule.rule {
        Rule::Optimal | Rule::Minimise | Rule::Uniform if rule.level == Level::Action => {
            return string(name);
        }
        Rule::Optimal | Rule::Minimise | Rule::Uniform => {}
        Rule::Boltzmann { beta } | Rule::Soft { beta } => {
            insert("beta", beta.into());
        }
        Rule::EpsilonGreedy { epsilon } => {
            insert("epsilon", epsilon.into());
        }
        Rule::Satisfice {
            threshold,
            otherwise,
        } => {
            insert("t", threshold.into());
            if otherwise != Otherwise::default() {
                insert("otherwise", string(otherwise.name()));
            }
        }
        Rule::Quantilise { q } => {
            insert("q", q.into());
        }
        Rule::BestOf { draws } => {
            insert("m", i64::from(draws).into());
        }
        // Policies stand under a key of their own.
        Rule::Given(_) => {}
    }
    if rule.level != Level::Action {
        insert("level", string(rule.level.name()));
    }
    toml::Value::Table(table)
}

/// Decision rules as they stand in the experiment file.
pub(super) fn rules_json(rules: &[DecisionRule]) -> serde_json::Value {
    rules.iter().map(|rule| json!(rule_value(rule))).collect()
}

/// A policy as it stands in the experiment file, its file under another name where there is one.
fn policy_value(entry: &PolicyEntry, place: Option<String>) -> toml::Value {
    let what = match &entry.source {
        PolicySource::File(written, _) => {
            ("path", string(&place.unwrap_or_else(|| written.clone())))
        }
        PolicySource::Inline(choices) => ("choices", to_toml(choices)),
    };
    let pairs = [("name", string(entry.policy.name())), what];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
    toml::Value::Table(pairs.into_iter().collect())
}

/// Policies by name and content, so that files may move.
pub(super) fn policies_json(policies: &[PolicyEntry]) -> serde_json::Value {
    let each = policies.iter().map(|entry| {
        let content = match &entry.source {
            PolicySource::File(_, file) => {
                let hash = Sha256::digest(&file.bytes);
                json!(format!("sha256 {}", super::hexadecimal(&hash)))
            }
            PolicySource::Inline(choices) => to_json(choices),
        };
        json!({ "name": entry.policy.name(), "policy": content })
    });
    each.collect()
}

/// A claim as it stands in the experiment file.
fn claim_value(claim: &Claim) -> toml::Value {
    let row = claim.row.iter().map(|name| string(name)).collect();
    let side = match claim.holds {
        Side::Above(x) => ("above", x.into()),
        Side::Below(x) => ("below", x.into()),
    };
    let pairs = [
        ("name", string(&claim.name)),
        ("statistic", string(&claim.statistic)),
        ("row", toml::Value::Array(row)),
        ("measure", string(&claim.measure)),
        side,
    ];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
    toml::Value::Table(pairs.into_iter().collect())
}

/// Claims as they stand in the experiment file.
pub(super) fn claims_json(claims: &[Claim]) -> serde_json::Value {
    claims
        .iter()
        .map(|claim| json!(claim_value(claim)))
        .collect()
}

/// An event: its label, or a table where more was said than that.
fn event_value(event: &EventRequest) -> toml::Value {
    let plain = EventRequest {
        label: event.label.clone(),
        ..EventRequest::default()
    };
    if *event == plain {
        return string(&event.label);
    }
    let mut table = toml::Table::new();
    table.insert("label".to_owned(), string(&event.label));
    if let Some(steps) = event.within {
        table.insert("within".to_owned(), steps.into_value());
    }
    table.insert("ties".to_owned(), string(event.ties.name()));
    toml::Value::Table(table)
}

/// What is measured: `["power"]`, or what is asked beyond it by its keys in the experiment file.
pub(super) fn statistics_json(request: &Request) -> serde_json::Value {
    if request.is_empty() {
        return json!(["power"]);
    }
    let entries = request_entries(request).into_iter();
    let entries = entries.map(|(key, value)| (key.to_owned(), json!(value)));
    serde_json::Value::Object(
        [("power".to_owned(), json!(true))]
            .into_iter()
            .chain(entries)
            .collect(),
    )
}

/// `auto`, or the method's name.
pub(super) fn method_name(method: Option<Method>) -> &'static str {
    method.map_or("auto", Method::name)
}

/// All faults of all files, one a line.
pub(super) fn all_faults(list: &[Faults]) -> String {
    let texts: Vec<_> = list.iter().map(Faults::to_string).collect();
    texts.join("\n")
}
