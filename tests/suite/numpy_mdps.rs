//! MDPs in NumPy archives: what the foreign tools write is read as they mean it, faults are all told, and what is written comes back.

use std::io::Cursor;
use std::path::Path;

use powersweep::io::npz::{Array, ArrayValues, NpzWriter};
use powersweep::io::{Layout, ReadOptions, parse_npz, read_mdp, read_mdp_as, write_npz};
use powersweep::mdp::families::{Family, Garnet};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::{ChoiceId, StateId};
use proptest::prelude::*;

fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/formats")
        .join(name)
}

/// Name, start, and every choice as `state action: successor probability ...`, one a line.
pub(crate) fn text(mdp: &Mdp) -> String {
    let name = |s: u32| mdp.state_name(StateId(s));
    let mut lines = vec![format!(
        "{}, start {:?}",
        mdp.name(),
        mdp.start()
            .iter()
            .map(|(s, p)| (name(s.0), p))
            .collect::<Vec<_>>()
    )];
    for c in (0..mdp.n_choices() as u32).map(ChoiceId) {
        let (to, p) = mdp.row(c);
        let to: Vec<String> = to
            .iter()
            .zip(p)
            .map(|(&s, p)| format!("{} {p}", name(s)))
            .collect();
        lines.push(format!(
            "{} {}: {}",
            mdp.state_name(mdp.state_of(c)),
            mdp.action_name(c),
            to.join(", ")
        ));
    }
    for (label, members) in mdp.state_labels() {
        lines.push(format!("label {label}: {members:?}"));
    }
    for (label, members) in mdp.choice_labels() {
        lines.push(format!("choice label {label}: {members:?}"));
    }
    lines.join("\n")
}

fn read(name: &str, layout: Option<Layout>) -> String {
    match read_mdp_as(
        &sample(name),
        ReadOptions {
            layout,
            format: None,
        },
    ) {
        Ok((mdp, warnings)) => format!("{}\n{warnings}", text(&mdp)),
        Err(error) => error
            .to_string()
            .replace(&sample("").display().to_string(), ""),
    }
}

#[test]
fn the_forest_of_pymdptoolbox_is_the_same_in_every_form() {
    let dense = read("forest-dense.npz", None).replace(&sample("").display().to_string(), "");
    insta::assert_snapshot!(dense);
    // pymdptoolbox's order is told apart by the shape (2, 4, 4), and may be said.
    assert_eq!(
        read("forest-dense.npz", Some(Layout::ActionState))
            .replace(&sample("").display().to_string(), ""),
        dense
    );
    let rows = |name: &str, layout| {
        let (mdp, warnings) = read_mdp_as(
            &sample(name),
            ReadOptions {
                layout,
                format: None,
            },
        )
        .unwrap();
        assert!(warnings.list.is_empty(), "{warnings}");
        (0..mdp.n_choices() as u32)
            .map(|c| {
                (
                    mdp.state_of(ChoiceId(c)).0,
                    mdp.row(ChoiceId(c)).0.to_vec(),
                    mdp.row(ChoiceId(c)).1.to_vec(),
                )
            })
            .collect::<Vec<_>>()
    };
    let (mdp, _) = read_mdp(&sample("forest-dense.npz")).unwrap();
    let wanted: Vec<_> = (0..8)
        .map(ChoiceId)
        .map(|c| {
            (
                mdp.state_of(c).0,
                mdp.row(c).0.to_vec(),
                mdp.row(c).1.to_vec(),
            )
        })
        .collect();
    assert_eq!(rows("forest-sparse.npz", None), wanted);
    assert_eq!(
        rows("forest-stacked.npz", Some(Layout::ActionState)),
        wanted
    );
    // The control: the other order of the stacked rows is another MDP.
    assert_ne!(
        rows("forest-stacked.npz", Some(Layout::StateAction)),
        wanted
    );
    // One choice is not available.
    let available = rows("forest-available.npz", None);
    assert_eq!(available.len(), 7);
    assert!(available.iter().all(|row| wanted.contains(row)) && !available.contains(&wanted[1]));
}

#[test]
fn names_labels_and_starts_are_read() {
    insta::assert_snapshot!(read("forest-sparse.npz", None));
    let (mdp, _) = read_mdp(&sample("forest-available.npz")).unwrap();
    assert_eq!(mdp.start(), [(StateId(0), 0.25), (StateId(1), 0.75)]);
    assert_eq!(
        (mdp.state_name(StateId(3)), mdp.action_name(ChoiceId(2))),
        ("s3", "a1")
    );
    assert_eq!(mdp.name(), "forest-available");
}

