//! MDPs as NumPy archives: one sparse row a choice, so that what is read back is the same MDP.

use std::io::{Result, Seek, Write};

use crate::io::npz::{Array, ArrayValues, NpzWriter};
use crate::mdp::Mdp;
use crate::units::ChoiceId;

/// Writes an MDP as `data`, `indices`, `indptr`, `shape` and `format` (which `scipy.sparse.load_npz` reads: `[choices, states]`), with
/// `choice_state`, `choice_action`, names, start and labels. The layout of a grid is not kept.
///
/// # Errors
///
/// What the writer says.
pub fn write_npz<W: Write + Seek>(mdp: &Mdp, to: W) -> Result<W> {
    let (states, choices) = (mdp.n_states(), mdp.n_choices());
    let mut writer = NpzWriter::new(to);
    let mut write = |name: &str, shape: &[usize], values: ArrayValues<'_>| {
        writer.write(&Array {
            name,
            shape,
            values,
        })
    };

    let all = || (0..choices as u32).map(ChoiceId);
    let mut pointers = vec![0];
    let (mut indices, mut data) = (Vec::new(), Vec::new());
    for choice in all() {
        let (successors, probabilities) = mdp.row(choice);
        // Numbers of states and choices are below 2^31 wherever SciPy can follow.
        indices.extend(successors.iter().map(|&s| i64::from(s)));
        data.extend_from_slice(probabilities);
        pointers.push(data.len() as i64);
    }
    write("data", &[data.len()], ArrayValues::Numbers(&data))?;
    integers("indices", &indices, &mut write)?;
    integers("indptr", &pointers, &mut write)?;
    write(
        "shape",
        &[2],
        ArrayValues::Integers(&[choices as i64, states as i64]),
    )?;
    write("format", &[], ArrayValues::Texts(&["csr"]))?;

    let of_state: Vec<i64> = mdp
        .states()
        .flat_map(|s| mdp.choices(s).map(move |_| i64::from(s.0)))
        .collect();
    integers("choice_state", &of_state, &mut write)?;
    let (actions, of_action) = actions(mdp);
    integers("choice_action", &of_action, &mut write)?;
    write(
        "action_names",
        &[actions.len()],
        ArrayValues::Texts(&actions),
    )?;
    let names: Vec<&str> = mdp.states().map(|s| mdp.state_name(s)).collect();
    if !(0..states).all(|s| names[s] == format!("s{s}")) {
        write("state_names", &[states], ArrayValues::Texts(&names))?;
    }

    write("name", &[], ArrayValues::Texts(&[mdp.name()]))?;
    match mdp.start() {
        [(only, _)] => write("start", &[], ArrayValues::Integers(&[i64::from(only.0)]))?,
        several => {
            let mut start = vec![0.0; states];
            several.iter().for_each(|(s, p)| start[s.index()] = *p);
            write("start", &[states], ArrayValues::Numbers(&start))?;
        }
    }
    for (label, members) in mdp.state_labels() {
        let mut flags = vec![false; states];
        members.iter().for_each(|s| flags[s.index()] = true);
        write(
            &format!("label/{label}"),
            &[states],
            ArrayValues::Booleans(&flags),
        )?;
    }
    for (label, members) in mdp.choice_labels() {
        let mut flags = vec![false; choices];
        members.iter().for_each(|c| flags[c.index()] = true);
        write(
            &format!("choice_label/{label}"),
            &[choices],
            ArrayValues::Booleans(&flags),
        )?;
    }
    Ok(writer.finish()?)
}

/// Writes 32 bits where they are enough: SciPy wants both index arrays to be as narrow as can be.
fn integers(
    name: &str,
    values: &[i64],
    write: &mut impl FnMut(&str, &[usize], ArrayValues<'_>) -> Result<()>,
) -> Result<()> {
    let narrow: Option<Vec<i32>> = values.iter().map(|&x| i32::try_from(x).ok()).collect();
    match narrow {
        Some(narrow) => write(name, &[values.len()], ArrayValues::Indices(&narrow)),
        None => write(name, &[values.len()], ArrayValues::Integers(values)),
    }
}

/// The actions' names in the order in which they are met, and every choice's number among them.
fn actions(mdp: &Mdp) -> (Vec<&str>, Vec<i64>) {
    let mut numbers = std::collections::HashMap::new();
    let mut names = Vec::new();
    let each = (0..mdp.n_choices() as u32).map(|c| {
        let name = mdp.action_name(ChoiceId(c));
        *numbers.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() as i64 - 1
        })
    });
    let of_choice = each.collect();
    (names, of_choice)
}
