//! Storm's explicit format, DRN (`.drn`): states one after the other, each with its choices and their successors.
//!
//! Read line by line; faults name the file and the line. Indices count from 0. Rewards are not taken: goals are what is sampled.

mod write;

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};
use std::path::Path;

use super::explicit::{Current, Lines, Opened, SHOWN, Taken, file_name};
use super::{ReadError, open_file, stem};
use crate::document::{Faults, SourceText};
use crate::mdp::{Mdp, MdpBuilder};
use crate::units::StateId;

pub(super) use write::write;
pub use write::write_drn;

/// What Storm calls the action of a choice without a label.
const NO_LABEL: &str = "__NOLABEL__";

/// The label of the states it starts in.
const INIT: &str = "init";

/// Bytes of the shortest lines of a state, its choice and a successor: `state 0`, `action a`, `0 : 1`, with their ends.
const SHORTEST_STATE: u64 = 23;

/// Most states that are believed where the length of the file says nothing.
const UNKNOWN_LENGTH: u64 = u64::MAX;

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<(Mdp, Faults), ReadError> {
    let file = open_file(path)?;
    let length = file.metadata().map_or(UNKNOWN_LENGTH, |data| data.len());
    parse((path.display().to_string(), length, Box::new(file))).map_err(ReadError::Faults)
}

/// Reads an MDP from the text of a `.drn` file.
///
/// ```
/// use powersweep::io::parse_drn;
///
/// let text = "@type: MDP\n@parameters\n\n@reward_models\n\n@nr_states\n2\n@nr_choices\n2\n@model\n\
///             state 0 init\n\taction toss\n\t\t0 : 0.5\n\t\t1 : 0.5\nstate 1 done\n\taction wait\n\t\t1 : 1\n";
/// let (mdp, _) = parse_drn("coin.drn", text).unwrap();
/// assert_eq!((mdp.n_states(), mdp.n_choices(), mdp.n_successors()), (2, 2, 3));
/// ```
///
/// # Errors
///
/// All faults of the text.
pub fn parse_drn(name: &str, text: &str) -> Result<(Mdp, Faults), Faults> {
    let content: Box<dyn Read> = Box::new(Cursor::new(text.to_owned()));
    parse((name.to_owned(), text.len() as u64, content))
}

fn parse(opened: Opened) -> Result<(Mdp, Faults), Faults> {
    let (name, length) = (opened.0.clone(), opened.1);
    let mut builder =
        MdpBuilder::with_faults(stem(&name), Faults::about(SourceText::new(&name, "")));
    builder.limit_row_faults(SHOWN);
    let mut lines = Lines::of(opened);
    lines.file = file_name(&name);
    let Some(header) = Header::read(&mut lines, length, builder.faults()) else {
        lines.finish(builder.faults());
        return Err(std::mem::take(builder.faults()));
    };
    let mut model = Model::new(header.states);
    while lines.advance(builder.faults()) {
        let text = std::mem::take(&mut lines.text);
        if let Err(problem) = model.line(text.trim_end(), &mut builder) {
            lines.error(builder.faults(), problem);
        }
        lines.text = text;
    }
    lines.finish(builder.faults());
    model.finish(header, &mut builder);
    builder.build_with_warnings()
}

/// What stands before the states.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    states: usize,
    choices: Option<usize>,
    rewards: bool,
}

impl Header {
    /// Reads up to `@model`.
    fn read(lines: &mut Lines, length: u64, faults: &mut Faults) -> Option<Self> {
        let (mut states, mut choices, mut rewards) = (None, None, false);
        let mut section = String::new();
        while lines.advance(faults) {
            let text = lines.text.trim().to_owned();
            if text.starts_with("//") {
                continue;
            }
            let problem = match text.strip_prefix('@') {
                Some("model") => {
                    return Self::checked(states, choices, rewards, length, lines, faults);
                }
                Some(keyed) => {
                    section = keyed.to_owned();
                    keyed.split_once(':').and_then(|(key, value)| {
                        match (key.trim(), value.trim()) {
                            ("type", "MDP" | "mdp" | "DTMC" | "dtmc") => None,
                            ("type", other) => {
                                Some(format!("a model of type {other}; read are MDP and DTMC"))
                            }
                            ("value_type", "double" | "rational") | ("version", _) => None,
                            ("value_type", other) => Some(format!(
                                "values of type {other}; read are double and rational"
                            )),
                            (key, _) => Some(format!("an unknown key, @{key}")),
                        }
                    })
                }
                None => match section.as_str() {
                    "nr_states" => number(&text, &mut states),
                    "nr_choices" => number(&text, &mut choices),
                    "reward_models" => {
                        rewards = true;
                        None
                    }
                    "parameters" => Some(format!(
                        "the model has parameters ({text}): give them values and export it again"
                    )),
                    other => Some(format!("{text:?} after @{other} is not understood")),
                },
            };
            if let Some(problem) = problem {
                lines.error(faults, problem);
            }
        }
        lines.error(faults, "the file ends before @model");
        None
    }

