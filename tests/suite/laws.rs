//! One-dimensional laws: their exact values, their quantiles, and laws that cannot be.

use powersweep::document::{Faults, Node, SourceText, Spanned, TableReader, parse_toml};
use powersweep::reward::{Law, Marginal};

/// Words that the vectors are for.
const WORDS: [u32; 10] = [
    0,
    1,
    0x0123_4567,
    0x4000_0000,
    0x7fff_ffff,
    0x8000_0000,
    0x89ab_cdef,
    0xdead_beef,
    0xffff_fffe,
    0xffff_ffff,
];

/// Laws of every family, and of the corners of a family, by name and place in the list.
pub(crate) fn examples() -> Vec<(String, Marginal)> {
    let laws = [
        Marginal::uniform(0.0, 1.0),
        Marginal::uniform(-1.0, 2.0),
        Marginal::normal(0.0, 1.0),
        Marginal::normal(-3.0, 0.5),
        Marginal::normal(100.0, 1.0),
        Marginal::exponential(1.0),
        Marginal::beta(2.0, 1.0),
        Marginal::beta(2.5, 0.5),
        Marginal::beta(0.05, 30.0),
        Marginal::beta(0.4, 0.4),
        Marginal::bernoulli(0.25, 0.0, 1.0),
        Marginal::bernoulli(0.7, -0.1, 0.3),
        Marginal::pareto(1.5, 2.0),
        Marginal::pareto(20.0, 1.0),
        Marginal::discrete(&[3.0, -1.0, 0.5, 3.0], &[1.0, 2.0, 4.0, 1.0]),
        Marginal::piecewise_linear(&[-1.0, 0.0, 0.5, 2.0], &[0.0, 1.0, 0.0, 3.0]),
        Marginal::piecewise_linear(&[0.0, 1.0, 2.0, 3.0], &[1.0, 0.0, 0.0, 1.0]),
        Marginal::mean_of_uniforms(1),
        Marginal::mean_of_uniforms(2),
        Marginal::mean_of_uniforms(5),
        Marginal::mean_of_uniforms(32),
    ];
    let laws = laws.into_iter().map(|law| law.unwrap()).enumerate();
    laws.map(|(i, law)| (format!("{i}: {}", law.name()), law))
        .collect()
}

