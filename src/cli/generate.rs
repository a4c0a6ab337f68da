//! `powersweep generate`: an MDP from a family.

use std::path::PathBuf;

use powersweep::document::{Faults, Node, SourceText, parse_toml};
use powersweep::io::{Format, MdpFormat, losses, parse_mdp, write_json};
use powersweep::report::summary_line;

use super::failure::{Failure, Kind, Outcome};
use super::{arguments, diagnostics, output};

/// Arguments of `generate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Families and their keys (with their defaults, where they have one):\n  \
    gridworld             rows, columns, walls=0 (share of cells), torus=false, moves=4, stay=false,\n                        \
    slip={p=0.1,to=\"others\"}, blocked=stay\n  \
    garnet                states, choices, branching\n  \
    dense                 states, choices\n  \
    random-deterministic  states, choices\n  \
    power-law             states, links=2, stay=false: few states have many links\n  \
    dag                   states, choices=2, reach: no state is returned to\n  \
    chain, ring           states, two_way=false, stay=true\n  \
    star                  leaves\n  \
    tree                  depth, branching=2\n  \
    clique                states, loops=true\n  \
    corridor              length, start (the middle), slip=0: an off switch at its end\n  \
    budget-ladder         rungs, factor=2: budgets of 1, 2, 4, ... options\n\n\
    One seed gives one MDP, on every machine and in every later version. docs/formats.md describes the families.\n\n\
    Examples:\n  \
    powersweep generate garnet states=500 choices=4 branching=5 --seed 7 --out garnet.npz\n  \
    powersweep generate gridworld rows=20 columns=30 walls=0.2 stay=true --out grid.json"
)]
pub(crate) struct Arguments {
    /// The family.
    #[arg(value_name = "FAMILY")]
    family: String,
    /// Its parameters.
    #[arg(value_name = "KEY=VALUE")]
    parameters: Vec<String>,
    /// The seed of a random family [default: 0].
    #[arg(long, value_name = "N", value_parser = arguments::seed)]
    seed: Option<u64>,
    /// The file to write; its extension says the format, as for `convert` [default: standard output, as JSON].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The format of the file, where its extension does not say.
    #[arg(long, value_name = "FORMAT", value_parser = arguments::mdp_format())]
    to: Option<MdpFormat>,
    /// Replace the file where it is there already.
    #[arg(long)]
    force: bool,
}

/// Generates and writes.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let out = arguments.out.as_deref();
    let format = out.map(|path| output::mdp_format(arguments.to, path));
    let format = format.transpose()?;
    let recipe = recipe(&arguments).map_err(|error| Failure::new(Kind::Input, error))?;
    let source = SourceText::new("the command line", recipe);
    let (mdp, warnings) = parse_mdp(Format::Toml, source).map_err(Failure::from)?;
    diagnostics::show_faults(&warnings);
    let (Some(path), Some(format)) = (out, format) else {
        output::print(&write_json(&mdp))?;
        return Ok(Outcome::Done);
    };
    for lost in losses(&mdp, format) {
        diagnostics::show_warning(format!("the file loses {lost}"), None);
    }
    output::write_mdp_files(&mdp, format, path, arguments.force)?;
    diagnostics::show_note(&format!("{}: {}", path.display(), summary_line(&mdp)));
    Ok(Outcome::Done)
}

/// The file that says the same: faults point into it.
fn recipe(arguments: &Arguments) -> Result<String, String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let family = &arguments.family;
    let name = match arguments.seed {
        Some(seed) => format!("{family}-{seed}"),
        None => family.clone(),
    };
    let mut text = format!(
        "name = {}\n[family]\nname = {}\n",
        quoted(&name),
        quoted(family)
    );
    if let Some(seed) = arguments.seed {
        text.push_str(&format!("seed = {seed}\n"));
    }
    for parameter in &arguments.parameters {
        let (key, value) = parameter
            .split_once('=')
            .ok_or_else(|| format!("{parameter:?} is not KEY=VALUE, like states=500"))?;
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if key.is_empty() || !key.chars().all(is_key) {
            return Err(format!(
                "{key:?} in {parameter:?} is not the name of a parameter"
            ));
        }
        // What is no number, truth value or table is a word: `blocked=forbidden`.
        let value = match is_value(value) {
            true => value.to_owned(),
            false => quoted(value),
        };
        text.push_str(&format!("{key} = {value}\n"));
    }
    Ok(text)
}

fn is_value(text: &str) -> bool {
    if text.contains(['\n', '\r', '#']) {
        return false;
    }
    let mut faults = Faults::default();
    let node = parse_toml(&SourceText::new("", format!("x = {text}")), &mut faults);
    let one = matches!(&node.value, Node::Table(entries) if entries.len() == 1);
    one && faults.list.is_empty()
}
