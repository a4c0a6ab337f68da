//! What happens when an optimal agent acts: does it get to a labelled state, or take a labelled choice, and when?

use super::acting::{Acting, Policy};
use super::arena::{Arena, LONGEST_TIME, SHARP};
use super::glance::{Glance, Panel, within_reach};
use super::look::Look;
use super::standing::Standing;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Comparable, Estimate, Key, KeyKind, Map, Measure, Observed, ObservedSums, PowerScale, Quantity,
    Row, Table, TableRow, normal_quantile,
};
use crate::units::{ChoiceId, StateId};

/// How an agent with several optimal choices picks one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ties {
    /// All with the same probability, in every state.
    #[default]
    Even,
    /// Whatever makes the event likelier, measure by measure.
    Towards,
    /// Whatever makes it less likely.
    Away,
}

impl Ties {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Even, Self::Towards, Self::Away];

    /// The name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Towards => "towards",
            Self::Away => "away",
        }
    }
}

/// What the event is.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// To be in one of these states, `[n_states]`.
    States(Vec<bool>),
    /// To take one of these choices, `[n_choices]`.
    Choices(Vec<bool>),
    /// To be in one of these states or take one of these choices.
    Either {
        /// `[n_states]`.
        states: Vec<bool>,
        /// `[n_choices]`.
        choices: Vec<bool>,
    },
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The name it is reported under.
    pub label: String,
    /// What it is.
    pub target: Target,
    /// Number of steps for the measure `within`.
    pub steps: Option<u64>,
    /// How ties are broken.
    pub ties: Ties,
    /// Whether the expected time is measured, where ties are split evenly.
    pub timed: bool,
}

impl Event {
    /// Columns: `ever`, `discounted`, `within` where steps are given, and where ties are split evenly the time in goals that hit.
    fn n_columns(&self) -> usize {
        2 + usize::from(self.steps.is_some()) + usize::from(self.has_time())
    }

    pub(super) fn has_time(&self) -> bool {
        self.timed && self.ties == Ties::Even
    }
}

/// First hits of labels by the optimal policy from the start distribution.
///
/// With `tau = min{t >= 0: s_t in L}`, or the first time a labelled choice is taken: `ever = P(tau < inf)`, `avoid` its complement, `within =
/// P(tau <= h)`, `discounted = E gamma^tau`, `time = E[tau | tau < inf]` over goals and paths together.
#[derive(Clone, Debug)]
pub struct Events {
    pub(super) list: Vec<Event>,
    pub(super) start: Vec<(StateId, f64)>,
    /// Per state: the events that happen there, a bit for each. Empty where some happen with choices, or are too many.
    pub(super) here: Vec<u32>,
    /// The first column of every event.
    pub(super) firsts: Vec<usize>,
}

impl Events {
    /// Events from the MDP's start.
    #[must_use]
    pub fn new(mdp: &Mdp, list: Vec<Event>) -> Self {
        let states = list.iter().map(|event| match &event.target {
            Target::States(states) => Some(states),
            Target::Choices(_) | Target::Either { .. } => None,
        });
        let states: Option<Vec<&Vec<bool>>> = states.collect();
        let states = states.filter(|states| states.len() <= MOST_AT_ONCE);
        let bits = |of: &[&Vec<bool>], state: usize| {
            let each = of.iter().enumerate();
            each.fold(0, |bits, (i, states)| bits | u32::from(states[state]) << i)
        };
        let here = states.map(|of| (0..mdp.n_states()).map(|s| bits(&of, s)).collect());
        Self {
            start: mdp.start().to_vec(),
            here: here.unwrap_or_default(),
            firsts: list
                .iter()
                .scan(0, |next, event| {
                    let first = *next;
                    *next += event.n_columns();
                    Some(first)
                })
                .collect(),
            list,
        }
    }

    /// Follows the path of an optimal agent once for all events, as long as it is certain at a glance. Notes when each first happens, and returns the
    /// events of which that is open.
    fn certain_times(&self, look: &mut Look<'_>, times: &mut [Option<u64>; MOST_AT_ONCE]) -> u32 {
        let &[(mut state, _)] = &self.start[..] else {
            return u32::MAX;
        };
        if self.here.is_empty() || look.acting().is_some() {
            return u32::MAX;
        }
        let events = self.list.len() as u32;
        let mut open = u32::MAX.checked_shr(32 - events).unwrap_or(0);
        look.forget_marks();
        for time in 0.. {
            let mut hit = self.here[state.index()] & open;
            open &= !hit;
            while hit != 0 {
                times[hit.trailing_zeros() as usize] = Some(time);
                hit &= hit - 1;
            }
            // Round and round: what has not happened never will.
            if open == 0 || !look.mark(state) {
                return 0;
            }
            match look.best_successor(state) {
                Some(next) => state = next,
                None => return open,
            }
        }
        open
    }
}

