//! A policy at work: when does the chain that it makes of an MDP first hit a target?
//!
//! The first hit happens at time `t` in a state (`tau = t` on arrival) or with a choice (when it is taken). Chances of hitting at all
//! solve an undiscounted linear system, which has one solution once the states that never hit are taken out.

use nalgebra::{DMatrix, DVector};

use super::factors::Factors;

/// Chains up to this size are solved by dense decompositions where sweeps do not get there soon.
const DENSE: usize = 400;
/// Sweeps before that.
const FEW_SWEEPS: u32 = 64;
/// Sweeps of chains too large for a decomposition.
const MANY_SWEEPS: u32 = 20_000;
/// Width at which both bounds of a chance are the same number: a few roundings.
const SHARP: f64 = 1e-13;

/// A Markov chain with a chance of hitting the target in every state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chain {
    /// Per state: the chance of a hit now.
    pub(super) hit: Vec<f64>,
    /// Per state: where the row of the moves without a hit ends.
    ends: Vec<u32>,
    /// Successors and probabilities. With the chance of a hit they sum to one.
    moves: Vec<(u32, f64)>,
    /// Per state: its turn when states are put into each other, where an order is known that keeps equations sparse.
    ranks: Option<Vec<u32>>,
}

/// The equations of first hits, discounted by gamma.
#[derive(Clone, Debug)]
pub(super) struct Equations<'a> {
    chain: &'a Chain,
    gamma: f64,
    /// States from which a hit is possible, ascending.
    hopeful: Vec<usize>,
    factors: Option<Factors>,
}

impl Chain {
    /// Adds a move from the state that is being described.
    pub(super) fn push_move(&mut self, to: u32, probability: f64) {
        self.moves.push((to, probability));
    }

    /// Ends the description of a state.
    pub(super) fn push_state(&mut self, hit: f64) {
        self.hit.push(hit);
        self.ends.push(self.moves.len() as u32);
    }

    /// The same chain, with an order in which states are put into each other.
    pub(super) fn in_order(self, ranks: Option<Vec<u32>>) -> Self {
        Self { ranks, ..self }
    }

