//! MDPs in the text formats of other tools: Gymnasium's tables, the explicit files of PRISM and Storm, POWERplay's graphs.

use powersweep::document::{Faults, SourceText};
use powersweep::io::{
    Format, parse_drn, parse_graphviz, parse_mdp, parse_prism, read_mdp, write_drn, write_graphviz,
    write_json, write_prism,
};
use powersweep::mdp::Mdp;
use powersweep::{ChoiceId, StateId};
use proptest::prelude::*;

use crate::numpy_mdps::{difference, mdps, text};

fn shown(read: Result<(Mdp, Faults), Faults>) -> String {
    match read {
        Ok((mdp, warnings)) => format!("{}\n{warnings}", text(&mdp)),
        Err(faults) => {
            assert!(faults.has_errors());
            faults.to_string()
        }
    }
}

fn gymnasium(text: &str) -> Result<(Mdp, Faults), Faults> {
    parse_mdp(Format::Json, SourceText::new("x.json", text))
}

/// A walk of three cells: left, right; the episode ends at the right one.
const WALK: &str = r#"{"start": [1, 0, 0], "actions": ["left", "right"], "P": [
 [[[1.0, 0, 0.0, false]], [[0.9, 1, 0.0, false], [0.1, 0, 0.0, false]]],
 [[[1.0, 0, 0.0, false]], [[0.5, 2, 1.0, true], [0.25, 0, 0, false], [0.25, 0, 0, false]]],
 [[[1.0, 1, 0.0, false]], [[1.0, 2, 0.0, true]]]]}"#;

#[test]
fn the_end_of_an_episode_is_absorption() {
    insta::assert_snapshot!(shown(gymnasium(WALK)));
    // The same as a dictionary of dictionaries, as `json.dumps(env.unwrapped.P)` writes it, without the start.
    let (listed, _) = gymnasium(WALK).unwrap();
    let keyed = r#"{"actions": ["left", "right"], "name": "x", "P": {"1": {"0": [[1, 0, 0, false]], "1": [[0.5, 2, 1, true], [0.5, 0, 0, false]]},
        "2": {"0": [[1.0, 2, true]], "1": [[1.0, 2, true]]}, "0": {"0": [[1, 0, false]], "1": [[0.9, 1, 0, false], [0.1, 0, 0, false]]}}}"#;
    let (keyed, warnings) = gymnasium(keyed).unwrap();
    assert!(warnings.list.is_empty(), "{warnings}");
    assert_eq!(difference(&keyed, &listed), None);
}

#[test]
fn a_state_that_ends_the_episode_on_some_ways_only_gets_an_absorbing_copy() {
    let text = WALK.replace(
        "[0.9, 1, 0.0, false], [0.1, 0, 0.0, false]",
        "[0.9, 1, 0.0, false], [0.1, 2, 0.0, false]",
    );
    assert_ne!(text, WALK);
    insta::assert_snapshot!(shown(gymnasium(&text)));
}

#[test]
fn a_table_with_faults_is_answered_with_all_of_them() {
    let texts = [
        r#"{"P": [[[[1.0, 0, 0.0]], [[0.5, 7, 0, false], [0.5, 0, "x", false], [1, 0], "stay"], 3], 4], "states": ["a", "", 3], "colour": 1}"#,
        r#"{"P": [[[[1.0, 0, false]]]], "states": ["a", "b"], "actions": []}"#,
        r#"{"P": {"0": {"0": [[1, 0, false]]}, "2": {}}}"#,
        r#"{"P": [[[[0.5, 0, false]], [[-1, 0, false], [2, 0, false]], []]], "start": [1, 0]}"#,
        r#"{"P": [[[[0.5, 0, false]], [[-1, 0, false], [3, 0, false]], []]], "start": [1]}"#,
        r#"{"P": 3}"#,
        r#"{"P": []}"#,
        r#"{"P": [[[[1, 0, false]]]], "grid": {"map": "S"}}"#,
    ];
    let answers = texts.map(|text| format!("{text}\n=> {}\n", shown(gymnasium(text))));
    insta::assert_snapshot!(answers.join("\n"));
}

