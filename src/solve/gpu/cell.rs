//! One cell on the device: the transition tensor packed once, and the constants that the shaders share.

use super::allowance::Allowance;
use super::device::Device;
use super::draws::Draws;
use super::layout::{self, Choice, HALF_WIDTH_UNITS, Part, SUM_BITS, State};
use crate::plan::{SweepChoice, SweepModel};
use crate::reward::{Lattice, RewardDomain};
use crate::rng;
use crate::solve::{CellProblem, SolveError};

/// What a cell's goals have in common, on the device.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) constants: layout::Cell,
    /// The law's binade: what device numbers are multiples of.
    pub(super) binade: f64,
    pub(super) uniform: wgpu::Buffer,
    pub(super) states: wgpu::Buffer,
    pub(super) choices: wgpu::Buffer,
    pub(super) parts: wgpu::Buffer,
    pub(super) blocks: wgpu::Buffer,
    pub(super) targets: wgpu::Buffer,
    pub(super) heads: wgpu::Buffer,
    pub(super) segments: wgpu::Buffer,
    pub(super) cells: wgpu::Buffer,
    pub(super) leaves: wgpu::Buffer,
    pub(super) conditions: wgpu::Buffer,
    pub(super) places: wgpu::Buffer,
    pub(super) settled: wgpu::Buffer,
    pub(super) numbers: wgpu::Buffer,
    pub(super) bundles: wgpu::Buffer,
    pub(super) summed: wgpu::Buffer,
    pub(super) addends: wgpu::Buffer,
    pub(super) factors: wgpu::Buffer,
    /// Draws that the rewards of a goal are sums of, at most.
    pub(super) n_latents: u32,
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
    /// Packs and uploads. `draws`: of nothing, where goals are put there by the host.
    pub(super) fn upload(
        device: &Device,
        (problem, model): (&CellProblem, &SweepModel),
        (scale, allowance): (Scale, Allowance),
        tolerance: f64,
        draws: &Draws,
    ) -> Result<Self, SolveError> {
        let stays = stays(model);
        let mut constants = constants((problem, model), (scale, allowance), tolerance);
        constants.n_rewards = stays.len() as u32;
        constants.has_stays = u32::from(stays.contains(&true));
        // Values start at what a state's own reward is worth for ever; choices' rewards are not asked.
        let own = match model.domain() {
            RewardDomain::State => bits(&stays),
            RewardDomain::Choice => vec![0; model.states().len().div_ceil(32)],
        };
        let packed = Packed::new(model, problem.discount.used());
        let storage = wgpu::BufferUsages::STORAGE;
        Ok(Self {
            constants,
            binade: scale.binade,
            uniform: device.upload(
                "constants of the cell",
                &[constants],
                wgpu::BufferUsages::UNIFORM,
            )?,
            states: device.upload("states", &packed.states, storage)?,
            choices: device.upload("choices", &packed.choices, storage)?,
            parts: device.upload("transitions", &packed.parts, storage)?,
            blocks: device.upload("coordinates", &draws.blocks, storage)?,
            targets: device.upload("rows of the coordinates", &draws.targets, storage)?,
            heads: device.upload("laws", &draws.heads, storage)?,
            segments: device.upload("lines of the laws' tables", &draws.segments, storage)?,
            cells: device.upload("indices of the laws' tables", &draws.cells, storage)?,
            leaves: device.upload("the laws that goals follow", &draws.leaves, storage)?,
            conditions: device.upload("their components", &draws.conditions, storage)?,
            places: device.upload("places", &draws.places, storage)?,
            settled: device.upload("rewards of the places", &draws.settled, storage)?,
            numbers: device.upload("given goals", &draws.numbers, storage)?,
            bundles: device.upload("bundles of sums", &draws.bundles, storage)?,
            summed: device.upload("rewards that are sums", &draws.summed, storage)?,
            addends: device.upload("draws that are added up", &draws.addends, storage)?,
            factors: device.upload("their weights", &draws.factors, storage)?,
            n_latents: draws.n_latents,
            stays: device.upload("self-loops", &own, storage)?,
        })
    }

    /// A half-width from its integer.
    pub(super) fn half_width(&self, units: i64) -> f64 {
        units as f64 * (self.binade / HALF_WIDTH_UNITS)
    }
}

fn constants(
    (problem, model): (&CellProblem, &SweepModel),
    (scale, allowance): (Scale, Allowance),
    tolerance: f64,
) -> layout::Cell {
    let discount = problem.discount;
    let complement = discount.complement();
    let [key_low, key_high] = rng::key(problem.seed);
    // Rounded down: a half-width that meets it meets the tolerance.
    let tolerance = (tolerance / scale.binade * HALF_WIDTH_UNITS)
        .floor()
        .clamp(0.0, 2_147_483_647.0);
    layout::Cell {
        n_states: model.states().len() as u32,
        n_rewards: 0,
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
        reward_error: allowance.reward_error as f32,
        middle_share: match model.domain() {
            RewardDomain::State => 1.0,
            RewardDomain::Choice => discount.used_f32(),
        },
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

/// Per row of rewards: whether whoever has the reward can have it for ever, surely staying where it is.
pub(super) fn stays(model: &SweepModel) -> Vec<bool> {
    let sure = |c: &SweepChoice| c.stay == 1.0;
    match model.domain() {
        RewardDomain::Choice => model.choices().iter().map(sure).collect(),
        RewardDomain::State => {
            let states = model.states().iter();
            let choices =
                states.map(|s| &model.choices()[s.choice_first as usize..s.choice_end as usize]);
            choices.map(|own| own.iter().any(sure)).collect()
        }
    }
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