#[test]
fn where_the_order_of_indices_cannot_be_known_it_must_be_said() {
    insta::assert_snapshot!(
        ["rand.npz", "forest-stacked.npz", "columns.npz", "goals.npz"]
            .map(|name| read(name, None))
            .join("\n\n")
    );
    let [a, b] = Layout::ALL.map(|layout| read("rand.npz", Some(layout)));
    assert!(a.starts_with("rand, start") && b.starts_with("rand, start"));
    assert_ne!(a, b);
}

enum Values<'a> {
    F(&'a [f64]),
    I(&'a [i64]),
    T(&'a [&'a str]),
}

fn npz(arrays: &[(&str, &[usize], Values<'_>)]) -> Vec<u8> {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, shape, values) in arrays {
        let values = match values {
            Values::F(list) => ArrayValues::Numbers(list),
            Values::I(list) => ArrayValues::Integers(list),
            Values::T(list) => ArrayValues::Texts(list),
        };
        writer
            .write(&Array {
                name,
                shape,
                values,
            })
            .unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn answer(bytes: &[u8]) -> String {
    match parse_npz("x.npz", bytes, None) {
        Ok((mdp, warnings)) => format!("read:\n{}\n{warnings}", text(&mdp)),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn an_archive_with_faults_is_answered_with_all_of_them() {
    use Values::{F, I, T};
    let half = [0.5, 0.5, f64::NAN, 0.5, 0.5, 0.25, -0.5, 1.5];
    let answers = [
        npz(&[
            ("T", &[2, 2, 2], F(&half)),
            ("layout", &[], T(&["asa"])),
            ("state_names", &[3], T(&["a", "", "a"])),
        ]),
        npz(&[
            ("T", &[2, 2, 2], F(&half)),
            ("layout", &[], T(&["sas"])),
            ("action_names", &[2], T(&["go", "go"])),
            ("available", &[2], F(&[1.0, 0.0])),
            ("start", &[], I(&[2])),
            ("label/x", &[2], I(&[0, 9])),
            ("label/y", &[3], F(&[0.0; 3])),
            ("choice_label/z", &[2], F(&[0.0; 2])),
            ("rewards", &[2], F(&[0.0; 2])),
        ]),
        npz(&[("T", &[2, 2, 2], F(&half)), ("layout", &[], T(&["sas"]))]),
        npz(&[
            ("T", &[2, 1, 2], F(&[1.0, 0.0, 0.0, 0.0])),
            ("label/none", &[2], F(&[0.0; 2])),
            ("start", &[2], F(&[0.0; 2])),
        ]),
        npz(&[
            ("T", &[2, 1, 2], F(&[1.0, 0.0, 0.0, 0.0])),
            ("available", &[2, 1], F(&[1.0, 1.0])),
        ]),
        npz(&[("T", &[3, 4, 5], F(&[0.0; 60]))]),
        npz(&[("T", &[2, 2], F(&[0.0; 4])), ("P", &[2, 2], F(&[0.0; 4]))]),
        npz(&[
            ("data", &[3], F(&[1.0; 3])),
            ("indices", &[2], I(&[0, 5])),
            ("indptr", &[2], I(&[0, 3])),
            ("shape", &[2], I(&[2, 2])),
        ]),
        npz(&[
            ("go/data", &[2], F(&[1.0; 2])),
            ("go/indices", &[2], I(&[-1, 5])),
            ("go/indptr", &[3], I(&[1, 0, 1])),
            ("go/shape", &[2], I(&[2, 2])),
            ("stop/data", &[1], F(&[1.0])),
            ("stop/indices", &[1], F(&[0.0])),
            ("stop/shape", &[1], I(&[2])),
        ]),
        npz(&[
            ("data", &[2], F(&[1.0; 2])),
            ("indices", &[2], I(&[0, 1])),
            ("indptr", &[3], I(&[0, 1, 2])),
            ("shape", &[2], I(&[2, 2])),
            ("choice_state", &[3], I(&[0, 1, 2])),
            ("choice_action", &[1], I(&[1 << 40])),
            ("available", &[1], I(&[1])),
        ]),
        npz(&[]),
    ]
    .map(|bytes| answer(&bytes));
    insta::assert_snapshot!(answers.join("\n\n"));
}

#[test]
fn a_few_bytes_that_promise_billions_of_states_cost_nothing() {
    use Values::{F, I};
    let many = 4_000_000_000;
    let answers = [
        npz(&[("T", &[many, 0, many], F(&[]))]),
        npz(&[
            ("data", &[0], F(&[])),
            ("indices", &[0], I(&[])),
            ("indptr", &[1], I(&[0])),
            ("shape", &[2], I(&[0, many as i64])),
        ]),
        npz(&[
            ("data", &[1], F(&[1.0])),
            ("indices", &[1], I(&[0])),
            ("indptr", &[2], I(&[0, 1])),
            ("shape", &[2], I(&[1, many as i64])),
            ("choice_state", &[1], I(&[0])),
            ("choice_action", &[1], I(&[0])),
        ]),
    ]
    .map(|bytes| answer(&bytes));
    insta::assert_snapshot!(answers.join("\n"), @r#"
    x.npz: error: array "T" has the shape (4000000000, 0, 4000000000): nothing is in it
    x.npz: error: array "shape" is (0, 4000000000): the rows are no multiple of the states
    x.npz: error: array "shape" is (1, 4000000000): 4000000000 states, but no more than 1 choices
    "#);
}

#[test]
fn millions_of_faults_are_counted_and_twenty_told() {
    let zeros = vec![0.25; 200 * 3 * 200];
    let shown = answer(&npz(&[("T", &[200, 3, 200], Values::F(&zeros))]));
    assert_eq!(shown.lines().count(), 21, "{shown}");
    assert!(
        shown.ends_with("and 580 more faults and warnings about choices"),
        "{shown}"
    );
}

/// What differs between two MDPs. Rows are divided by their sums whenever they are read, and a sum of up to four numbers is off by
/// no more than two units in the last place of one: so much may each probability move by.
pub(crate) fn difference(a: &Mdp, b: &Mdp) -> Option<String> {
    let shape = |mdp: &Mdp| {
        let rows = (0..mdp.n_choices() as u32).map(ChoiceId);
        let rows = rows.map(|c| {
            (
                mdp.state_of(c),
                mdp.action_name(c).to_owned(),
                mdp.row(c).0.to_vec(),
            )
        });
        let names: Vec<String> = mdp.states().map(|s| mdp.state_name(s).to_owned()).collect();
        let start: Vec<_> = mdp.start().iter().map(|(s, _)| *s).collect();
        let labels = (mdp.state_labels().clone(), mdp.choice_labels().clone());
        (
            mdp.name().to_owned(),
            names,
            start,
            labels,
            rows.collect::<Vec<_>>(),
        )
    };
    if shape(a) != shape(b) {
        return Some(format!("{:?}\n{:?}", shape(a), shape(b)));
    }
    let numbers = |mdp: &Mdp| -> Vec<f64> {
        let rows = (0..mdp.n_choices() as u32).flat_map(|c| mdp.row(ChoiceId(c)).1.to_vec());
        rows.chain(mdp.start().iter().map(|(_, p)| *p)).collect()
    };
    let both = numbers(a).into_iter().zip(numbers(b));
    let mut apart = both.filter(|(x, y)| (x - y).abs() > 2.0 * f64::EPSILON * x);
    apart.next().map(|(x, y)| format!("{x} {y}"))
}

#[test]
fn a_probability_that_moved_is_noticed() {
    let coin = |p: f64| {
        let mut builder = MdpBuilder::new("coin");
        let s = [builder.state("a"), builder.state("b")];
        builder.choice(s[0], "toss", [(s[0], p), (s[1], 1.0 - p)]);
        builder.absorbing(s[1]);
        builder.build().unwrap()
    };
    assert_eq!(difference(&coin(0.25), &coin(0.25)), None);
    assert!(difference(&coin(0.25), &coin(0.25 + 1e-15)).is_some());
}

fn round_trip(mdp: &Mdp) -> Mdp {
    let bytes = write_npz(mdp, Cursor::new(Vec::new()))
        .unwrap()
        .into_inner();
    let (read, warnings) = parse_npz("other.npz", &bytes, None).unwrap();
    assert!(warnings.list.is_empty(), "{warnings}");
    read
}

/// MDPs with ragged choices, whose actions come in another order in every state, odd names, labels and starts.
pub(crate) fn mdps() -> impl Strategy<Value = Mdp> {
    let names = prop_oneof![Just("s"), Just("zwölf "), Just("a,\"b\" "), Just("x/data")];
    (1..6usize, names).prop_flat_map(|(n, prefix)| {
        let row = proptest::collection::btree_map(0..n as u32, 1..100u32, 1..4);
        let choices = proptest::collection::vec((0..5u8, row), 1..5);
        let states = proptest::collection::vec(choices, n);
        let start = proptest::collection::btree_map(0..n as u32, 1..9u32, 1..3);
        let labelled = proptest::collection::btree_set(0..n as u32, 1..3);
        (Just(prefix), states, start, labelled)
            .prop_map(|(prefix, states, start, labelled)| build(prefix, &states, &start, &labelled))
    })
}

type Weights = std::collections::BTreeMap<u32, u32>;

fn shares(weights: &Weights) -> Vec<(StateId, f64)> {
    let sum: u32 = weights.values().sum();
    weights
        .iter()
        .map(|(&s, &w)| (StateId(s), f64::from(w) / f64::from(sum)))
        .collect()
}

fn build(
    prefix: &str,
    states: &[Vec<(u8, Weights)>],
    start: &Weights,
    labelled: &std::collections::BTreeSet<u32>,
) -> Mdp {
    let mut builder = MdpBuilder::new("made up");
    for s in 0..states.len() {
        builder.state(format!("{prefix}{s}"));
    }
    let mut marked = Vec::new();
    for (s, choices) in states.iter().enumerate() {
        let mut seen = std::collections::HashSet::new();
        for (action, row) in choices.iter().filter(|(action, _)| seen.insert(*action)) {
            let name = format!("{prefix}to {action}");
            builder.choice(StateId(s as u32), &name, shares(row));
            marked.push((StateId(s as u32), name));
        }
    }
    builder.start_distribution(shares(start), None);
    builder.label("l/ö", labelled.iter().map(|&s| StateId(s)).collect());
    builder.choice_label_at("first", None, marked.into_iter().take(2).collect());
    builder.build().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(mdp in mdps()) {
        let read = round_trip(&mdp);
        prop_assert_eq!(difference(&read, &mdp), None);
        // The control: another name is noticed, and so is another row.
        prop_assert!(difference(&read.clone().renamed("other"), &mdp).is_some());
    }
}

#[test]
fn a_large_one_comes_back_with_made_up_names_left_out() {
    let family = Family::Garnet(Garnet {
        states: 3_000,
        choices: 3,
        branching: 5,
    });
    let mdp = family.generate(1).unwrap();
    let bytes = write_npz(&mdp, Cursor::new(Vec::new()))
        .unwrap()
        .into_inner();
    assert!(!bytes.windows(11).any(|w| w == b"state_names"));
    assert_eq!(parse_npz("x.npz", &bytes, None).unwrap().0, mdp);
}

const GOOD: [&[u8]; 5] = [
    include_bytes!("../data/formats/forest-dense.npz"),
    include_bytes!("../data/formats/forest-available.npz"),
    include_bytes!("../data/formats/forest-stacked.npz"),
    include_bytes!("../data/formats/forest-sparse.npz"),
    include_bytes!("../data/formats/rand.npz"),
];

/// The entries of an archive with some bytes of their content changed, packed anew so that checksums hold: mutations of the
/// archive itself hardly ever come as far as the arrays.
fn repack(bytes: &[u8], changes: &[(usize, usize, u8)]) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        for &(_, at, byte) in changes.iter().filter(|(which, ..)| which % 8 == i % 8) {
            let at = at % content.len();
            content[at] = byte;
        }
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(&content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_good_file_makes_the_reader_panic(
        which in 0..GOOD.len(),
        changes in proptest::collection::vec((any::<usize>(), any::<usize>(), prop_oneof![any::<u8>(), 0..3u8, b'0'..=b'9']), 1..4),
        archive in any::<bool>(),
        layout in proptest::option::of(proptest::sample::select(Layout::ALL.to_vec())),
    ) {
        let bytes = match archive {
            false => repack(GOOD[which], &changes),
            true => {
                let mut bytes = GOOD[which].to_vec();
                changes.iter().for_each(|&(_, at, byte)| { let at = at % bytes.len(); bytes[at] = byte });
                bytes
            }
        };
        match parse_npz("x.npz", &bytes, layout) {
            Ok((_, warnings)) => prop_assert!(!warnings.has_errors()),
            Err(faults) => prop_assert!(faults.has_errors() && !faults.to_string().is_empty()),
        }
    }
}

#[test]
fn the_files_that_are_mutated_are_good_to_begin_with() {
    for bytes in GOOD {
        let layout = Some(Layout::ActionState);
        let read = |bytes: &[u8]| {
            parse_npz("x.npz", bytes, layout).or_else(|_| parse_npz("x.npz", bytes, None))
        };
        assert_eq!(read(bytes).unwrap().0, read(&repack(bytes, &[])).unwrap().0);
    }
}
