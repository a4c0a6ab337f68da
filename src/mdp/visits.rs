//! Visit distributions: what the deterministic policies from a state are to a goal, and which of them some goal can like best.
//!
//! Source: Turner et al. 2021, definitions 3.3 and 3.6, lemma E.31.

use nalgebra::{DMatrix, DVector};

use super::Mdp;
use crate::units::{ChoiceId, StateId};

/// A discount at which no two visit distributions of a small MDP agree by accident, as two of figure 1 of the paper do at 1/2. Which are
/// non-dominated is the same at every discount.
const GENERIC_DISCOUNT: f64 = 0.618_034;
/// Visits closer than this are the same: far above the rounding of a dense solve, far below what different policies differ by.
pub(crate) const SAME: f64 = 1e-9;
/// Most policies from a state that are gone through here.
const MAX_POLICIES: usize = 1_000;
/// Most states that policies are decomposed on.
const MAX_STATES: usize = 128;
/// A goal that likes a distribution better than all others by this much shows that it is non-dominated.
const MARGIN: f64 = 1e-10;
/// Steps of the search for one.
const MAX_STEPS: usize = 10_000;

/// A policy from a state: the choice of every state it can lead to; `None` elsewhere.
pub(crate) type Partial = Vec<Option<ChoiceId>>;

/// How many visit distributions there are from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitDistributions {
    /// |F(s)|: of all deterministic policies, as functions of the discount.
    pub all: usize,
    /// |F_nd(s)|: those that are strictly best for some goal at some discount.
    pub non_dominated: usize,
}

impl VisitDistributions {
    /// Counts those of a state. `None` where there are more than 1,000 policies or 128 states, or where rounding leaves open which are non-dominated.
    ///
    /// A distribution is non-dominated where it is no mixture of the others, that is a corner of their convex hull: a goal that separates it is searched for as the shortest
    /// vector of the hull of differences (Wolfe 1976), which is zero where there is none.
    #[must_use]
    pub fn of(mdp: &Mdp, state: StateId) -> Option<Self> {
        if mdp.n_states() > MAX_STATES {
            return None;
        }
        let policies = partial_policies(mdp, state, MAX_POLICIES)?;
        let found = policies.iter().map(|policy| visits(mdp, policy, state));
        let distinct = distinct(found.collect::<Option<Vec<_>>>()?);
        let mut non_dominated = 0;
        for at in 0..distinct.len() {
            non_dominated += usize::from(is_corner(&distinct, at)?);
        }
        Some(Self {
            all: distinct.len(),
            non_dominated,
        })
    }
}

/// All deterministic policies from a state, each on the states it leads to, equal rows of a state taken once. `None` where there are more than
/// `most`.
pub(crate) fn partial_policies(mdp: &Mdp, from: StateId, most: usize) -> Option<Vec<Partial>> {
    let mut done = Vec::new();
    // Policies so far with the states that still need a choice.
    let mut open: Vec<(Partial, Vec<StateId>)> = vec![(vec![None; mdp.n_states()], vec![from])];
    while let Some((policy, mut waiting)) = open.pop() {
        let Some(state) = waiting.pop() else {
            done.push(policy);
            if done.len() > most {
                return None;
            }
            continue;
        };
        for choice in mdp.choices(state) {
            if representative(mdp, choice) != choice {
                continue;
            }
            let (mut next, mut needs) = (policy.clone(), waiting.clone());
            next[state.index()] = Some(choice);
            for &to in mdp.row(choice).0 {
                let to = StateId(to);
                if next[to.index()].is_none() && !needs.contains(&to) {
                    needs.push(to);
                }
            }
            open.push((next, needs));
        }
    }
    Some(done)
}

/// The first choice of the state with the same row.
pub(crate) fn representative(mdp: &Mdp, choice: ChoiceId) -> ChoiceId {
    let same = |other: &ChoiceId| mdp.row(*other) == mdp.row(choice);
    mdp.choices(mdp.state_of(choice))
        .find(same)
        .unwrap_or(choice)
}

