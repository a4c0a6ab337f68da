//! What is packed, and the order it is in.

use super::*;
use crate::mdp::Mdp;
use crate::mdp::families::{Chain, Dag, Family, Garnet, RandomDeterministic};
use crate::units::Discount;

/// Memory of a workgroup.
const ROOM: u32 = 32 << 10;

fn garnet(states: u64) -> Mdp {
    let family = Garnet {
        states,
        choices: 3,
        branching: 4,
    };
    Family::Garnet(family).generate(1).unwrap()
}

fn certain(states: u64) -> Mdp {
    let family = RandomDeterministic { states, choices: 3 };
    Family::RandomDeterministic(family).generate(1).unwrap()
}

fn plan(mdp: &Mdp, domain: RewardDomain) -> Plan {
    Plan::draw_for(mdp, Discount::new(0.9).unwrap(), domain)
}

/// Pairs of neighbours, the earlier one first, and whether the later one's successors do not lead back to it.
fn neighbours(model: &SweepModel) -> Vec<(usize, usize)> {
    let states = model.states().iter().enumerate();
    let pairs = states.flat_map(|(row, state)| {
        let to = model.terms_of(state).map(|part| part.position as usize);
        to.map(move |to| (row.min(to), row.max(to)))
    });
    pairs.collect()
}

#[test]
fn neighbours_are_in_different_phases_and_every_row_is_in_one() {
    let chain = Family::Chain(Chain {
        states: 200,
        two_way: true,
        stay: false,
    });
    let chain = chain.generate(0).unwrap();
    for (mdp, domain, most) in [
        (garnet(257), RewardDomain::State, 20),
        (certain(257), RewardDomain::State, 40),
        (certain(257), RewardDomain::Choice, 10),
        (chain.clone(), RewardDomain::State, 200),
        (chain, RewardDomain::Choice, 2),
    ] {
        let plan = plan(&mdp, domain);
        let model = plan.model();
        let found = Phases::of(model, ROOM).unwrap();
        let count = found.rows.len();
        assert!(count <= most && found.rows.iter().all(|rows| rows.is_sorted()));
        let mut phase_of = vec![usize::MAX; model.states().len()];
        for (phase, rows) in found.rows.iter().enumerate() {
            for row in rows {
                assert_eq!(phase_of[*row as usize], usize::MAX, "once");
                phase_of[*row as usize] = phase;
            }
        }
        assert!(phase_of.iter().all(|phase| *phase < count));
        let pairs = neighbours(model);
        assert!(pairs.iter().all(|(a, b)| phase_of[*a] != phase_of[*b]));
        if model.class() == KernelClass::Deterministic {
            // By levels, the order among neighbours is that of a sweep.
            assert!(pairs.iter().all(|(a, b)| phase_of[*a] < phase_of[*b]));
        }
        // The control: one phase fewer, and two neighbours share one.
        let merged = |row: usize| phase_of[row].min(count - 2);
        assert!(pairs.iter().any(|(a, b)| merged(*a) == merged(*b)));
    }
}

#[test]
fn where_nothing_leads_back_successors_come_first() {
    let dag = Family::Dag(Dag {
        states: 120,
        choices: 2,
        reach: 10,
    });
    let mdp = dag.generate(1).unwrap();
    let plan = plan(&mdp, RewardDomain::Choice);
    let model = plan.model();
    assert_eq!(model.class(), KernelClass::Sparse);
    let phase_of = phases_of(model);
    let pairs = neighbours(model);
    assert!(pairs.iter().all(|(a, b)| phase_of[*a] < phase_of[*b]));
}

#[test]
fn little_room_rows_of_all_states_and_many_phases_are_left_to_other_kernels() {
    let plan = plan(&garnet(257), RewardDomain::State);
    let model = plan.model();
    for (bytes, groups) in [(257 * 64, 4), (257 * 64 - 1, 2), (257 * 32 - 1, 1)] {
        assert_eq!(Phases::of(model, bytes).unwrap().groups, groups);
    }
    assert_eq!(Phases::of(model, 257 * 16 - 1), None);
    let chain = |states| {
        let chain = Family::Chain(Chain {
            states,
            two_way: true,
            stay: true,
        });
        let plan = self::plan(&chain.generate(0).unwrap(), RewardDomain::State);
        Phases::of(plan.model(), ROOM)
    };
    assert!(chain(MOST_PHASES as u64).is_some() && chain(MOST_PHASES as u64 + 1).is_none());
}