/// Most events that a path is followed for at once.
const MOST_AT_ONCE: usize = 32;

/// The numbers of one event for one goal, in the order of its columns.
pub(super) type Numbers = Vec<Observed>;

impl Statistic for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn is_of_behaviour(&self) -> bool {
        true
    }

    fn n_columns(&self) -> usize {
        self.list.iter().map(Event::n_columns).sum()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let mut times = [None; MOST_AT_ONCE];
        let open = self.certain_times(look, &mut times);
        for (at, event) in self.list.iter().enumerate() {
            if at < MOST_AT_ONCE && open >> at & 1 == 0 {
                event.push_certain(times[at], look, row);
                continue;
            }
            if let Some(acting) = look.acting() {
                let numbers = self.acted(event, acting, look);
                numbers.into_iter().for_each(|x| row.push_observed(x));
                continue;
            }
            match self.certain_path(event, look) {
                Some(time) => event.push_certain(time, look, row),
                None => self
                    .uncertain(event, look)
                    .into_iter()
                    .for_each(|x| row.push_observed(x)),
            }
        }
    }

    fn glances_at(&self, mdp: &Mdp) -> Option<Vec<StateId>> {
        let is_certain = self.start.len() == 1 && !self.here.is_empty();
        let from = self.start.iter().map(|(s, _)| *s);
        is_certain.then(|| within_reach(mdp, from))
    }

    fn glance(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        self.follow(glance, panel)
    }

    fn quantities(&self) -> Vec<Quantity> {
        let mut all = Vec::new();
        let mut first = 0;
        for event in &self.list {
            let shares = event.n_columns() - usize::from(event.has_time());
            all.extend((first..first + shares).map(|c| Quantity::share(c, Map::Identity)));
            if event.has_time() {
                // Any number of steps: the units leave room for a million of them in a billion goals.
                let scale = PowerScale::new(0.0, 1_024.0);
                let time = Quantity::mean(first + shares, Map::Identity, scale);
                all.push(time);
                all.push(Quantity {
                    times: Some(first),
                    ..time
                });
            }
            first += event.n_columns();
        }
        all
    }

    fn comparables(&self, _mdp: &Mdp) -> Vec<Comparable> {
        let mut all = Vec::new();
        let mut first = 0;
        for event in &self.list {
            let within = event.steps.map(|_| "within");
            let measures = ["ever", "discounted"].into_iter().chain(within);
            all.extend(measures.enumerate().map(|(at, measure)| Comparable {
                statistic: self.name(),
                of: [
                    Key::Missing,
                    Key::Missing,
                    Key::text(&event.label),
                    Key::text(event.ties.name()),
                    event.steps.map_or(Key::Missing, Key::Count),
                ],
                measure,
                quantity: Quantity::share(first + at, Map::Identity),
                width: None,
                rounding: 2.0 * SHARP,
            }));
            first += event.n_columns();
        }
        all
    }

    fn per_goal(&self, mdp: &Mdp) -> Vec<(String, usize)> {
        let numbers = self.comparables(mdp).into_iter();
        let mut all: Vec<_> = numbers
            .map(|number| (number.name(), number.quantity.column))
            .collect();
        let mut next = 0;
        for event in &self.list {
            next += event.n_columns();
            if event.has_time() {
                let (name, ties) = (&event.label, event.ties.name());
                // Over all paths, 0 where there is none: divided by `ever` it is the time of those that get there.
                all.push((format!("events.time:{name}:{ties}"), next - 1));
            }
        }
        all
    }

    fn tables(&self, _mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let mut at = first;
        let rows = self.list.iter().map(|event| {
            let mut next = || {
                at += 1;
                let quantity = &quantities[at - 1 - first];
                let estimate = sums.estimate(at - 1, quantity, level);
                // A goal's bracket that is no wider than this, over the larger of its number and one, is told as its middle; chances of 0 and 1 are certain.
                let rounding = match sums.is_counted(at - 1) {
                    true => 0.0,
                    false => SHARP * (1.0 + estimate.bound_max + estimate.estimate.abs()),
                };
                (at - 1, estimate.widened(rounding))
            };
            let (ever_at, ever) = next();
            let (_, discounted) = next();
            let within = event.steps.map(|_| next().1);
            let time = event.has_time().then(|| {
                let (_, time) = next();
                let (_, product) = next();
                let is_told = time.bound_max < LONGEST_TIME;
                is_told.then(|| ratio(&time, &ever, product.estimate, level))
            });
            let measure = |e: Option<Estimate>| e.map_or(Measure::Missing, Measure::Estimate);
            TableRow {
                keys: vec![
                    Key::text(&event.label),
                    Key::text(event.ties.name()),
                    event.steps.map_or(Key::Missing, Key::Count),
                ],
                measures: vec![
                    measure(Some(ever)),
                    measure(Some(ever.complement())),
                    measure(within),
                    measure(Some(discounted)),
                    measure(time.flatten().flatten()),
                    Measure::Number(sums.undecided(ever_at)),
                ],
            }
        });
        vec![Table {
            name: self.name(),
            keys: &[
                ("label", KeyKind::Text),
                ("ties", KeyKind::Text),
                ("steps", KeyKind::Count),
            ],
            measures: &["ever", "avoid", "within", "discounted", "time", "undecided"],
            rows: rows.collect(),
        }]
    }
}