/// Discounted visits of a policy, `[n_states]`; `None` where the system is singular to working precision.
fn visits(mdp: &Mdp, policy: &Partial, from: StateId) -> Option<Vec<f64>> {
    let n = mdp.n_states();
    let mut matrix = DMatrix::<f64>::identity(n, n);
    for (state, choice) in policy.iter().enumerate() {
        let Some(choice) = choice else { continue };
        let (to, p) = mdp.row(*choice);
        for (&t, p) in to.iter().zip(p) {
            matrix[(t as usize, state)] -= GENERIC_DISCOUNT * p;
        }
    }
    let start = DVector::from_fn(n, |i, _| f64::from(u8::from(i == from.index())));
    Some(matrix.lu().solve(&start)?.as_slice().to_vec())
}

/// One of each.
fn distinct(mut found: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    // Equal visits have equal sums with any weights: only neighbours in their order are compared.
    let key = |visits: &[f64]| -> f64 {
        let each = visits.iter().enumerate();
        each.map(|(i, v)| v * ((i as f64 + 1.0) * 0.754_877_666).fract())
            .sum()
    };
    found.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= SAME);
    let mut kept: Vec<Vec<f64>> = Vec::new();
    for visits in found {
        let reach = SAME * visits.len() as f64;
        let near = |known: &&Vec<f64>| (key(known) - key(&visits)).abs() <= reach;
        let mut before = kept.iter().rev().take_while(near);
        if !before.any(|known| same(known, &visits)) {
            kept.push(visits);
        }
    }
    kept
}

/// Whether a point is a corner of the hull of all. `None` where that is too close to tell.
fn is_corner(points: &[Vec<f64>], at: usize) -> Option<bool> {
    let others = (0..points.len()).filter(|i| *i != at);
    let differences: Vec<DVector<f64>> = others
        .map(|i| {
            let each = points[at].iter().zip(&points[i]);
            DVector::from_iterator(points[at].len(), each.map(|(a, b)| a - b))
        })
        .collect();
    if differences.is_empty() {
        return Some(true);
    }
    let separates = |goal: &DVector<f64>| {
        let size = goal.norm();
        size > 0.0 && differences.iter().all(|d| d.dot(goal) > MARGIN * size)
    };
    // Away from the middle of all: nearly always enough.
    let away = differences
        .iter()
        .fold(DVector::zeros(points[at].len()), |sum, d| sum + d);
    if separates(&away) {
        return Some(true);
    }
    let shortest = shortest(&differences)?;
    if separates(&shortest) {
        return Some(true);
    }
    (shortest.norm() <= MARGIN).then_some(false)
}

/// The shortest vector in the convex hull of some vectors, by Wolfe's algorithm. `None` where it does not come to an end.
fn shortest(vectors: &[DVector<f64>]) -> Option<DVector<f64>> {
    let norm = |v: &DVector<f64>| v.norm_squared();
    let first =
        (0..vectors.len()).min_by(|a, b| norm(&vectors[*a]).total_cmp(&norm(&vectors[*b])))?;
    let largest = vectors.iter().map(norm).fold(0.0, f64::max);
    let (mut corral, mut weights) = (vec![first], vec![1.0]);
    let mut here = vectors[first].clone();
    for _ in 0..MAX_STEPS {
        let along = |i: &usize| vectors[*i].dot(&here);
        let next = (0..vectors.len()).min_by(|a, b| along(a).total_cmp(&along(b)))?;
        if along(&next) > norm(&here) - f64::EPSILON * largest || corral.contains(&next) {
            return Some(here);
        }
        corral.push(next);
        weights.push(0.0);
        loop {
            let wanted = affine(vectors, &corral)?;
            if wanted.iter().all(|w| *w > f64::EPSILON) {
                weights = wanted;
                break;
            }
            // As far as the hull goes; who has nothing left leaves.
            let each = weights.iter().zip(&wanted);
            let steps = each.filter(|(_, w)| **w <= f64::EPSILON);
            let step = steps.map(|(v, w)| v / (v - w)).fold(1.0, f64::min);
            for (v, w) in weights.iter_mut().zip(&wanted) {
                *v += step * (w - *v);
            }
            let stays: Vec<bool> = weights.iter().map(|v| *v > f64::EPSILON).collect();
            if stays.iter().all(|stay| *stay) {
                return Some(here);
            }
            let mut keep = stays.iter();
            corral.retain(|_| *keep.next().unwrap_or(&true));
            let mut keep = stays.iter();
            weights.retain(|_| *keep.next().unwrap_or(&true));
        }
        let zero = DVector::zeros(here.len());
        let terms = corral.iter().zip(&weights);
        here = terms.fold(zero, |sum, (i, w)| sum + &vectors[*i] * *w);
    }
    None
}

