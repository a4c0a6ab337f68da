//! What every family promises, and the values that never change.

use super::*;
use crate::document::{SourceText, parse_toml};
use crate::mdp::{Blocked, Components, GridMoves, Slip, SlipTo};
use crate::units::{ChoiceId, StateId};

fn read(text: &str) -> (Option<Family>, Faults) {
    let source = SourceText::new("x.toml", text);
    let mut faults = Faults::about(source.clone());
    let node = parse_toml(&source, &mut faults);
    let mut table = TableReader::open(&node, "[mdp]", &mut faults).unwrap();
    let name = table.string("family", &mut faults).unwrap();
    let family = Family::read(&name, &mut table, &mut faults);
    table.finish(&mut faults);
    (family, faults)
}

fn generate(text: &str, seed: u64) -> Mdp {
    let (family, faults) = read(text);
    assert_eq!(faults.list, [], "{faults}");
    family.unwrap().generate(seed).unwrap()
}

/// One line of parameters for every family.
const ONE_OF_EACH: [&str; 13] = [
    "family = 'gridworld'\nrows = 6\ncolumns = 7\nwalls = 0.3\nstay = true\nslip = { p = 0.1 }",
    "family = 'garnet'\nstates = 12\nchoices = 3\nbranching = 4",
    "family = 'dense'\nstates = 9\nchoices = 2",
    "family = 'random-deterministic'\nstates = 12\nchoices = 3",
    "family = 'chain'\nstates = 4",
    "family = 'ring'\nstates = 4",
    "family = 'star'\nleaves = 3",
    "family = 'tree'\ndepth = 3",
    "family = 'clique'\nstates = 4",
    "family = 'corridor'\nlength = 6\nslip = 0.1",
    "family = 'power-law'\nstates = 12",
    "family = 'dag'\nstates = 12\nchoices = 3",
    "family = 'budget-ladder'\nrungs = 3",
];

/// Successors of every choice of the state of that name, as (action, successor names).
fn moves(mdp: &Mdp, state: &str) -> Vec<(String, Vec<String>)> {
    let state = mdp.find_state(state).unwrap();
    let name = |&s: &u32| mdp.state_name(StateId(s)).to_owned();
    mdp.choices(state)
        .map(|c| {
            (
                mdp.action_name(c).to_owned(),
                mdp.row(c).0.iter().map(name).collect(),
            )
        })
        .collect()
}

fn short(mdp: &Mdp, state: &str) -> String {
    let moves = moves(mdp, state).into_iter();
    let texts: Vec<_> = moves
        .map(|(a, to)| format!("{a}>{}", to.join("+")))
        .collect();
    texts.join(" ")
}

#[test]
fn the_list_is_complete_and_every_family_answers_to_its_name() {
    for (text, name) in ONE_OF_EACH.into_iter().zip(FAMILY_NAMES) {
        let family = read(text).0.unwrap();
        assert_eq!(family.name(), *name);
        assert!(family.generate(0).unwrap().name().starts_with(name));
    }
    assert_eq!(ONE_OF_EACH.len(), FAMILY_NAMES.len());
}

#[test]
fn the_seed_matters_where_a_family_says_so_and_nowhere_else() {
    for text in ONE_OF_EACH {
        let family = read(text).0.unwrap();
        let [a, b, again] = [3, 4, 3].map(|seed| family.generate(seed).unwrap().content_hash());
        assert_eq!(a, again, "{text}");
        assert_eq!(a != b, family.is_random(), "{text}");
    }
}

