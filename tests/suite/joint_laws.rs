//! Laws of whole goals that are sums of draws, and tables: what they draw against what they say.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::document::{Faults, SourceText, parse_toml};
use powersweep::experiment::{Experiment, Overrides};
use powersweep::mdp::{GridLayout, Mdp, MdpBuilder};
use powersweep::reward::{
    EquicorrelatedNormal, Features, Gaussian, GaussianProcess, GoalLaw, GoalTable, Kernel, Law,
    Marginal, Matrix, Mixture, RewardDistribution, TableUse,
};
use powersweep::rng::Stream;
use powersweep::units::SampleIndex;

const DRAWS: u64 = 200_000;

/// A grid of two rows and three columns with a wall at the end of the second; cells are absorbing, and `corner` is a label.
fn grid() -> Arc<Mdp> {
    let mut b = MdpBuilder::new("grid");
    let cells: Vec<_> = (0..5).map(|i| b.state(format!("c{i}"))).collect();
    cells.iter().for_each(|&cell| b.absorbing(cell));
    b.label("corner", vec![cells[0], cells[2]]);
    b.start(cells[0]);
    let mut at: Vec<_> = cells.into_iter().map(Some).collect();
    at.push(None);
    b.layout(GridLayout::new(2, 3, at));
    Arc::new(b.build().unwrap())
}

fn bind(law: Law) -> Arc<GoalLaw> {
    RewardDistribution::new("law", law)
        .bind(&grid())
        .unwrap()
        .law
}

fn goal(law: &GoalLaw, index: u64) -> Vec<f64> {
    let goal = law.draw(Seed(11), Stream::Reward, SampleIndex(index));
    goal.into_iter().map(f64::from).collect()
}

/// Means, and covariances with their standard errors under normality, `[n, n]`.
fn moments(law: &GoalLaw) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = law.n_rewards();
    let (mut sums, mut products) = (vec![0.0; n], vec![vec![0.0; n]; n]);
    for index in 0..DRAWS {
        let goal = goal(law, index);
        for i in 0..n {
            sums[i] += goal[i];
            for j in 0..n {
                products[i][j] += goal[i] * goal[j];
            }
        }
    }
    let draws = DRAWS as f64;
    let means: Vec<f64> = sums.iter().map(|s| s / draws).collect();
    let covariance = |i: usize, j: usize| products[i][j] / draws - means[i] * means[j];
    let rows = (0..n).map(|i| (0..n).map(|j| covariance(i, j)).collect());
    (means.clone(), rows.collect())
}

/// By how many standard errors moments of normal goals are off, at most.
fn worst(law: &GoalLaw, mean: f64, covariance: impl Fn(usize, usize) -> f64) -> f64 {
    let (means, found) = moments(law);
    let draws = DRAWS as f64;
    let mut worst = 0f64;
    for i in 0..means.len() {
        worst = worst.max((means[i] - mean).abs() / (covariance(i, i) / draws).sqrt());
        for (j, found) in found[i].iter().enumerate() {
            let (c, vi, vj) = (covariance(i, j), covariance(i, i), covariance(j, j));
            let error = ((vi * vj + c * c) / draws).sqrt();
            worst = worst.max((found - c).abs() / error);
        }
    }
    worst
}

/// Five standard errors: 30 numbers are compared.
const LIMIT: f64 = 5.0;

/// Holds a law to its covariance, and to one that is 3% off, which it must not meet.
fn has_covariance(law: Law, mean: f64, covariance: impl Fn(usize, usize) -> f64) {
    let law = bind(law);
    let found = worst(&law, mean, &covariance);
    assert!(found < LIMIT, "{found}");
    let control = worst(&law, mean, |i, j| 1.03 * covariance(i, j));
    assert!(control > LIMIT, "{control}");
}

#[test]
fn equicorrelated_goals_have_one_correlation() {
    for rho in [0.5, 0.0, 1.0, -0.2] {
        let law = EquicorrelatedNormal::new(1.0, 2.0, rho);
        has_covariance(Law::EquicorrelatedNormal(law), 1.0, |i, j| {
            4.0 * if i == j { 1.0 } else { rho }
        });
    }
}

/// `[[2, 1, 0.5], [1, 3, -0.5], [0.5, -0.5, 1]]` for c3, c0, c4.
fn covariance() -> Matrix {
    let rows = [
        vec![2.0, 1.0, 0.5],
        vec![1.0, 3.0, -0.5],
        vec![0.5, -0.5, 1.0],
    ];
    Matrix::from_rows(&rows).named(["c3", "c0", "c4"])
}

