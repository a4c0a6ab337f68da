//! MDPs in Storm's explicit format.

use std::io::Write;

use super::INIT;
use crate::io::format::{WriteError, in_memory};
use crate::mdp::Mdp;

/// Writes an MDP as the text of a `.drn` file. The names of states stand as comments, where Storm writes the values of variables. What the
/// format has no room for is left out: empty space in actions' names (Storm ends them there; it becomes `_`), labels of choices, the
/// probabilities of several start states (each becomes an `init` state), the layout of a grid.
///
/// # Errors
///
/// A name that does not survive: an action's that ends in `]`, a label's with a quote, `init` as a label, line breaks in either; `&`, a line break or
/// empty space at the ends of a state's.
pub fn write_drn(mdp: &Mdp) -> Result<String, WriteError> {
    in_memory(|to| write(mdp, to))
}

/// The same, state by state.
pub(in super::super) fn write(mdp: &Mdp, to: &mut dyn Write) -> Result<(), WriteError> {
    let (states, choices) = (mdp.n_states(), mdp.n_choices());
    write!(
        to,
        "@type: MDP\n@value_type: double\n@parameters\n\n@reward_models\n\n@nr_states\n{states}\n@nr_choices\n{choices}\n@model\n",
    )?;
    let mut labels: Vec<Vec<&str>> = vec![Vec::new(); states];
    mdp.start()
        .iter()
        .for_each(|(s, _)| labels[s.index()].push(INIT));
    for (name, members) in mdp.state_labels() {
        if name.contains(['"', '\n', '\r']) || name == INIT {
            return Err(WriteError::name("label", name, ".drn"));
        }
        members.iter().for_each(|s| labels[s.index()].push(name));
    }
    for state in mdp.states() {
        let name = mdp.state_name(state);
        if name.contains(['\n', '\r', '&']) || name.trim() != name {
            return Err(WriteError::name("state", name, ".drn"));
        }
        write!(to, "state {}", state.0)?;
        for label in &labels[state.index()] {
            // Storm takes both; without quotes a label ends at the first space.
            match label.contains(char::is_whitespace) || label.starts_with(['[', '!', '{']) {
                true => write!(to, " \"{label}\"")?,
                false => write!(to, " {label}")?,
            }
        }
        writeln!(to, "\n//[{name}]")?;
        for choice in mdp.choices(state) {
            let action = mdp.action_name(choice);
            if action.ends_with(']') {
                return Err(WriteError::name("action", action, ".drn"));
            }
            writeln!(to, "\taction {}", action.replace(char::is_whitespace, "_"))?;
            let (successors, probabilities) = mdp.row(choice);
            for (successor, p) in successors.iter().zip(probabilities) {
                writeln!(to, "\t\t{successor} : {p}")?;
            }
        }
    }
    Ok(())
}