    /// The equations of first hits, with gamma in (0, 1].
    pub(super) fn equations(&self, gamma: f64) -> Equations<'_> {
        Equations::new(self, gamma, self.hopeful())
    }

    /// Number of moves of all states.
    pub(super) fn n_moves(&self) -> usize {
        self.moves.len()
    }

    pub(super) fn len(&self) -> usize {
        self.hit.len()
    }

    pub(super) fn row(&self, state: usize) -> &[(u32, f64)] {
        let first = if state == 0 { 0 } else { self.ends[state - 1] };
        &self.moves[first as usize..self.ends[state] as usize]
    }

    /// States from which a hit is possible, ascending.
    pub(super) fn hopeful(&self) -> Vec<usize> {
        let n = self.len();
        // Predecessors of all states, those of one after those of the one before.
        let mut ends = vec![0_u32; n + 1];
        self.moves
            .iter()
            .for_each(|(to, _)| ends[*to as usize + 1] += 1);
        (0..n).for_each(|s| ends[s + 1] += ends[s]);
        let mut before = vec![0_u32; self.moves.len()];
        let mut next = ends.clone();
        for s in 0..n {
            for &(to, _) in self.row(s) {
                let at = &mut next[to as usize];
                before[*at as usize] = s as u32;
                *at += 1;
            }
        }
        let mut seen: Vec<bool> = self.hit.iter().map(|h| *h > 0.0).collect();
        let mut stack: Vec<usize> = (0..n).filter(|&s| seen[s]).collect();
        while let Some(s) = stack.pop() {
            for &from in &before[ends[s] as usize..ends[s + 1] as usize] {
                if !std::mem::replace(&mut seen[from as usize], true) {
                    stack.push(from as usize);
                }
            }
        }
        (0..n).filter(|&s| seen[s]).collect()
    }

    /// Chance of a hit within `steps` steps, per state.
    pub(super) fn within(&self, steps: u64) -> Vec<f64> {
        let mut chance = self.hit.clone();
        for _ in 0..steps {
            let step = |s: usize| {
                let later = self.row(s).iter().map(|&(to, p)| p * chance[to as usize]);
                self.hit[s] + later.sum::<f64>()
            };
            let next: Vec<f64> = (0..self.len()).map(step).collect();
            if next == chance {
                break;
            }
            chance = next;
        }
        chance
    }

    /// `E gamma^tau` with gamma in (0, 1], 0 where there is no hit: the chance of a hit at all for gamma = 1. Per state, as (least, most).
    pub(super) fn discounted(&self, gamma: f64) -> Vec<[f64; 2]> {
        self.equations(gamma).discounted()
    }

    /// Expected discounted visits of every state of a chain without hits, from a start distribution, and the visits that are missing over
    /// all states together: all add up to 1/(1 - gamma).
    pub(super) fn visits(
        &self,
        start: &[(u32, f64)],
        gamma: f64,
        complement: f64,
    ) -> (Vec<f64>, f64) {
        let n = self.len();
        let mut begin = vec![0.0; n];
        for &(s, p) in start {
            begin[s as usize] += p;
        }
        if let Some(visits) = self.visits_by_factors(&begin, gamma) {
            return (visits, 0.0);
        }
        let mut before: Vec<Vec<(u32, f64)>> = vec![Vec::new(); n];
        let mut stay = vec![0.0; n];
        for (s, stay) in stay.iter_mut().enumerate() {
            for &(to, p) in self.row(s) {
                match to as usize == s {
                    true => *stay += p,
                    false => before[to as usize].push((s as u32, p)),
                }
            }
        }
        let mut visits = vec![0.0; n];
        let whole: f64 = begin.iter().sum::<f64>() / complement;
        let mut missing = whole;
        let small = n <= DENSE;
        for _ in 0..if small { FEW_SWEEPS } else { MANY_SWEEPS } {
            for s in 0..n {
                let terms = before[s].iter();
                let in_flow: f64 = terms.map(|&(from, p)| p * visits[from as usize]).sum();
                visits[s] = (begin[s] + gamma * in_flow) / (1.0 - gamma * stay[s]);
            }
            missing = whole - visits.iter().sum::<f64>();
            if missing <= SHARP * whole * n as f64 {
                return (visits, 0.0);
            }
        }
        if small {
            let mut matrix = DMatrix::<f64>::identity(n, n);
            for s in 0..n {
                for &(to, p) in self.row(s) {
                    matrix[(to as usize, s)] -= gamma * p;
                }
            }
            if let Some(solved) = matrix.lu().solve(&DVector::from_column_slice(&begin)) {
                return (solved.as_slice().to_vec(), 0.0);
            }
        }
        (visits, missing.max(0.0))
    }

    /// The visits of every state, where the bounds on what they are off by come to nothing next to all visits together.
    fn visits_by_factors(&self, begin: &[f64], gamma: f64) -> Option<Vec<f64>> {
        let states: Vec<usize> = (0..self.len()).collect();
        let factors = Factors::of(self, gamma, &states, self.ranks.as_ref()?)?;
        let bounds = factors.solve_transposed(begin)?;
        let (width, all) = bounds.iter().fold((0.0, 0.0), |(width, all), [low, high]| {
            (width + (high - low), all + high)
        });
        let middles = bounds.iter().map(|[low, high]| f64::midpoint(*low, *high));
        (width <= SHARP * all * self.len() as f64).then(|| middles.collect())
    }

    /// Solves `(I - gamma P) x = right` on some of the states, for numbers that are not negative.
    ///
    /// States are eliminated one by one, and what a diagonal misses of one is never found by subtraction, but as the sum of everything that
    /// leaves the state: all terms are positive, and every x is right to a few hundred roundings however long the chain stays where it
    /// is. Source: Grassmann, Taksar & Heyman 1985.
    fn solve(&self, gamma: f64, states: &[usize], right: impl Iterator<Item = f64>) -> Vec<f64> {
        let n = states.len();
        let mut local = vec![usize::MAX; self.len()];
        for (at, &s) in states.iter().enumerate() {
            local[s] = at;
        }
        let mut moves = vec![0.0; n * n];
        // What leaves the states for good.
        let mut leaves = vec![0.0; n];
        for (at, &s) in states.iter().enumerate() {
            leaves[at] = self.hit[s];
            for &(to, p) in self.row(s) {
                match local[to as usize] {
                    usize::MAX => leaves[at] += p,
                    to => {
                        moves[at * n + to] += gamma * p;
                        leaves[at] += (1.0 - gamma) * p;
                    }
                }
            }
        }
        let mut right: Vec<f64> = right.collect();
        let mut leaving = vec![0.0; n];
        for k in (0..n).rev() {
            let (before, row) = moves.split_at_mut(k * n);
            let row = &row[..k];
            leaving[k] = row.iter().sum::<f64>() + leaves[k];
            for i in 0..k {
                let share = before[i * n + k] / leaving[k];
                if share > 0.0 {
                    let of_i = &mut before[i * n..i * n + k];
                    of_i.iter_mut().zip(row).for_each(|(x, y)| *x += share * y);
                    // To itself: no move.
                    of_i[i] = 0.0;
                    leaves[i] += share * leaves[k];
                    right[i] += share * right[k];
                }
            }
        }
        for k in 0..n {
            let earlier = moves[k * n..k * n + k].iter().zip(&right);
            let sum: f64 = earlier.map(|(p, x)| p * x).sum();
            right[k] = (right[k] + sum) / leaving[k];
        }
        right
    }
}