#[test]
fn gaussian_goals_have_their_covariance() {
    let law = bind(Law::Gaussian(Gaussian::new(covariance())));
    let (_, found) = moments(&law);
    let matrix = covariance();
    let place = [3, 0, 4];
    for (a, &i) in place.iter().enumerate() {
        for (b, &j) in place.iter().enumerate() {
            let error = (matrix.row(a)[b] - found[i][j]).abs();
            assert!(error < 0.05, "{i} {j}: {error}");
        }
    }
    // States without a column have reward 0.
    assert_eq!([found[1][1], found[2][2]], [0.0, 0.0]);
    // Negative control: in another order the numbers are far off.
    assert!((matrix.row(0)[0] - found[0][0]).abs() > 0.5);
}

#[test]
fn kernels_have_their_published_values() {
    // At 0.7 length scales; by mpmath: exp(-0.245), exp(-0.7), (1 + x) exp(-x) for x = sqrt(3) 0.7, (1 + x + x^2/3) exp(-x) for sqrt(5) 0.7.
    for (kernel, expected) in [
        (Kernel::Rbf, 0.782_704_538_241_868_2),
        (Kernel::Matern12, 0.496_585_303_791_409_5),
        (Kernel::Matern32, 0.658_137_376_316_583_9),
        (Kernel::Matern52, 0.706_942_681_904_097_7),
    ] {
        let found = kernel.correlation(0.7);
        assert!((found - expected).abs() < 1e-15, "{kernel:?}: {found}");
        assert_eq!(kernel.correlation(0.0), 1.0);
    }
}

#[test]
fn a_gaussian_process_falls_off_with_distance() {
    let places = [
        [0.0, 0.0],
        [0.0, 1.0],
        [0.0, 2.0],
        [1.0, 0.0],
        [1.0, 1.0f64],
    ];
    for kernel in [
        Kernel::Rbf,
        Kernel::Matern12,
        Kernel::Matern32,
        Kernel::Matern52,
    ] {
        let law = GaussianProcess::new(kernel, 1.5);
        has_covariance(Law::GaussianProcess(law), 0.0, |i, j| {
            let (dx, dy) = (places[i][0] - places[j][0], places[i][1] - places[j][1]);
            kernel.correlation(dx.hypot(dy) / 1.5)
        });
    }
}

/// Reads a law as an experiment file would give it.
fn read(text: &str) -> Result<RewardDistribution, String> {
    let source = SourceText::new("law.toml", text);
    let mut faults = Faults::about(source.clone());
    let node = parse_toml(&source, &mut faults);
    let read = RewardDistribution::read(&node, &mut faults);
    if let Some((distribution, _)) = &read {
        distribution.try_bind(&grid(), &mut faults);
    }
    match read {
        Some((distribution, _)) if !faults.has_errors() => Ok(distribution),
        _ => Err(faults.to_string()),
    }
}

fn read_and_bind(text: &str) -> Arc<GoalLaw> {
    let read = read(text);
    read.unwrap_or_else(|faults| panic!("{text}\n{faults}"))
        .bind(&grid())
        .unwrap()
        .law
}

#[test]
fn features_are_summed_with_their_weights() {
    let weights = "weights = { distribution = \"uniform\", low = -1, high = 2 }\n";
    let weight = |index: u64, k: u32| {
        let law = Marginal::uniform(-1.0, 2.0).unwrap();
        let word = powersweep::rng::word(Seed(11), Stream::Reward, SampleIndex(index), k);
        f64::from(law.value(word))
    };
    // Features of c0 to c4.
    let cases: [(&str, [[f64; 2]; 5]); 5] = [
        (
            "features = [\"corner\", \"c1\"]",
            [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
        ),
        (
            "features = { corner = [1, -2], c4 = [0.25, 0] }",
            [
                [1.0, -2.0],
                [0.0, 0.0],
                [1.0, -2.0],
                [0.0, 0.0],
                [0.25, 0.0],
            ],
        ),
        (
            "features = \"coordinates\"",
            [[0.0, 0.0], [0.0, 0.5], [0.0, 1.0], [1.0, 0.0], [1.0, 0.5]],
        ),
        (
            "features = [[1, 0, 0, 2, 3], [0, 1, 0, 0, -1]]",
            [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [2.0, 0.0], [3.0, -1.0]],
        ),
        (
            "features = [[1, 0], [5, 1]]\ncolumns = [\"c3\", \"c1\"]",
            [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 5.0], [0.0, 0.0]],
        ),
    ];
    for (text, phi) in cases {
        let law = read_and_bind(&format!(
            "distribution = \"features\"\noffset = 0.5\n{weights}{text}\n"
        ));
        for index in 0..50 {
            let w = [weight(index, 0), weight(index, 1)];
            let expected = phi.map(|[a, b]| (0.5 + a * w[0] + b * w[1]) as f32);
            let found = law.draw(Seed(11), Stream::Reward, SampleIndex(index));
            assert_eq!(found, expected, "{text}");
            assert!(expected.iter().any(|r| *r != 0.5));
        }
    }
}

