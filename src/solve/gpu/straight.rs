//! Small deterministic MDPs without a loop over states, from first values to certificates: writes shaders/solve/straight.wgsl for the MDP at hand.
//!
//! Discounts and laws are not part of the text: all cells of one structure share a pipeline.

use super::cell::stays;
use crate::plan::{KernelClass, SweepModel};
use crate::reward::RewardDomain;
use crate::statistics::TILE;

/// Most states: each takes two registers, or three where a compiler keeps what staying is worth, of the 255 that a lane has on common graphics
/// processors.
const MAX_STATES: usize = 80;

/// Most choices: compilers take their time over long functions.
const MAX_CHOICES: usize = 768;

/// Whether an MDP is small and simple enough.
pub(super) fn suits(model: &SweepModel) -> bool {
    model.class() == KernelClass::Deterministic
        && model.domain() == RewardDomain::State
        && model.states().len() <= MAX_STATES
        && model.choices().len() <= MAX_CHOICES
}

/// The shader, made of the one that stands for it.
///
/// # Panics
///
/// If the shader has lost a mark.
pub(super) fn source(template: &str, model: &SweepModel) -> String {
    let n = model.states().len();
    let stays = stays(model);
    let all = |line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    let place = |s: usize| format!("base + {}u", s * TILE);
    let sweep = |s: usize| format!("                v{s} = {};\n", backup(model, s));
    let written = [
        ("declare", all(&|s| format!("    var v{s}: f32;\n"))),
        (
            "start",
            all(&|s| match stays[s] {
                true => format!("        v{s} = reward({s}u) * horizon;\n"),
                false => format!("        v{s} = reward({s}u) + g * least;\n"),
            }),
        ),
        (
            "load",
            all(&|s| format!("        v{s} = values[{}];\n", place(s))),
        ),
        ("shift", all(&|s| format!("        v{s} -= lane.shift;\n"))),
        (
            "rewards",
            all(&|s| format!("        let r{s} = reward({s}u);\n")),
        ),
        ("forwards", all(&sweep)),
        ("backwards", (0..n).rev().map(sweep).collect()),
        (
            "measure",
            all(&|s| {
                let best = best_difference(model, s);
                format!("        see({}, r{s}, v{s}, {best});\n", place(s))
            }),
        ),
        (
            "store",
            all(&|s| format!("        values[{}] = v{s};\n", place(s))),
        ),
    ];
    let mut source = template.to_owned();
    for (mark, text) in written {
        let (open, close) = (format!("// <{mark}>"), format!("// </{mark}>"));
        let place = |text: &str, mark: &str| text.find(mark).expect("the shader has its marks");
        let (from, to) = (place(&source, &open), place(&source, &close));
        source.replace_range(from..to, &format!("\n{text}    "));
    }
    source
}

/// The largest value among the states that a state's choices lead to, but for itself, and whether it can stay.
fn ahead(model: &SweepModel, s: usize) -> (Option<String>, bool) {
    let state = model.states()[s];
    let own = &model.choices()[state.choice_first as usize..state.choice_end as usize];
    let moves = own.iter().filter(|c| c.end > c.first);
    let mut to: Vec<u32> = moves
        .map(|c| model.parts()[c.first as usize].position)
        .collect();
    to.sort_unstable();
    to.dedup();
    let best = to.iter().map(|t| format!("v{t}"));
    let best = best.reduce(|best, next| format!("max({best}, {next})"));
    (best, own.iter().any(|c| c.stay == 1.0))
}

/// `max_a (R + gamma V')` over certain moves, `R / (1 - gamma)` for staying: rounding is monotone, so that the maximum may be taken first.
fn backup(model: &SweepModel, s: usize) -> String {
    match ahead(model, s) {
        (Some(best), false) => format!("r{s} + g * {best}"),
        (None, _) => format!("r{s} * horizon"),
        (Some(best), true) => format!("max(r{s} + g * {best}, r{s} * horizon)"),
    }
}

/// `gamma max_a (V' - V)`, the same way.
fn best_difference(model: &SweepModel, s: usize) -> String {
    match ahead(model, s) {
        (Some(best), false) => format!("g * ({best} - v{s})"),
        (None, _) => "0.0".to_owned(),
        (Some(best), true) => format!("max(g * ({best} - v{s}), 0.0)"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::shaders::MODULES;
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::plan::Plan;
    use crate::units::Discount;

    #[test]
    fn every_state_is_written_out_once_in_each_direction() {
        let mut b = MdpBuilder::new("three");
        let [x, y, z] = ["x", "y", "z"].map(|n| b.state(n));
        b.choice(x, "to y", [(y, 1.0)]);
        b.choice(x, "to z", [(z, 1.0)]);
        b.choice(y, "stay", [(y, 1.0)]);
        b.choice(y, "to x", [(x, 1.0)]);
        b.absorbing(z);
        // In sweep order: z, x, y.
        let plan = Plan::draw(&b.build().unwrap(), Discount::new(0.9).unwrap());
        assert!(suits(plan.model()));
        let template = MODULES.iter().find(|m| m.name == "straight").unwrap();
        let text = source(template.source, plan.model());
        for (line, times) in [
            ("v0 = r0 * horizon;", 2),
            ("v1 = r1 + g * max(v0, v2);", 2),
            ("v2 = max(r2 + g * v1, r2 * horizon);", 2),
            ("var v2: f32;", 1),
            ("v1 = reward(1u) + g * least;", 1),
            ("v2 = reward(2u) * horizon;", 1),
            ("let r2 = reward(2u);", 1),
            ("v2 = values[base + 128u];", 1),
            ("v2 -= lane.shift;", 1),
            ("see(base + 0u, r0, v0, 0.0);", 1),
            ("see(base + 64u, r1, v1, g * (max(v0, v2) - v1));", 1),
            ("see(base + 128u, r2, v2, max(g * (v1 - v2), 0.0));", 1),
            ("values[base + 64u] = v1;", 1),
        ] {
            assert_eq!(text.matches(line).count(), times, "{line}\n{text}");
        }
        let at = |line: &str, from: usize| text[from..].find(line).unwrap() + from;
        let back = at("// </forwards>", 0);
        assert!(at("v0 = r0", 0) < at("v2 = max", 0) && at("v2 = max", 0) < back);
        assert!(at("v2 = max", back) < at("v0 = r0", back));
    }
}
