//! What formats share that list states by their numbers, line by line: lines with their places, and actions that stand twice.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::Limited;
use crate::document::Faults;
use crate::mdp::MdpBuilder;
use crate::units::StateId;

/// Faults and warnings about rows that are told one by one.
pub(super) const SHOWN: usize = 20;

/// Most bytes of a line.
const LONGEST_LINE: u64 = 1 << 20;

/// Name, length and content of a file.
pub(super) type Opened = (String, u64, Box<dyn Read>);

/// Lines of a file with their numbers; the place of a fault.
pub(super) struct Lines {
    pub(super) file: String,
    from: BufReader<Box<dyn Read>>,
    pub(super) number: usize,
    pub(super) text: String,
    bad: Limited,
}

impl Lines {
    pub(super) fn of((file, _, from): Opened) -> Self {
        Self {
            file,
            from: BufReader::new(from),
            number: 0,
            text: String::new(),
            bad: Limited::default(),
        }
    }

    /// Reads the next line that is not empty. What cannot be read ends the file and is told.
    pub(super) fn advance(&mut self, faults: &mut Faults) -> bool {
        loop {
            self.text.clear();
            self.number += 1;
            match self
                .from
                .by_ref()
                .take(LONGEST_LINE)
                .read_line(&mut self.text)
            {
                Ok(0) => return false,
                Ok(read) if read as u64 == LONGEST_LINE => {
                    self.error(faults, format!("a line of more than {LONGEST_LINE} bytes"));
                    return false;
                }
                Ok(_) if self.text.trim().is_empty() => {}
                Ok(_) => return true,
                Err(error) => {
                    self.error(faults, format!("cannot be read: {error}"));
                    return false;
                }
            }
        }
    }

    pub(super) fn error(&mut self, faults: &mut Faults, message: impl std::fmt::Display) {
        if self.bad.is_told() {
            self.bad.error(
                faults,
                None,
                format!("{}, line {}: {message}", self.file, self.number),
            );
        } else {
            self.bad.error(faults, None, String::new());
        }
    }

    pub(super) fn finish(&self, faults: &mut Faults) {
        self.bad
            .finish(faults, &format!("lines of {} that are wrong", self.file));
    }
}

pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The choice whose lines are being read.
#[derive(Default)]
pub(super) struct Current {
    pub(super) state: usize,
    pub(super) choice: usize,
    pub(super) action: Option<String>,
    pub(super) successors: Vec<u32>,
    pub(super) probabilities: Vec<f64>,
}

/// Names of actions that are taken within a state.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) state: usize,
    names: HashSet<String>,
    renamed: usize,
}

impl Taken {
    /// Hands a choice to the builder. These tools allow two choices of one action in a state: the second one is numbered.
    pub(super) fn add(&mut self, choice: Current, builder: &mut MdpBuilder) {
        if choice.state != self.state {
            self.state = choice.state;
            self.names.clear();
        }
        let given = choice
            .action
            .unwrap_or_else(|| format!("a{}", choice.choice));
        let mut name = given.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{given} ({number})");
        }
        self.renamed += usize::from(number > 1);
        builder.row(
            StateId(choice.state as u32),
            &name,
            &choice.successors,
            &choice.probabilities,
        );
    }

    pub(super) fn tell(&self, faults: &mut Faults) {
        if self.renamed > 0 {
            faults.warning(None, format!("{} choices share their action with another one of their state; they are numbered: \"go (2)\"", self.renamed));
        }
    }
}
