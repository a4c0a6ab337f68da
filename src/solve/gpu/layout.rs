//! Structs that cross to the device, and the numbers of its fixed-point units. Each is the twin of a struct of the same name in
//! shaders/; a test holds its offsets against those that naga reads from there.

use bytemuck::{Pod, Zeroable};

/// Half-widths per unit of the law's binade.
pub(super) const HALF_WIDTH_UNITS: f64 = 536_870_912.0;
/// Integrands per unit of the law's binade.
pub(super) const SUM_UNITS: f64 = 67_108_864.0;
/// log2 of [`SUM_UNITS`].
pub(super) const SUM_BITS: u32 = 26;

/// In a target of `draw`: the row's state surely stays.
pub(super) const STAYS: u32 = 0x8000_0000;

/// A slot or a column that is none.
pub(super) const NOWHERE: u32 = u32::MAX;

/// How goals of a leaf are made: see shaders/common/leaf.wgsl.
pub(super) const KIND_DRAWN: u32 = 0;
/// Steps are dealt to places.
pub(super) const KIND_DEALT: u32 = 1;
/// Some places are chosen and draw.
pub(super) const KIND_CHOSEN: u32 = 2;
/// A row of steps is chosen.
pub(super) const KIND_GIVEN: u32 = 3;
/// Rewards are weighted sums of draws.
pub(super) const KIND_SUMMED: u32 = 4;

/// Replace the integrands by their fixed-point form.
pub(super) const FLAG_KEEP: u32 = 4;
/// Goal i is row i.
pub(super) const FLAG_IN_ORDER: u32 = 16;
/// Leave goals that single precision gave up out of the sums: the host finishes them.
pub(super) const FLAG_LEAVE: u32 = 8;
/// Certify after the sweeps.
pub(super) const FLAG_CERTIFY: u32 = 32;

/// Terms that are added up before they join a sum.
pub(super) const RUN: u32 = 16;

/// Status of a goal that is certified.
pub(super) const CERTIFIED: u32 = 1;
/// Status of a goal that single precision cannot certify.
pub(super) const EXHAUSTED: u32 = 2;
/// Status of a goal whose sweeps were used up.
pub(super) const CAPPED: u32 = 3;

/// Name, size, and name and offset of every member.
#[cfg(test)]
type HostLayout = (&'static str, usize, Vec<(&'static str, usize)>);

/// Defines structs, and lists their layouts for the test.
macro_rules! crossing {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$member_doc:meta])* $member:ident: $kind:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
            #[repr(C)]
            pub(super) struct $name {
                $($(#[$member_doc])* pub(super) $member: $kind,)*
            }
        )*

        /// Name, size and member offsets of every struct that crosses.
        #[cfg(test)]
        pub(super) fn host_layouts() -> Vec<HostLayout> {
            vec![$((
                stringify!($name),
                size_of::<$name>(),
                vec![$((stringify!($member), std::mem::offset_of!($name, $member)),)*],
            ),)*]
        }
    };
}

