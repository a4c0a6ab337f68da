//! In-place sweeps whose lanes are states: which states are updated side by side, and their rows in the form that shaders/solve/in_phases.wgsl reads.
//!
//! # Phases
//!
//! States of one phase are no neighbours, so that a phase can be updated at once and a sweep is as many steps as there are phases. Where moves are certain and sweeps are not by colours anyway, a state's phase is one more than the
//! largest of the neighbours that come earlier in sweep order (its level), and sweeps alternate: they compute what those in sweep order do, whose few updates take what a state is worth far; and a step's wait, for a row, is short there. Other rows are
//! long, and many states at once hide the wait: a state takes the first phase that none of its neighbours has (greedy colours), but a later one than its successors where these
//! do not lead back to it. Sweeps over colours go forwards only, since the last phase of a sweep would be updated twice, to no avail, were it the first of the next. They are 2 instead of 63 on a grid of 32 x 32 cells with slip, 17 instead of 70 on a random MDP of 500 states, and sweeps are 0.70 to 0.73 times
//! as many at discounts from 0.9 to 0.99 (counted on a prototype in f64): hence [`EARLIER`].

use super::device::Device;
use super::layout::{RUN, Slice};
use super::pace::{Iterations, MAX_ITERATIONS};
use crate::plan::{KernelClass, Part, Phasing, Plan, SweepModel, SweepState, phases};
use crate::reward::RewardDomain;
use crate::solve::SolveError;
use crate::statistics::TILE;

/// Goals of a group: the components of a vector.
const GOALS: usize = 4;

/// Most groups of a workgroup: with four, a row of values is two sectors of storage, and a row of the tensor is read once for 16 goals.
const MOST_GROUPS: usize = 4;

/// Fewest and most lanes of a workgroup: those of the widest SIMD units in common use, and what every Vulkan driver has.
const LANES: std::ops::RangeInclusive<usize> = 32..=128;

/// Most phases. A multiprocessor of an H200 has 228 KiB, 57 k numbers, so that 57 k / n goals of n states are in flight; with p phases of 200 ns each they get 57 k / (200 p) updates a nanosecond, whatever n. Sweeps
/// over storage get what the second-level cache gives, 5.5 TB/s over 132 multiprocessors at some 35 bytes an update: 1.2. The two meet at 240 phases (*expected, not measured*).
const MOST_PHASES: usize = 256;

/// A part of the sweeps before the first certificate that sweeps over colours can do without, where those that the pilot counts alternate.
const EARLIER: u32 = 4;

/// Words of the shader.
const BEGINS: u32 = 1 << 16;
const ENDS_RUN: u32 = 1 << 17;
const ENDS_COMMON: u32 = 1 << 18;
const SCALES: u32 = 1 << 19;
const ENDS: u32 = 1 << 20;
const CAN_STAY: u32 = 1;
const CAN_GO: u32 = 2;
const NOBODY: [u32; 2] = [u32::MAX, 0];

/// Terms of a step.
const TERMS: usize = 4;

/// The states of an MDP by phase, and how many are updated side by side for how many goals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phases {
    /// Rows in sweep order, ascending in every phase.
    rows: Vec<Vec<u32>>,
    groups: usize,
    members: usize,
}

impl Phases {
    /// `None` where there is no room in `workgroup_bytes`, or lanes that are states do not pay.
    pub(super) fn of(model: &SweepModel, workgroup_bytes: u32) -> Option<Self> {
        let n = model.states().len();
        let bytes = |groups: usize| n * groups * GOALS * size_of::<f32>();
        let room = workgroup_bytes as usize;
        let groups = [MOST_GROUPS, 2, 1]
            .into_iter()
            .find(|g| bytes(*g) <= room)?;
        // Every state is every other one's neighbour, and rows have 16 bits.
        if model.class() == KernelClass::Dense || n > 1 << 16 {
            return None;
        }
        let phase_of = phases_of(model);
        let count = phase_of.iter().max().map_or(0, |last| last + 1) as usize;
        let longest = model.states().iter().map(|s| steps_of(model, s)).max()?;
        if count > MOST_PHASES || longest as u64 + PER_SLICE > MAX_ITERATIONS {
            return None;
        }
        let mut rows = vec![Vec::new(); count];
        for (row, phase) in (0..).zip(phase_of) {
            rows[phase as usize].push(row);
        }
        let lanes = (n.div_ceil(count) * groups).next_power_of_two();
        let members = lanes.clamp(*LANES.start(), *LANES.end()) / groups;
        Some(Self {
            rows,
            groups,
            members,
        })
    }