/// The example of the PRISM manual's appendix on explicit model files, made an MDP with two initial states and all that may be there.
const TRA: &str = "4 5 7\n0 0 0 0.5 toss\n0 0 1 0.5 toss\n0 1 2 1 give up\n1 0 3 1 go\n2 0 2 1\n3 0 2 0.25 go\n3 0 3 0.75 go\n";
const STA: &str = "(x,done)\n0:(0,false)\n1:(1,false)\n2:(2,true)\n3:(3,false)\n";
const LAB: &str = "0=\"init\" 1=\"deadlock\" 2=\"goal\"\n0: 0\n1: 0\n2: 2\n";

#[test]
fn the_three_files_of_prism_are_one_mdp() {
    insta::assert_snapshot!(shown(parse_prism("model.tra", TRA, Some(STA), Some(LAB))));
    let (alone, _) = parse_prism("model.tra", TRA, None, None).unwrap();
    assert_eq!(
        (alone.state_name(StateId(3)), alone.action_name(ChoiceId(3))),
        ("s3", "a0")
    );
    let windows = TRA.replace('\n', "\r\n");
    assert_eq!(
        parse_prism("model.tra", &windows, None, None).unwrap().0,
        alone
    );
}

#[test]
fn prism_files_with_faults_are_answered_with_all_of_them() {
    let answers = [
        ("", None, None),
        ("3 7\n", None, None),
        ("many 1 1\n", None, None),
        ("4000000000 4000000000 4000000000\n0 0 0 1\n", None, None),
        (
            "2 2 3\n0 0 0 0.5\n0 0 5 0.5\n0 x 1 1\n1 0 1\n0 0 1 half\n",
            Some("(s)\n0:(0)\n0:(1)\n7:(2)\none\n"),
            Some("0=init\n0: 0\n9: 1\nx\n"),
        ),
        (
            "2 3 3\n0 1 0 1\n1 0 1 1 a\n0 0 1 1 b\n",
            Some("(s)\n0:(0)\n"),
            None,
        ),
        ("2 2 3\n0 0 0 0.5 a\n0 0 1 0.5 b\n1 0 1 0.5\n", None, None),
        (
            "2 2 3\n0 0 0 1\n1 0 1 1\n",
            None,
            Some("0=\"init\" 1=\"x\"\n0: 0 3\n1: 1\n"),
        ),
        ("2 3 3\n0 0 0 1 go\n0 1 1 1 go\n1 0 1 1 go\n", None, None),
    ]
    .map(|(tra, sta, lab)| format!("{tra}=> {}\n", shown(parse_prism("x.tra", tra, sta, lab))));
    insta::assert_snapshot!(answers.join("\n"));
}

/// What PRISM's files have room for.
fn without_choice_labels(mdp: &Mdp) -> Mdp {
    let files = write_prism(mdp).unwrap();
    parse_prism(
        &format!("{}.tra", mdp.name()),
        &files.tra,
        Some(&files.sta),
        Some(&files.lab),
    )
    .unwrap()
    .0
}