/// Rewards of the words, law by law. Changing one is a breaking change: it moves results, and is listed in CHANGELOG.md under "Values".
#[rustfmt::skip]
const VALUES: &[[f32; 10]] = &[
    // 0: uniform
    [0e0, 0e0, 4.4444203e-3, 2.5e-1, 4.9999994e-1, 5e-1, 5.377777e-1, 8.698386e-1, 9.9999994e-1, 9.9999994e-1],
    // 1: uniform
    [-1e0, -1e0, -9.866667e-1, -2.5e-1, 4.9999988e-1, 5e-1, 6.133332e-1, 1.6095159e0, 1.9999999e0, 1.9999999e0],
    // 2: normal
    [-6.337958e0, -6.1664267e0, -2.6163006e0, -6.744914e-1, 0e0, 0e0, 9.4837666e-2, 1.1256309e0, 6.1664267e0, 6.337958e0],
    // 3: normal
    [-6.1689787e0, -6.0832133e0, -4.30815e0, -3.3372455e0, -3e0, -3e0, -2.9525805e0, -2.4371848e0, 8.321333e-2, 1.6897869e-1],
    // 4: normal
    [9.366205e1, 9.383357e1, 9.73837e1, 9.932551e1, 1e2, 1e2, 1.0009483e2, 1.0112563e2, 1.0616643e2, 1.0633795e2],
    // 5: exponential
    [0e0, 0e0, 4.4555664e-3, 2.8768158e-1, 6.9314766e-1, 6.9314766e-1, 7.717056e-1, 2.0389824e0, 2.177524e1, 2.2873852e1],
    // 6: beta
    [1.0788441e-5, 1.8894672e-5, 6.666666e-2, 4.9999982e-1, 7.0710677e-1, 7.0710677e-1, 7.333334e-1, 9.326512e-1, 1e0, 1e0],
    // 7: beta
    [1.6391277e-4, 2.542138e-4, 1.7190361e-1, 7.471084e-1, 9.044742e-1, 9.044742e-1, 9.196112e-1, 9.940865e-1, 1e0, 1e0],
    // 8: beta
    [0e0, 0e0, 0e0, 2.9802322e-8, 2.9802322e-8, 2.9802322e-8, 2.9802322e-8, 1.2598634e-3, 4.2031226e-1, 4.40386e-1],
    // 9: beta
    [0e0, 0e0, 4.887581e-6, 1.10503376e-1, 5e-1, 5e-1, 5.692261e-1, 9.775095e-1, 1e0, 1e0],
    // 10: bernoulli
    [0e0, 0e0, 0e0, 0e0, 0e0, 0e0, 0e0, 1e0, 1e0, 1e0],
    // 11: bernoulli
    [-9.9999994e-2, -9.9999994e-2, -9.9999994e-2, -9.9999994e-2, 3e-1, 3e-1, 3e-1, 3e-1, 3e-1, 3e-1],
    // 12: pareto
    [2e0, 2e0, 2.0059478e0, 2.4228277e0, 3.1748025e0, 3.1748025e0, 3.3455138e0, 7.7870913e0, 4.0328215e6, 8.3886065e6],
    // 13: pareto
    [1e0, 1e0, 1.0002229e0, 1.014488e0, 1.0352647e0, 1.0352647e0, 1.0393398e0, 1.1073267e0, 2.9705944e0, 3.138336e0],
    // 14: discrete
    [-1e0, -1e0, -1e0, 5e-1, 5e-1, 5e-1, 5e-1, 3e0, 3e0, 3e0],
    // 15: piecewise-linear
    [-9.9997354e-1, -9.999536e-1, -8.3670104e-1, 5.000193e-1, 1.366025e0, 1.366025e0, 1.4291571e0, 1.8636413e0, 2e0, 2e0],
    // 16: piecewise-linear
    [0e0, 0e0, 4.4546127e-3, 2.9289365e-1, 9.9998426e-1, 2.0000157e0, 2.2748735e0, 2.8600445e0, 3e0, 3e0],
    // 17: mean-of-uniforms
    [0e0, 0e0, 4.4444203e-3, 2.5e-1, 5e-1, 5e-1, 5.377778e-1, 8.6983865e-1, 1e0, 1e0],
    // 18: mean-of-uniforms
    [7.8082085e-6, 1.3411045e-5, 4.714042e-2, 3.5355324e-1, 5e-1, 5e-1, 5.1925963e-1, 7.4489087e-1, 9.999866e-1, 9.999922e-1],
    // 19: mean-of-uniforms
    [5.371392e-3, 6.6912174e-3, 1.7637199e-1, 4.1060787e-1, 5e-1, 5e-1, 5.1263195e-1, 6.480015e-1, 9.933088e-1, 9.946286e-1],
    // 20: mean-of-uniforms
    [1.9636601e-1, 2.0342726e-1, 3.6730063e-1, 4.6544218e-1, 5e-1, 5e-1, 5.048625e-1, 5.5759895e-1, 7.9657274e-1, 8.03634e-1],
];

#[test]
fn rewards_are_what_they_always_were() {
    let laws = examples();
    assert_eq!(laws.len(), VALUES.len());
    for ((name, law), expected) in laws.iter().zip(VALUES) {
        assert_eq!(WORDS.map(|word| law.value(word)), *expected, "{name}");
    }
}

