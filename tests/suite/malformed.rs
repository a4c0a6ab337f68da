//! Files with faults: each is answered with one list of everything that is wrong, in the user's names and places.

use powersweep::document::{Faults, SourceText};
use powersweep::io::{Format, ReadError, parse_goal, parse_mdp, read_goal, read_mdp};
use powersweep::mdp::Mdp;
use proptest::prelude::*;

fn source(format: Format, text: &str) -> std::sync::Arc<SourceText> {
    let name = match format {
        Format::Json => "x.json",
        Format::Toml => "x.toml",
    };
    SourceText::new(name, text)
}

/// All faults (or, for a file that is read, all warnings) as the plain rendering shows them.
fn faults(format: Format, text: &str) -> String {
    match parse_mdp(format, source(format, text)) {
        Ok((_, warnings)) => {
            assert!(!warnings.has_errors(), "read in spite of {warnings}");
            format!("read, with warnings:\n{warnings}")
        }
        Err(faults) => {
            assert!(faults.has_errors(), "refused without an error: {faults}");
            faults.to_string()
        }
    }
}

/// One answer after another, each under its text.
fn each(answer: impl Fn(Format, &str) -> String, texts: &[(Format, &str)]) -> String {
    let show = |&(format, text): &(Format, &str)| format!("{text}\n=> {}\n", answer(format, text));
    texts.iter().map(show).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_json_tree_with_every_fault_is_answered_with_all_of_them() {
    let text = r#"{
  "states": ["a", "b", "a", "", "lonely", 7],
  "start": {"a": 0.5, "nowhere": 0.5},
  "transitions": {
    "a": [
      {"action": "go", "to": {"b": 0.5}},
      {"action": "go", "to": {"b": 1.0}},
      {"action": "negative", "to": {"b": 1.5, "a": -0.5}},
      {"action": "unknown", "to": {"c": 1.0}},
      {"action": "", "to": {"b": 1.0}},
      {"action": "huge", "to": {"b": 1e999}},
      {"action": "text", "to": {"b": "all"}},
      {"action": "list", "to": [1]},
      {"action": "nothing", "to": {}},
      {"to": {"b": 1.0}},
      {"action": "where"},
      {"action": 3, "to": {"b": 1.0}, "reward": 1},
      "stay"
    ],
    "b": {"action": "go"},
    "ghost": [{"action": "go", "to": {"a": 1}}],
    "b": []
  },
  "labels": {"off": [], "on": ["a", "ghost"], "number": 3, "off": ["a"]},
  "choice_labels": {"work": [["a", "rest"], ["a"], "a"], "none": [], "x": [["ghost", "go"]]},
  "discount": 0.9
}"#;
    insta::assert_snapshot!(faults(Format::Json, text));
}

#[test]
fn a_toml_tree_with_every_fault_is_answered_with_all_of_them() {
    let text = r#"
states = ["a", "b", "a", "", "lonely", 7]
start = {}
discount = 0.9

[[transitions.a]]
action = "go"
to = { b = 0.5 }

[[transitions.a]]
action = "go"
to = "b"

[[transitions.a]]
action = "strange"
to = { b = nan, a = inf, lonely = -1 }

[[transitions.a]]
action = "unknown"
to = "c"

[[transitions.a]]
action = ""
to = { b = true }

[[transitions.a]]
action = "twice"
to = { b = 1, b = 1 }

[[transitions.a]]
too = "b"

[transitions]
b = "stay"
ghost = []

[labels]
off = []
on = ["a", "ghost"]

[choice_labels]
work = [["a", "rest"], ["a"]]
none = "a"
"#;
    insta::assert_snapshot!(faults(Format::Toml, text));
}

#[test]
fn a_grid_with_every_fault_is_answered_with_all_of_them() {
    let text = r#"
name = 3
states = ["a"]
[grid]
map = '''
.S#.
?.S.
?NN!
'''
moves = 5
stay = "yes"
slip = { p = 1.5, to = "sides", q = 1 }
blocked = "bounce"
wrap = true
[grid.legend]
N = { name = "n", colour = "red" }
W = { wall = true, label = "w", teleport = "start" }
T = { teleport = "nowhere", terminal = true }
L = { labels = ["l", 3] }
ab = { wall = true }
q = "floor"
[labels]
off = ["r9c9"]
"#;
    insta::assert_snapshot!(faults(Format::Toml, text));
}