crossing! {
    /// Constants of a cell; see shaders/common/cell.wgsl.
    struct Cell {
        n_states: u32,
        n_rewards: u32,
        key_low: u32,
        key_high: u32,
        width: u32,
        has_stays: u32,
        tolerance: u32,
        max_sweeps: u32,
        spacing: f32,
        discount: f32,
        complement: f32,
        odds: f32,
        horizon: f32,
        sum_error: f32,
        reward_error: f32,
        middle_share: f32,
        allowance_fixed: f32,
        allowance_per_reward: f32,
        allowance_per_value: f32,
        allowance_per_residual: f32,
        allowance_per_spread: f32,
        noise_per_value: f32,
        shift_twice: u32,
        shift_bits: u32,
    }

    /// What one dispatch is asked for.
    struct Job {
        first_low: u32,
        first_high: u32,
        stream: u32,
        count: u32,
        range_first: u32,
        range_end: u32,
        sweeps: u32,
        relaxation: f32,
        done: u32,
        expected_work: u32,
        flags: u32,
        block_tiles: u32,
        leaf: u32,
        permutation: u32,
        mixture: u32,
        turn: u32,
    }

    /// One goal.
    struct Lane {
        status: u32,
        centre: u32,
        shift: f32,
        recentrings: u32,
        sweeps: u32,
        half_width: u32,
        best: u32,
        best_at: u32,
        middle: f32,
    }

    /// What several invocations add to, per goal.
    struct Drawn {
        stay: u32,
        depth: u32,
        written: u32,
        updates: u32,
    }

    /// What was measured of a goal.
    struct Extremes {
        visited: u32,
        residual_low: u32,
        residual_high: u32,
        value_low: u32,
        value_high: u32,
        spread: u32,
        reward: u32,
    }

    /// What one check counts.
    struct Progress {
        running: u32,
        moved: u32,
        broken: u32,
    }

    /// A block of four random words and the rows they go to.
    struct Block {
        number: u32,
        first: u32,
        end_0: u32,
        end_1: u32,
        end_2: u32,
        end_3: u32,
    }

    /// A state's rows.
    struct State {
        first: u32,
        common_end: u32,
        choice_first: u32,
        choice_end: u32,
    }

    /// A choice's row.
    struct Choice {
        end: u32,
        inverse: f32,
    }

    /// A term.
    struct Part {
        row: u32,
        weight: f32,
    }

    /// States that are updated side by side; see shaders/solve/in_phases.wgsl.
    struct Slice {
        first: u32,
        steps: u32,
        closes_forwards: u32,
        closes_backwards: u32,
    }

    /// Rows that are multiplied together; see shaders/solve/product.wgsl.
    struct RowBlock {
        first_state: u32,
        end_state: u32,
        first_choice: u32,
    }

    /// Sums of one state over goals.
    struct StateSums {
        power_upper: i32,
        power_lower: u32,
        squared_upper: u32,
        squared_lower: u32,
        goals: u32,
    }

    /// Sums of certificates over goals.
    struct Tally {
        finished: u32,
        left: u32,
        unconverged: u32,
        bound_upper: u32,
        bound_lower: u32,
        bound_max: u32,
        sweeps_upper: u32,
        sweeps_lower: u32,
        sweeps_max: u32,
    }

    /// A random word and its lattice step.
    struct Pair {
        word: u32,
        step: u32,
    }

    /// Where a random word goes, and the law that makes a reward of it.
    struct DrawTarget {
        row: u32,
        law: u32,
    }

    /// A line of a table law: `reward::Segment`.
    struct Segment {
        start: u32,
        base: i32,
        rise: u32,
        scale: u32,
    }

    /// One law: where it has its part of all tables, or its lattice.
    struct TableHead {
        first_segment: u32,
        first_cell: u32,
        cell_shift: u32,
        width: u32,
        low: i32,
        exponent: i32,
        origin: u32,
    }

    /// A law that goals follow, one of several or the only one; see shaders/common/leaf.wgsl.
    struct Leaf {
        first_condition: u32,
        n_conditions: u32,
        kind: u32,
        background: u32,
        first_place: u32,
        n_places: u32,
        down_to: u32,
        law: u32,
        first_number: u32,
        n_columns: u32,
        n_rows: u32,
        first_end: u32,
        n_ends: u32,
        pick: u32,
        n_latents: u32,
    }

    /// A word of the mixture's stream is among these.
    struct Condition {
        word: u32,
        first: u32,
        last: u32,
    }

    /// Where what lies in a place is kept, and what lies there at first.
    struct Place {
        slot: u32,
        start: u32,
    }

    /// A row of goals, and what it goes by.
    struct Settled {
        row: u32,
        by: u32,
        coordinate: u32,
    }

    /// Rewards that are summed side by side; see shaders/reward/sum.wgsl.
    struct Bundle {
        first: u32,
        end: u32,
        latents: u32,
    }

    /// A reward that is a weighted sum of draws.
    struct Summed {
        row: u32,
        shift: u32,
        offset_low: u32,
        offset_high: u32,
    }

    /// A draw of a table law.
    #[cfg_attr(not(test), allow(dead_code, reason = "for a comparison with the host's"))]
    struct TableDraw {
        integer: i32,
        value: u32,
    }
}