    /// The shader, and its constants.
    pub(super) fn shader(&self, model: &SweepModel) -> (&'static str, [(&'static str, f64); 5]) {
        let name = match model.class() {
            KernelClass::Deterministic => "in_phases_moves",
            KernelClass::Sparse | KernelClass::Dense => "in_phases_terms",
        };
        let on_choices = model.domain() == RewardDomain::Choice;
        let constants = [
            ("CHOICE_REWARDS", f64::from(u8::from(on_choices))),
            ("ALTERNATES", f64::from(u8::from(goes_by_levels(model)))),
            ("GROUPS", self.groups as f64),
            ("MEMBERS", self.members as f64),
            ("HELD", (model.states().len() * self.groups) as f64),
        ];
        (name, constants)
    }
}

/// Whether phases are levels; else colours.
fn goes_by_levels(model: &SweepModel) -> bool {
    model.class() == KernelClass::Deterministic && !model.is_by_colours()
}

/// The phase of every row.
fn phases_of(model: &SweepModel) -> Vec<u32> {
    let by_levels = goes_by_levels(model);
    phases(
        model,
        match by_levels {
            true => Phasing::Levels,
            false => Phasing::Colours,
        },
    )
}

/// Loop iterations of a slice beside its steps.
const PER_SLICE: u64 = 2;

/// Steps of a state.
fn steps_of(model: &SweepModel, state: &SweepState) -> usize {
    let own = &model.choices()[state.choice_first as usize..state.choice_end as usize];
    let terms = match model.class() {
        KernelClass::Deterministic => own.iter().filter(|c| c.end > c.first).count(),
        KernelClass::Sparse | KernelClass::Dense => {
            let choices = own.iter().map(|choice| {
                let terms = (choice.end - choice.first) as usize;
                terms + usize::from(terms == 0 || choice.stay != 0.0)
            });
            (state.common_end - state.common_first) as usize + choices.sum::<usize>()
        }
    };
    terms.div_ceil(TERMS)
}

/// What the shader reads, on the host.
#[derive(Debug, Default)]
struct Packed {
    slices: Vec<Slice>,
    members: Vec<[u32; 2]>,
    moves: Vec<[u32; 2]>,
    words: Vec<[u32; TERMS]>,
    weights: Vec<[f32; TERMS]>,
}

impl Packed {
    fn new(phases: &Phases, plan: &Plan) -> Self {
        let model = plan.model();
        let mut packed = Self::default();
        for rows in &phases.rows {
            let slices = rows.chunks(phases.members);
            let last = slices.len() - 1;
            for (number, rows) in slices.enumerate() {
                let states = rows.iter().map(|row| &model.states()[*row as usize]);
                let steps = states.map(|s| steps_of(model, s)).max().unwrap_or(0);
                let first = packed.moves.len().max(packed.words.len());
                packed.slices.push(Slice {
                    first: first as u32,
                    steps: steps as u32,
                    closes_forwards: u32::from(number == last),
                    closes_backwards: u32::from(number == 0),
                });
                packed.push_slice((plan, phases.members), rows, (first, steps));
            }
        }
        packed
    }

    fn push_slice(
        &mut self,
        (plan, members): (&Plan, usize),
        rows: &[u32],
        (first, steps): (usize, usize),
    ) {
        let model = plan.model();
        let end = first + steps * members;
        match model.class() {
            KernelClass::Deterministic => self.moves.resize(end, [0; 2]),
            KernelClass::Sparse | KernelClass::Dense => {
                self.words.resize(end, [0; TERMS]);
                self.weights.resize(end, [0.0; TERMS]);
            }
        }
        for member in 0..members {
            let Some(&row) = rows.get(member) else {
                self.members.push(NOBODY);
                continue;
            };
            let state = &model.states()[row as usize];
            let places = (first + member..end).step_by(members);
            if model.class() == KernelClass::Deterministic {
                let (to, flags) = moves(model, state);
                self.members.push([row, flags]);
                // The largest of several does not mind one that is there twice.
                let last = to.last().copied().unwrap_or(row);
                for (step, at) in places.enumerate() {
                    let to = |i: usize| to.get(TERMS * step + i).copied().unwrap_or(last);
                    self.moves[at] = [to(0) | to(1) << 16, to(2) | to(3) << 16];
                }
            } else {
                self.members.push([row, state.choice_first]);
                let terms = terms(model, state, plan.discount().used());
                for (step, at) in places.enumerate() {
                    for i in 0..TERMS {
                        let term = terms.get(TERMS * step + i);
                        let (word, weight) = term.copied().unwrap_or((SCALES, 1.0));
                        self.words[at][i] = word;
                        self.weights[at][i] = weight;
                    }
                }
            }
        }
    }
}

