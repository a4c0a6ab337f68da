//! MDPs as PRISM's explicit files.

use std::fmt::Write;

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
pub fn write_prism(mdp: &Mdp) -> Result<PrismFiles, String> {
    let mut tra = format!(
        "{} {} {}\n",
        mdp.n_states(),
        mdp.n_choices(),
        mdp.n_successors()
    );
    let mut sta = "(name)\n".to_owned();
    for state in mdp.states() {
        for (number, choice) in mdp.choices(state).enumerate() {
            let action = mdp.action_name(choice);
            if action.trim() != action || action.contains(['\n', '\r']) {
                return Err(format!(
                    "the action {action:?} cannot be written in a .tra file"
                ));
            }
            let (successors, probabilities) = mdp.row(choice);
            for (to, p) in successors.iter().zip(probabilities) {
                let _ = writeln!(tra, "{} {number} {to} {p} {action}", state.0);
            }
        }
        let name = mdp.state_name(state);
        if name.contains(['\n', '\r']) {
            return Err(format!(
                "the state {name:?} cannot be written in a .sta file"
            ));
        }
        let _ = writeln!(sta, "{}:({name})", state.0);
    }
    Ok(PrismFiles {
        tra,
        sta,
        lab: labels(mdp)?,
    })
}

fn labels(mdp: &Mdp) -> Result<String, String> {
    let mut declared = vec!["0=\"init\"".to_owned()];
    let mut of_state: Vec<Vec<usize>> = vec![Vec::new(); mdp.n_states()];
    mdp.start()
        .iter()
        .for_each(|(s, _)| of_state[s.index()].push(0));
    for (i, (name, members)) in mdp.state_labels().iter().enumerate() {
        if name.contains(['"', '\n', '\r']) || name == "init" {
            return Err(format!(
                "the label {name:?} cannot be written in a .lab file"
            ));
        }
        declared.push(format!("{}=\"{name}\"", i + 1));
        members.iter().for_each(|s| of_state[s.index()].push(i + 1));
    }
    let mut text = declared.join(" ") + "\n";
    for (state, numbers) in of_state
        .iter()
        .enumerate()
        .filter(|(_, numbers)| !numbers.is_empty())
    {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "{state}: {}", numbers.join(" "));
    }
    Ok(text)
}