/// Weights, which sum to one, of the shortest vector in the affine hull.
fn affine(vectors: &[DVector<f64>], corral: &[usize]) -> Option<Vec<f64>> {
    let n = corral.len();
    let mut matrix = DMatrix::<f64>::zeros(n + 1, n + 1);
    for i in 0..n {
        (matrix[(i, n)], matrix[(n, i)]) = (1.0, 1.0);
        for j in 0..n {
            matrix[(i, j)] = vectors[corral[i]].dot(&vectors[corral[j]]);
        }
    }
    let right = DVector::from_fn(n + 1, |i, _| f64::from(u8::from(i == n)));
    let solved = matrix.full_piv_lu().solve(&right)?;
    Some(solved.as_slice()[..n].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    fn counts(mdp: &Mdp, state: u32) -> (usize, usize) {
        let found = VisitDistributions::of(mdp, StateId(state)).unwrap();
        (found.all, found.non_dominated)
    }

    #[test]
    fn a_tree_has_one_for_every_leaf_and_each_is_somebody_s_best() {
        let mut b = MdpBuilder::new("tree");
        let s: Vec<_> = (0..7).map(|i| b.state(format!("s{i}"))).collect();
        for i in 0..3 {
            b.choice(s[i], "left", [(s[2 * i + 1], 1.0)]);
            b.choice(s[i], "right", [(s[2 * i + 2], 1.0)]);
        }
        s[3..].iter().for_each(|leaf| b.absorbing(*leaf));
        let mdp = b.build().unwrap();
        assert_eq!(counts(&mdp, 0), (4, 4));
        assert_eq!(counts(&mdp, 1), (2, 2));
        assert_eq!(counts(&mdp, 6), (1, 1));
    }

    #[test]
    fn a_mixture_of_two_ways_is_nobody_s_best() {
        let mut b = MdpBuilder::new("coin");
        let [s, x, y, z] = ["s", "x", "y", "z"].map(|name| b.state(name));
        b.choice(s, "x", [(x, 1.0)]);
        b.choice(s, "y", [(y, 1.0)]);
        b.choice(s, "toss", [(x, 0.25), (y, 0.75)]);
        b.choice(s, "toss again", [(x, 0.25), (y, 0.75)]);
        [x, y].iter().for_each(|end| b.absorbing(*end));
        b.choice(z, "stay or not", [(z, 0.5), (x, 0.5)]);
        let mdp = b.build().unwrap();
        assert_eq!(counts(&mdp, 0), (3, 2));
        // With a third end in it the toss is no mixture of the others.
        let mut b = MdpBuilder::new("die");
        let [s, x, y, z] = ["s", "x", "y", "z"].map(|name| b.state(name));
        b.choice(s, "x", [(x, 1.0)]);
        b.choice(s, "y", [(y, 1.0)]);
        b.choice(s, "toss", [(x, 0.25), (y, 0.5), (z, 0.25)]);
        [x, y, z].iter().for_each(|end| b.absorbing(*end));
        assert_eq!(counts(&b.build().unwrap(), 0), (3, 3));
    }
}