/// `Q((word + 1/2) / 2^32)` for [`WORDS`] by the number of the law, from closed forms and bisection in mpmath 1.3 with 40 digits.
#[rustfmt::skip]
#[allow(clippy::excessive_precision, reason = "17 digits, as mpmath prints them")]
const QUANTILES: &[(usize, [f64; 10])] = &[
    // normal(0, 1)
    (2, [-6.3379577545537893, -6.1664295178197502, -2.6162982043196435, -6.7448974982973843e-1, -2.9180993729166227e-10, 2.9180993729166227e-10, 9.4836814736882943e-2, 1.1256287403742191, 6.1664295178197502, 6.3379577545537893]),
    // normal(-3, 0.5)
    (3, [-6.1689788772768946, -6.0832147589098751, -4.3081491021598218, -3.3372448749148692, -3.000000000145905, -2.999999999854095, -2.9525815926315585, -2.4371856298128904, 8.3214758909875123e-2, 1.6897887727689463e-1]),
    // exponential(1)
    (5, [1.1641532183371108e-10, 3.4924596554179082e-10, 4.4543503405451884e-3, 2.8768207260700136e-1, 6.9314718032711467e-1, 6.9314718079277595e-1, 7.717095027753673e-1, 2.0389804531353373, 2.1775244669810086e+1, 2.2873856958478195e+1]),
    // beta(2, 1)
    (6, [1.0789593218788872e-5, 1.8688123647942948e-5, 6.6666666600697984e-2, 5.0000000011641532e-1, 7.0710678110422946e-1, 7.0710678126886559e-1, 7.3333333324267049e-1, 9.3265140923780251e-1, 9.9999999982537702e-1, 9.9999999994179234e-1]),
    // beta(2.5, 0.5)
    (7, [1.6369761804433158e-4, 2.540301452777611e-4, 1.7190377602742714e-1, 7.4710849635120105e-1, 9.044741819129004e-1, 9.0447418201145739e-1, 9.1961139633234297e-1, 9.9408661659660637e-1, 1.0, 1.0]),
    // beta(0.05, 30)
    (8, [4.1376088199297764e-201, 1.4426949890771145e-191, 1.7901778850643754e-49, 1.8003077235889137e-14, 1.8877604294402303e-8, 1.8877604470213786e-8, 8.1022302526979028e-8, 1.2598225085710596e-3, 4.2031233619862741e-1, 4.4038607511892909e-1]),
    // pareto(1.5, 2)
    (12, [2.0000000001552204, 2.0000000004656613, 2.005947960850285, 2.4228274573602344, 3.1748021034436048, 3.1748021044291931, 3.3455134595404887, 7.7870919342954753, 4.0328220944924295e+6, 8.388608e+6]),
    // pareto(20, 1)
    (13, [1.0000000000058208, 1.0000000000174623, 1.0002227423204148, 1.0144880526554936, 1.0352649238293254, 1.0352649238534296, 1.0393395622546963, 1.1073270216994529, 2.9705948931782266, 3.1383363915870029]),
    // piecewise_linear
    (15, [-9.9997357100208177e-1, -9.999542236328125e-1, -8.367006839760444e-1, 5.0001868812364794e-1, 1.3660254035828014, 1.3660254039860759, 1.4291573241030912, 1.863640698079878, 1.999999999650754, 1.9999999998835847]),
    // mean_of_uniforms(2)
    (18, [7.62939453125e-6, 1.3214498959113139e-5, 4.7140452032456266e-2, 3.5355339067559183e-1, 4.9999999994179234e-1, 5.0000000005820766e-1, 5.1925982986898505e-1, 7.4489085782087207e-1, 9.9998678550104089e-1, 9.9999237060546875e-1]),
    // mean_of_uniforms(5)
    (19, [5.3711622737108712e-3, 6.691023026057262e-3, 1.7637204117453391e-1, 4.1060803823624845e-1, 4.9999999996112741e-1, 5.0000000003887259e-1, 5.1263200338330076e-1, 6.4800149761161733e-1, 9.9330897697394274e-1, 9.9462883772628913e-1]),
    // mean_of_uniforms(32)
    (20, [1.9636602756635746e-1, 2.0342714055027968e-1, 3.6730070565341841e-1, 4.6544215416078885e-1, 4.9999999998503834e-1, 5.0000000001496166e-1, 5.0486239933834046e-1, 5.5759894622326992e-1, 7.9657285944972032e-1, 8.0363397243364254e-1]),
];

/// The first word whose quantile is off by more than 5e-12 of itself (statrs' ln Gamma, over the `a` of a beta law).
fn first_wrong(quantile: impl Fn(f64) -> f64, expected: &[f64; 10]) -> Option<u32> {
    let mut pairs = WORDS.iter().copied().zip(expected);
    let wrong = |(word, expected): &(u32, &f64)| {
        let q = quantile((f64::from(*word) + 0.5) / 2f64.powi(32));
        (q - **expected).abs() > 5e-12 * expected.abs()
    };
    pairs.find(wrong).map(|(word, _)| word)
}