/// Where a state's certain moves lead, and what it can do.
fn moves(model: &SweepModel, state: &SweepState) -> (Vec<u32>, u32) {
    let own = &model.choices()[state.choice_first as usize..state.choice_end as usize];
    let go = own.iter().filter(|c| c.end > c.first);
    let to: Vec<u32> = go
        .map(|c| model.parts()[c.first as usize].position)
        .collect();
    let can = |flag: u32, it: bool| if it { flag } else { 0 };
    let stays = own.iter().any(|c| c.stay == 1.0);
    let flags = can(CAN_GO, !to.is_empty()) | can(CAN_STAY, stays);
    (to, flags)
}

/// A state's terms, one after another: words and weights.
fn terms(model: &SweepModel, state: &SweepState, discount: f64) -> Vec<(u32, f32)> {
    let weighted = |first: u32, end: u32| -> Vec<(u32, f32)> {
        let parts = &model.parts()[first as usize..end as usize];
        let last = parts.len().wrapping_sub(1);
        let term = |(i, part): (usize, &Part)| {
            let ends_run = i == last || (i + 1).is_multiple_of(RUN as usize);
            let flag = if ends_run { ENDS_RUN } else { 0 };
            (part.position | flag, (discount * part.probability) as f32)
        };
        parts.iter().enumerate().map(term).collect()
    };
    let mut all = weighted(state.common_first, state.common_end);
    if let Some(last) = all.last_mut() {
        last.0 |= ENDS_COMMON;
    }
    for choice in &model.choices()[state.choice_first as usize..state.choice_end as usize] {
        let first = all.len();
        all.extend(weighted(choice.first, choice.end));
        if all.len() == first || choice.stay != 0.0 {
            let inverse = 1.0 / (1.0 - discount * choice.stay);
            all.push((SCALES, inverse as f32));
        }
        all[first].0 |= BEGINS;
        let last = all.len() - 1;
        all[last].0 |= ENDS;
    }
    all
}

/// The rows of an MDP on the device.
#[derive(Debug)]
pub(super) struct DevicePhases {
    /// Goals of a workgroup over goals of a tile.
    pub(super) workgroups_per_tile: u32,
    /// Invocations per goal, times [`GOALS`].
    pub(super) members: u64,
    /// Visits are slices.
    pub(super) iterations: Iterations,
    /// Whether the pilot's sweeps go through the states in the same order as these.
    as_counted: bool,
    slices: wgpu::Buffer,
    members_of_slices: wgpu::Buffer,
    moves: wgpu::Buffer,
    words: wgpu::Buffer,
    weights: wgpu::Buffer,
}

impl DevicePhases {
    pub(super) fn upload(
        device: &Device,
        phases: &Phases,
        plan: &Plan,
    ) -> Result<Self, SolveError> {
        let packed = Packed::new(phases, plan);
        let storage = wgpu::BufferUsages::STORAGE;
        let each = packed
            .slices
            .iter()
            .map(|slice| u64::from(slice.steps) + PER_SLICE);
        Ok(Self {
            workgroups_per_tile: (TILE / (GOALS * phases.groups)) as u32,
            members: phases.members as u64,
            iterations: Iterations {
                visits: packed.slices.len() as u32,
                per_pass: each.clone().sum(),
                largest: each.max().unwrap_or(1),
            },
            as_counted: goes_by_levels(plan.model()) || plan.model().is_by_colours(),
            slices: device.upload("slices of phases", &packed.slices, storage)?,
            members_of_slices: device.upload("states of slices", &packed.members, storage)?,
            moves: device.upload("moves", &packed.moves, storage)?,
            words: device.upload("terms", &packed.words, storage)?,
            weights: device.upload("weights of terms", &packed.weights, storage)?,
        })
    }

    /// Sweeps before the first certificate, of those that the pilot counted.
    pub(super) fn first_check(&self, counted: u32) -> u32 {
        match self.as_counted {
            true => counted,
            false => counted - counted / EARLIER,
        }
    }

    /// Its buffers by the names that the shaders give them.
    pub(super) fn named(&self) -> [(&'static str, &wgpu::Buffer); 5] {
        [
            ("slices", &self.slices),
            ("members", &self.members_of_slices),
            ("moves", &self.moves),
            ("words", &self.words),
            ("weights", &self.weights),
        ]
    }
}

#[cfg(test)]
mod tests;
