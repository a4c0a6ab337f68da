//! One cell on the device: the transition tensor packed once, and the constants that the shaders share.

use super::allowance::Allowance;
use super::device::Device;
use super::layout::{self, Block, Choice, HALF_WIDTH_UNITS, Part, STAYS, SUM_BITS, State};
use crate::plan::SweepModel;
use crate::reward::{Lattice, Recipe, Source};
use crate::rng;
use crate::solve::{CellProblem, SolveError};

/// What a cell's goals have in common, on the device.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) constants: layout::Cell,
    /// The law's binade: what device numbers are multiples of.
    pub(super) binade: f64,
    /// States, choices and terms: work of one sweep of one goal, and loop iterations of its invocation.
    pub(super) sweep_iterations: u64,
    pub(super) uniform: wgpu::Buffer,
    pub(super) states: wgpu::Buffer,
    pub(super) choices: wgpu::Buffer,
    pub(super) parts: wgpu::Buffer,
    pub(super) blocks: wgpu::Buffer,
    pub(super) targets: wgpu::Buffer,
    pub(super) stays: wgpu::Buffer,
}

/// The law of a cell, as the device sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// log2 of lattice spacings per binade.
    bits: u32,
    /// The binade as a number.
    binade: f64,
    width: u32,
}

impl Scale {
    /// The least power of two at or above the law's width.
    pub(super) fn new(lattice: Lattice) -> Self {
        let bits = lattice.width.next_power_of_two().trailing_zeros();
        let binade = 2f64.powi(bits as i32 + lattice.exponent);
        Self {
            bits,
            binade,
            width: lattice.width,
        }
    }
}

impl Cell {
    /// Packs and uploads.
    pub(super) fn upload(
        device: &Device,
        problem: &CellProblem,
        scale: Scale,
        tolerance: f64,
    ) -> Result<Self, SolveError> {
        let model = problem.plan.model();
        let stays = stays(model);
        let drawing = Drawing::new(&coordinates(problem), &stays);
        let mut constants = constants(problem, scale, tolerance);
        constants.n_blocks = drawing.blocks.len() as u32;
        constants.has_stays = u32::from(stays.contains(&true));
        let packed = Packed::new(model, problem.discount.used());
        let storage = wgpu::BufferUsages::STORAGE;
        Ok(Self {
            constants,
            binade: scale.binade,
            sweep_iterations: (2 * packed.states.len()
                + 2 * packed.choices.len()
                + packed.parts.len()) as u64,
            uniform: device.upload(
                "constants of the cell",
                &[constants],
                wgpu::BufferUsages::UNIFORM,
            )?,
            states: device.upload("states", &packed.states, storage)?,
            choices: device.upload("choices", &packed.choices, storage)?,
            parts: device.upload("transitions", &packed.parts, storage)?,
            blocks: device.upload("coordinates", &drawing.blocks, storage)?,
            targets: device.upload("rows of the coordinates", &drawing.targets, storage)?,
            stays: device.upload("self-loops", &bits(&stays), storage)?,
        })
    }

    /// A half-width from its integer.
    pub(super) fn half_width(&self, units: i64) -> f64 {
        units as f64 * (self.binade / HALF_WIDTH_UNITS)
    }
}

fn constants(problem: &CellProblem, scale: Scale, tolerance: f64) -> layout::Cell {
    let discount = problem.discount;
    let complement = discount.complement();
    let allowance = Allowance::new(problem.plan.model(), discount);
    let [key_low, key_high] = rng::key(problem.seed);
    // Rounded down: a half-width that meets it meets the tolerance.
    let tolerance = (tolerance / scale.binade * HALF_WIDTH_UNITS)
        .floor()
        .clamp(0.0, 2_147_483_647.0);
    layout::Cell {
        n_states: problem.plan.model().states().len() as u32,
        n_blocks: 0,
        key_low,
        key_high,
        width: scale.width,
        has_stays: 0,
        tolerance: tolerance as u32,
        max_sweeps: problem.max_sweeps,
        spacing: 2f32.powi(-(scale.bits as i32)),
        discount: discount.used_f32(),
        complement: complement as f32,
        odds: (complement / discount.used()) as f32,
        horizon: (1.0 / complement) as f32,
        sum_error: allowance.sum_error as f32,
        allowance_fixed: allowance.fixed as f32,
        allowance_per_reward: allowance.per_reward as f32,
        allowance_per_value: allowance.per_value as f32,
        allowance_per_residual: allowance.per_residual as f32,
        allowance_per_spread: allowance.per_spread as f32,
        noise_per_value: allowance.noise_per_value as f32,
        shift_twice: scale.width - 1,
        shift_bits: SUM_BITS - 1 - scale.bits,
    }
}