#[test]
fn what_is_wrong_with_a_readable_map_is_shown_in_the_map() {
    let text = r#"
start = "r0c0"
[grid]
map = """
.S#.
N.SN
.#.T
"""
blocked = "forbidden"
legend = { N = { name = "n" }, T = { teleport = "r9c9" } }
[labels]
off = ["r9c9"]
"#;
    insta::assert_snapshot!(faults(Format::Toml, text));
}

#[test]
fn a_label_of_the_legend_may_not_be_given_again() {
    let text =
        "[grid]\nmap = 'SG'\nlegend.G.label = 'goal'\n[labels]\ngoal = ['r0c1']\nhome = 'r0c0'";
    insta::assert_snapshot!(faults(Format::Toml, text), @r#"x.toml:5:1: error: the label "goal" is given twice"#);
}

#[test]
fn a_label_that_a_state_or_another_label_hides_is_refused_with_both_places() {
    let tree = |labels: &str| {
        let states = "states = ['a', 'b']\n\
            transitions.a = [{ action = 'go', to = 'b' }]\ntransitions.b = [{ action = 'stay', to = 'b' }]\n";
        faults(Format::Toml, &format!("{states}{labels}"))
    };
    insta::assert_snapshot!(tree(
        "labels = { b = ['a', 'b'], end = 'b' }\nchoice_labels = { a = [['a', 'go']], end = [['b', 'stay']] }"
    ));
    // A label of the very state of its name means one thing.
    let fine = "labels = { b = 'b', end = 'b' }\nchoice_labels = { go = [['a', 'go']] }\nx = 1";
    let told = tree(fine);
    assert!(
        told.contains("unknown key `x`") && told.lines().count() == 1,
        "{told}"
    );
    insta::assert_snapshot!(faults(
        Format::Toml,
        "[grid]\nmap = 'SGH'\nlegend.G.name = 'goal'\nlegend.H.label = 'goal'"
    ));
}

#[test]
fn a_cell_without_a_way_out_is_shown_in_the_map() {
    let text = "[grid]\nmap = '''\nS.#.\n..##\n'''\nblocked = 'forbidden'\n";
    insta::assert_snapshot!(faults(Format::Toml, text), @r#"x.toml:3:4: error: cell r0c3 is boxed in: every move is blocked, and blocked = "forbidden" (help: give it a way out, make it terminal, or allow `stay = true`)"#);
    // With `stay` there is a way: the control that the fault is about the way out.
    assert!(faults(Format::Toml, &format!("{text}stay = true")).starts_with("read"));
}

#[test]
fn ragged_rows_are_shown_where_they_end_and_only_the_odd_ones() {
    insta::assert_snapshot!(each(
        faults,
        &[(
            Format::Toml,
            "[grid]\nmap = '''\nS..\n..\n....\n...\n...'''"
        ),]
    ));
    // What characters stand for is told all the same; what is nowhere on the map, and which cells there are, nobody knows.
    let legend = "legend.X.teleport = 'nowhere'\nlegend.Y.teleport = 'r9c9'\nlegend.N.name = 'twice'\nlegend.U = {}";
    let told = faults(
        Format::Toml,
        &format!("[grid]\nmap = '''\nSN?\nN.\nXY.'''\n{legend}"),
    );
    insta::assert_snapshot!(told);
    let many = format!(
        "[grid]\nmap = '''\n{}{}'''",
        "..\n".repeat(30),
        ".\n".repeat(20)
    );
    let shown = faults(Format::Toml, &many);
    assert_eq!(shown.lines().count(), 8);
    assert!(
        shown.ends_with("12 more rows differ, too (help: fill up with walls (#) or floor (.))"),
        "{shown}"
    );
}

#[test]
fn a_map_without_a_start_or_with_a_doubtful_one_is_refused() {
    insta::assert_snapshot!(each(
        faults,
        &[
            (Format::Toml, "[grid]\nmap = '#..'"),
            (Format::Toml, "start = 'r0c1'\n[grid]\nmap = 'S..'"),
            (
                Format::Toml,
                "start = {r0c0 = 0.5, r0c1 = 0.5}\n[grid]\nmap = '..C'\nlegend.C.teleport = 'start'"
            ),
            (
                Format::Toml,
                "start = {r0c0 = 0.5, r0c1 = 0.25}\n[grid]\nmap = '...'"
            ),
            (Format::Toml, "[grid]\nmap = '###'"),
            (Format::Toml, "[grid]\nmap = '#A.'"),
            (Format::Toml, "[grid]\nmap = ''"),
            (Format::Toml, "[grid]\nmap = ['...']"),
            (Format::Toml, "grid = '...'"),
            (Format::Toml, "[grid]\nstay = true"),
        ]
    ));
}

#[test]
fn small_slips_are_warnings_and_the_file_is_read() {
    let text = r#"{"states": ["a", "b"], "transitions": {
        "a": [{"action": "go", "to": {"a": 0.3333333, "b": 0.6666666}}, {"action": "halt", "to": {"a": 1, "b": 0}}],
        "b": [{"action": "stay", "to": {"b": 1}}]}}"#;
    insta::assert_snapshot!(each(
        faults,
        &[
            (Format::Json, text),
            (Format::Toml, "[grid]\nmap = 'S.'\nlegend.G.label = 'goal'"),
        ]
    ));
}