#[test]
fn generated_mdps_never_change() {
    // A new hash here changes the meaning of published seeds: announce it in the change log.
    let hashes: Vec<String> = ONE_OF_EACH
        .into_iter()
        .map(|text| {
            let mdp = generate(text, 2021);
            let hash = mdp.content_hash();
            let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {hex}", mdp.name())
        })
        .collect();
    insta::assert_snapshot!(hashes.join("\n"), @"
    gridworld-2021 14c8cbcc277c581a
    garnet-2021 099e270f8500f48b
    dense-2021 1497ee7d3ffce99f
    random-deterministic-2021 916ed109d7ee12e1
    chain 71ce863407dd70fd
    ring 6aefd8feb8ae84cb
    star ba56c5e684437e42
    tree 733b6347fc13d4e3
    clique 97cc6ac59711374e
    corridor 96d529d8c3a7e77f
    power-law-2021 bf192ef950649963
    dag-2021 1d31feeeb070f849
    budget-ladder 8572b26c01b8864f
    ");
}

#[test]
fn a_garnets_row_never_changes() {
    let mdp = generate(
        "family = 'garnet'\nstates = 100\nchoices = 4\nbranching = 3",
        0,
    );
    let (to, p) = mdp.row(ChoiceId(7));
    assert_eq!(mdp.action_name(ChoiceId(7)), "a3");
    // Computed from the documented addressing by a separate program.
    assert_eq!(to, [38, 85, 96]);
    assert_eq!(
        p,
        [0.4861380545178371, 0.15149848866327498, 0.36236345681888793]
    );
}

#[test]
fn a_power_law_graph_goes_both_ways() {
    let mdp = generate(
        "family = 'power-law'\nstates = 40\nlinks = 3\nstay = true",
        2,
    );
    assert_eq!(
        (mdp.n_states(), mdp.n_choices()),
        (40, 40 + 2 * (6 + 3 * 36))
    );
    assert!(mdp.is_deterministic());
    for s in mdp.states() {
        for c in mdp.choices(s).skip(1) {
            let to = StateId(mdp.row(c).0[0]);
            assert_eq!(mdp.action_name(c), format!("to_s{}", to.0));
            assert!(to != s && mdp.choices(to).any(|back| mdp.row(back).0 == [s.0]));
        }
    }
    assert_eq!(Components::of(&mdp).members.len(), 1);
    let (_, faults) = read("family = 'power-law'\nstates = 3\nlinks = 3");
    assert!(
        faults
            .to_string()
            .contains("`states` must be between 4 and"),
        "{faults}"
    );
}

#[test]
fn a_dag_never_goes_back() {
    let mdp = generate("family = 'dag'\nstates = 30\nchoices = 3\nreach = 5", 4);
    for s in mdp.states() {
        let later: Vec<u32> = mdp.choices(s).map(|c| mdp.row(c).0[0]).collect();
        match s.0 {
            29 => assert_eq!(later, [29]),
            _ => assert!(later.is_sorted() && later.iter().all(|&t| t > s.0 && t <= s.0 + 5)),
        }
        assert_eq!(
            later.len() as u32,
            if s.0 == 29 { 1 } else { 3.min(29 - s.0) }
        );
    }
}

#[test]
fn a_budget_ladder_doubles_from_rung_to_rung() {
    let mdp = generate("family = 'budget-ladder'\nrungs = 3", 0);
    assert_eq!((mdp.n_states(), mdp.n_choices()), (1 + 3 + 7, 3 + 2 * 7));
    assert_eq!(short(&mdp, "start"), "take_b0>b0 take_b1>b1 take_b2>b2");
    assert_eq!(short(&mdp, "b1"), "go_b1_o0>b1_o0 go_b1_o1>b1_o1");
    assert_eq!(mdp.state_labels()["options"].len(), 7);
    let (_, faults) = read("family = 'budget-ladder'\nrungs = 80\nfactor = 3");
    assert!(
        faults.to_string().contains("all options would be"),
        "{faults}"
    );
}

#[test]
fn a_garnet_with_one_successor_is_the_deterministic_graph() {
    let garnet = generate(
        "family = 'garnet'\nstates = 30\nchoices = 3\nbranching = 1",
        5,
    );
    let graph = generate(
        "family = 'random-deterministic'\nstates = 30\nchoices = 3",
        5,
    );
    assert!(graph.is_deterministic());
    assert_eq!(garnet.renamed(""), graph.renamed(""));
}

#[test]
fn a_dense_mdp_leads_everywhere() {
    let mdp = generate("family = 'dense'\nstates = 40\nchoices = 2", 0);
    assert_eq!(mdp.n_successors(), 40 * 2 * 40);
}

#[test]
fn the_small_graphs_are_what_they_are_called() {
    let chain = generate("family = 'chain'\nstates = 3", 0);
    assert_eq!(short(&chain, "s0"), "stay>s0 right>s1");
    assert_eq!(short(&chain, "s2"), "stay>s2");
    let line = generate(
        "family = 'chain'\nstates = 3\nstay = false\ntwo_way = true",
        0,
    );
    assert_eq!(short(&line, "s1"), "left>s0 right>s2");
    let lone = generate("family = 'chain'\nstates = 1\nstay = false", 0);
    assert_eq!(short(&lone, "s0"), "stay>s0");
    let ring = generate("family = 'ring'\nstates = 3\ntwo_way = true", 0);
    assert_eq!(short(&ring, "s0"), "stay>s0 previous>s2 next>s1");
    let star = generate("family = 'star'\nleaves = 2", 0);
    assert_eq!(short(&star, "s0"), "go_t1>t1 go_t2>t2");
    assert_eq!(short(&star, "t2"), "stay>t2");
    let tree = generate("family = 'tree'\ndepth = 2\nbranching = 3", 0);
    assert_eq!(tree.n_states(), 1 + 3 + 9);
    assert_eq!(short(&tree, "n1_2"), "child0>n2_6 child1>n2_7 child2>n2_8");
    let point = generate("family = 'tree'\ndepth = 0", 0);
    assert_eq!(short(&point, "n0_0"), "stay>n0_0");
    let clique = generate("family = 'clique'\nstates = 3\nloops = false", 0);
    assert_eq!(short(&clique, "s1"), "to0>s0 to2>s2");
    let corridor = generate("family = 'corridor'\nlength = 3\nslip = 0.25", 0);
    assert_eq!(short(&corridor, "c3"), "stay>c3 west>c2+c3");
    assert_eq!(short(&corridor, "c1"), "stay>c1 west>off+c1 east>c1+c2");
    assert_eq!(corridor.state_name(corridor.start()[0].0), "c2");
    assert_eq!(corridor.layout().unwrap().columns(), 4);
}

#[test]
fn a_gridworld_keeps_one_connected_part_and_draws_it() {
    let text = "family = 'gridworld'\nrows = 12\ncolumns = 15\nwalls = 0.4";
    for seed in 0..20 {
        let mdp = generate(text, seed);
        assert_eq!(Components::of(&mdp).len(), 1, "seed {seed}");
        // 72 walls leave 108 cells; what is cut off from the largest part is walled up too.
        assert!((2..=108).contains(&mdp.n_states()));
        let layout = mdp.layout().unwrap();
        for row in 0..12 {
            for column in 0..15 {
                let drawn = layout.state_at(row, column).map(|s| mdp.state_name(s));
                let named = cell_name_if_free(&mdp, row, column);
                assert_eq!(drawn, named.as_deref());
            }
        }
    }
    // Negative control: walls do cut cells off, or the loop above shows nothing.
    assert!((0..20).any(|seed| generate(text, seed).n_states() < 108));
}

fn cell_name_if_free(mdp: &Mdp, row: usize, column: usize) -> Option<String> {
    let name = super::super::cell_name(row, column);
    mdp.find_state(&name).map(|_| name)
}

#[test]
fn a_torus_has_no_edge() {
    let mdp = generate(
        "family = 'gridworld'\nrows = 3\ncolumns = 4\ntorus = true\nblocked = 'forbidden'",
        0,
    );
    assert_eq!(
        short(&mdp, "r0c0"),
        "north>r2c0 south>r1c0 west>r0c3 east>r0c1"
    );
    let flat = generate(
        "family = 'gridworld'\nrows = 3\ncolumns = 4\nblocked = 'forbidden'",
        0,
    );
    assert_eq!(short(&flat, "r0c0"), "south>r1c0 east>r0c1");
}

#[test]
fn a_cell_walled_in_on_all_sides_is_said_to_have_no_choice() {
    let family = Family::GridWorld(GridWorld {
        rows: 1,
        columns: 1,
        walls: 0.0,
        torus: false,
        moves: GridMoves {
            blocked: Blocked::Forbidden,
            ..GridMoves::default()
        },
    });
    let error = family.generate(0).unwrap_err();
    assert!(
        error.to_string().contains("state \"r0c0\" has no choice"),
        "{error}"
    );
}

#[test]
fn all_faults_of_the_parameters_are_found_at_their_places() {
    let texts = [
        "family = 'garnet'\nstates = 10\nchoices = 0\nbranching = 11\ncolour = 1",
        "family = 'garnet'\nchoices = 1.5\nbranching = 3",
        "family = 'gridworld'\nrows = 0\ncolumns = 3\nwalls = 1.0\nmoves = 6\ntorus = 'yes'",
        "family = 'dense'\nstates = 1e6\nchoices = 4",
        "family = 'tree'\ndepth = 64",
        "family = 'clique'\nstates = 1\nloops = false",
        "family = 'corridor'\nlength = 5\nstart = 6\nslip = -0.5",
        "family = 'garnett'\nstates = 10",
    ];
    let mut report = Vec::new();
    for text in texts {
        let (family, faults) = read(text);
        assert_eq!(family, None, "{text}");
        report.push(faults.to_string());
    }
    insta::assert_snapshot!(report.join("\n\n"), @r#"
    x.toml:3:11: error: the family "garnet": `choices` must be between 1 and 16777216, this is 0
    x.toml:4:13: error: the family "garnet": `branching` must be between 1 and 10, this is 11
    x.toml:5:1: error: unknown key `colour` in [mdp] (help: known keys: family, states, choices, branching)

    x.toml:1:1: error: [mdp] has no key `states`
    x.toml:2:11: error: `choices` in [mdp] must be a whole number, 0 or more, this is 1.5

    x.toml:6:9: error: `torus` in [mdp] must be true or false, this is a string
    x.toml:5:9: error: `moves` in [mdp] must be 4 or 8, this is 6 (help: staying put is the key `stay`)
    x.toml:2:8: error: the family "gridworld": `rows` must be between 1 and 16777216, this is 0
    x.toml:4:9: error: the family "gridworld": `walls` must be at least 0 and below 1, this is 1

    x.toml:2:10: error: the family "dense": `states` * `choices` * `states` would be 4000000000000, more than the 2147483648 that a generated MDP may have

    x.toml:2:9: error: the family "tree": `depth` must be between 0 and 23, this is 64

    x.toml:2:10: error: the family "clique": `states` must be between 2 and 16777216, this is 1

    x.toml:3:9: error: the family "corridor": `start` must be between 1 and 5, this is 6
    x.toml:4:8: error: the family "corridor": `slip` must be a probability, this is -0.5

    x.toml:1:10: error: there is no family "garnett" (help: did you mean "garnet"?)
    "#);
}

#[test]
fn parameters_from_code_are_held_to_the_same_limits() {
    let family = Family::GridWorld(GridWorld {
        rows: 1 << 40,
        columns: 1 << 40,
        walls: f64::NAN,
        torus: false,
        moves: GridMoves {
            slip: Some(Slip {
                p: 2.0,
                to: SlipTo::Others,
            }),
            ..GridMoves::default()
        },
    });
    let Err(FamilyError::Parameters { list, .. }) = family.generate(0) else {
        panic!("it was generated");
    };
    let names: Vec<_> = list.iter().map(ParameterError::parameter).collect();
    let expected = [
        Some("rows"),
        Some("columns"),
        Some("walls"),
        None,
        Some("slip"),
        None,
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_million_cells_are_within_the_limits() {
    let (family, faults) = read("family = 'gridworld'\nrows = 1000\ncolumns = 1000\nstay = true");
    assert_eq!(faults.list, []);
    assert_eq!(family.unwrap().parameter_errors(), []);
}
