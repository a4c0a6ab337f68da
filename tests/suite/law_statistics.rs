//! A million draws of every one-dimensional law against what statistics says of them.

use powersweep::reward::{Kind, Marginal};
use powersweep::rng::{self, Stream};
use powersweep::{SampleIndex, Seed};
use statrs::distribution::{self as reference, ContinuousCDF};
use statrs::function::beta::beta_reg;

const DRAWS: usize = 1_000_000;

/// Kolmogorov's distribution: sqrt(n) D is above this with probability 0.001.
const KOLMOGOROV: f64 = 1.949_5;

/// Four coordinates of each of 250,000 goals.
fn draws(law: &Marginal, seed: u64) -> Vec<f64> {
    let kind = law.kind();
    let value = |word| match &kind {
        Kind::Lattice(lattice) => lattice.value(word),
        Kind::Table(table) => table.value(word),
    };
    (0..DRAWS as u64)
        .map(|i| {
            let word = rng::word(
                Seed(seed),
                Stream::Reward,
                SampleIndex(i / 4),
                (i % 4) as u32,
            );
            f64::from(value(word))
        })
        .collect()
}

/// The distribution function of a law, not by way of its quantiles.
type Below = Box<dyn Fn(f64) -> f64>;

/// Continuous laws with their distribution functions.
fn continuous() -> Vec<(&'static str, Marginal, Below)> {
    let normal = reference::Normal::new(-3.0, 0.5).unwrap();
    let exponential = reference::Exp::new(2.0).unwrap();
    let pareto = |alpha: f64| {
        let law = reference::Pareto::new(1.0, alpha).unwrap();
        Box::new(move |x| law.cdf(x)) as Below
    };
    let beta = |a: f64, b: f64| Box::new(move |x: f64| beta_reg(a, b, x.clamp(0.0, 1.0))) as Below;
    vec![
        (
            "uniform",
            Marginal::uniform(-1.0, 2.0).unwrap(),
            Box::new(|x| ((x + 1.0) / 3.0).clamp(0.0, 1.0)),
        ),
        (
            "normal",
            Marginal::normal(-3.0, 0.5).unwrap(),
            Box::new(move |x| normal.cdf(x)),
        ),
        (
            "exponential",
            Marginal::exponential(2.0).unwrap(),
            Box::new(move |x| exponential.cdf(x)),
        ),
        (
            "beta(2, 5)",
            Marginal::beta(2.0, 5.0).unwrap(),
            beta(2.0, 5.0),
        ),
        (
            "beta(0.5, 0.5)",
            Marginal::beta(0.5, 0.5).unwrap(),
            beta(0.5, 0.5),
        ),
        (
            "beta(300, 700)",
            Marginal::beta(300.0, 700.0).unwrap(),
            beta(300.0, 700.0),
        ),
        (
            "pareto(20)",
            Marginal::pareto(20.0, 1.0).unwrap(),
            pareto(20.0),
        ),
        (
            "pareto(1.2)",
            Marginal::pareto(1.2, 1.0).unwrap(),
            pareto(1.2),
        ),
        (
            // Rises to 1 at 1/2, falls to 0 at 1, is 0 up to 2 and a box of half the probability up to 3.
            "piecewise-linear",
            Marginal::piecewise_linear(
                &[0.0, 0.5, 1.0, 2.0, 2.000_000_1, 3.0],
                &[0.0, 1.0, 0.0, 0.0, 0.5, 0.5],
            )
            .unwrap(),
            Box::new(|x| match x {
                x if x < 0.5 => x * x,
                x if x < 1.0 => 0.5 - (1.0 - x).powi(2),
                x if x < 2.0 => 0.5,
                x => 0.5 + 0.5 * (x - 2.0).min(1.0),
            }),
        ),
        (
            // Irwin's sum, which is accurate for so few.
            "mean-of-uniforms",
            Marginal::mean_of_uniforms(4).unwrap(),
            Box::new(|x| {
                let x = (4.0 * x).clamp(0.0, 4.0);
                let term = |k: i32, choose: f64| choose * (x - f64::from(k)).max(0.0).powi(4);
                (term(0, 1.0) - term(1, 4.0) + term(2, 6.0) - term(3, 4.0)) / 24.0
            }),
        ),
    ]
}