impl<'a> Equations<'a> {
    fn new(chain: &'a Chain, gamma: f64, hopeful: Vec<usize>) -> Self {
        let ranks = chain.ranks.as_ref();
        Self {
            factors: ranks.and_then(|ranks| Factors::of(chain, gamma, &hopeful, ranks)),
            chain,
            gamma,
            hopeful,
        }
    }

    /// The same with another gamma.
    pub(super) fn with(&self, gamma: f64) -> Self {
        Self::new(self.chain, gamma, self.hopeful.clone())
    }

    /// `E gamma^tau`, 0 where there is no hit: the chance of a hit at all for gamma = 1. Per state, as (least, most).
    pub(super) fn discounted(&self) -> Vec<[f64; 2]> {
        let Self {
            chain,
            gamma,
            hopeful,
            factors,
        } = self;
        if let Some(bounds) = factors
            .as_ref()
            .and_then(|f| f.solve(&chain.hit, &vec![0.0; chain.len()]))
        {
            let clamped = bounds.into_iter().map(|ends| ends.map(|end| end.min(1.0)));
            return clamped.collect();
        }
        let mut bounds = vec![[0.0; 2]; chain.len()];
        for &s in hopeful {
            bounds[s] = [0.0, 1.0];
        }
        let small = hopeful.len() <= DENSE;
        for _ in 0..if small { FEW_SWEEPS } else { MANY_SWEEPS } {
            let mut widest = 0.0_f64;
            for &s in hopeful.iter().rev() {
                let (mut later, mut stay) = ([0.0; 2], 0.0);
                for &(to, p) in chain.row(s) {
                    if to as usize == s {
                        stay += p;
                    } else {
                        let [low, high] = bounds[to as usize];
                        later[0] += p * low;
                        later[1] += p * high;
                    }
                }
                let solve = |x: f64| ((chain.hit[s] + gamma * x) / (1.0 - gamma * stay)).min(1.0);
                bounds[s] = later.map(solve);
                widest = widest.max(bounds[s][1] - bounds[s][0]);
            }
            if widest <= SHARP {
                return bounds;
            }
        }
        if small {
            let right = hopeful.iter().map(|&s| chain.hit[s]);
            let solved = chain.solve(*gamma, hopeful, right);
            for (&s, x) in hopeful.iter().zip(&solved) {
                bounds[s] = [x.clamp(0.0, 1.0); 2];
            }
        }
        bounds
    }

    /// `E[tau; tau < inf]` per state, as (least, most), given the chances of a hit at all; gamma is 1.
    pub(super) fn time(&self, ever: &[[f64; 2]]) -> Vec<[f64; 2]> {
        let Self {
            chain,
            hopeful,
            factors,
            ..
        } = self;
        // One step for every hit that is still to come.
        let step = |s: usize, of: &dyn Fn(&[f64; 2]) -> f64| -> f64 {
            let later = chain.row(s).iter();
            later.map(|&(to, p)| p * of(&ever[to as usize])).sum()
        };
        if let Some(factors) = factors {
            let each = |of: &dyn Fn(&[f64; 2]) -> f64| -> Vec<f64> {
                (0..chain.len()).map(|s| step(s, of)).collect()
            };
            let steps = each(&|[low, high]| f64::midpoint(*low, *high));
            // Half the width of each term, and what products and sums of so many are rounded by.
            let units = (0..chain.len())
                .map(|s| chain.row(s).len())
                .max()
                .unwrap_or(0) as f64
                + 2.0;
            let open = each(&|[low, high]| (high - low) / 2.0 + units * f64::EPSILON * high);
            if let Some(bounds) = factors.solve(&steps, &open) {
                return bounds;
            }
        }
        let steps = hopeful
            .iter()
            .map(|&s| step(s, &|[low, high]| f64::midpoint(*low, *high)));
        self.summed(&steps.collect::<Vec<_>>())
    }

