//! Whether walks have forgotten where they began, and how fast they do: R-hat, effective sample size, the lag that is forgotten.
//!
//! Source: Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, "Rank-normalization, folding, and localization: an improved R-hat", sections 2 and 3, without the ranks.

/// What a row of chains says of one number that was followed along them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Traced {
    /// Split R-hat.
    pub(super) r_hat: f64,
    /// Independent draws that tell as much about the mean as all of these.
    pub(super) effective: f64,
    /// Lag by which the autocorrelation has surely come below [`FORGOTTEN`]; none where that is not seen.
    pub(super) lag: Option<usize>,
}

/// Autocorrelation that is waited for: far above its own error, so that it is met and not noise.
pub(super) const FORGOTTEN: f64 = 0.1;

/// Two standard errors of an autocorrelation are added to it before it is believed.
const ERRORS: f64 = 2.0;

/// Judges chains of equal length, each one number over time.
pub(super) fn judge(chains: &[Vec<f64>]) -> Traced {
    let halves: Vec<&[f64]> = (chains.iter())
        .flat_map(|chain| {
            let half = chain.len() / 2;
            [&chain[..half], &chain[half..2 * half]]
        })
        .collect();
    let (m, n) = (halves.len() as f64, halves[0].len());
    let length = n as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let means: Vec<f64> = halves.iter().map(|h| mean(h)).collect();
    let all = mean(&means);
    // Sums of products at a lag, over n: what Geyer's sequences are made of.
    let covariance = |lag: usize| -> f64 {
        let of = |(half, mean): (&&[f64], &f64)| {
            let pairs = half.iter().zip(&half[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / length
        };
        halves.iter().zip(&means).map(of).sum::<f64>() / m
    };
    let within = covariance(0) * length / (length - 1.0);
    let between = length * means.iter().map(|x| (x - all).powi(2)).sum::<f64>() / (m - 1.0);
    let pooled = (length - 1.0) / length * within + between / length;
    if within <= 0.0 {
        // It does not move: as good as known where all chains agree.
        let same = between <= 0.0;
        return Traced {
            r_hat: if same { 1.0 } else { f64::INFINITY },
            effective: if same { m * length } else { 0.0 },
            lag: same.then_some(1),
        };
    }
    let correlation = |lag: usize| 1.0 - (within - covariance(lag)) / pooled;
    // Geyer's initial positive, then monotone, sequence of sums of neighbours.
    let (mut sum, mut last, mut lag) = (0.0, f64::INFINITY, 0);
    let mut forgotten: Option<(usize, f64)> = None;
    while lag + 1 < n {
        let (even, odd) = match lag {
            0 => (1.0, correlation(1)),
            _ => (correlation(lag), correlation(lag + 1)),
        };
        for (at, rho) in [(lag, even), (lag + 1, odd)] {
            if forgotten.is_none() && at > 0 && rho <= FORGOTTEN {
                forgotten = Some((at, rho));
            }
        }
        let pair = (even + odd).min(last);
        if pair <= 0.0 {
            break;
        }
        (sum, last, lag) = (sum + pair, pair, lag + 2);
    }
    // At least half a lag: no walk here is thought better than independent draws.
    let time = (2.0 * sum - 1.0).max(1.0);
    let effective = m * length / time;
    let error = ERRORS / effective.sqrt();
    // From the first lag where it is seen on, the first where it is sure.
    let sure =
        forgotten.and_then(|(from, _)| (from..n).find(|at| correlation(*at) + error <= FORGOTTEN));
    Traced {
        r_hat: (pooled / within).sqrt(),
        effective,
        lag: sure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Stream, word};
    use crate::units::{SampleIndex, Seed};

    /// Chains of x' = a x + noise about means of their own.
    fn chains(a: f64, apart: f64) -> Vec<Vec<f64>> {
        let each = (0..8_u32).map(|chain| {
            let mut x = 0.0;
            let steps = (0..4_000).map(|t| {
                let u = word(Seed(1), Stream::Path, SampleIndex(u64::from(chain)), t);
                x = a * x + f64::from(u) / 4_294_967_296.0 - 0.5;
                x + apart * f64::from(chain)
            });
            steps.collect()
        });
        each.collect()
    }

    #[test]
    fn an_autoregression_has_the_effective_size_that_it_should() {
        for a in [0.0, 0.5, 0.8_f64] {
            let found = judge(&chains(a, 0.0));
            let expected = 32_000.0 * (1.0 - a) / (1.0 + a);
            assert!(
                (found.effective / expected - 1.0).abs() < 0.15,
                "{a}: {found:?}"
            );
            assert!(found.r_hat < 1.005);
            // a^lag = 0.1, and a little more for the error.
            let lag = (0.1_f64.ln() / a.ln()).max(1.0);
            let seen = found.lag.unwrap() as f64;
            assert!(
                seen >= lag.floor() && seen < 1.6 * lag + 2.0,
                "{a}: {seen} {lag}"
            );
        }
        // Controls: chains that stay apart, and one that has not come far.
        assert!(judge(&chains(0.0, 0.1)).r_hat > 1.05);
        assert!(judge(&chains(0.999, 0.0)).effective < 100.0);
    }
}