#[test]
fn tables_give_their_rows() {
    let rows = [
        vec![1.0, 2.0, 3.0, 4.0, 5.0],
        vec![-1.0, 0.5, 0.0, 0.0, 0.1],
        vec![9.0, 9.0, 9.0, 9.0, 9.5],
    ];
    let law = |how| bind(Law::Table(GoalTable::new(Matrix::from_rows(&rows), how)));
    let single = |row: &[f64]| -> Vec<f64> { row.iter().map(|x| f64::from(*x as f32)).collect() };
    let once = law(TableUse::Once);
    assert_eq!(once.facts().available, Some(3));
    assert_eq!(once.facts().enumerated, None);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(goal(&once, i as u64), single(row));
    }
    let all = law(TableUse::All);
    assert_eq!(all.facts().enumerated, Some(3));
    // One law of several ends with its table, too: no row is a fresh goal twice.
    let with = |how, weight| {
        let table = Law::Table(GoalTable::new(Matrix::from_rows(&rows), how));
        let other = Law::Table(GoalTable::new(Matrix::from_rows(&rows), TableUse::Resample));
        let mixture = Mixture::new(vec![(weight, table), (1.0, other)]);
        bind(Law::Mixture(mixture)).facts().available
    };
    assert_eq!(with(TableUse::Once, 0.5), Some(3));
    assert_eq!(with(TableUse::Once, 0.0), None);
    assert_eq!(with(TableUse::Resample, 0.5), None);

    let drawn = law(TableUse::Resample);
    assert_eq!(drawn.facts().available, None);
    let mut counts = [0u32; 3];
    for index in 0..30_000 {
        let goal = goal(&drawn, index);
        counts[rows.iter().position(|row| single(row) == goal).unwrap()] += 1;
    }
    // Four standard deviations of a binomial count with p = 1/3.
    assert!(
        counts.iter().all(|c| c.abs_diff(10_000) < 327),
        "{counts:?}"
    );

    let named = read_and_bind(
        "distribution = \"table\"\ngoals = [[1, 2], [3, 4]]\ncolumns = [\"c4\", \"c1\"]\n",
    );
    assert_eq!(goal(&named, 1), [0.0, 4.0, 0.0, 0.0, 3.0]);
}

