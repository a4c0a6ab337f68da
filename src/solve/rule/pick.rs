//! From what options are worth to the probabilities with which they are picked.

use super::{Otherwise, Rule};
use crate::statistics::behaviour::Standing;

/// How options compare, as far as error bounds tell.
pub(super) trait Compare {
    /// Where an option stands that falls short of a better one by `gap`.
    fn standing(&self, better: usize, worse: usize, gap: f64) -> Standing;

    /// Whether an option worth `value` is worth at least `threshold`; `None` where that is open.
    fn reaches(&self, value: f64, threshold: f64) -> Option<bool>;
}

/// Memory of a picker.
#[derive(Clone, Debug, Default)]
pub(super) struct Picker {
    order: Vec<usize>,
    /// Per position in `order` but the first: how it stands to the one before.
    steps: Vec<Standing>,
    other: Vec<f64>,
}

impl Picker {
    /// Probabilities of options that are worth `values`, written to `shares`; whether error bounds leave them open.
    ///
    /// For [`Rule::Minimise`] the values are those that are to be small. [`Rule::Soft`] picks like [`Rule::Boltzmann`]: its values are its own.
    pub(super) fn pick(
        &mut self,
        rule: &Rule,
        values: &[f64],
        compare: &impl Compare,
        shares: &mut Vec<f64>,
    ) -> bool {
        let n = values.len();
        shares.clear();
        match *rule {
            Rule::Uniform => {
                shares.resize(n, 1.0 / n as f64);
                return false;
            }
            Rule::Boltzmann { beta } | Rule::Soft { beta } => {
                boltzmann(beta, values, shares);
                return false;
            }
            _ => {}
        }
        if let Rule::Satisfice {
            threshold,
            otherwise,
        } = *rule
        {
            let mut open = false;
            let clears = values.iter().map(|&x| {
                let reaches = compare.reaches(x, threshold);
                open |= reaches.is_none();
                f64::from(u8::from(reaches.unwrap_or(x >= threshold)))
            });
            shares.extend(clears);
            let count: f64 = shares.iter().sum();
            if count > 0.0 {
                shares.iter_mut().for_each(|p| *p /= count);
                return open;
            }
            match otherwise {
                Otherwise::Stop => return open,
                Otherwise::Uniform => {
                    shares.fill(1.0 / n as f64);
                    return open;
                }
                Otherwise::Best => {}
            }
            shares.clear();
            return self.pick(&Rule::Optimal, values, compare, shares) || open;
        }
        self.rank(rule, values, compare);
        shares.resize(n, 0.0);
        self.by_rank(rule, Standing::Optimal, shares);
        // What is open is a tie or not. Where both give the same, so does any order.
        if !self.steps.contains(&Standing::Possible) {
            return false;
        }
        let mut other = std::mem::take(&mut self.other);
        other.clear();
        other.resize(n, 0.0);
        self.by_rank(rule, Standing::Worse, &mut other);
        let open = *shares != other;
        self.other = other;
        open
    }

    /// Sorts options, the wanted ones first, and compares neighbours.
    fn rank(&mut self, rule: &Rule, values: &[f64], compare: &impl Compare) {
        self.order.clear();
        self.order.extend(0..values.len());
        match *rule {
            Rule::Minimise => self.order.sort_by(|&a, &b| values[a].total_cmp(&values[b])),
            _ => self.order.sort_by(|&a, &b| values[b].total_cmp(&values[a])),
        }
        self.steps.clear();
        let steps = self.order.windows(2).map(|pair| {
            let gap = (values[pair[0]] - values[pair[1]]).abs();
            compare.standing(pair[0], pair[1], gap)
        });
        self.steps.extend(steps);
    }

    /// Probabilities by rank, ties split evenly; `open` is what is made of neighbours whose order is open.
    fn by_rank(&self, rule: &Rule, open: Standing, shares: &mut [f64]) {
        let n = self.order.len();
        let tied = |step: &Standing| match step {
            Standing::Possible => open == Standing::Optimal,
            step => *step == Standing::Optimal,
        };
        let mut first = 0;
        while first < n {
            let mut end = first + 1;
            while end < n && tied(&self.steps[end - 1]) {
                end += 1;
            }
            let mass = mass(rule, first, end, n);
            for &option in &self.order[first..end] {
                shares[option] = mass / (end - first) as f64;
            }
            first = end;
        }
    }
}

/// The probability that one of the options of ranks `first..end` of `n` is picked, rank 0 the most wanted.
fn mass(rule: &Rule, first: usize, end: usize, n: usize) -> f64 {
    let share = |k: usize| k as f64 / n as f64;
    match *rule {
        Rule::EpsilonGreedy { epsilon } => {
            let greedy = if first == 0 { 1.0 - epsilon } else { 0.0 };
            greedy + epsilon * share(end - first)
        }
        Rule::Quantilise { q } => {
            let upto = |k: usize| (share(k) / q).min(1.0);
            upto(end) - upto(first)
        }
        // The best of all draws has rank k or a worse one with probability (1 - k/n)^m.
        Rule::BestOf { draws } => {
            let beyond = |k: usize| (1.0 - share(k)).powf(f64::from(draws));
            beyond(first) - beyond(end)
        }
        _ => f64::from(u8::from(first == 0)),
    }
}