/// `E y / E x` with the interval of the delta method; `product` is the mean of x y. `None` where no goal hits.
fn ratio(y: &Estimate, x: &Estimate, product: f64, level: f64) -> Option<Estimate> {
    if x.estimate <= 0.0 {
        return None;
    }
    let n = x.n as f64;
    let r = y.estimate / x.estimate;
    // Standard errors hold the variances: s^2 (n - 1) is the population's.
    let variance = |e: &Estimate| e.std_error.map_or(0.0, |s| s * s * (n - 1.0));
    let covariance = product - x.estimate * y.estimate;
    let spread = variance(y) - 2.0 * r * covariance + r * r * variance(x);
    let spread = spread.max(0.0) / (x.estimate * x.estimate);
    let std_error = y.std_error.map(|_| (spread / (n - 1.0)).sqrt());
    let half = std_error.map_or(f64::INFINITY, |s| normal_quantile(level) * s);
    // Bounds on both means, to first order and never less.
    let of_ratio = |y: f64, r_x: f64| (y + r * r_x) / (x.estimate - x.bound).max(f64::MIN_POSITIVE);
    let bound = of_ratio(y.bound, x.bound);
    Some(Estimate {
        n: x.n,
        estimate: r,
        std_error,
        ci_low: r - half,
        ci_high: r + half,
        bound,
        // A ratio of means is no mean of goals' ratios: the bound if all goals were as badly known as the worst.
        bound_max: of_ratio(y.bound_max, x.bound_max).max(bound),
        low: r - half - bound,
        high: r + half + bound,
        simultaneous_low: None,
        simultaneous_high: None,
        exact: false,
    })
}

impl Event {
    /// The row of a goal whose path is certain: the time of its first hit, `None` for never.
    fn push_certain(&self, time: Option<u64>, look: &Look<'_>, row: &mut Row<'_>) {
        row.push(f64::from(u8::from(time.is_some())));
        row.push(time.map_or(0.0, |t| look.discounted(t)));
        if let Some(steps) = self.steps {
            row.push(f64::from(u8::from(time.is_some_and(|t| t <= steps))));
        }
        if self.has_time() {
            row.push(time.map_or(0.0, |t| t as f64));
        }
    }

    /// The same of a goal in which it happens, in columns that are zero.
    pub(super) fn set_certain(&self, time: u64, glance: &Glance<'_>, numbers: &mut [f64]) {
        numbers[0] = 1.0;
        numbers[1] = glance.discounted(time);
        let mut next = 2;
        if let Some(steps) = self.steps {
            numbers[next] = f64::from(u8::from(time <= steps));
            next += 1;
        }
        if self.has_time() {
            numbers[next] = time as f64;
        }
    }

    pub(super) fn is_target_choice(&self, choice: ChoiceId) -> bool {
        match &self.target {
            Target::States(_) => false,
            Target::Choices(choices) | Target::Either { choices, .. } => choices[choice.index()],
        }
    }

    pub(super) fn is_target_state(&self, state: StateId) -> bool {
        match &self.target {
            Target::States(states) | Target::Either { states, .. } => states[state.index()],
            Target::Choices(_) => false,
        }
    }
}

impl Events {
    /// The probability that an event ever happens to an agent that takes every choice of a state with the same probability.
    pub(super) fn by_chance(&self, event: &Event, mdp: &Mdp) -> f64 {
        let arena = Arena::of_policy(event, &self.start, mdp, Policy::Even, None);
        let ever = arena.chain(&|_, _| None).discounted(1.0);
        arena.at_start(&ever).value
    }

