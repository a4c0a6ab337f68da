//! Rows that hold most states, packed for the tiled product of shaders/solve/product.wgsl.

use super::device::Device;
use super::layout::RowBlock;
use super::pace::Iterations;
use crate::plan::{KernelClass, Plan, SweepModel};
use crate::solve::SolveError;

/// Rows of a block.
const ROWS: usize = 64;

/// States that are staged at a time, and terms that are added up before they join a sum.
pub(super) const DEPTH: usize = 32;

/// Memory that a workgroup shares: what is staged, and two counts. wgpu does not hold it against the adapter's limit.
const WORKGROUP_BYTES: u32 = 2 * (DEPTH * ROWS * size_of::<f32>()) as u32 + 8;

/// Loop iterations that one of the product's is worth: eight times as many multiply-adds, and two invocations for a goal.
const WORTH: u64 = 16;

/// Whether the rows of an MDP are multiplied whole: where most of them are full, those of a state fit into a block, and the matrix into a binding.
pub(super) fn suits(model: &SweepModel, limits: &wgpu::Limits) -> bool {
    let room = limits.max_compute_workgroup_storage_size;
    if model.class() != KernelClass::Dense || room < WORKGROUP_BYTES {
        return false;
    }
    let blocks = blocks(model);
    let bytes = blocks.len() * padded(model) * ROWS * size_of::<f32>();
    let binding = limits.max_storage_buffer_binding_size;
    blocks.iter().all(|b| choices_of(model, b) <= ROWS)
        && bytes as u64 <= binding.min(limits.max_buffer_size)
        && blocks.len() <= limits.max_compute_workgroups_per_dimension as usize
}

/// States that are multiplied, those that are not there included.
fn padded(model: &SweepModel) -> usize {
    model.states().len().next_multiple_of(DEPTH)
}

/// Whole states, as many to a block as have room.
fn blocks(model: &SweepModel) -> Vec<RowBlock> {
    let mut blocks: Vec<RowBlock> = Vec::new();
    for (row, state) in (0..).zip(model.states()) {
        match blocks.last_mut() {
            Some(last) if (state.choice_end - last.first_choice) as usize <= ROWS => {
                last.end_state = row + 1;
            }
            _ => blocks.push(RowBlock {
                first_state: row,
                end_state: row + 1,
                first_choice: state.choice_first,
            }),
        }
    }
    blocks
}

fn choices_of(model: &SweepModel, block: &RowBlock) -> usize {
    let end = model.states()[block.end_state as usize - 1].choice_end;
    (end - block.first_choice) as usize
}

/// gamma T, `[block][state, a multiple of DEPTH][row of the block]`.
fn matrix(plan: &Plan, blocks: &[RowBlock]) -> Vec<f32> {
    let (model, discount) = (plan.model(), plan.discount().used());
    let depth = padded(model);
    let mut matrix = vec![0.0; blocks.len() * depth * ROWS];
    let mut row_of = vec![0.0; depth];
    for (block, part) in blocks.iter().zip(matrix.chunks_exact_mut(depth * ROWS)) {
        for row in block.first_state..block.end_state {
            let state = model.states()[row as usize];
            for number in state.choice_first..state.choice_end {
                let choice = model.choices()[number as usize];
                row_of.fill(0.0);
                row_of[row as usize] = choice.stay;
                for (first, end) in [
                    (state.common_first, state.common_end),
                    (choice.first, choice.end),
                ] {
                    for term in &model.parts()[first as usize..end as usize] {
                        row_of[term.position as usize] += term.probability;
                    }
                }
                let at = (number - block.first_choice) as usize;
                for (column, probability) in part.chunks_exact_mut(ROWS).zip(&row_of) {
                    column[at] = (discount * probability) as f32;
                }
            }
        }
    }
    matrix
}

/// The rows on the device.
#[derive(Debug)]
pub(super) struct Product {
    /// Visits are blocks.
    pub(super) iterations: Iterations,
    row_blocks: wgpu::Buffer,
    first_choices: wgpu::Buffer,
    matrix: wgpu::Buffer,
}