/// `exp(beta q)`, normalised.
pub(super) fn boltzmann(beta: f64, values: &[f64], shares: &mut Vec<f64>) {
    let most = values.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
    shares.extend(values.iter().map(|x| (beta * (x - most)).exp()));
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|p| *p /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closer than 0.01 is a tie, closer than 0.1 open.
    struct Coarse;

    impl Compare for Coarse {
        fn standing(&self, _: usize, _: usize, gap: f64) -> Standing {
            match gap {
                gap if gap < 0.01 => Standing::Optimal,
                gap if gap < 0.1 => Standing::Possible,
                _ => Standing::Worse,
            }
        }

        fn reaches(&self, value: f64, threshold: f64) -> Option<bool> {
            ((value - threshold).abs() >= 0.1).then_some(value >= threshold)
        }
    }

    fn pick(rule: Rule, values: &[f64]) -> (Vec<f64>, bool) {
        let mut shares = Vec::new();
        let open = Picker::default().pick(&rule, values, &Coarse, &mut shares);
        (
            shares.iter().map(|p| (p * 1e12).round() / 1e12).collect(),
            open,
        )
    }

    #[test]
    fn every_rule_picks_by_its_definition() {
        let values = [1.0, 4.0, 2.0, 3.0];
        let satisfice = |threshold, otherwise| Rule::Satisfice {
            threshold,
            otherwise,
        };
        let cases = [
            (Rule::Optimal, [0.0, 1.0, 0.0, 0.0]),
            (Rule::Minimise, [1.0, 0.0, 0.0, 0.0]),
            (Rule::Uniform, [0.25; 4]),
            (
                Rule::EpsilonGreedy { epsilon: 0.2 },
                [0.05, 0.85, 0.05, 0.05],
            ),
            (
                satisfice(1.5, Otherwise::Stop),
                [0.0, 1.0, 1.0, 1.0].map(|x: f64| (x / 3.0 * 1e12).round() / 1e12),
            ),
            (satisfice(9.0, Otherwise::Stop), [0.0; 4]),
            (satisfice(9.0, Otherwise::Best), [0.0, 1.0, 0.0, 0.0]),
            (satisfice(9.0, Otherwise::Uniform), [0.25; 4]),
            (Rule::Quantilise { q: 0.5 }, [0.0, 0.5, 0.0, 0.5]),
            // 1.5 of four options: the best whole, half of the next.
            (
                Rule::Quantilise { q: 0.375 },
                [0.0, 2.0, 0.0, 1.0].map(|x: f64| (x / 3.0 * 1e12).round() / 1e12),
            ),
            // Rank r of K = 4: ((K - r)^2 - (K - r - 1)^2) / 16 = 7, 5, 3, 1.
            (
                Rule::BestOf { draws: 2 },
                [1.0 / 16.0, 7.0 / 16.0, 3.0 / 16.0, 5.0 / 16.0],
            ),
        ];
        for (rule, wanted) in cases {
            assert_eq!(
                pick(rule.clone(), &values),
                (wanted.to_vec(), false),
                "{rule}"
            );
        }
        let (shares, _) = pick(Rule::Boltzmann { beta: 2.0 }, &[0.0, 1.0]);
        assert!((shares[1] / shares[0] - 2_f64.exp()).abs() < 1e-9);
        assert_eq!(pick(Rule::Boltzmann { beta: 0.0 }, &values).0, [0.25; 4]);
    }

    #[test]
    fn ties_share_and_open_orders_are_told_where_they_matter() {
        assert_eq!(pick(Rule::Optimal, &[2.0, 2.001, 1.0]).0, [0.5, 0.5, 0.0]);
        let best = Rule::BestOf { draws: 2 };
        // Ranks 0 and 1 of 3: 5/9 and 3/9, shared.
        let (shares, open) = pick(best.clone(), &[2.0, 2.001, 1.0]);
        assert!(!open && (shares[0] - 4.0 / 9.0).abs() < 1e-11 && shares[0] == shares[1]);
        assert!(pick(Rule::Optimal, &[2.0, 2.05, 1.0]).1);
        // Which of the two lower ones is better does not matter to the best.
        assert!(!pick(Rule::Optimal, &[2.0, 1.05, 1.0]).1);
        assert!(pick(best, &[2.0, 1.05, 1.0]).1);
        let satisfice = Rule::Satisfice {
            threshold: 1.0,
            otherwise: Otherwise::Stop,
        };
        assert!(pick(satisfice.clone(), &[1.05, 3.0]).1 && !pick(satisfice, &[0.5, 3.0]).1);
    }
}
