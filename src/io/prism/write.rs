//! MDPs as PRISM's explicit files.

use std::io::Write;

use crate::io::format::{WriteError, in_memory};
use crate::mdp::Mdp;

/// The texts of the three files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrismFiles {
    /// `.tra`: transitions, with the names of the actions.
    pub tra: String,
    /// `.sta`: the names of the states, as values of one variable `name`.
    pub sta: String,
    /// `.lab`: `init`, and the labels of states.
    pub lab: String,
}

/// Writes an MDP. What the files have no room for is left out: labels of choices, the probabilities of several start states (each
/// becomes an `init` state), the layout of a grid.
///
/// # Errors
///
/// A state's name with a line break or an action's name that does not survive: empty space at its ends, or a line break.
/// A label's name with a quote or a line break.
pub fn write_prism(mdp: &Mdp) -> Result<PrismFiles, WriteError> {
    Ok(PrismFiles {
        tra: in_memory(|to| write_tra(mdp, to))?,
        sta: in_memory(|to| write_sta(mdp, to))?,
        lab: in_memory(|to| write_lab(mdp, to))?,
    })
}

/// The transitions.
pub(in super::super) fn write_tra(mdp: &Mdp, to: &mut dyn Write) -> Result<(), WriteError> {
    let (states, choices) = (mdp.n_states(), mdp.n_choices());
    writeln!(to, "{states} {choices} {}", mdp.n_successors())?;
    for state in mdp.states() {
        for (number, choice) in mdp.choices(state).enumerate() {
            let action = mdp.action_name(choice);
            if action.trim() != action || action.contains(['\n', '\r']) {
                return Err(WriteError::name("action", action, ".tra"));
            }
            let (successors, probabilities) = mdp.row(choice);
            for (successor, p) in successors.iter().zip(probabilities) {
                writeln!(to, "{} {number} {successor} {p} {action}", state.0)?;
            }
        }
    }
    Ok(())
}

/// The names of the states.
pub(in super::super) fn write_sta(mdp: &Mdp, to: &mut dyn Write) -> Result<(), WriteError> {
    writeln!(to, "(name)")?;
    for state in mdp.states() {
        let name = mdp.state_name(state);
        if name.contains(['\n', '\r']) {
            return Err(WriteError::name("state", name, ".sta"));
        }
        writeln!(to, "{}:({name})", state.0)?;
    }
    Ok(())
}

/// The labels.
pub(in super::super) fn write_lab(mdp: &Mdp, to: &mut dyn Write) -> Result<(), WriteError> {
    let mut declared = vec!["0=\"init\"".to_owned()];
    let mut of_state: Vec<Vec<usize>> = vec![Vec::new(); mdp.n_states()];
    mdp.start()
        .iter()
        .for_each(|(s, _)| of_state[s.index()].push(0));
    for (i, (name, members)) in mdp.state_labels().iter().enumerate() {
        if name.contains(['"', '\n', '\r']) || name == "init" {
            return Err(WriteError::name("label", name, ".lab"));
        }
        declared.push(format!("{}=\"{name}\"", i + 1));
        members.iter().for_each(|s| of_state[s.index()].push(i + 1));
    }
    writeln!(to, "{}", declared.join(" "))?;
    for (state, numbers) in of_state
        .iter()
        .enumerate()
        .filter(|(_, numbers)| !numbers.is_empty())
    {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        writeln!(to, "{state}: {}", numbers.join(" "))?;
    }
    Ok(())
}