impl Product {
    pub(super) fn upload(device: &Device, plan: &Plan) -> Result<Self, SolveError> {
        let model = plan.model();
        let blocks = blocks(model);
        let storage = wgpu::BufferUsages::STORAGE;
        let end = model.choices().len() as u32;
        let firsts = model.states().iter().map(|s| s.choice_first);
        let firsts: Vec<u32> = firsts.chain([end]).collect();
        let largest = WORTH * padded(model) as u64;
        Ok(Self {
            iterations: Iterations {
                visits: blocks.len() as u32,
                per_pass: blocks.len() as u64 * largest,
                largest,
            },
            row_blocks: device.upload("blocks of rows", &blocks, storage)?,
            first_choices: device.upload("first choices", &firsts, storage)?,
            matrix: device.upload("rows of all states", &matrix(plan, &blocks), storage)?,
        })
    }

    /// Its buffers by the names that the shader gives them.
    pub(super) fn named(&self) -> [(&'static str, &wgpu::Buffer); 3] {
        [
            ("row_blocks", &self.row_blocks),
            ("first_choices", &self.first_choices),
            ("matrix", &self.matrix),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::families::{Dense, Family};
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::units::Discount;

    fn full(states: u64, choices: u64) -> Mdp {
        let family = Family::Dense(Dense { states, choices });
        family.generate(1).unwrap()
    }

    fn plan(mdp: &Mdp) -> Plan {
        Plan::draw(mdp, Discount::new(0.9).unwrap())
    }

    #[test]
    fn rows_are_packed_by_whole_states() {
        for (states, choices) in [(16, 1), (33, 5), (65, 3)] {
            let mdp = full(states, choices);
            let plan = plan(&mdp);
            let model = plan.model();
            let blocks = blocks(model);
            let (matrix, depth) = (matrix(&plan, &blocks), padded(model));
            assert_eq!(matrix.len(), blocks.len() * depth * ROWS);
            let mut next = 0;
            let mut entries = 0;
            for (number, block) in blocks.iter().enumerate() {
                assert!(block.first_state == next && choices_of(model, block) <= ROWS);
                next = block.end_state;
                for row in block.first_state..block.end_state {
                    let state = model.states()[row as usize];
                    for choice in mdp.choices(state.state) {
                        let at = (model.merged_choice(choice) - block.first_choice) as usize;
                        let (to, p) = mdp.row(choice);
                        for (to, p) in to.iter().zip(p) {
                            let column = model.position(crate::units::StateId(*to)) as usize;
                            let found = matrix[(number * depth + column) * ROWS + at];
                            // The common part and the rest are added up before they are rounded.
                            let exact = plan.discount().used() * p;
                            assert!((f64::from(found) - exact).abs() <= 2f64.powi(-24) * p);
                            entries += 1;
                        }
                    }
                }
            }
            assert_eq!(u64::from(next), states);
            // Whatever else there is in it is zero.
            assert_eq!(matrix.iter().filter(|x| **x != 0.0).count(), entries);
        }
    }

    #[test]
    fn adapters_and_mdps_that_do_not_fit_are_left_to_other_kernels() {
        let mdp = full(40, 3);
        let plan = plan(&mdp);
        let limits = wgpu::Limits {
            max_compute_workgroup_storage_size: WORKGROUP_BYTES,
            ..wgpu::Limits::defaults()
        };
        assert!(suits(plan.model(), &limits));
        let little = wgpu::Limits {
            max_compute_workgroup_storage_size: WORKGROUP_BYTES - 1,
            ..limits.clone()
        };
        let short = wgpu::Limits {
            max_storage_buffer_binding_size: 64 * 2 * 64 * 4 - 1,
            ..limits.clone()
        };
        let few = wgpu::Limits {
            max_compute_workgroups_per_dimension: 1,
            ..limits.clone()
        };
        for limits in [little, short, few] {
            assert!(!suits(plan.model(), &limits));
        }
        // More choices than a block has rows.
        let mut b = MdpBuilder::new("many choices");
        let states: Vec<_> = (0..16).map(|i| b.state(format!("s{i}"))).collect();
        for (i, &s) in states.iter().enumerate() {
            for a in 0..if i == 3 { 65 } else { 1 } {
                let weight = |t: usize| ((t * 7 + a * 5 + i * 3) % 67 + 1) as f64;
                let total: f64 = (0..16).map(weight).sum();
                let row = states.iter().enumerate();
                b.choice(
                    s,
                    format!("a{a}"),
                    row.map(|(t, &to)| (to, weight(t) / total)),
                );
            }
        }
        let many = self::plan(&b.build().unwrap());
        assert!(many.model().class() == KernelClass::Dense && !suits(many.model(), &limits));
    }
}
