//! The examples of docs/formats.md are read as the page says.

use powersweep::document::SourceText;
use powersweep::io::{Format, parse_goal, parse_mdp};
use powersweep::mdp::Mdp;

/// The fenced blocks of the page under the heading that begins so, with their formats.
fn examples(heading: &str) -> Vec<(Format, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/formats.md");
    let page = std::fs::read_to_string(path).unwrap();
    let sections = page.split("\n## ");
    let section = sections
        .filter(|s| s.starts_with(heading))
        .collect::<String>();
    let blocks = section.split("```").skip(1).step_by(2);
    let examples = blocks.map(|block| match block.split_once('\n') {
        Some(("json", text)) => (Format::Json, text.to_owned()),
        Some(("toml", text)) => (Format::Toml, text.to_owned()),
        _ => panic!("a block in another language: {block}"),
    });
    examples.collect()
}

fn read((format, text): (Format, String)) -> Mdp {
    let (mdp, warnings) = parse_mdp(format, SourceText::new("docs/formats.md", text)).unwrap();
    assert!(warnings.list.is_empty(), "{warnings}");
    mdp
}

#[test]
fn the_two_trees_are_one_mdp() {
    let [json, toml] = examples("An MDP as a tree").try_into().unwrap();
    let (json, toml) = (read(json), read(toml));
    assert_eq!(json, toml);
    assert_eq!(
        (json.n_states(), json.n_choices(), json.n_successors()),
        (3, 4, 5)
    );
    assert_eq!(
        (json.state_labels().len(), json.choice_labels().len()),
        (1, 1)
    );
}

#[test]
fn the_grid_is_what_the_page_says() {
    let [grid] = examples("An MDP as a grid").try_into().unwrap();
    let mdp = read(grid);
    assert_eq!(mdp.name(), "walk along a cliff");
    // 18 cells, of which 2 are walls and 4 cliffs.
    assert_eq!(mdp.n_states(), 12);
    let names: Vec<_> = mdp
        .start()
        .iter()
        .map(|&(s, _)| mdp.state_name(s))
        .collect();
    assert_eq!(names, ["r2c0"]);
    let labels: Vec<_> = mdp.state_labels().keys().collect();
    assert_eq!(labels, ["goal", "lookout", "odd", "top"]);
    let actions: Vec<_> = mdp
        .choices(mdp.start()[0].0)
        .map(|c| mdp.action_name(c))
        .collect();
    assert_eq!(actions, ["stay", "north", "south", "west", "east"]);
}

#[test]
fn the_family_is_what_the_page_says() {
    let [family] = examples("An MDP from a family").try_into().unwrap();
    let mdp = read(family);
    assert_eq!(
        (mdp.n_states(), mdp.n_choices(), mdp.n_successors()),
        (500, 2_000, 10_000)
    );
}

#[test]
fn the_two_goals_are_one() {
    let [json, _] = examples("An MDP as a tree").try_into().unwrap();
    let mdp = read(json);
    let goals = examples("Goals").into_iter().map(|(format, text)| {
        parse_goal(format, SourceText::new("docs/formats.md", text), &mdp).unwrap()
    });
    assert_eq!(goals.collect::<Vec<_>>(), [[0.0, 1.0, 0.25]; 2]);
}