/// A number for every row.
type Numbers<'a> = &'a dyn Fn(u32) -> f64;

/// A backup by what is packed, as the shader does it; rewards of rows, or of choices.
fn backup(
    packed: &Packed,
    at: (&Slice, usize, [u32; 2]),
    of: (Numbers<'_>, Numbers<'_>, bool),
) -> f64 {
    let ((slice, stride, who), (value, reward, on_choices)) = (at, of);
    let start = if on_choices { 0.0 } else { reward(who[0]) };
    let (mut base, mut sum, mut part, mut best) = (start, start, 0.0, f64::MIN);
    let mut choice = who[1];
    for step in 0..slice.steps as usize {
        let at = slice.first as usize + step * stride;
        for (word, weight) in packed.words[at].into_iter().zip(packed.weights[at]) {
            let weight = f64::from(weight);
            if word & BEGINS != 0 {
                sum = base + if on_choices { reward(choice) } else { 0.0 };
                choice += 1;
            }
            match word & SCALES != 0 {
                true => sum *= weight,
                false => part += weight * value(word & 0xffff),
            }
            if word & ENDS_RUN != 0 {
                sum += part;
                part = 0.0;
            }
            if word & ENDS_COMMON != 0 {
                base = sum;
            }
            if word & ENDS != 0 {
                best = f64::max(best, sum);
            }
        }
    }
    best
}

#[test]
fn what_is_packed_is_the_model() {
    let value = |row: u32| f64::from(row * 37 % 101) - 50.0;
    let reward = |row: u32| f64::from(row * 53 % 29);
    for (mdp, domain) in [
        (garnet(65), RewardDomain::State),
        (garnet(65), RewardDomain::Choice),
        (certain(65), RewardDomain::Choice),
    ] {
        let plan = plan(&mdp, domain);
        let (model, discount) = (plan.model(), plan.discount().used());
        let phases = Phases::of(model, ROOM).unwrap();
        let mut packed = Packed::new(&phases, &plan);
        let worst = |packed: &Packed| {
            let mut worst: f64 = 0.0;
            let mut seen = 0;
            for (slice, members) in packed
                .slices
                .iter()
                .zip(packed.members.chunks(phases.members))
            {
                for (lane, who) in members
                    .iter()
                    .enumerate()
                    .filter(|(_, who)| **who != NOBODY)
                {
                    let state = model.states()[who[0] as usize];
                    let sum = |first: u32, end: u32| {
                        let parts = &model.parts()[first as usize..end as usize];
                        parts
                            .iter()
                            .map(|p| discount * p.probability * value(p.position))
                            .sum::<f64>()
                    };
                    let own = state.choice_first..state.choice_end;
                    let expected = own.map(|c| {
                        let choice = model.choices()[c as usize];
                        let reward = match domain {
                            RewardDomain::State => reward(who[0]),
                            RewardDomain::Choice => reward(c),
                        };
                        let all = reward
                            + sum(state.common_first, state.common_end)
                            + sum(choice.first, choice.end);
                        all / (1.0 - discount * choice.stay)
                    });
                    let expected = expected.fold(f64::MIN, f64::max);
                    let slice = Slice {
                        first: slice.first + lane as u32,
                        ..*slice
                    };
                    let of = (
                        &value as Numbers,
                        &reward as Numbers,
                        domain == RewardDomain::Choice,
                    );
                    let found = backup(packed, (&slice, phases.members, *who), of);
                    worst = worst.max((found - expected).abs());
                    seen += 1;
                }
            }
            assert_eq!(seen, 65);
            worst
        };
        // Factors are rounded to single precision, and times values of up to 50, and rewards of up to 28 over 1 - gamma.
        assert!(worst(&packed) < 1e-4);
        // The control: sums that do not begin anew with a choice.
        let words = packed.words.iter_mut().flatten();
        words.for_each(|word| *word &= !BEGINS);
        assert!(worst(&packed) > 1e-2);
    }
}