proptest! {
    #[test]
    fn what_is_written_for_prism_is_read_back(mdp in mdps()) {
        let once = without_choice_labels(&mdp);
        prop_assert_eq!(difference(&without_choice_labels(&once), &once), None);
        let rows = |m: &Mdp| (0..m.n_choices() as u32).map(|c| (m.action_name(ChoiceId(c)).to_owned(), m.row(ChoiceId(c)).0.to_vec())).collect::<Vec<_>>();
        prop_assert_eq!(rows(&once), rows(&mdp));
        let names = |m: &Mdp| m.states().map(|s| m.state_name(s).to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(names(&once), names(&mdp));
        prop_assert_eq!(once.state_labels(), mdp.state_labels());
    }
}

const STORM: &str = include_str!("../data/formats/storm-labelled.drn");

#[test]
fn what_storm_writes_is_read() {
    let plain = include_str!("../data/formats/storm-plain.drn");
    let [labelled, plain] = [STORM, plain].map(|text| parse_drn("walk.drn", text));
    insta::assert_snapshot!(shown(labelled.clone()));
    // Without values and names of actions it is the same MDP under other names.
    let rows = |read: Result<(Mdp, Faults), Faults>| {
        let mdp = read.unwrap().0;
        let rows = (0..mdp.n_choices() as u32).map(|c| format!("{:?}", mdp.row(ChoiceId(c))));
        (
            rows.collect::<Vec<_>>(),
            mdp.state_labels().clone(),
            mdp.start().to_vec(),
        )
    };
    assert_eq!(rows(labelled), rows(plain));
    // Storm itself wrote the probability of the second `rain` with ten digits, and the name `rain` twice.
    let text = write_drn(&parse_drn("walk.drn", STORM).unwrap().0).unwrap();
    assert!(
        text.contains("\taction rain_(2)\n\t\t1 : 0.6666666667\n"),
        "{text}"
    );
}

#[test]
fn drn_files_with_faults_are_answered_with_all_of_them() {
    let header = "@type: MDP\n@nr_states\n2\n@nr_choices\n2\n@model\n";
    let good = "state 0 init\n action a\n  1 : 1/1\nstate 1 \"the end\" done\n action b\n  1 : 1\n";
    let answers = [
        String::new(),
        "@type: CTMC\n@value_type: interval\n@colour: red\n@parameters\np q\n@nr_states\nmany\n@model\n".to_owned(),
        "@type: MDP\n@model\nstate 0\n".to_owned(),
        "@type: MDP\n@nr_states\n4000000000\n@model\n".to_owned(),
        format!("{header}{good}"),
        format!("{}{good}", header.replace("2\n@m", "3\n@m")),
        format!("{header}0 : 1\naction x\nstate 0 !3\n 1 : 1\n action a\n 1 : half\n 7 : 1\n x : 1\nstate 2\nstate z\nwhat\n"),
        format!("{header}state 0 [1, 2\n action a [1]\n  0 : 0.5\nstate 1 \"x\n action a\n  1 : 1\n"),
        format!("{header}{}", good.replace("1/1", "1/0")),
        format!("{header}state 0\n//[x=1]\n action __NOLABEL__\n  0 : 1\n"),
    ]
    .map(|text| format!("{text}=> {}\n", shown(parse_drn("x.drn", &text))));
    insta::assert_snapshot!(answers.join("\n"));
}

proptest! {
    #[test]
    fn what_is_written_for_storm_is_read_back(mdp in mdps()) {
        let through = |m: &Mdp| parse_drn(&format!("{}.drn", m.name()), &write_drn(m).unwrap()).unwrap().0;
        let once = through(&mdp);
        prop_assert_eq!(difference(&through(&once), &once), None);
        // Storm ends the name of an action at a space.
        let action = |m: &Mdp, c: u32| m.action_name(ChoiceId(c)).replace(' ', "_");
        let rows = |m: &Mdp| (0..m.n_choices() as u32).map(|c| (action(m, c), m.row(ChoiceId(c)).0.to_vec())).collect::<Vec<_>>();
        prop_assert_eq!(rows(&once), rows(&mdp));
        // Rows that were read are scaled to a sum of one.
        let p = |m: &Mdp| (0..m.n_choices() as u32).flat_map(|c| m.row(ChoiceId(c)).1.to_vec()).collect::<Vec<_>>();
        prop_assert!(p(&once).iter().zip(p(&mdp)).all(|(x, y)| (x - y).abs() <= 4.0 * f64::EPSILON * x));
        let names = |m: &Mdp| m.states().map(|s| m.state_name(s).to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(names(&once), names(&mdp));
        prop_assert_eq!(once.state_labels(), mdp.state_labels());
    }
}

fn graph(text: &str) -> Result<(Mdp, Faults), Faults> {
    parse_graphviz(SourceText::new("x.gv", text))
}

#[test]
fn the_graphs_of_powerplay_are_read_as_it_means_them() {
    let sample = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/formats/");
        let (mdp, warnings) = read_mdp(std::path::Path::new(&format!("{folder}{name}"))).unwrap();
        assert!(warnings.list.is_empty(), "{warnings}");
        text(&mdp)
    };
    insta::assert_snapshot!(
        ["graph-stochastic.gv", "graph-deterministic.gv"]
            .map(sample)
            .join("\n\n")
    );
}

#[test]
fn graphs_with_faults_are_answered_with_all_of_them() {
    let texts = [
        "",
        "graph { a -- b }",
        "digraph { a -> b",
        "digraph { a -> ; }",
        "digraph { subgraph x { a } }",
        "digraph { a -> b [weight=much] }",
        "digraph { \"a }",
        "digraph { a /* b }",
        "digraph { a -> b } digraph { c }",
        "digraph { a -> b; \"\\n\"; }",
        "strict digraph \"policy\" { \"[s]\" -> \"[go]__[s]\" [weight=0.5]; \"[s]\"; }",
        "digraph {\n \"[s]\"; x; \"[s]\" -> \"[go]__[s]\";\n \"[go]__[s]\" -> \"[t]__[go]__[s]\" [weight=1.0];\n \"[go]__[s]\" -> \"[s]__[go]__[s]\";\n \
         \"[s]\" -> \"[go]__[t]\";\n \"[a]__[b]__[c]__[d]\" -> x;\n}",
        "digraph { \"[s]\" -> \"[go]__[s]\"; \"[go]__[s]\" -> \"[s]__[go]__[s]\" [weight=0.5, label=\"half\"]; }",
        "// a comment\n# another\nstrict digraph G { graph [rankdir=LR]; node [shape=box] a -> b -> a [color=red]; /* c */ a; a -> b; rank=same }",
    ];
    let answers = texts.map(|text| format!("{text}\n=> {}\n", shown(graph(text))));
    insta::assert_snapshot!(answers.join("\n"));
}

proptest! {
    #[test]
    fn what_is_written_as_a_graph_is_read_back(mdp in mdps()) {
        let (read, warnings) = graph(&write_graphviz(&mdp).unwrap()).unwrap();
        prop_assert!(warnings.list.is_empty());
        // Start and labels have no place in it: lines of rows alone.
        let rows = |mdp: &Mdp| text(mdp).lines().skip(1).filter(|l| !l.contains("label ")).map(str::to_owned).collect::<Vec<_>>();
        let (read, written) = (rows(&read), rows(&mdp));
        prop_assert_eq!(read.len(), written.len());
        let close = |a: &str, b: &str| {
            let numbers = |line: &str| line.split([' ', ',']).filter_map(|w| w.parse::<f64>().ok()).collect::<Vec<_>>();
            let words = |line: &str| line.split([' ', ',']).filter(|w| w.parse::<f64>().is_err()).map(str::to_owned).collect::<Vec<_>>();
            words(a) == words(b) && numbers(a).iter().zip(numbers(b)).all(|(x, y)| (x - y).abs() <= 2.0 * f64::EPSILON * x)
        };
        prop_assert!(read.iter().zip(&written).all(|(a, b)| close(a, b)), "{read:?} {written:?}");
        // The control: rows of other states are noticed.
        prop_assert!(!close("a go: b 0.5", "a go: c 0.5") && !close("a go: b 0.5", "a go: b 0.25"));
    }

    #[test]
    fn what_is_written_as_a_tree_is_read_back(mdp in mdps()) {
        let (read, warnings) = gymnasium(&write_json(&mdp)).unwrap();
        prop_assert!(warnings.list.is_empty());
        prop_assert_eq!(difference(&read, &mdp), None);
    }
}

#[test]
fn an_experiment_on_prism_files_takes_all_three_with_it() {
    use powersweep::experiment::{Experiment, Overrides};
    let home = tempfile::tempdir().unwrap();
    let experiment =
        "schema = 1\n[mdp]\npaths = ['m.tra', 'other/m.tra']\n[solve]\ndiscount = 0.9\n";
    let other = "1 1 1\n0 0 0 1 stay\n";
    for (name, text) in [
        ("x.toml", experiment),
        ("m.tra", TRA),
        ("m.sta", STA),
        ("m.lab", LAB),
        ("other/m.tra", other),
    ] {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    // Two environments of one name are refused; the name of a .tra file is the file's.
    std::fs::rename(
        home.path().join("other/m.tra"),
        home.path().join("other/n.tra"),
    )
    .unwrap();
    std::fs::write(
        home.path().join("x.toml"),
        experiment.replace("other/m", "other/n"),
    )
    .unwrap();
    let (first, _) = Experiment::load(&home.path().join("x.toml"), &Overrides::default()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in first.inputs() {
        let path = copy.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let (second, _) =
        Experiment::load(&copy.path().join("experiment.toml"), &Overrides::default()).unwrap();
    assert_eq!(second.hash("cpu"), first.hash("cpu"));
    assert_eq!(
        second.environments[0].state_name(StateId(0)),
        "x=0,done=false"
    );
    // The control: without the names it is another experiment.
    std::fs::remove_file(copy.path().join("mdp/m.sta")).unwrap();
    let (third, _) =
        Experiment::load(&copy.path().join("experiment.toml"), &Overrides::default()).unwrap();
    assert_ne!(third.hash("cpu"), first.hash("cpu"));
}

/// Changes characters of a text; positions are taken modulo its length.
pub(crate) fn mutate(text: &str, changes: &[(usize, u8, char)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for &(at, kind, character) in changes {
        if characters.is_empty() {
            break;
        }
        let at = at % characters.len();
        match kind {
            0 | 1 => characters[at] = character,
            2 => drop(characters.drain(at..(at + 7).min(characters.len()))),
            3 => characters.insert(at, character),
            4 => {
                let again: Vec<char> = characters[at..(at + 20).min(characters.len())].to_vec();
                characters.splice(at..at, again);
            }
            _ => characters.truncate(at),
        }
    }
    characters.into_iter().collect()
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<(usize, u8, char)>> {
    let character = prop_oneof![
        any::<char>(),
        proptest::sample::select(
            "0123456789.-e \n\"=:(),[]{}_<>/\\;"
                .chars()
                .collect::<Vec<_>>()
        )
    ];
    proptest::collection::vec((any::<usize>(), 0..6u8, character), 1..5)
}

fn check(read: Result<(Mdp, Faults), Faults>) {
    let (Ok((_, faults)) | Err(faults)) = &read;
    assert_eq!(faults.has_errors(), read.is_err());
    let text = &faults.source.as_ref().unwrap().text;
    for span in faults.list.iter().filter_map(|f| f.span.clone()) {
        assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_makes_a_reader_panic(which in 0..7, changes in changes()) {
        let changed = |text: &str, of: i32| if which == of { mutate(text, &changes) } else { text.to_owned() };
        match which {
            0 => check(gymnasium(&mutate(WALK, &changes))),
            4 => check(graph(&mutate(include_str!("../data/formats/graph-stochastic.gv"), &changes))),
            5 => check(graph(&mutate(include_str!("../data/formats/graph-deterministic.gv"), &changes))),
            6 => check(parse_drn("x.drn", &mutate(STORM, &changes))),
            _ => check(parse_prism("x.tra", &changed(TRA, 1), Some(&changed(STA, 2)), Some(&changed(LAB, 3)))),
        }
    }
}