/// sqrt(n) D of sorted draws.
fn kolmogorov_smirnov(sorted: &[f64], below: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let worst = sorted.iter().enumerate().fold(0f64, |worst, (i, &x)| {
        let p = below(x);
        worst.max((i + 1) as f64 / n - p).max(p - i as f64 / n)
    });
    worst * n.sqrt()
}

#[test]
fn draws_have_the_distribution_of_their_law() {
    for (name, law, below) in continuous() {
        let mut sorted = draws(&law, 1);
        sorted.sort_unstable_by(f64::total_cmp);
        let found = kolmogorov_smirnov(&sorted, &below);
        assert!(found < KOLMOGOROV, "{name}: {found}");
        // Negative control: half a per cent of the probability in the wrong half.
        let control = kolmogorov_smirnov(&sorted, |x| {
            let p = below(x);
            p + 0.005 * 4.0 * p * (1.0 - p)
        });
        assert!(control > KOLMOGOROV, "{name}: {control}");
    }
}

/// Mean and variance of draws, each with its standard error.
fn moments(draws: &[f64]) -> [(f64, f64); 2] {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let central = |k: i32| draws.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
    let (second, fourth) = (central(2), central(4));
    [
        (mean, (second / n).sqrt()),
        (second, ((fourth - second * second) / n).sqrt()),
    ]
}

#[test]
fn draws_have_the_moments_of_their_law() {
    // A normal number is beyond this with probability 6e-5.
    let limit = 4.0;
    for (name, law) in super::laws::examples() {
        // No fourth moment: no standard error of the variance, and none of the mean without a second.
        if matches!(&law, Marginal::Pareto(_)) && law.sd().is_none() {
            continue;
        }
        let sd = law.sd().unwrap();
        let [(mean, mean_error), (variance, variance_error)] = moments(&draws(&law, 2));
        let off = |found: f64, expected: f64, error: f64| (found - expected).abs() / error;
        let by = off(mean, law.mean(), mean_error);
        assert!(by < limit, "{name}: mean {mean}, {by} errors off");
        let by = off(variance, sd * sd, variance_error);
        assert!(by < limit, "{name}: variance {variance}, {by} errors off");
        // Negative controls: a mean that is 1% of a standard deviation away, a variance with 10% more.
        assert!(
            off(mean, law.mean() + 0.01 * sd, mean_error) > limit,
            "{name}"
        );
        assert!(
            off(variance, 1.1 * sd * sd, variance_error) > limit,
            "{name}"
        );
    }
}

/// Pearson's statistic of draws against values with probabilities.
fn chi_squared(draws: &[f64], expected: &[(f64, f64)]) -> f64 {
    let n = draws.len() as f64;
    let statistic = expected.iter().map(|&(value, p)| {
        let count = draws.iter().filter(|&&x| x == value).count() as f64;
        (count - n * p).powi(2) / (n * p)
    });
    statistic.sum()
}

#[test]
fn draws_of_discrete_laws_have_their_probabilities() {
    // Values that single precision holds exactly, in any order, one of them twice.
    let discrete =
        Marginal::discrete(&[3.0, -1.0, 0.5, 3.0, 7.0], &[1.0, 2.0, 4.0, 1.0, 0.0]).unwrap();
    let bernoulli = Marginal::bernoulli(0.3, -2.0, 1.0).unwrap();
    let cases = [
        (discrete, vec![(-1.0, 0.25), (0.5, 0.5), (3.0, 0.25)]),
        (bernoulli, vec![(-2.0, 0.7), (1.0, 0.3)]),
    ];
    for (law, expected) in cases {
        let degrees = (expected.len() - 1) as f64;
        let law_of_statistic = reference::ChiSquared::new(degrees).unwrap();
        let limit = law_of_statistic.inverse_cdf(0.999);
        let draws = draws(&law, 3);
        let found = chi_squared(&draws, &expected);
        assert!(found < limit, "{}: {found} of {limit}", law.name());
        let known = |x: &f64| expected.iter().any(|(value, _)| value == x);
        assert!(draws.iter().all(known), "{}", law.name());
        // Negative control: half a per cent moved from the first value to the last.
        let mut moved = expected.clone();
        moved[0].1 -= 0.005;
        moved.last_mut().unwrap().1 += 0.005;
        let control = chi_squared(&draws, &moved);
        assert!(control > limit, "{}: {control} of {limit}", law.name());
    }
}