    /// Follows a path that happens with certainty from a certain start. `None` where anything is open or uncertain.
    fn certain_path(&self, event: &Event, look: &mut Look<'_>) -> Option<Option<u64>> {
        let &[(mut state, _)] = &self.start[..] else {
            return None;
        };
        look.forget_marks();
        let mut time = 0;
        loop {
            if event.is_target_state(state) {
                return Some(Some(time));
            }
            if !look.mark(state) {
                return Some(None);
            }
            let decided = look.decide(state);
            if !decided.is_sure() {
                return None;
            }
            let hit = event.is_target_choice(decided.greedy);
            let next = look.certain_successor(decided.greedy)?;
            if decided.optimal > 1 {
                // Ties that lead to the same state, or are all labelled, leave nothing open.
                for choice in look.mdp().choices(state) {
                    if look.standing(choice) != Standing::Optimal {
                        continue;
                    }
                    let same = look.certain_successor(choice) == Some(next);
                    if event.is_target_choice(choice) != hit || !(same || hit) {
                        return None;
                    }
                }
            }
            if hit {
                return Some(Some(time));
            }
            state = next;
            time += 1;
        }
    }

    /// The numbers of an agent that follows another rule: those of its policies, each with its probability.
    fn acted(&self, event: &Event, acting: &Acting, look: &Look<'_>) -> Numbers {
        let mut total = vec![Observed::sure(0.0); event.n_columns()];
        let mut open = false;
        for (weight, policy) in acting.policies() {
            let arena = Arena::of_policy(event, &self.start, look.mdp(), policy, look.turns());
            open |= arena.ids().iter().any(|s| acting.open[s.index()]);
            let numbers = arena.numbers(event, look.discount().used());
            for (sum, x) in total.iter_mut().zip(numbers) {
                sum.value += weight * x.value;
                sum.low += weight * x.low;
                sum.high += weight * x.high;
            }
        }
        let shares = event.n_columns() - usize::from(event.has_time());
        for x in &mut total[..shares] {
            if open {
                (x.low, x.high) = (0.0, 1.0);
            } else if x.high - x.low <= SHARP {
                // Weights sum to one up to rounding.
                let end = [0.0, 1.0]
                    .into_iter()
                    .find(|e| (x.value - e).abs() <= SHARP);
                *x = Observed::sure(end.unwrap_or(x.value));
            }
        }
        total
    }

    /// The probability that an event happens, within its steps where it has any, ties split evenly.
    pub(super) fn chance(&self, event: &Event, look: &mut Look<'_>) -> Observed {
        // `ever`, `discounted`, `within`.
        let at = if event.steps.is_some() { 2 } else { 0 };
        if let Some(acting) = look.acting() {
            return self.acted(event, acting, look)[at];
        }
        match self.certain_path(event, look) {
            Some(time) => {
                let happens = time.is_some_and(|t| event.steps.is_none_or(|steps| t <= steps));
                Observed::sure(f64::from(u8::from(happens)))
            }
            None => self.uncertain(event, look)[at],
        }
    }

    /// The numbers of a goal in general.
    fn uncertain(&self, event: &Event, look: &mut Look<'_>) -> Numbers {
        let arena = Arena::new(event, &self.start, look);
        let gamma = look.discount().used();
        let extreme = |most: bool, all: bool| -> Numbers {
            let mut numbers = vec![
                arena.at_start(&arena.extreme(1.0, most, all)),
                arena.at_start(&arena.extreme(gamma, most, all)),
            ];
            if let Some(steps) = event.steps {
                let within = arena.extreme_within(steps, most, all);
                let sure: Vec<[f64; 2]> = within.iter().map(|&x| [x; 2]).collect();
                numbers.push(arena.at_start(&sure));
            }
            numbers
        };
        let mut numbers = match event.ties {
            Ties::Even => arena.numbers(event, gamma),
            Ties::Towards => extreme(true, false),
            Ties::Away => extreme(false, false),
        };
        if arena.is_open() {
            // Whatever set of choices is optimal, a policy on it is one on all that may be.
            let (least, most) = (extreme(false, true), extreme(true, true));
            for ((x, least), most) in numbers.iter_mut().zip(&least).zip(&most) {
                x.low = x.low.min(least.low);
                x.high = x.high.max(most.high);
            }
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_never_known_better_by_all_goals_than_by_the_worst() {
        let mean =
            |mean, bound, bound_max| Estimate::of_mean(1_000, mean, 0.1, 0.95, bound, bound_max);
        let (y, x) = (mean(1.5, 0.01, 0.02), mean(0.5, 0.005, 1.0));
        let ratio = ratio(&y, &x, 0.9, 0.95).unwrap();
        assert_eq!(ratio.estimate, 3.0);
        // The bound of the ratio is above the largest of the numbers above the line, which is not what it is compared with.
        assert!(y.bound_max < ratio.bound && ratio.bound < ratio.bound_max);
        assert_eq!(ratio.bound_max, (0.02 + 3.0 * 1.0) / (0.5 - 0.005));
    }
}
