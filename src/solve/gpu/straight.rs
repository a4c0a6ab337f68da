//! In-place sweeps of small deterministic MDPs without a loop over states: writes shaders/solve/straight.wgsl for the MDP at hand.
//!
//! Discounts and laws are not part of the text: all cells of one structure share a pipeline.

use std::fmt::Write as _;

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
    let mut load = String::new();
    let mut store = String::new();
    for s in 0..n {
        let at = s * TILE;
        let _ = writeln!(load, "    let r{s} = reward({s}u);");
        let _ = writeln!(load, "    var v{s} = values[base + {at}u];");
        let _ = writeln!(store, "    values[base + {at}u] = v{s};");
    }
    let line = |s: usize| format!("            v{s} = {};\n", backup(model, s));
    let forwards: String = (0..n).map(line).collect();
    let backwards: String = (0..n).rev().map(line).collect();
    let mut source = template.to_owned();
    for (mark, text) in [
        ("load", load),
        ("forwards", forwards),
        ("backwards", backwards),
        ("store", store),
    ] {
        let (open, close) = (format!("// <{mark}>"), format!("// </{mark}>"));
        let place = |text: &str, mark: &str| text.find(mark).expect("the shader has its marks");
        let (from, to) = (place(&source, &open), place(&source, &close));
        source.replace_range(from..to, &format!("\n{text}    "));
    }
    source
}

/// `max_a (R + gamma V')` over certain moves, `R / (1 - gamma)` for staying: rounding is monotone, so that the maximum may be taken first.
fn backup(model: &SweepModel, s: usize) -> String {
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
    let go = best.map(|best| format!("r{s} + g * {best}"));
    let stay = own.iter().any(|c| c.stay == 1.0);
    match (go, stay) {
        (Some(go), false) => go,
        (None, _) => format!("r{s} * horizon"),
        (Some(go), true) => format!("max({go}, r{s} * horizon)"),
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
            ("let r2 = reward(2u);", 1),
            ("var v2 = values[base + 128u];", 1),
            ("values[base + 64u] = v1;", 1),
        ] {
            assert_eq!(text.matches(line).count(), times, "{line}\n{text}");
        }
        let at = |line: &str, from: usize| text[from..].find(line).unwrap() + from;
        let back = at("} else {", 0);
        assert!(at("v0 = r0", 0) < at("v2 = max", 0) && at("v2 = max", 0) < back);
        assert!(at("v2 = max", back) < at("v0 = r0", back));
    }
}
