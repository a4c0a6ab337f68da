//! PRISM's explicit files: `.tra` with the transitions of an MDP, and beside it `.sta` (states) and `.lab` (labels), both optional.
//!
//! Read line by line; faults name the file and the line. Indices count from 0.

mod write;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use super::explicit::{Current, Lines, Opened, SHOWN, Taken, file_name};
use super::{ReadError, open_file, stem};
use crate::document::{Faults, SourceText};
use crate::mdp::{Mdp, MdpBuilder};
use crate::units::StateId;

pub use write::{PrismFiles, write_prism};
pub(super) use write::{write_lab, write_sta, write_tra};

/// Bytes of the shortest line of a `.tra` file, `0 0 0 1` and its end.
const SHORTEST_LINE: u64 = 8;

/// The files that belong to a `.tra` file, where they are there: `.sta` and `.lab`.
pub(super) fn companions(tra: &Path) -> Vec<PathBuf> {
    let beside = ["sta", "lab"].map(|extension| tra.with_extension(extension));
    beside.into_iter().filter(|path| path.is_file()).collect()
}

/// Reads the files beside each other.
pub(super) fn read(tra: &Path) -> Result<(Mdp, Faults), ReadError> {
    let open = |path: PathBuf| -> Result<(String, u64, Box<dyn Read>), ReadError> {
        let file: File = open_file(&path)?;
        let length = file.metadata().map_or(0, |data| data.len());
        Ok((path.display().to_string(), length, Box::new(file)))
    };
    let beside = |extension: &str| {
        let path = tra.with_extension(extension);
        path.is_file().then(|| open(path)).transpose()
    };
    let (states, labels) = (beside("sta")?, beside("lab")?);
    parse(open(tra.to_owned())?, states, labels).map_err(ReadError::Faults)
}

/// Reads an MDP from the texts of a `.tra` file and the two beside it.
///
/// ```
/// use powersweep::io::parse_prism;
///
/// let tra = "2 3 4\n0 0 0 0.5 toss\n0 0 1 0.5 toss\n0 1 0 1 wait\n1 0 1 1\n";
/// let (mdp, _) = parse_prism("coin.tra", tra, Some("(x)\n0:(up)\n1:(down)\n"), None).unwrap();
/// assert_eq!((mdp.n_states(), mdp.n_choices(), mdp.n_successors()), (2, 3, 4));
/// ```
///
/// # Errors
///
/// All faults of the three.
pub fn parse_prism(
    name: &str,
    tra: &str,
    sta: Option<&str>,
    lab: Option<&str>,
) -> Result<(Mdp, Faults), Faults> {
    let file = |extension: &str, text: &str| -> Opened {
        let name = Path::new(name)
            .with_extension(extension)
            .display()
            .to_string();
        (
            name,
            text.len() as u64,
            Box::new(Cursor::new(text.to_owned())),
        )
    };
    parse(
        file("tra", tra),
        sta.map(|text| file("sta", text)),
        lab.map(|text| file("lab", text)),
    )
}

fn parse(tra: Opened, sta: Option<Opened>, lab: Option<Opened>) -> Result<(Mdp, Faults), Faults> {
    let (name, length) = (tra.0.clone(), tra.1);
    let mut builder =
        MdpBuilder::with_faults(stem(&name), Faults::about(SourceText::new(&name, "")));
    builder.limit_row_faults(SHOWN);
    let mut lines = Lines::of(tra);
    lines.file = file_name(&name);
    let header = header(&mut lines, length, builder.faults());
    let Some([states, choices, transitions]) = header else {
        lines.finish(builder.faults());
        return Err(std::mem::take(builder.faults()));
    };
    let names = sta.and_then(|opened| state_names(Lines::of(opened), states, builder.faults()));
    for s in 0..states {
        builder.state(
            names
                .as_ref()
                .map_or_else(|| format!("s{s}"), |names| names[s].clone()),
        );
    }
    read_transitions(&mut lines, [states, choices, transitions], &mut builder);
    lines.finish(builder.faults());
    if let Some(opened) = lab {
        read_labels(Lines::of(opened), states, &mut builder);
    }
    builder.build_with_warnings()
}