/// `upper * 2^16 + lower`, as the device keeps its sums.
pub(super) fn joined(upper: i64, lower: u32) -> i64 {
    upper * 65_536 + i64::from(lower)
}

#[cfg(test)]
mod tests {
    use super::super::shaders::MODULES;
    use super::*;

    /// Differences between a host struct and a shader's struct of the same name.
    fn faults(hosts: &[HostLayout]) -> Vec<String> {
        let mut found = Vec::new();
        for module in MODULES {
            for device in module.structs {
                let Some(host) = hosts.iter().find(|h| h.0 == device.name) else {
                    // Values inside a shader only.
                    if !["Differences", "Goal", "Range", "Seen", "Walk"].contains(&device.name) {
                        found.push(format!("{}: {} has no twin", module.name, device.name));
                    }
                    continue;
                };
                let same_members = host.2.len() == device.members.len()
                    && (host.2.iter().zip(device.members))
                        .all(|(h, d)| h.0 == d.0 && h.1 == d.1 as usize);
                if !same_members || host.1 != device.size as usize {
                    found.push(format!("{}: {} differs", module.name, device.name));
                }
            }
        }
        found
    }

    #[test]
    fn host_and_device_structs_have_the_same_offsets() {
        let hosts = host_layouts();
        assert_eq!(faults(&hosts), Vec::<String>::new());
        let all = MODULES.iter().flat_map(|m| m.structs).map(|s| s.name);
        let seen: std::collections::HashSet<_> = all.collect();
        for (name, _, _) in &hosts {
            assert!(seen.contains(name), "{name} crosses to no shader");
        }
        // The controls: another offset, another name, another size.
        for change in 0..3 {
            let mut wrong = hosts.clone();
            match change {
                0 => wrong[2].2[2].1 += 4,
                1 => wrong[2].2[2].0 = "shifted",
                _ => wrong[2].1 += 16,
            }
            assert!(!faults(&wrong).is_empty());
        }
    }

    #[test]
    fn fixed_point_units_are_those_of_the_shaders() {
        let constant = |name: &str, value: f64| {
            let line = format!("const {name}: f32 = {value:.1};");
            assert!(MODULES.iter().all(|m| m.source.contains(&line)), "{line}");
        };
        constant("HALF_WIDTH_UNITS", HALF_WIDTH_UNITS);
        constant("SUM_UNITS", SUM_UNITS);
        assert_eq!(f64::from(1 << SUM_BITS), SUM_UNITS);
        let flags = [
            ("FLAG_KEEP", FLAG_KEEP),
            ("FLAG_LEAVE", FLAG_LEAVE),
            ("CERTIFIED", CERTIFIED),
            ("FLAG_IN_ORDER", FLAG_IN_ORDER),
            ("FLAG_CERTIFY", FLAG_CERTIFY),
            ("EXHAUSTED", EXHAUSTED),
            ("CAPPED", CAPPED),
        ];
        for (name, value) in flags {
            let line = format!("const {name}: u32 = {value}u;");
            assert!(MODULES.iter().all(|m| m.source.contains(&line)), "{line}");
        }
        let run = format!("const RUN: u32 = {RUN}u;");
        assert!(MODULES.iter().any(|m| m.source.contains(&run)), "{run}");
        let kinds = [
            ("KIND_DRAWN", KIND_DRAWN),
            ("KIND_DEALT", KIND_DEALT),
            ("KIND_CHOSEN", KIND_CHOSEN),
            ("KIND_GIVEN", KIND_GIVEN),
            ("KIND_SUMMED", KIND_SUMMED),
        ];
        for (name, value) in kinds {
            let line = format!("const {name}: u32 = {value}u;");
            assert!(MODULES.iter().any(|m| m.source.contains(&line)), "{line}");
        }
        let nowhere = format!("const NOWHERE: u32 = {NOWHERE:#x}u;");
        assert!(
            MODULES.iter().any(|m| m.source.contains(&nowhere)),
            "{nowhere}"
        );
        let stays = format!("const STAYS: u32 = {STAYS:#X}u;").replace("0X", "0x");
        assert!(MODULES.iter().any(|m| m.source.contains(&stays)), "{stays}");
    }
}
