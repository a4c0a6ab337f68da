//! `powersweep devices`: what the gpu backend could use.

use super::failure::{Failure, Outcome};
use super::output;

/// Arguments of `devices`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What is printed: a table, or JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Look at everything that a graphics processor needs to be seen, and say what is missing.
    #[arg(long, conflicts_with = "format")]
    doctor: bool,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table.
    #[default]
    Table,
    /// A list of objects.
    Json,
}

/// Lists the adapters.
#[cfg(feature = "gpu")]
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    use powersweep::solve::gpu::{GpuError, adapters};

    if arguments.doctor {
        return doctor();
    }
    let adapters = adapters();
    match arguments.format {
        Format::Json => output::print(&format!("{:#}\n", json(&adapters)))?,
        Format::Table if adapters.is_empty() => {
            return Err(powersweep::experiment::EngineError::from(GpuError::None).into());
        }
        Format::Table => output::print(&table(&adapters))?,
    }
    Ok(Outcome::Done)
}

/// What is needed, one thing after another, and the adapters that come of it.
#[cfg(feature = "gpu")]
fn doctor() -> Result<Outcome, Failure> {
    use powersweep::solve::gpu::{AdapterKind, adapters, diagnose, given_adapter};

    // Before drivers are loaded, some of which print or crash.
    for finding in diagnose() {
        let sign = match finding.good {
            Some(true) => "ok     ",
            Some(false) => "PROBLEM",
            None => "       ",
        };
        output::print(&format!("{sign}  {}\n", finding.what))?;
        if let Some(advice) = finding.advice {
            output::print(&format!("         -> {advice}\n"))?;
        }
    }
    let adapters = adapters();
    let hardware = adapters.iter().any(|a| a.kind != AdapterKind::Software);
    for adapter in &adapters {
        let given = match given_adapter(adapter) {
            Some((true, variable)) => format!(", which {variable} gives this process"),
            Some((false, variable)) => format!(", which {variable} does not give this process"),
            None => String::new(),
        };
        let place = match adapter.place.as_str() {
            "" => String::new(),
            place => format!(" at {place}"),
        };
        output::print(&format!(
            "seen     {}: {adapter}{place}{given}\n",
            adapter.index
        ))?;
    }
    let verdict = match (hardware, adapters.is_empty()) {
        (true, _) => "The gpu backend can be used.\n",
        (false, false) => {
            "Only software adapters are seen: what is a problem above is the reason.\n"
        }
        (false, true) => "No adapter is seen: what is a problem above is the reason.\n",
    };
    output::print(verdict)?;
    Ok(match hardware {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

/// There is nothing to list.
#[cfg(not(feature = "gpu"))]
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    match arguments.format {
        Format::Json => output::print("[]\n")?,
        Format::Table => return Err(powersweep::experiment::EngineError::NotBuilt("gpu").into()),
    }
    Ok(Outcome::Done)
}

#[cfg(feature = "gpu")]
fn table(adapters: &[powersweep::solve::gpu::AdapterSummary]) -> String {
    use powersweep::solve::gpu::AdapterKind;

    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "",
        "adapter",
        "type",
        "driver",
        "largest buffer",
        "workgroup memory",
        "64-bit integers",
    ]);
    for a in adapters {
        let driver = format!("{}, {}", a.interface, a.driver);
        let buffer =
            indicatif::BinaryBytes(a.max_buffer_bytes.min(a.max_binding_bytes)).to_string();
        let workgroup = indicatif::BinaryBytes(a.workgroup_bytes.into()).to_string();
        let int64 = if a.int64 { "yes" } else { "no" };
        table.add_row([
            &a.index.to_string(),
            &a.name,
            a.kind.name(),
            &driver,
            &buffer,
            &workgroup,
            int64,
        ]);
    }
    let hardware = adapters.iter().any(|a| a.kind != AdapterKind::Software);
    let note = match hardware {
        true => "",
        false => {
            "\nNo graphics processor: `--backend auto` uses the cpu backend, which is far faster than a software adapter.\n"
        }
    };
    format!("{table}\n{note}")
}

#[cfg(feature = "gpu")]
fn json(adapters: &[powersweep::solve::gpu::AdapterSummary]) -> serde_json::Value {
    let each = adapters.iter().map(|a| {
        serde_json::json!({
            "index": a.index,
            "name": a.name,
            "type": a.kind.name(),
            "interface": a.interface,
            "driver": a.driver,
            "max_buffer_bytes": a.max_buffer_bytes,
            "max_binding_bytes": a.max_binding_bytes,
            "workgroup_bytes": a.workgroup_bytes,
            "int64": a.int64,
            "timestamps": a.timestamps,
            "place": a.place,
        })
    });
    each.collect()
}