    /// The sum of what every state pays until a hit is over, given what each of the hopeful ones does, in their order and never less than nothing; gamma is 1. Per state, as
    /// (least, most), of chains that are hit for certain.
    pub(super) fn summed(&self, pays: &[f64]) -> Vec<[f64; 2]> {
        let Self { chain, hopeful, .. } = self;
        let mut bounds = vec![[0.0; 2]; chain.len()];
        let small = hopeful.len() <= DENSE;
        let mut share = 0.0_f64;
        for _ in 0..if small { FEW_SWEEPS } else { MANY_SWEEPS } {
            share = 0.0;
            for (&s, now) in hopeful.iter().zip(pays).rev() {
                let (mut later, mut stay) = (*now, 0.0);
                for &(to, p) in chain.row(s) {
                    if to as usize == s {
                        stay += p;
                    } else {
                        later += p * bounds[to as usize][0];
                    }
                }
                let next = later / (1.0 - stay);
                // Where a sweep adds at most this share of a state's own part c, what is still missing is at most
                // (I - P)^-1 P c times it, which is at most that share of the sum itself, (I - P)^-1 c.
                share = share.max((next - bounds[s][0]) / now.max(f64::MIN_POSITIVE));
                bounds[s] = [next; 2];
            }
            if share <= SHARP {
                return bounds;
            }
        }
        if small {
            let solved = chain.solve(1.0, hopeful, pays.iter().copied());
            for (&s, x) in hopeful.iter().zip(&solved) {
                bounds[s] = [*x; 2];
            }
            return bounds;
        }
        for bound in &mut bounds {
            bound[1] = match share < 1.0 {
                true => bound[0] / (1.0 - share),
                false => f64::INFINITY,
            };
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gambler between ruin (a hit) and wealth (none): `p` up, `1 - p` down.
    fn gambler(n: usize, p: f64) -> Chain {
        let mut chain = Chain::default();
        for s in 0..n {
            if s == n - 1 {
                chain.push_move(s as u32, 1.0);
                chain.push_state(0.0);
                continue;
            }
            chain.push_move(s as u32 + 1, p);
            let ruin = if s == 0 { 1.0 - p } else { 0.0 };
            if s > 0 {
                chain.push_move(s as u32 - 1, 1.0 - p);
            }
            chain.push_state(ruin);
        }
        chain
    }

    #[test]
    fn a_gambler_s_ruin_is_the_textbook_s() {
        // From capital k of N = n: ((q/p)^k - (q/p)^N) / (1 - (q/p)^N), Feller I, XIV.2, with k = s + 1.
        for (n, p) in [(10, 0.5), (10, 0.45), (300, 0.6), (500, 0.6)] {
            let plain = gambler(n, p);
            let order = |step: u32| Some((0..n as u32).map(|s| s * step % 10_007).collect());
            let swept = [None, order(1), order(10_006), order(77)];
            let ever = swept.map(|ranks| plain.clone().in_order(ranks).discounted(1.0));
            for (s, &[low, high]) in ever.iter().flat_map(|ever| ever.iter().enumerate()) {
                let (k, top) = (s as i32 + 1, n as i32);
                let exact = match p == 0.5 {
                    true => 1.0 - f64::from(k) / f64::from(top),
                    false => {
                        let ratio: f64 = (1.0 - p) / p;
                        (ratio.powi(k) - ratio.powi(top)) / (1.0 - ratio.powi(top))
                    }
                };
                assert!(
                    low - 1e-12 <= exact && exact <= high + 1e-12,
                    "{s}: {exact}"
                );
                assert!(high - low < 1e-12);
                assert!(
                    (low - exact * 1.01).abs() > 1e-12 || exact < 1e-9,
                    "it can fail"
                );
            }
        }
    }

    #[test]
    fn a_chain_that_hardly_ever_leaves_still_hits_for_certain() {
        // Two states that keep each other but once in 1e20 steps; then it is a hit or, with twice the chance, none. Subtraction from 1
        // would find no way out at all.
        for (hit, miss) in [(1e-20, 0.0), (1e-20, 2e-20)] {
            let mut chain = Chain::default();
            chain.push_move(1, 1.0);
            chain.push_state(0.0);
            chain.push_move(0, 1.0);
            chain.push_move(2, miss);
            chain.push_state(hit);
            chain.push_move(2, 1.0);
            chain.push_state(0.0);
            let exact = hit / (hit + miss);
            let [low, high] = chain.discounted(1.0)[0];
            assert!((low - exact).abs() < 1e-14 && low == high, "{low} {exact}");
            let in_order = chain.in_order(Some(vec![0, 1, 2]));
            let [low, high] = in_order.discounted(1.0)[0];
            assert!(
                low <= exact && exact <= high && high - low < 1e-14,
                "{low} {high}"
            );
        }
    }

    #[test]
    fn times_are_those_of_simple_chains() {
        // Waiting for a coin: E tau = q/p; with a second state that never hits, given a hit it is the same.
        let mut chain = Chain::default();
        chain.push_move(0, 0.6);
        chain.push_move(1, 0.1);
        chain.push_state(0.3);
        chain.push_move(1, 1.0);
        chain.push_state(0.0);
        let ever = chain.discounted(1.0);
        assert!((ever[0][0] - 0.75).abs() < 1e-13 && ever[1] == [0.0; 2]);
        // Sum over t of t * 0.3 * 0.6^t.
        let exact = 0.3 * 0.6 / (0.4 * 0.4);
        for order in [None, Some(vec![0, 1]), Some(vec![1, 0])] {
            let time = chain.clone().in_order(order).equations(1.0).time(&ever)[0];
            assert!(time.iter().all(|end| (end - exact).abs() < 1e-12));
        }
        let discounted = chain.discounted(0.9)[0];
        assert!((discounted[0] - 0.3 / (1.0 - 0.54)).abs() < 1e-13);
        let within = chain.within(2)[0];
        assert!((within - 0.3 * (1.0 + 0.6 + 0.36)).abs() < 1e-15);
        // A chain of which sweeps never see the end: the decomposition does.
        let walk = gambler(200, 0.5);
        let ever = walk.discounted(1.0);
        let time = walk.equations(1.0).time(&ever);
        // Feller I, XIV.3: given ruin from k of N, E steps = k (2N - k) / 3; tau is one less here, where the hit is a move.
        let (k, n) = (50.0, 200.0);
        let exact = k * (2.0 * n - k) / 3.0 - 1.0;
        assert!(
            (time[49][0] / ever[49][0] - exact).abs() < 1e-6,
            "{}",
            time[49][0] / ever[49][0]
        );
        // In order: the exact number lies within bounds that say so much more sharply.
        let walk = walk.in_order(Some((0..200).collect()));
        let [[e_low, e_high], [low, high]] =
            [walk.discounted(1.0), walk.equations(1.0).time(&ever)].map(|x| x[49]);
        assert!(low <= exact * e_high && exact * e_low <= high);
        assert!(high - low < 1e-8 * exact, "{low} {high}");
    }

    #[test]
    fn visits_in_order_are_those_of_sweeps() {
        let plain = gambler(60, 0.45);
        let mut endless = Chain::default();
        for s in 0..plain.len() {
            plain
                .row(s)
                .iter()
                .for_each(|&(to, p)| endless.push_move(to, p));
            // What was a hit leads to the end.
            if plain.hit[s] > 0.0 {
                endless.push_move(59, plain.hit[s]);
            }
            endless.push_state(0.0);
        }
        let start = [(20, 0.5), (40, 0.5)];
        let (swept, missing) = endless.visits(&start, 0.75, 0.25);
        let (found, none) = endless
            .clone()
            .in_order(Some((0..60).rev().collect()))
            .visits(&start, 0.75, 0.25);
        assert!(missing < 1e-9 && none == 0.0);
        let worst = swept.iter().zip(&found).map(|(a, b)| (a - b).abs());
        assert!(worst.fold(0.0, f64::max) < 1e-11);
        assert!(
            (found.iter().sum::<f64>() - 4.0).abs() < 1e-12 && found[20] > 0.5,
            "it can fail"
        );
    }
}