/// Per row: the coordinate it is a draw of. Empty where the host draws.
fn coordinates(problem: &CellProblem) -> Vec<u32> {
    let Recipe::Independent(independent) = problem.program.stage().law.recipe() else {
        return Vec::new();
    };
    let states = problem.plan.model().states().iter();
    let coordinates = states.filter_map(|s| match independent.sources[s.state.index()] {
        Source::Draw { coordinate, .. } => Some(coordinate),
        Source::Fixed(_) => None,
    });
    coordinates.collect()
}

/// Per row: whether some choice surely stays.
pub(super) fn stays(model: &SweepModel) -> Vec<bool> {
    let states = model.states().iter();
    let choices = states.map(|s| &model.choices()[s.choice_first as usize..s.choice_end as usize]);
    choices
        .map(|own| own.iter().any(|c| c.stay == 1.0))
        .collect()
}

/// One bit per flag.
fn bits(flags: &[bool]) -> Vec<u32> {
    let words = flags.chunks(32).map(|chunk| {
        let set = chunk.iter().enumerate().filter(|(_, set)| **set);
        set.fold(0, |word, (i, _)| word | 1 << i)
    });
    words.collect()
}

/// The transition tensor: common terms of a state, then those of its choices one after another.
struct Packed {
    states: Vec<State>,
    choices: Vec<Choice>,
    parts: Vec<Part>,
}

impl Packed {
    fn new(model: &SweepModel, discount: f64) -> Self {
        let mut packed = Self {
            states: Vec::with_capacity(model.states().len()),
            choices: Vec::with_capacity(model.choices().len()),
            parts: Vec::with_capacity(model.parts().len()),
        };
        for state in model.states() {
            let first = packed.parts.len() as u32;
            packed.push_parts(model, discount, state.common_first, state.common_end);
            let common_end = packed.parts.len() as u32;
            let choice_first = packed.choices.len() as u32;
            for choice in &model.choices()[state.choice_first as usize..state.choice_end as usize] {
                packed.push_parts(model, discount, choice.first, choice.end);
                packed.choices.push(Choice {
                    end: packed.parts.len() as u32,
                    inverse: (1.0 / (1.0 - discount * choice.stay)) as f32,
                });
            }
            let choice_end = packed.choices.len() as u32;
            packed.states.push(State {
                first,
                common_end,
                choice_first,
                choice_end,
            });
        }
        packed
    }

    fn push_parts(&mut self, model: &SweepModel, discount: f64, first: u32, end: u32) {
        let parts = model.parts()[first as usize..end as usize].iter();
        self.parts.extend(parts.map(|part| Part {
            row: part.position,
            weight: (discount * part.probability) as f32,
        }));
    }
}

/// Which rows the words of each Philox block go to.
struct Drawing {
    blocks: Vec<Block>,
    targets: Vec<u32>,
}

impl Drawing {
    /// Sorts rows by coordinate, so that every Philox block is computed once.
    fn new(coordinates: &[u32], stays: &[bool]) -> Self {
        let rows = coordinates.iter().zip(stays).enumerate();
        let mut wanted: Vec<(u32, u32)> = rows
            .map(|(row, (coordinate, stays))| {
                (*coordinate, row as u32 | if *stays { STAYS } else { 0 })
            })
            .collect();
        wanted.sort_unstable();
        let mut blocks: Vec<Block> = Vec::new();
        let mut at = 0;
        while at < wanted.len() {
            let number = wanted[at].0 / 4;
            let first = at as u32;
            let ends = std::array::from_fn::<u32, 4, _>(|word| {
                let coordinate = u64::from(number) * 4 + word as u64;
                at += wanted[at..]
                    .iter()
                    .take_while(|w| u64::from(w.0) == coordinate)
                    .count();
                at as u32
            });
            let [end_0, end_1, end_2, end_3] = ends;
            blocks.push(Block {
                number,
                first,
                end_0,
                end_1,
                end_2,
                end_3,
            });
        }
        Self {
            blocks,
            targets: wanted.into_iter().map(|(_, target)| target).collect(),
        }
    }
}
