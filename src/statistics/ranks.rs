//! Rank correlations: whether two orders of the same things agree.

use super::Estimate;

/// Which of every two things has more: 1, -1, or 0 where that is not told; pairs (0, 1), (0, 2), ..., (1, 2), ...
#[must_use]
pub fn order_of<T>(things: &[T], is_more: impl Fn(&T, &T) -> bool) -> Vec<i8> {
    let mut all = Vec::with_capacity(things.len() * things.len() / 2);
    for (i, a) in things.iter().enumerate() {
        let others = things[i + 1..].iter();
        all.extend(others.map(|b| i8::from(is_more(a, b)) - i8::from(is_more(b, a))));
    }
    all
}

/// The order of estimates: two are told apart where their intervals `low .. high` do not overlap.
#[must_use]
pub fn order_of_estimates(estimates: &[Estimate]) -> Vec<i8> {
    order_of(estimates, |a, b| a.low > b.high)
}

/// Kendall's tau-b of two orders: pairs that both tell apart, alike less reversed, over the geometric mean of the pairs that either tells apart. `None` where one of
/// them tells nothing apart.
#[must_use]
pub fn kendall(a: &[i8], b: &[i8]) -> Option<f64> {
    let alike: i64 = a.iter().zip(b).map(|(x, y)| i64::from(x * y)).sum();
    let told = |order: &[i8]| order.iter().filter(|x| **x != 0).count() as f64;
    let most = (told(a) * told(b)).sqrt();
    (most > 0.0).then(|| alike as f64 / most)
}

/// Spearman's rho: the correlation of ranks, equal numbers sharing theirs. `None` where all numbers of either are equal.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        let each = a.iter().zip(b);
        each.map(|(x, y)| (x - middle) * (y - middle)).sum()
    };
    let most = (product(&a, &a) * product(&b, &b)).sqrt();
    (most > 0.0).then(|| product(&a, &b) / most)
}

/// Ranks from 1, equal numbers with the mean of theirs.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|i, j| numbers[*i].total_cmp(&numbers[*j]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    for group in order.chunk_by(|i, j| numbers[*i] == numbers[*j]) {
        let rank = first as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|i| ranks[*i] = rank);
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_those_of_the_textbook() {
        // SciPy 1.11: kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) and the example of its documentation.
        let (a, b) = ([12.0, 2.0, 1.0, 12.0, 2.0], [1.0, 4.0, 7.0, 1.0, 0.0]);
        let order = |x: &[f64]| order_of(x, |a, b| a > b);
        let tau = kendall(&order(&a), &order(&b)).unwrap();
        assert!((tau + 0.471_404_520_791_031_7).abs() < 1e-15, "{tau}");
        // Ranks 4.5, 2.5, 1, 4.5, 2.5 and 2.5, 4, 5, 2.5, 1: products of deviations sum to -5, squares to 9 and 9.5.
        let rho = spearman(&a, &b).unwrap();
        assert!((rho + 5.0 / (9.0_f64 * 9.5).sqrt()).abs() < 1e-15, "{rho}");
        assert_eq!(kendall(&order(&a), &order(&[1.0; 5])), None);
        assert_eq!(spearman(&[1.0; 5], &b), None);
        let up = [1.0, 2.0, 3.0];
        assert_eq!(spearman(&up, &[-1.0, -2.0, -3.0]), Some(-1.0));
        assert_eq!(kendall(&order(&up), &order(&up)), Some(1.0));
    }
}
