//! MDPs as NumPy archives: one sparse row a choice, so that what is read back is the same MDP.

use std::io::{BufWriter, Result, Seek, Write};

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
    let all = || (0..choices as u32).map(ChoiceId);
    // The long ones row by row.
    let count = mdp.n_successors();
    let mut data = BufWriter::new(writer.begin("data", &[count], "<f8")?);
    for choice in all() {
        let (_, probabilities) = mdp.row(choice);
        for p in probabilities {
            data.write_all(&p.to_le_bytes())?;
        }
    }
    data.flush()?;
    drop(data);
    let successors = || all().flat_map(|choice| mdp.row(choice).0);
    // SciPy wants both index arrays to be as narrow as can be.
    let is_narrow = i32::try_from(count.max(states)).is_ok();
    integers(
        &mut writer,
        "indices",
        is_narrow,
        count,
        successors().map(|&s| i64::from(s)),
    )?;
    let lengths = all().map(|choice| mdp.row(choice).0.len() as i64);
    let ends = lengths.scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    integers(
        &mut writer,
        "indptr",
        is_narrow,
        choices + 1,
        std::iter::once(0).chain(ends),
    )?;
    let states_of = || {
        let each = |s| mdp.choices(s).map(move |_| i64::from(s.0));
        mdp.states().flat_map(each)
    };
    integers(&mut writer, "choice_state", is_narrow, choices, states_of())?;
    let (actions, of_action) = actions(mdp);
    integers(
        &mut writer,
        "choice_action",
        is_narrow,
        choices,
        of_action.into_iter(),
    )?;
    let mut write = |name: &str, shape: &[usize], values: ArrayValues<'_>| {
        writer.write(&Array {
            name,
            shape,
            values,
        })
    };
    write(
        "shape",
        &[2],
        ArrayValues::Integers(&[choices as i64, states as i64]),
    )?;
    write("format", &[], ArrayValues::Texts(&["csr"]))?;
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

/// Writes whole numbers, of 32 bits where they fit.
fn integers<W: Write + Seek>(
    writer: &mut NpzWriter<W>,
    name: &str,
    is_narrow: bool,
    count: usize,
    values: impl Iterator<Item = i64>,
) -> Result<()> {
    let descr = if is_narrow { "<i4" } else { "<i8" };
    let mut to = BufWriter::new(writer.begin(name, &[count], descr)?);
    for value in values {
        match is_narrow {
            true => to.write_all(&(value as i32).to_le_bytes())?,
            false => to.write_all(&value.to_le_bytes())?,
        }
    }
    to.flush()
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