#[test]
fn a_document_that_is_no_mdp_is_told_what_is_missing() {
    insta::assert_snapshot!(each(
        faults,
        &[
            (Format::Json, ""),
            (Format::Json, "[1, 2]"),
            (Format::Json, "{}"),
            (Format::Json, r#"{"states": "a", "transitions": []}"#),
            (Format::Json, r#"{"states": [], "transitions": {}}"#),
            (Format::Json, r#"{"states": ["a"], "transitions": []}"#),
            (Format::Toml, ""),
            (Format::Toml, "sates = ['a']\ntransitions.a = []"),
        ]
    ));
}

#[test]
fn a_syntax_error_is_reported_alone() {
    insta::assert_snapshot!(each(
        faults,
        &[
            (Format::Json, "{\"states\": [\"a\",],\n}"),
            (Format::Json, "{\"states\": [NaN]}"),
            (Format::Json, "{\"states\": [\"a\"]} // states"),
            (Format::Toml, "states = [\"a\"\n[transitions\na = \n"),
        ]
    ));
}

#[test]
fn nesting_beyond_reason_is_a_fault_and_not_a_crash() {
    let deep = 200_000;
    for text in [
        "[".repeat(deep),
        "{\"a\":".repeat(deep),
        format!("{{\"states\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
    ] {
        assert!(faults(Format::Json, &text).contains("nesting depth"));
    }
    for text in [
        format!("states = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("states = {}{}", "{a=".repeat(deep), "}".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
    ] {
        let shown = faults(Format::Toml, &text);
        assert!(
            shown.contains("recurs"),
            "{}",
            &shown[..shown.len().min(300)]
        );
    }
}

#[test]
fn a_map_of_one_long_and_many_short_rows_costs_no_more_than_its_size() {
    // Rows times columns would be 10^11 cells.
    let text = format!(
        "[grid]\nmap = '''\nS{}\n{}'''",
        ".".repeat(100_000),
        ".\n".repeat(1_000_000)
    );
    assert!(faults(Format::Toml, &text).contains("row 0 of the map has 100001 characters"));
}

fn two_states() -> Mdp {
    let text = r#"{"states": ["start", "end"], "transitions": {
        "start": [{"action": "go", "to": "end"}], "end": [{"action": "stay", "to": "end"}]}}"#;
    parse_mdp(Format::Json, SourceText::new("two.json", text))
        .unwrap()
        .0
}

fn goal_faults(format: Format, text: &str) -> String {
    match parse_goal(format, source(format, text), &two_states()) {
        Ok(goal) => format!("read: {goal:?}"),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn a_goal_with_faults_is_answered_with_all_of_them() {
    insta::assert_snapshot!(each(
        goal_faults,
        &[
            (Format::Json, r#"{"strat": 1, "end": "x"}"#),
            (Format::Json, r#"[1e999, null, 3]"#),
            (Format::Json, "[1]"),
            (Format::Json, "3"),
            (Format::Json, r#"{"rewards": {"end": 1}, "discount": 0.9}"#),
            (
                Format::Toml,
                "[rewards]\nstart = nan\nend = true\nend = 1\nother = inf"
            ),
            (Format::Toml, "[rewards"),
        ]
    ));
}

#[test]
fn a_goal_may_be_a_table_or_a_list_with_or_without_a_heading() {
    for (format, text) in [
        (Format::Json, r#"{"end": 1, "start": -0.5}"#),
        (Format::Json, "[-0.5, 1]"),
        (Format::Json, r#"{"name": "g", "rewards": [-0.5, 1]}"#),
        (Format::Toml, "[rewards]\nstart = -0.5\nend = 1"),
        (Format::Toml, "rewards = [-0.5, 1]"),
        (Format::Toml, "start = -0.5\nend = 1"),
    ] {
        assert_eq!(goal_faults(format, text), "read: [-0.5, 1.0]", "{text}");
    }
}

#[test]
fn what_is_wrong_with_the_file_itself_is_told_apart_from_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("x.prism"), "mdp").unwrap();
    std::fs::write(at("latin.toml"), b"name = \"\xe4\"").unwrap();
    std::fs::write(at("empty.json"), "").unwrap();
    let message = |name: &str| {
        let message = read_mdp(&at(name)).unwrap_err().to_string();
        message.replace(&folder.path().display().to_string(), "DIR")
    };
    let messages = ["none.json", "x.prism", "plain", "latin.toml", "empty.json"].map(message);
    insta::assert_snapshot!(messages.join("\n"));
    let goal = read_goal(&at("none.toml"), &two_states());
    assert!(matches!(goal, Err(ReadError::File { .. })));
}

/// Small files that are read, one a form.
const GOOD: [(Format, &str); 5] = [
    (
        Format::Json,
        include_str!("../../datasets/turner-2021-fig1.json"),
    ),
    (
        Format::Json,
        include_str!("../../datasets/turner-2021-fig3.json"),
    ),
    (
        Format::Toml,
        include_str!("../../datasets/cliffwalking.toml"),
    ),
    (
        Format::Toml,
        include_str!("../../datasets/resource-room.toml"),
    ),
    (
        Format::Toml,
        "states = [\"a\", 'ö']\nstart.a = 1\n[[transitions.a]]\naction = \"go\"\nto = { a = 0.5, \"ö\" = 0.5 }\n\
         [[transitions.'ö']]\naction = 'stay'\nto = 'ö'\n[labels]\nend = ['ö']\n[choice_labels]\nx = [['a', 'go']]\n",
    ),
];

/// One change to a file's bytes; positions are taken modulo its length.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Delete(usize, usize),
    Repeat(usize, usize),
    Truncate(usize),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    // Half of the bytes are ones that mean something in JSON, TOML or on a map.
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(b"{}[]\"'=,:.#S\n\\-0919eE nNiIf".to_vec()),
    ];
    let one = prop_oneof![
        4 => (any::<usize>(), byte).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        2 => (any::<usize>(), 1..20usize).prop_map(|(at, n)| Mutation::Delete(at, n)),
        2 => (any::<usize>(), 1..60usize).prop_map(|(at, n)| Mutation::Repeat(at, n)),
        1 => any::<usize>().prop_map(Mutation::Truncate),
    ];
    proptest::collection::vec(one, 1..6)
}

fn mutate(text: &str, mutations: &[Mutation]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for mutation in mutations {
        if bytes.is_empty() {
            break;
        }
        let n = bytes.len();
        let range = |at: usize, count: usize| at % n..(at % n + count).min(n);
        match *mutation {
            Mutation::Set(at, byte) => bytes[at % n] = byte,
            Mutation::Delete(at, count) => drop(bytes.drain(range(at, count))),
            Mutation::Repeat(at, count) => {
                let again = bytes[range(at, count)].to_vec();
                bytes.splice(at % n..at % n, again);
            }
            Mutation::Truncate(at) => bytes.truncate(at % n),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every place lies in the text, between characters: what draws carets relies on it.
fn check_places(faults: &Faults, text: &str) {
    for fault in &faults.list {
        if let Some(span) = &fault.span {
            assert!(
                text.get(span.clone()).is_some(),
                "{span:?} of {text:?}: {fault:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_good_file_makes_a_reader_panic(which in 0..GOOD.len(), changes in mutations()) {
        let (format, text) = GOOD[which];
        let text = mutate(text, &changes);
        match parse_mdp(format, source(format, &text)) {
            Ok((_, warnings)) => {
                prop_assert!(!warnings.has_errors());
                check_places(&warnings, &text);
            }
            Err(faults) => {
                prop_assert!(faults.has_errors());
                check_places(&faults, &text);
                prop_assert!(!faults.to_string().is_empty());
            }
        }
        if let Err(faults) = parse_goal(format, source(format, &text), &two_states()) {
            check_places(&faults, &text);
        }
    }
}

#[test]
fn the_files_that_are_mutated_are_good_to_begin_with() {
    for (format, text) in GOOD {
        assert_eq!(faults(format, text), "read, with warnings:\n");
    }
}