    fn checked(
        states: Option<usize>,
        choices: Option<usize>,
        rewards: bool,
        length: u64,
        lines: &mut Lines,
        faults: &mut Faults,
    ) -> Option<Self> {
        match states {
            None => lines.error(faults, "there is no @nr_states before @model"),
            Some(0) => lines.error(faults, "a model without states"),
            Some(states) if states as u64 > length / SHORTEST_STATE + 1 => {
                let message = format!("{states} states do not fit into a file of {length} bytes");
                lines.error(faults, message);
            }
            Some(states) if !faults.has_errors() => {
                return Some(Self {
                    states,
                    choices,
                    rewards,
                });
            }
            Some(_) => {}
        }
        None
    }
}

/// Sets a number that stands on a line of its own.
fn number(text: &str, to: &mut Option<usize>) -> Option<String> {
    *to = text.parse().ok();
    let wrong = to.is_none();
    wrong.then(|| format!("{text:?} is not a whole number"))
}

/// The states so far.
struct Model {
    states: usize,
    /// Names of the states that were read: the values of their variables, where they stand there.
    names: Vec<Option<String>>,
    labels: Vec<(String, Vec<StateId>)>,
    /// Where they stand in the list.
    places: HashMap<String, usize>,
    current: Option<Current>,
    taken: Taken,
    choices: usize,
    /// Choices of the state that is being read.
    of_state: usize,
    has_rewards: bool,
}

impl Model {
    fn new(states: usize) -> Self {
        Self {
            states,
            names: Vec::new(),
            labels: Vec::new(),
            places: HashMap::new(),
            current: None,
            taken: Taken::default(),
            choices: 0,
            of_state: 0,
            has_rewards: false,
        }
    }

    fn line(&mut self, text: &str, builder: &mut MdpBuilder) -> Result<(), String> {
        let text = text.trim_start();
        if let Some(comment) = text.strip_prefix("//") {
            // Storm writes the values of a state's variables below it: [x=0	& y=1].
            let values = comment
                .trim()
                .strip_prefix('[')
                .and_then(|c| c.strip_suffix(']'));
            if let Some((values, name)) = values.zip(self.names.last_mut()) {
                // A Boolean that is true stands as its name, and where it comes first as nothing at all (Storm 1.10).
                let values = values.split('&').map(str::trim);
                let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
                *name = Some(values.join(","));
            }
            return Ok(());
        }
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match word {
            "state" => self.state(rest.trim(), builder),
            "action" => self.action(rest.trim(), builder),
            _ => self.successor(text),
        }
    }

    /// `state 3 [1.5] goal "a label"`.
    fn state(&mut self, rest: &str, builder: &mut MdpBuilder) -> Result<(), String> {
        self.end_choice(builder);
        let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let next = self.names.len();
        // Further lines are read as if the state stood where it should, so that one slip is one fault.
        self.names.push(None);
        self.of_state = 0;
        let state: usize = word
            .parse()
            .map_err(|_| format!("the state {word:?} is not a whole number"))?;
        if state != next {
            return Err(format!("state {state} stands where state {next} should"));
        }
        if state >= self.states {
            return Err(format!("there is no state {state} among {}", self.states));
        }
        for label in labels(self.without_rewards(rest.trim())?)? {
            let place = self.places.entry(label).or_insert_with_key(|label| {
                self.labels.push((label.clone(), Vec::new()));
                self.labels.len() - 1
            });
            let (_, members) = &mut self.labels[*place];
            if members.last() != Some(&StateId(state as u32)) {
                members.push(StateId(state as u32));
            }
        }
        Ok(())
    }

