//! The `[agent]` table: how agents decide.

use std::path::Path;

use super::policies::{PolicyEntry, read_policies};
use super::read::one_of;
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::solve::{DecisionRule, Level, Otherwise, Rule};

/// How agents decide.
#[derive(Default)]
pub(super) struct Agents {
    /// Decision rules; `None` where none is named that can be followed.
    pub(super) rules: Option<Vec<Spanned<DecisionRule>>>,
    /// Policies from outside.
    pub(super) policies: Vec<Spanned<PolicyEntry>>,
}

impl Agents {
    /// Reads the table. Faults of files go to `others`.
    pub(super) fn read(
        node: &Spanned<Node>,
        directory: &Path,
        faults: &mut Faults,
        others: &mut Vec<Faults>,
    ) -> Self {
        let Some(mut table) = TableReader::open(node, "[agent]", faults) else {
            return Self::default();
        };
        let (rules, policies) = (
            table.list_of_some("rule", faults),
            table.list_of_some("policy", faults),
        );
        table.finish(faults);
        let policies = policies.map(|list| read_policies(&list, directory, faults, others));
        Self {
            rules: rules.and_then(|list| read_rules(&list, faults)),
            policies: policies.unwrap_or_default(),
        }
    }

    /// All that are not simply optimal, with their places.
    pub(super) fn others(&self) -> Vec<Spanned<DecisionRule>> {
        let rules = self.rules.iter().flatten().cloned();
        let policies = self.policies.iter().map(|policy| Spanned {
            value: policy.value.rule(),
            span: policy.span.clone(),
        });
        let others = rules.chain(policies);
        others.filter(|rule| !rule.value.is_optimal()).collect()
    }
}

/// Reads rules, no two alike.
fn read_rules(list: &[&Spanned<Node>], faults: &mut Faults) -> Option<Vec<Spanned<DecisionRule>>> {
    let mut rules: Vec<Spanned<DecisionRule>> = Vec::new();
    for node in list {
        let Some(rule) = read_rule(node, faults) else {
            continue;
        };
        if let Some(fault) = rule.rule.fault() {
            faults.error(node.span.clone(), fault);
        } else if rules.iter().any(|other| other.value == rule) {
            let message = format!("the rule {:?} stands twice", rule.to_string());
            faults.error(node.span.clone(), message);
        } else {
            rules.push(Spanned {
                value: rule,
                span: node.span.clone(),
            });
        }
    }
    (!rules.is_empty()).then_some(rules)
}

/// A name alone, or a table with a `name`, the rule's parameter and its `level`.
fn read_rule(node: &Spanned<Node>, faults: &mut Faults) -> Option<DecisionRule> {
    let known = Rule::NAMES.map(|name| (name, name));
    match &node.value {
        Node::String(word) => {
            let word = Spanned {
                value: word.clone(),
                span: node.span.clone(),
            };
            let rule = match one_of("decision rule", &word, &known, faults)? {
                "optimal" => Rule::Optimal,
                "minimise" => Rule::Minimise,
                "uniform" => Rule::Uniform,
                other => {
                    let (parameter, example) = parameter(other);
                    faults.error_with_help(
                        word.span,
                        format!("the rule {other:?} needs its parameter `{parameter}`"),
                        format!("write {{ name = {other:?}, {parameter} = {example} }}"),
                    );
                    return None;
                }
            };
            Some(DecisionRule {
                rule,
                level: Level::Action,
            })
        }
        Node::Table(_) => {
            let mut table = TableReader::open(node, "a rule", faults)?;
            table.require("name", faults);
            let name = table.string("name", faults);
            let name = name.and_then(|word| one_of("decision rule", &word, &known, faults));
            let levels = Level::ALL.map(|l| (l.name(), l));
            let level = table.string("level", faults);
            let level = level.map(|word| one_of("level", &word, &levels, faults));
            let rule = name.and_then(|name| read_parameter(name, &mut table, faults));
            // Without a rule there is no telling which keys are meant.
            if name.is_some() {
                table.finish(faults);
            }
            Some(DecisionRule {
                rule: rule?,
                level: match level {
                    Some(level) => level?,
                    None => Level::Action,
                },
            })
        }
        other => {
            let found = other.type_name();
            let message = format!("`rule` in [agent] holds names and tables, this is {found}");
            faults.error(node.span.clone(), message);
            None
        }
    }
}

/// The parameter of a rule, and an example of it.
fn parameter(rule: &str) -> (&'static str, &'static str) {
    match rule {
        "epsilon_greedy" => ("epsilon", "0.1"),
        "satisfice" => ("t", "0.5"),
        "quantilise" => ("q", "0.1"),
        "best_of" => ("m", "2"),
        _ => ("beta", "5"),
    }
}

fn read_parameter(name: &str, table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Rule> {
    let mut number = |key: &'static str| -> Option<f64> {
        table.require(key, faults);
        table.number(key, faults).map(|x| x.value)
    };
    Some(match name {
        "optimal" => Rule::Optimal,
        "minimise" => Rule::Minimise,
        "uniform" => Rule::Uniform,
        "boltzmann" => Rule::Boltzmann {
            beta: number("beta")?,
        },
        "soft" => Rule::Soft {
            beta: number("beta")?,
        },
        "epsilon_greedy" => Rule::EpsilonGreedy {
            epsilon: number("epsilon")?,
        },
        "quantilise" => Rule::Quantilise { q: number("q")? },
        "satisfice" => {
            let threshold = number("t");
            let known = Otherwise::ALL.map(|o| (o.name(), o));
            let otherwise = table.string("otherwise", faults);
            let otherwise = otherwise.map(|word| one_of("`otherwise`", &word, &known, faults));
            Rule::Satisfice {
                threshold: threshold?,
                otherwise: otherwise.flatten().unwrap_or_default(),
            }
        }
        _ => {
            table.require("m", faults);
            let draws = table.count("m", faults)?;
            let Ok(count) = u32::try_from(draws.value) else {
                let message = format!("`m` of best_of is too large: {}", draws.value);
                faults.error(draws.span, message);
                return None;
            };
            Rule::BestOf { draws: count }
        }
    })
}
