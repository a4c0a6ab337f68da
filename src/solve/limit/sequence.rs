//! Two sequences of rewards that repeat themselves in the end, compared at all discounts near enough to 1, in integers.

use std::cmp::Ordering;

/// Walks along a graph in which every state has one successor.
pub(super) struct Walks<'a> {
    /// Successor of every state.
    pub(super) next: &'a [u32],
    /// Reward of every state, an integer.
    pub(super) reward: &'a [i128],
    /// Steps from a state to the cycle it ends in.
    pub(super) tail: &'a [u32],
    /// Length of that cycle.
    pub(super) period: &'a [u32],
}

impl Walks<'_> {
    /// Which of two states has the larger `sum gamma^t r_t` at all gamma close enough to 1. `Equal` only if the sequences are the same,
    /// term by term: two power series that agree on an interval do. `None` if the integers overflow.
    ///
    /// With d the difference of the sequences and p, q their periods, `D = N / ((1 - gamma^p)(1 - gamma^q))` for a polynomial N, whose
    /// sign near 1 is that of `N(1)`, else that of `N/(1 - gamma)` at 1, and so on.
    pub(super) fn compare(&self, x: u32, y: u32) -> Option<Ordering> {
        let (x, y) = (x as usize, y as usize);
        let (p, q) = (self.period[x] as usize, self.period[y] as usize);
        let settled = self.tail[x].max(self.tail[y]) as usize;
        let (mut a, mut b) = (x, y);
        let mut difference = Vec::with_capacity(settled + p + q);
        for _ in 0..settled + p + q {
            if a == b {
                // They have met: what follows is the same.
                return sign_near_one(difference);
            }
            difference.push(self.reward[a] - self.reward[b]);
            (a, b) = (self.next[a] as usize, self.next[b] as usize);
        }
        // Sequences of periods p and q that agree on p + q terms agree for ever.
        if difference.iter().all(|d| *d == 0) {
            return Some(Ordering::Equal);
        }
        let mut numerator = without_period(difference, p)?;
        if p != q {
            numerator = without_period(numerator, q)?;
        } else {
            numerator.truncate(settled + p);
        }
        sign_near_one(numerator)
    }
}

/// The coefficients of `(1 - gamma^p) f`, as many as f has.
fn without_period(mut f: Vec<i128>, p: usize) -> Option<Vec<i128>> {
    for t in (p..f.len()).rev() {
        f[t] = f[t].checked_sub(f[t - p])?;
    }
    Some(f)
}

/// The sign of a polynomial at all gamma below 1 and close enough to it.
fn sign_near_one(mut polynomial: Vec<i128>) -> Option<Ordering> {
    if polynomial.iter().all(|c| *c == 0) {
        return Some(Ordering::Equal);
    }
    loop {
        // The coefficients of the quotient by 1 - gamma are the sums of the first ones; the last of them is the value at 1.
        let mut sum = 0_i128;
        for c in &mut polynomial {
            sum = sum.checked_add(*c)?;
            *c = sum;
        }
        if sum != 0 {
            return Some(sum.cmp(&0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_have_their_sign_near_one() {
        let sign = |p: &[i128]| sign_near_one(p.to_vec()).unwrap();
        assert_eq!(sign(&[0, 0]), Ordering::Equal);
        assert_eq!(sign(&[1, -1]), Ordering::Greater);
        assert_eq!(sign(&[-1, 1]), Ordering::Less);
        // (1 - g)^2 and (1 - g)^3.
        assert_eq!(sign(&[1, -2, 1]), Ordering::Greater);
        assert_eq!(sign(&[1, -3, 3, -1]), Ordering::Greater);
        assert_eq!(sign(&[-1, 3, -3, 1]), Ordering::Less);
        assert_eq!(sign_near_one(vec![i128::MAX, 1]), None);
    }

    #[test]
    fn sequences_with_other_periods_can_be_equal() {
        // 0 -> 1 -> 0 and 2 -> 3 -> 4 -> 5 -> 2 with the same rewards; 6 -> 7 -> 6 starts in the other one.
        let next = [1, 0, 3, 4, 5, 2, 7, 6];
        let reward = [2, 1, 2, 1, 2, 1, 1, 2];
        let (tail, period) = ([0; 8], [2, 2, 4, 4, 4, 4, 2, 2]);
        let walks = Walks {
            next: &next,
            reward: &reward,
            tail: &tail,
            period: &period,
        };
        assert_eq!(walks.compare(0, 2), Some(Ordering::Equal));
        assert_eq!(walks.compare(0, 3), Some(Ordering::Greater));
        assert_eq!(walks.compare(1, 4), Some(Ordering::Less));
        assert_eq!(walks.compare(6, 0), Some(Ordering::Less));
        assert_eq!(walks.compare(6, 3), Some(Ordering::Equal));
    }
}