/// Goal 3 of seed 11 on the grid. Changing one is a breaking change: it moves results, and is listed in CHANGELOG.md under "Values".
#[test]
fn goals_are_what_they_always_were() {
    let normal = || Marginal::normal(0.0, 1.0).unwrap();
    let laws = [
        Law::EquicorrelatedNormal(EquicorrelatedNormal::new(1.0, 2.0, 0.5)),
        Law::EquicorrelatedNormal(EquicorrelatedNormal::new(0.0, 1.0, -0.2)),
        Law::Gaussian(Gaussian::new(covariance())),
        Law::GaussianProcess(GaussianProcess::new(Kernel::Matern32, 1.5)),
        Law::Features(Features::of_labels(["corner", "c1"], normal())),
    ];
    let expected: [[f32; 5]; 5] = [
        [2.7502892, 3.0107534, 3.9349697, 1.9769194, 0.88303],
        [0.41094413, 0.6126988, 1.3285937, -0.18810548, -1.0354285],
        [1.1671219, 0.0, 0.0, 0.5529752, -0.6501823],
        [0.67383814, 1.0874301, 1.8298681, 0.61819154, 0.5366985],
        [0.67383814, 0.8580141, 0.67383814, 0.0, 0.0],
    ];
    for (law, expected) in laws.into_iter().zip(expected) {
        let name = law.name();
        let found = bind(law).draw(Seed(11), Stream::Reward, SampleIndex(3));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn laws_that_do_not_fit_list_all_that_is_wrong() {
    let mut told = String::new();
    for text in [
        "distribution = \"equicorrelated-normal\"\nsd = 0\nrho = -1",
        "distribution = \"equicorrelated-normal\"\nrho = -0.3",
        "distribution = \"equicorrelated-normal\"",
        "distribution = \"gaussian\"\ncovariance = [[1, 2], [2, 1]]\ncolumns = [\"c0\", \"c1\"]",
        "distribution = \"gaussian\"\ncovariance = [[1, 2], [3, 1]]\nmean = [1, 2, 3]\ncolumns = [\"c0\", \"c1\"]",
        "distribution = \"gaussian\"\ncovariance = [[1, 0], [0]]",
        "distribution = \"gaussian\"\ncovariance = [[1, nan], [\"x\", 1]]",
        "distribution = \"gaussian\"\ncovariance = [[1]]\ncolumns = [\"c9\"]",
        "distribution = \"gaussian\"\ncovariance = [[1]]\ncolumns = [\"corner\", \"c1\"]",
        "distribution = \"gaussian\"\ncovariance = [[1, 0], [0, 1]]",
        "distribution = \"gaussian\"\ncovariance = \"nobody-read-it.csv\"",
        "distribution = \"gaussian-process\"\nkernel = \"matern\"\nlength = 0\nsd = -1\nnugget = 2",
        "distribution = \"gaussian-process\"\nkernel = \"rbf\"\nlength = 1\ncoordinates = { c0 = [0, 1], corner = [1] }",
        "distribution = \"features\"\nfeatures = [\"cornr\"]\nweights = { distribution = \"orbit\", values = [1, 2] }",
        "distribution = \"features\"\nfeatures = { c0 = [1, 2], corner = [1], c1 = [\"x\"] }",
        "distribution = \"features\"\nfeatures = { c0 = [1, 2], corner = [1, 2] }\nweights = { distribution = \"normal\", sd = -1 }",
        "distribution = \"features\"\nfeatures = [[1, 2], [3]]\nweights = { distribution = \"normal\" }",
        "distribution = \"features\"\nfeatures = [[0, 0, 0, 0, 0]]\nweights = { distribution = \"normal\" }",
        "distribution = \"table\"\ngoals = []\nuse = \"twice\"",
        "distribution = \"table\"\ngoals = [[1, 2, 3]]",
        "distribution = \"table\"\ngoals = [[1e30, 1]]\ncolumns = [\"c0\", \"c1\"]",
        "distribution = \"features\"\ndomain = \"choices\"\nfeatures = [\"corner\"]\nweights = { distribution = \"normal\" }",
    ] {
        let faults = read(text).expect_err(text);
        told += &format!("{text}\n{faults}\n\n");
    }
    insta::assert_snapshot!(told);
}

/// The files of an experiment with a law that names one.
fn write_experiment(directory: &std::path::Path, phi: &str) -> std::path::PathBuf {
    let mdp = "{\"states\": [\"a\", \"b\"], \"transitions\": {\"a\": [{\"action\": \"go\", \"to\": \"b\"}, \
               {\"action\": \"stay\", \"to\": \"a\"}], \"b\": [{\"action\": \"stay\", \"to\": \"b\"}]}}";
    let experiment = "schema = 1\n[mdp]\npath = \"two.json\"\n[[reward]]\ndistribution = \"features\"\n\
                      features = \"phi.csv\"\nweights = { distribution = \"normal\" }\n[[reward]]\n\
                      distribution = \"mixture\"\ncomponents = [{ distribution = \"table\", goals = \"phi.csv\" }]\n\
                      [solve]\ndiscount = 0.9\n";
    std::fs::write(directory.join("two.json"), mdp).unwrap();
    std::fs::write(directory.join("phi.csv"), phi).unwrap();
    let path = directory.join("experiment.toml");
    std::fs::write(&path, experiment).unwrap();
    path
}

#[test]
fn a_file_of_a_law_is_read_copied_and_hashed() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_experiment(directory.path(), "b,a\n1,0\n0.5,2\n");
    let load = |path: &std::path::Path| Experiment::load(path, &Overrides::default());
    let (experiment, _) = load(&path).unwrap();
    let law = |experiment: &Experiment| {
        let mdp = Arc::new(experiment.environments[0].clone());
        let reward = &experiment.rewards.value[0].distribution;
        let law = reward.bind(&mdp).unwrap().law;
        law.draw(Seed(1), Stream::Reward, SampleIndex(0))
    };
    let weight = |k| {
        let word = powersweep::rng::word(Seed(1), Stream::Reward, SampleIndex(0), k);
        f64::from(Marginal::normal(0.0, 1.0).unwrap().value(word))
    };
    let expected = [2.0 * weight(1), weight(0) + 0.5 * weight(1)].map(|x| x as f32);
    assert_eq!(law(&experiment), expected);

    // The copies are an experiment of their own, the same one.
    let copies = tempfile::tempdir().unwrap();
    for (place, bytes) in experiment.inputs() {
        let to = copies.path().join(place);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
    let (again, _) = load(&copies.path().join("experiment.toml")).unwrap();
    assert_eq!(law(&again), expected);
    assert_eq!(again.hash("cpu"), experiment.hash("cpu"));

    // Another content is another experiment.
    write_experiment(directory.path(), "b,a\n1,0\n0.5,3\n");
    let (other, _) = load(&path).unwrap();
    assert_ne!(other.hash("cpu"), experiment.hash("cpu"));

    // What is wrong with the file is told with the rest, once.
    write_experiment(directory.path(), "b,a\n1,x\n");
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("phi.csv:2:3"), "{error}");
    std::fs::remove_file(directory.path().join("phi.csv")).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
    assert!(!error.contains("has not been read"), "{error}");
}
