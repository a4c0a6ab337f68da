//! Which shaders a cell is solved with.

use std::sync::Arc;

use super::draws::Draws;
use super::passes::DrawPass;
use super::phases::{DevicePhases, Phases};
use super::product::Product;
use super::shaders::Pipeline;
use super::{Gpu, straight};
use crate::plan::{Plan, SweepModel};
use crate::reward::RewardDomain;
use crate::solve::SolveError;
use crate::statistics::TILE;

/// How values are kept while in-place sweeps go over them. Which one it is follows from the MDP and the adapter's limits alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// In storage, `[state][goal]`.
    Storage,
    /// In the memory that a workgroup shares, 64 goals of them.
    Workgroup,
    /// The same for a few goals, whose states are updated side by side.
    Phases,
    /// In registers, in code without a loop over states.
    Registers,
}

impl Keeping {
    /// Where that is.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Storage => "the memory",
            Self::Workgroup => "workgroup memory",
            Self::Phases => "workgroup memory, states side by side,",
            Self::Registers => "registers",
        }
    }

    /// The one that costs least memory traffic of those that fit. `workgroup_bytes`: the adapter's.
    pub(super) fn of(model: &SweepModel, workgroup_bytes: u32) -> Self {
        // That code goes back and forth.
        match straight::suits(model) && !model.is_by_colours() {
            true => Self::Registers,
            false => Self::of_any(model, workgroup_bytes),
        }
    }

    /// The same of those that are compiled once for all MDPs.
    pub(super) fn of_any(model: &SweepModel, workgroup_bytes: u32) -> Self {
        let bytes = model.states().len() * TILE * size_of::<f32>();
        if bytes <= workgroup_bytes as usize {
            return Self::Workgroup;
        }
        match Phases::of(model, workgroup_bytes) {
            Some(_) => Self::Phases,
            None => Self::Storage,
        }
    }
}

/// The shaders of one cell, compiled.
#[derive(Debug)]
pub(super) struct Kernels {
    /// By the number of the pass; those that there are.
    pub(super) drawing: [Option<Arc<Pipeline>>; DrawPass::ALL.len()],
    pub(super) start: Arc<Pipeline>,
    pub(super) keeping: Keeping,
    pub(super) in_place: Arc<Pipeline>,
    /// What in-place sweeps read, where they update states side by side.
    pub(super) phases: Option<DevicePhases>,
    pub(super) jacobi: Arc<Pipeline>,
    /// What Jacobi sweeps read, where they multiply rows whole.
    pub(super) product: Option<Product>,
    pub(super) measure: Arc<Pipeline>,
    pub(super) certify: Arc<Pipeline>,
    pub(super) recentre: Arc<Pipeline>,
    pub(super) reduce: Arc<Pipeline>,
    pub(super) tally: Arc<Pipeline>,
    /// Whether the choice of every state is put there by the host.
    pub(super) follows: bool,
}

impl Kernels {
    /// `draws`: of goals that are drawn on the device. `follows`: the choice of every state is put there by the host, and values are kept
    /// in storage. `whole_rows`: Jacobi sweeps multiply rows whole.
    pub(super) fn new(
        gpu: &Gpu,
        plan: &Plan,
        draws: &Draws,
        (keeping, follows, whole_rows): (Keeping, bool, bool),
    ) -> Result<Self, SolveError> {
        let model = plan.model();
        let flag = |on: bool| f64::from(u8::from(on));
        let on_choices = (
            "CHOICE_REWARDS",
            flag(model.domain() == RewardDomain::Choice),
        );
        let get =
            |name, constants: &[(&'static str, f64)]| gpu.library.get(&gpu.device, name, constants);
        let has_int64 = gpu.device.summary().int64;
        let mut drawing = [const { None }; DrawPass::ALL.len()];
        for (pass, is_there) in DrawPass::ALL.into_iter().zip(draws.passes()) {
            let tables = [("TABLES", flag(draws.has_laws))];
            let constants = match pass {
                DrawPass::Draw => &tables[..],
                _ => &[],
            };
            if is_there {
                drawing[pass as usize] = Some(get(pass.shader(has_int64), constants)?);
            }
        }
        let keeping = match follows {
            true => Keeping::Storage,
            false => keeping,
        };
        let phases = match keeping {
            Keeping::Phases => Phases::of(model, gpu.device.summary().workgroup_bytes),
            Keeping::Storage | Keeping::Workgroup | Keeping::Registers => None,
        };
        let one_of = |free, followed| if follows { followed } else { free };
        let held = (model.states().len() * TILE) as f64;
        let alternates = ("ALTERNATES", flag(!model.is_by_colours()));
        Ok(Self {
            drawing,
            start: get("start", &[on_choices])?,
            in_place: match keeping {
                Keeping::Storage => get(
                    one_of("in_place", "in_place_followed"),
                    &[on_choices, alternates],
                )?,
                Keeping::Phases => {
                    let (name, constants) = phases.as_ref().expect("it suits").shader(model);
                    get(name, &constants)?
                }
                Keeping::Workgroup => get(
                    "in_place_workgroup",
                    &[on_choices, alternates, ("HELD", held)],
                )?,
                Keeping::Registers => gpu.library.write(&gpu.device, "straight", |template| {
                    straight::source(template, model)
                })?,
            },
            phases: phases
                .map(|phases| DevicePhases::upload(&gpu.device, &phases, plan))
                .transpose()?,
            keeping,
            jacobi: match whole_rows {
                true => get("product", &[])?,
                false => get(one_of("jacobi", "jacobi_followed"), &[on_choices])?,
            },
            measure: match whole_rows {
                true => get("measure_swept", &[on_choices])?,
                false => get(one_of("measure", "measure_followed"), &[on_choices])?,
            },
            certify: get("certify", &[])?,
            product: whole_rows
                .then(|| Product::upload(&gpu.device, plan))
                .transpose()?,
            recentre: get("recentre", &[])?,
            reduce: get("reduce", &[])?,
            tally: get("tally", &[])?,
            follows,
        })
    }
}