    /// `action go [0.5]`: rewards stand behind the name.
    fn action(&mut self, rest: &str, builder: &mut MdpBuilder) -> Result<(), String> {
        self.end_choice(builder);
        let Some(state) = self.names.len().checked_sub(1) else {
            return Err("an action before the first state".to_owned());
        };
        let name = match rest.rfind('[').filter(|_| rest.ends_with(']')) {
            Some(at) => {
                self.has_rewards = true;
                rest[..at].trim_end()
            }
            None => rest,
        };
        self.current = Some(Current {
            state,
            choice: self.of_state,
            action: (name != NO_LABEL && !name.is_empty()).then(|| name.to_owned()),
            ..Current::default()
        });
        self.of_state += 1;
        self.choices += 1;
        Ok(())
    }

    /// `7 : 0.25`.
    fn successor(&mut self, text: &str) -> Result<(), String> {
        let Some((to, p)) = text.split_once(':') else {
            return Err(format!(
                "{text:?} is not `state NUMBER ...`, `action NAME` or `SUCCESSOR : PROBABILITY`"
            ));
        };
        let to = to.trim();
        let number: usize = to
            .parse()
            .map_err(|_| format!("the successor {to:?} is not a whole number"))?;
        if number >= self.states {
            return Err(format!("there is no state {number} among {}", self.states));
        }
        let p = probability(p.trim())?;
        let Some(current) = &mut self.current else {
            return Err("a successor before the first action of the state".to_owned());
        };
        // A stored zero is no successor.
        if p != 0.0 {
            current.successors.push(number as u32);
            current.probabilities.push(p);
        }
        Ok(())
    }

    fn end_choice(&mut self, builder: &mut MdpBuilder) {
        if let Some(done) = self.current.take()
            && done.state < self.states
        {
            self.taken.add(done, builder);
        }
    }

    /// What follows rewards, as in `[1, 2] goal`. Rates, `!3`, and observations, `{4}`, are refused.
    fn without_rewards<'t>(&mut self, rest: &'t str) -> Result<&'t str, String> {
        if rest.starts_with(['!', '{']) {
            return Err("rates and observations are those of other models than MDPs".to_owned());
        }
        let Some(inside) = rest.strip_prefix('[') else {
            return Ok(rest);
        };
        self.has_rewards = true;
        let (_, after) = inside
            .split_once(']')
            .ok_or("the rewards of the state have no end, `]`")?;
        Ok(after.trim_start())
    }

    /// Names the states and hands over the labels.
    fn finish(mut self, header: Header, builder: &mut MdpBuilder) {
        self.end_choice(builder);
        self.taken.tell(builder.faults());
        let found = self.names.len();
        if !builder.faults().has_errors() {
            if found != self.states {
                let message = format!("@nr_states is {}, and {found} states follow", self.states);
                builder.faults().error(None, message);
            }
            if let Some(choices) = header.choices.filter(|c| *c != self.choices) {
                let message = format!(
                    "@nr_choices is {choices}, and {} choices follow",
                    self.choices
                );
                builder.faults().error(None, message);
            }
        }
        if header.rewards || self.has_rewards {
            let message = "the rewards of the file are not taken: goals are sampled";
            builder.faults().warning(None, message);
        }
        // Values name the states where every state has some and no two the same.
        let distinct: HashSet<&String> = self.names.iter().flatten().collect();
        let named = distinct.len() == self.states;
        for s in 0..self.states {
            let name = self
                .names
                .get_mut(s)
                .and_then(Option::take)
                .filter(|_| named);
            builder.state(name.unwrap_or_else(|| format!("s{s}")));
        }
        for (label, members) in self.labels {
            if label == INIT {
                let share = 1.0 / members.len() as f64;
                builder.start_distribution(members.into_iter().map(|s| (s, share)).collect(), None);
            } else {
                builder.label(label, members);
            }
        }
    }
}

/// Words, of which those with spaces stand in quotes.
fn labels(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (label, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| format!("the label {rest:?} has no end"))?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        found.push(label.to_owned());
        rest = after.trim_start();
    }
    Ok(found)
}

/// A number, or a fraction as in `1/3`.
fn probability(text: &str) -> Result<f64, String> {
    let wrong = || format!("the probability {text:?} is not a number");
    let parsed = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
    match text.split_once('/') {
        Some((over, under)) => Ok(parsed(over)? / parsed(under)?),
        None => parsed(text),
    }
}