#[test]
fn quantiles_are_those_of_forty_digits() {
    let laws = examples();
    for (number, expected) in QUANTILES {
        let (name, law) = &laws[*number];
        assert_eq!(first_wrong(|p| law.quantile(p), expected), None, "{name}");
        let off = |p| law.quantile(p) * (1.0 + 1e-11);
        assert!(first_wrong(off, expected).is_some(), "{name}");
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for (name, text) in Marginal::NAMES.iter().zip([
        "low = 0\nhigh = 2",
        "mean = 1\nsd = 2",
        "rate = 2",
        "a = 2\nb = 3",
        "p = 0.5",
        "alpha = 3",
        "values = [1, 2]",
        "knots = [0, 1]\nheights = [1, 2]",
        "count = 3",
    ]) {
        let (law, faults) = read(name, text);
        assert_eq!(faults, "", "{name}");
        assert_eq!(law.unwrap().name(), *name);
    }
}

/// Reads a law from TOML; the faults as text.
fn read(name: &str, text: &str) -> (Option<Law>, String) {
    let source = SourceText::new("law.toml", text);
    let mut faults = Faults::about(source.clone());
    let node: Spanned<Node> = parse_toml(&source, &mut faults);
    let mut table = TableReader::open(&node, "[[reward]]", &mut faults).unwrap();
    let name = Spanned {
        value: name.to_owned(),
        span: 0..1,
    };
    let law = Law::read(&name, &mut table, &mut faults);
    table.finish(&mut faults);
    (law, faults.to_string())
}

#[test]
fn laws_that_cannot_be_list_all_that_is_wrong() {
    let mut told = String::new();
    for (name, text) in [
        ("uniform", "low = 1\nhigh = 0"),
        ("normal", "mean = 1e300\nsd = -1"),
        ("normal", "mean = 0\nsd = 0"),
        ("normal", "mean = nan\nsd = inf"),
        ("normal", "mean = 1e6\nsd = 1e-3"),
        ("normal", "mean = 0\nsd = 1e20\nvariance = 3"),
        ("exponential", "rate = 0"),
        ("exponential", "rate = 1e30"),
        ("beta", "a = -1\nb = 0"),
        ("beta", "a = 1e9"),
        ("bernoulli", "p = 1.5\nlow = 1\nhigh = 1"),
        ("bernoulli", ""),
        ("pareto", "alpha = -1\nscale = 0"),
        ("pareto", "alpha = 0.1"),
        ("discrete", "values = [1, 2, nan]\nweights = [0, -1]"),
        ("discrete", "values = [1, 2]\nweights = [0, 0]"),
        ("discrete", "values = [1, 2]\nweights = [0, 3]"),
        ("discrete", "values = [1, \"two\"]\nweights = [1, -1]"),
        ("discrete", "weights = [-1, 1]"),
        ("discrete", "values = [1.0, 1.00000001]"),
        (
            "piecewise-linear",
            "knots = [0, 2, 1]\nheights = [-1, 1, inf, 2]",
        ),
        ("piecewise-linear", "knots = [0]\nheights = [0]"),
        ("piecewise-linear", "heights = [-1]"),
        ("mean-of-uniforms", "count = 2.5"),
        ("mean-of-uniforms", "count = 1000"),
        ("gauss", "sd = 1"),
        ("nromal", "sd = 1"),
    ] {
        let (law, faults) = read(name, text);
        assert!(law.is_none() || !faults.is_empty(), "{name} {text}");
        told += &format!("{name}\n{faults}\n");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn an_unbounded_law_says_what_it_does_not_reach() {
    let share = 2f64.powi(-33);
    let normal = Marginal::normal(5.0, 2.0).unwrap();
    assert!(!normal.is_bounded());
    assert_eq!(normal.truncated().probability, 2.0 * share);
    // E max(0, |Z| - z) = 2 (phi(z) - z 2^-33), z = 6.33795755; by mpmath.
    let expected = 2.0 * 3.510_039_554_6e-11;
    let found = normal.truncated().expectation;
    assert!((found / expected - 1.0).abs() < 1e-6, "{found}");
    assert_eq!(normal.scale(), 2.0);

    let heavy = Marginal::pareto(1.5, 1.0).unwrap();
    assert_eq!(heavy.sd(), None);
    assert_eq!(heavy.mean(), 3.0);
    // Q = 4^(2/3) and (4/3)^(2/3).
    assert!((heavy.scale() - (2.519_842_099_79 - 1.211_413_728_55) / 1.349).abs() < 1e-9);
    let heavier = Marginal::pareto(1.0, 1.0).unwrap();
    assert_eq!(heavier.mean(), f64::INFINITY);
    assert_eq!(heavier.truncated().expectation, f64::INFINITY);

    let bounded = Marginal::beta(2.0, 2.0).unwrap();
    assert!(bounded.is_bounded());
    assert_eq!(bounded.scale(), 1.0);
    assert_eq!(bounded.truncated().expectation, 0.0);
}

#[test]
fn extreme_lists_neither_overflow_nor_vanish() {
    let tall = Marginal::piecewise_linear(&[0.0, 1.0], &[1e308, 1e308]).unwrap();
    let flat = Marginal::piecewise_linear(&[0.0, 1.0], &[1e-300, 1e-300]).unwrap();
    let heavy = Marginal::discrete(&[0.0, 1.0], &[1e308, 1e308]).unwrap();
    for law in [tall, flat, heavy] {
        assert_eq!(law.mean(), 0.5);
        assert_eq!(law.range(), (0.0, 1.0));
    }
}
