use super::*;
use crate::report::samples::{cell, grid, ring, run};

/// Texts of all elements of that name.
fn texts(svg: &str, element: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed XML");
    let nodes = document
        .descendants()
        .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", element)));
    nodes
        .map(|n| n.text().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_grid_is_drawn_with_one_tooltip_per_state() {
    let mdp = grid(&["S..#", ".#..", "..g.", "...#"]);
    let n = mdp.n_states();
    let svg = power_picture(&run(vec![cell(mdp)]));
    let titles = texts(&svg, "title");
    assert_eq!(titles.len(), n + 1);
    assert_eq!(titles[1], "0,0: 0.50000 ± 0.00032 (numerical bound 4.2e-6)");
    assert!(titles.iter().any(|t| t.starts_with("2,2 [gold]: ")));
    let words = texts(&svg, "text");
    for expected in ["S", "start", "g", "gold", "wall", "0.500", "POWER of maze"] {
        assert!(
            words.iter().any(|w| w == expected),
            "{expected} is missing in {words:?}"
        );
    }
}

#[test]
fn a_long_ranking_is_cut_in_the_middle() {
    let svg = power_picture(&run(vec![cell(ring(257))]));
    let words = texts(&svg, "text");
    assert!(words.contains(&"217 states between are not drawn".to_owned()));
    assert!(words.contains(&"s256".to_owned()) && words.contains(&"s0".to_owned()));
    assert!(!words.contains(&"s100".to_owned()));
}

#[test]
fn hostile_names_stay_text() {
    let mut one = cell(ring(3));
    one.environment = "</text><script>alert(1)</script>".to_owned();
    let svg = power_picture(&run(vec![one]));
    assert!(texts(&svg, "script").is_empty());
    assert!(texts(&svg, "text").iter().any(|t| t.contains("<script>")));
}

#[test]
fn more_cells_than_panels_are_named_in_a_note() {
    let svg = power_picture(&run((0..15).map(|_| cell(ring(3))).collect()));
    assert!(
        texts(&svg, "text")
            .iter()
            .any(|t| t.starts_with("3 more cells are not drawn"))
    );
    let all = power_picture(&run((0..12).map(|_| cell(ring(3))).collect()));
    assert!(!texts(&all, "text").iter().any(|t| t.contains("not drawn")));
}

#[test]
fn coordinates_are_numbers_whatever_the_estimates() {
    let mut one = cell(ring(3));
    one.power = vec![Estimate::of_mean(1, 0.25, 0.0, 0.95, 1e-6, 1e-6); 3];
    let mut map = cell(grid(&["S."]));
    map.power = one.power[..2].to_vec();
    let svg = power_picture(&run(vec![one, map]));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}