/// Numbers of states, choices and transitions, as far as the length of the file allows them.
fn header(lines: &mut Lines, length: u64, faults: &mut Faults) -> Option<[usize; 3]> {
    if !lines.advance(faults) {
        lines.error(faults, "the file is empty");
        return None;
    }
    let numbers: Option<Vec<usize>> = lines
        .text
        .split_whitespace()
        .map(|word| word.parse().ok())
        .collect();
    match numbers.as_deref() {
        Some(&[states, choices, transitions]) => {
            let fit = states <= choices
                && choices <= transitions
                && transitions as u64 <= length / SHORTEST_LINE + 1;
            if !fit || states == 0 {
                let message = format!(
                    "{states} states, {choices} choices and {transitions} transitions cannot be: every state has a choice, every choice a \
                     transition, and the file has {length} bytes"
                );
                lines.error(faults, message);
                return None;
            }
            Some([states, choices, transitions])
        }
        Some(&[_, _]) => {
            lines.error(faults, "two numbers stand before a Markov chain; those of an MDP are three (states, choices, transitions)");
            None
        }
        _ => {
            let found = lines.text.trim().to_owned();
            lines.error(
                faults,
                format!("{found:?} is not the numbers of states, choices and transitions"),
            );
            None
        }
    }
}

fn read_transitions(
    lines: &mut Lines,
    [states, choices, transitions]: [usize; 3],
    builder: &mut MdpBuilder,
) {
    let mut current: Option<Current> = None;
    let (mut seen_choices, mut seen_transitions) = (0, 0);
    let mut taken = Taken::default();
    let mut text = String::new();
    while lines.advance(builder.faults()) {
        std::mem::swap(&mut lines.text, &mut text);
        let read = transition(&text, states);
        let (state, choice, to, p, action) = match read {
            Ok(read) => read,
            Err(problem) => {
                lines.error(builder.faults(), problem);
                continue;
            }
        };
        seen_transitions += 1;
        let place = current.as_ref().map(|c| (c.state, c.choice));
        if place != Some((state, choice)) {
            let follows = match place {
                Some((s, c)) => {
                    (state == s && c.checked_add(1) == Some(choice)) || (state > s && choice == 0)
                }
                None => choice == 0,
            };
            if !follows {
                lines.error(
                    builder.faults(),
                    format!("choice {choice} of state {state} stands out of order"),
                );
            }
            if let Some(done) = current.take() {
                taken.add(done, builder);
            }
            seen_choices += 1;
            current = Some(Current {
                state,
                choice,
                action: action.map(str::to_owned),
                ..Current::default()
            });
        }
        let Some(current) = &mut current else {
            continue;
        };
        if action != current.action.as_deref() {
            lines.error(
                builder.faults(),
                format!("choice {choice} of state {state} has another action in the line before"),
            );
        }
        // A stored zero is no successor.
        if p != 0.0 {
            current.successors.push(to as u32);
            current.probabilities.push(p);
        }
    }
    if let Some(done) = current.take() {
        taken.add(done, builder);
    }
    taken.tell(builder.faults());
    if (seen_choices, seen_transitions) != (choices, transitions) && !builder.faults().has_errors()
    {
        let file = &lines.file;
        let message = format!(
            "{file}, line 1: {choices} choices and {transitions} transitions, but the lines hold {seen_choices} and {seen_transitions}"
        );
        builder.faults().error(None, message);
    }
}

fn transition(
    text: &str,
    states: usize,
) -> Result<(usize, usize, usize, f64, Option<&str>), String> {
    let mut words = text.split_whitespace();
    let mut number = |what: &str| {
        let word = words.next().ok_or_else(|| {
            format!("there is no {what}: a line is STATE CHOICE SUCCESSOR PROBABILITY [ACTION]")
        })?;
        word.parse::<usize>()
            .map_err(|_| format!("the {what} {word:?} is not a whole number"))
    };
    let (state, choice, to) = (number("state")?, number("choice")?, number("successor")?);
    let word = words
        .next()
        .ok_or("there is no probability: a line is STATE CHOICE SUCCESSOR PROBABILITY [ACTION]")?;
    let p = word
        .parse::<f64>()
        .map_err(|_| format!("the probability {word:?} is not a number"))?;
    // An action's name may hold spaces where another tool wrote it.
    let rest = text.trim_end();
    let action = words.next().map(|first| {
        let start = first.as_ptr() as usize - rest.as_ptr() as usize;
        &rest[start..]
    });
    match [state, to].into_iter().find(|&s| s >= states) {
        Some(s) => Err(format!("there is no state {s} among {states}")),
        None => Ok((state, choice, to, p, action)),
    }
}

