//! Rewards that are weighted sums of draws, put side by side: what shaders/reward/latent.wgsl and shaders/reward/sum.wgsl read.

use super::draws::Draws;
use super::layout::{Bundle, KIND_SUMMED, Leaf, NOWHERE, Summed};
use super::leaves::{LeafKind, Make};
use super::pace::MAX_ITERATIONS;
use super::sums::{Latent, Row, Weighted};
use crate::reward::Linear;

/// Rewards that are added up side by side.
const BESIDE: usize = 4;

/// Most steps that a reward may be off. It is more where rewards are so far from zero for their range, two to four times that, that the definition's last rounding takes
/// several steps: such goals are drawn on the host, rounded as they are.
const MOST_STEPS: f64 = 3.0;

impl Draws {
    /// Adds a leaf whose rewards are sums; `None` where the host has to draw.
    pub(super) fn push_linear(
        &mut self,
        linear: &Linear,
        leaf: Leaf,
        make: &Make<'_>,
    ) -> Option<()> {
        let latents: Vec<Latent> = linear.laws.iter().map(Latent::of).collect();
        let latent = |j: u32| &latents[linear.latent[j as usize].1 as usize];
        let unit = 2f64.powi(make.cover.exponent());
        let rows = make.own_rows().map(|(row, reward)| {
            let weighted = Weighted::new(linear, reward, &latents, make.cover);
            weighted.row(make.target(row), latent, unit)
        });
        let mut rows = rows.collect::<Option<Vec<Row>>>()?;
        let error = rows.iter().fold(0.0, |most, row| f64::max(most, row.error));
        // The draws that there are terms of, and their new numbers.
        let mut numbers = vec![NOWHERE; linear.latent.len()];
        for j in rows.iter().flat_map(Row::draws) {
            numbers[j as usize] = 0;
        }
        let mut used = Vec::new();
        for (j, number) in numbers.iter_mut().enumerate() {
            if *number != NOWHERE {
                *number = used.len() as u32;
                used.push(j);
            }
        }
        let most = make.room.latents.min(MAX_ITERATIONS);
        if error > MOST_STEPS || used.len() as u64 > most {
            return None;
        }
        for (j, _) in rows.iter_mut().flat_map(|row| &mut row.terms) {
            *j = numbers[*j as usize];
        }
        let first_law = self.heads.len() as u32;
        for (law, latent) in linear.laws.iter().zip(&latents) {
            self.push_law(law, latent.ruler());
        }
        let wanted = used.iter().enumerate().map(|(number, &j)| {
            let (coordinate, law) = linear.latent[j];
            (number as u32, coordinate, first_law + law)
        });
        let blocks = self.deal(wanted);
        let first_bundle = self.bundles.len() as u32;
        self.push_bundles(rows, used.len());
        if 4 * self.factors.len() as u64 > make.room.numbers {
            return None;
        }
        self.n_latents = self.n_latents.max(used.len() as u32);
        self.error = self.error.max(error);
        let leaf = Leaf {
            kind: KIND_SUMMED,
            n_latents: used.len() as u32,
            ..leaf
        };
        let bundles = first_bundle..self.bundles.len() as u32;
        self.push_leaf(leaf, LeafKind::Summed { blocks, bundles });
        Some(())
    }

    /// Puts rows side by side that have many of their draws in common: those with as many terms, and of these those with the same.
    fn push_bundles(&mut self, mut rows: Vec<Row>, n_latents: usize) {
        rows.sort_by(|a, b| {
            let by_number = a.terms.len().cmp(&b.terms.len());
            by_number.then_with(|| a.draws().cmp(b.draws()))
        });
        let mut weights = vec![[0; BESIDE]; n_latents];
        for (number, beside) in rows.chunks(BESIDE).enumerate() {
            let mut draws: Vec<u32> = beside.iter().flat_map(Row::draws).collect();
            draws.sort_unstable();
            draws.dedup();
            for (at, row) in beside.iter().enumerate() {
                for &(j, weight) in &row.terms {
                    weights[j as usize][at] = weight;
                }
            }
            let first = self.addends.len() as u32;
            for &j in &draws {
                self.factors.push(std::mem::take(&mut weights[j as usize]));
            }
            self.addends.extend(draws);
            self.bundles.push(Bundle {
                first,
                end: self.addends.len() as u32,
                latents: if number == 0 { n_latents as u32 } else { 0 },
            });
            let none = Summed {
                row: NOWHERE,
                shift: 1,
                ..Summed::default()
            };
            let padded = beside.iter().map(|row| row.summed);
            let padded = padded.chain(std::iter::repeat(none)).take(BESIDE);
            self.summed.extend(padded);
        }
    }
}