/// Names from a `.sta` file: `(x,y)`, then `0:(0,1)`. One variable's value is the name; of several each is named: `x=0,y=1`.
fn state_names(mut lines: Lines, states: usize, faults: &mut Faults) -> Option<Vec<String>> {
    lines.file = file_name(&lines.file);
    let mut variables: Vec<String> = Vec::new();
    let mut names: Vec<Option<String>> = vec![None; states];
    let mut first = true;
    while lines.advance(faults) {
        let text = lines.text.trim_end_matches(['\n', '\r']).to_owned();
        if std::mem::take(&mut first) && text.starts_with('(') {
            variables = inside(&text)
                .unwrap_or_default()
                .split(',')
                .map(str::to_owned)
                .collect();
            continue;
        }
        let parts = text.split_once(':').and_then(|(number, values)| {
            Some((number.trim().parse::<usize>().ok()?, inside(values)?))
        });
        match parts {
            Some((state, _)) if state >= states => {
                lines.error(faults, format!("there is no state {state} among {states}"))
            }
            Some((state, _)) if names[state].is_some() => {
                lines.error(faults, format!("state {state} stands twice"))
            }
            Some((state, values)) => names[state] = Some(state_name(&variables, values)),
            None => lines.error(faults, format!("{text:?} is not NUMBER:(VALUE,...)")),
        }
    }
    let missing = names.iter().filter(|name| name.is_none()).count();
    if missing > 0 && !faults.has_errors() {
        lines.error(faults, format!("{missing} of {states} states have no line"));
    }
    lines.finish(faults);
    names.into_iter().collect()
}

/// What stands between the outermost parentheses.
fn inside(text: &str) -> Option<&str> {
    text.trim_end().strip_prefix('(')?.strip_suffix(')')
}

fn state_name(variables: &[String], values: &str) -> String {
    let each: Vec<&str> = values.split(',').collect();
    if variables.len() < 2 || each.len() != variables.len() {
        return values.to_owned();
    }
    let named: Vec<String> = variables
        .iter()
        .zip(each)
        .map(|(variable, value)| format!("{variable}={value}"))
        .collect();
    named.join(",")
}

/// Labels from a `.lab` file: `0="init" 1="goal"`, then `5: 0 1`. `init` is the start; a label that no state has is left out.
fn read_labels(mut lines: Lines, states: usize, builder: &mut MdpBuilder) {
    lines.file = file_name(&lines.file);
    let mut faults = std::mem::take(builder.faults());
    let mut labels: Vec<(usize, String, Vec<StateId>)> = Vec::new();
    if lines.advance(&mut faults) {
        match declared(&lines.text) {
            Some(found) => {
                labels = found
                    .into_iter()
                    .map(|(number, name)| (number, name, Vec::new()))
                    .collect()
            }
            None => {
                let found = lines.text.trim().to_owned();
                lines.error(
                    &mut faults,
                    format!("{found:?} is not NUMBER=\"NAME\" NUMBER=\"NAME\" ..."),
                );
            }
        }
    }
    while lines.advance(&mut faults) {
        let parts = lines.text.split_once(':').and_then(|(state, numbers)| {
            let numbers: Option<Vec<usize>> = numbers
                .split_whitespace()
                .map(|word| word.parse().ok())
                .collect();
            Some((state.trim().parse::<usize>().ok()?, numbers?))
        });
        let Some((state, numbers)) = parts else {
            let found = lines.text.trim().to_owned();
            lines.error(
                &mut faults,
                format!("{found:?} is not STATE: NUMBER NUMBER ..."),
            );
            continue;
        };
        if state >= states {
            lines.error(
                &mut faults,
                format!("there is no state {state} among {states}"),
            );
            continue;
        }
        for number in numbers {
            match labels.iter_mut().find(|(known, ..)| *known == number) {
                Some((.., members)) => members.push(StateId(state as u32)),
                None => lines.error(&mut faults, format!("there is no label {number}")),
            }
        }
    }
    lines.finish(&mut faults);
    *builder.faults() = faults;
    for (_, name, members) in labels
        .into_iter()
        .filter(|(.., members)| !members.is_empty())
    {
        if name == "init" {
            let share = 1.0 / members.len() as f64;
            builder.start_distribution(members.into_iter().map(|s| (s, share)).collect(), None);
        } else {
            builder.label(name, members);
        }
    }
}

fn declared(text: &str) -> Option<Vec<(usize, String)>> {
    let mut rest = text.trim();
    let mut found: Vec<(usize, String)> = Vec::new();
    while !rest.is_empty() {
        let (number, after) = rest.split_once("=\"")?;
        let (name, after) = after.split_once('"')?;
        let number = number.trim().parse().ok()?;
        if found.iter().any(|(known, _)| *known == number) {
            return None;
        }
        found.push((number, name.to_owned()));
        rest = after.trim_start();
    }
    Some(found)
}
