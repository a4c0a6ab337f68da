//! The construction that interventions share: copies of states in layers, new states, and the rows between them.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::document::{Fault, Faults};
use crate::mdp::families::MAX_STATES;
use crate::mdp::{BaseState, ChoiceCoordinate, Mdp, MdpBuilder};
use crate::units::{ChoiceId, StateId};

/// A state of the modified MDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A state of the MDP in a layer. Layer 0 holds every state under its own name and number; further layers hold the copies
    /// that can be reached.
    Copy(StateId, u32),
    /// A state that stands for none of the MDP, by the construction's own number.
    New(u32),
}

/// A choice of the modified MDP.
#[derive(Clone, Debug, PartialEq)]
pub struct Woven {
    /// Its action's name, made unique within the state.
    pub action: String,
    /// The choice whose labels it keeps.
    pub like: Option<ChoiceId>,
    /// Labels of choices it gets beside those.
    pub labels: Vec<&'static str>,
    /// Where it leads. Places that stand several times are added up; probabilities of zero are left out.
    pub to: Vec<(Place, f64)>,
}

impl Woven {
    /// A choice of the MDP as it is, in a layer.
    #[must_use]
    pub fn kept(mdp: &Mdp, choice: ChoiceId, layer: u32) -> Self {
        Self::leading(mdp, choice, row(mdp, choice, layer))
    }

    /// A choice of the MDP that leads elsewhere.
    #[must_use]
    pub fn leading(mdp: &Mdp, choice: ChoiceId, to: Vec<(Place, f64)>) -> Self {
        Self {
            action: mdp.action_name(choice).to_owned(),
            like: Some(choice),
            labels: Vec::new(),
            to,
        }
    }

    /// A choice that the MDP does not have.
    #[must_use]
    pub fn new(action: impl Into<String>, labels: Vec<&'static str>, to: Place) -> Self {
        Self {
            action: action.into(),
            like: None,
            labels,
            to: vec![(to, 1.0)],
        }
    }

    /// With one more label.
    #[must_use]
    pub fn labelled(mut self, label: &'static str) -> Self {
        self.labels.push(label);
        self
    }
}

/// The row of a choice with all successors in one layer.
#[must_use]
pub(super) fn row(mdp: &Mdp, choice: ChoiceId, layer: u32) -> Vec<(Place, f64)> {
    let (to, p) = mdp.row(choice);
    let places = to.iter().map(|&s| Place::Copy(StateId(s), layer));
    places.zip(p.iter().copied()).collect()
}

/// `1 - p` of a row and `p` of another.
#[must_use]
pub(super) fn mixed(row: Vec<(Place, f64)>, p: f64, other: Vec<(Place, f64)>) -> Vec<(Place, f64)> {
    let kept = row.into_iter().map(|(s, q)| (s, q * (1.0 - p)));
    let other = other.into_iter().map(|(s, q)| (s, q * p));
    kept.chain(other).collect()
}

/// What a construction says about the MDP it makes.
pub trait Construction {
    /// What stands behind the name of a state in a layer beyond 0: `s (disabled)`.
    fn layer_name(&self, layer: u32) -> String;

    /// The name of a new state; a number is added where a state or a label has it: a name then means the same in every variant.
    fn new_name(&self, number: u32) -> String;

    /// Labels of states that a place gets beside those of the state it is a copy of.
    fn labels(&self, place: Place) -> Vec<&'static str>;

    /// Its choices, at least one.
    fn choices(&self, place: Place) -> Vec<Woven>;
}

/// Makes the MDP that a construction describes: all states of the MDP in layer 0, under their own numbers and names, then whatever can be
/// reached from them, in the order in which it is met.
///
/// Copies have the reward coordinate and the base state of what they are copies of. New states have a coordinate of their own, which
/// follows from their name, so that a new state of one name is the same draw in every variant.
pub fn weave(
    kind: &str,
    mdp: &Mdp,
    construction: &dyn Construction,
    faults: &mut Faults,
) -> Option<Mdp> {
    let mut places: Vec<Place> = mdp.states().map(|s| Place::Copy(s, 0)).collect();
    let mut numbers: HashMap<Place, u32> = (0..).zip(&places).map(|(i, p)| (*p, i)).collect();
    let mut rows: Vec<Vec<NumberedChoice>> = Vec::new();
    while rows.len() < places.len() {
        if places.len() as u64 > MAX_STATES {
            faults.error(
                None,
                format!(
                    "{kind} makes more than {MAX_STATES} states of {:?}",
                    mdp.name()
                ),
            );
            return None;
        }
        let choices = construction.choices(places[rows.len()]).into_iter();
        let numbered = choices.map(|woven| {
            let to = numbered_row(&woven.to, &mut places, &mut numbers);
            (woven, to)
        });
        rows.push(numbered.collect());
    }
    let woven = Weaving {
        mdp,
        construction,
        places: &places,
    };
    woven.build(rows).map_or_else(
        |broken| {
            let told = broken.list.into_iter().map(|fault| Fault {
                message: format!("{kind}: {}", fault.message),
                ..fault
            });
            faults.list.extend(told);
            None
        },
        Some,
    )
}

/// A choice with its row by numbers.
type NumberedChoice = (Woven, Vec<(u32, f64)>);

/// The row by numbers, ascending, each once; places that are met for the first time get the next numbers.
fn numbered_row(
    to: &[(Place, f64)],
    places: &mut Vec<Place>,
    numbers: &mut HashMap<Place, u32>,
) -> Vec<(u32, f64)> {
    let mut row: Vec<(u32, f64)> = Vec::with_capacity(to.len());
    for &(place, p) in to.iter().filter(|(_, p)| *p != 0.0) {
        let number = *numbers.entry(place).or_insert_with(|| {
            places.push(place);
            places.len() as u32 - 1
        });
        row.push((number, p));
    }
    row.sort_by_key(|&(s, _)| s);
    row.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    row
}

/// A construction whose states are known.
struct Weaving<'a> {
    mdp: &'a Mdp,
    construction: &'a dyn Construction,
    places: &'a [Place],
}

impl Weaving<'_> {
    fn build(&self, rows: Vec<Vec<NumberedChoice>>) -> Result<Mdp, Faults> {
        let mdp = self.mdp;
        let mut builder = MdpBuilder::new(mdp.name());
        builder.keep_rows();
        let names = self.names();
        names.iter().for_each(|name| {
            builder.state(name.as_str());
        });
        let mut choice_labels: Vec<(String, Vec<(StateId, String)>)> = Vec::new();
        let carried = labels_of_choices(mdp);
        let mut coordinates: Vec<ChoiceCoordinate> = Vec::new();
        for (state, choices) in (0..).map(StateId).zip(rows) {
            let mut actions: HashSet<String> = HashSet::new();
            for (woven, to) in choices {
                let action = unique(&woven.action, |name| actions.contains(name));
                actions.insert(action.clone());
                let (successors, p): (Vec<u32>, Vec<f64>) = to.into_iter().unzip();
                builder.row(state, &action, &successors, &p);
                coordinates.push(match woven.like {
                    Some(like) => mdp.choice_coordinate(like),
                    None => {
                        let name = format!("{}\n{action}", names[state.index()]);
                        ChoiceCoordinate::New(fresh_coordinate(&name))
                    }
                });
                let like = woven.like.into_iter().flat_map(|c| &carried[c.index()]);
                for label in like.copied().chain(woven.labels.iter().copied()) {
                    add(&mut choice_labels, label, (state, action.clone()));
                }
            }
        }
        for (label, members) in choice_labels {
            builder.choice_label_at(label, None, members);
        }
        for (label, members) in self.state_labels() {
            builder.label(label, members);
        }
        builder.start_distribution(mdp.start().to_vec(), None);
        let base = |place: &Place| match place {
            Place::Copy(s, _) => mdp.base_state()[s.index()],
            Place::New(_) => BaseState::New,
        };
        builder.base_states(self.places.iter().map(base).collect());
        builder.reward_coordinates(self.coordinates(&names));
        builder.choice_coordinates(coordinates);
        if let Some(layout) = mdp.layout() {
            builder.layout(layout.clone());
        }
        builder.build()
    }

    fn names(&self) -> Vec<String> {
        let mut taken: HashSet<String> = HashSet::new();
        let mut names = Vec::with_capacity(self.places.len());
        for &place in self.places {
            let name = match place {
                Place::Copy(s, 0) => self.mdp.state_name(s).to_owned(),
                Place::Copy(s, layer) => format!(
                    "{} ({})",
                    self.mdp.state_name(s),
                    self.construction.layer_name(layer)
                ),
                Place::New(number) => self.construction.new_name(number),
            };
            let is_label = |name: &str| {
                matches!(place, Place::New(_)) && self.mdp.state_labels().contains_key(name)
            };
            let name = unique(&name, |name| taken.contains(name) || is_label(name));
            taken.insert(name.clone());
            names.push(name);
        }
        names
    }

    fn coordinates(&self, names: &[String]) -> Vec<Option<u32>> {
        let old = self.mdp.reward_coordinate();
        let mut taken: HashSet<u32> = old.iter().flatten().copied().collect();
        let each = self
            .places
            .iter()
            .zip(names)
            .map(|(place, name)| match place {
                Place::Copy(s, _) => old[s.index()],
                Place::New(_) => {
                    let mut coordinate = fresh_coordinate(name);
                    while !taken.insert(coordinate) {
                        coordinate = FRESH | (coordinate.wrapping_add(1) % (FRESH - 1));
                    }
                    Some(coordinate)
                }
            });
        each.collect()
    }

    fn state_labels(&self) -> Vec<(String, Vec<StateId>)> {
        let mut carried: Vec<Vec<&str>> = vec![Vec::new(); self.mdp.n_states()];
        for (label, members) in self.mdp.state_labels() {
            members.iter().for_each(|s| carried[s.index()].push(label));
        }
        let mut labels = Vec::new();
        for (number, &place) in (0..).map(StateId).zip(self.places) {
            if let Place::Copy(s, _) = place {
                for label in &carried[s.index()] {
                    add(&mut labels, label, number);
                }
            }
            for label in self.construction.labels(place) {
                add(&mut labels, label, number);
            }
        }
        labels
    }
}

/// Labels by choice, `[n_choices]`.
fn labels_of_choices(mdp: &Mdp) -> Vec<Vec<&str>> {
    let mut labels: Vec<Vec<&str>> = vec![Vec::new(); mdp.n_choices()];
    for (label, members) in mdp.choice_labels() {
        members.iter().for_each(|c| labels[c.index()].push(label));
    }
    labels
}

fn add<T>(labels: &mut Vec<(String, Vec<T>)>, label: &str, member: T) {
    match labels.iter_mut().find(|(name, _)| name == label) {
        Some((_, members)) => members.push(member),
        None => labels.push((label.to_owned(), vec![member])),
    }
}

/// The name, or the name with the first number from 2 on that makes it free.
fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|i: u64| format!("{name} {i}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names
        .find(|name| !taken(name))
        .expect("there are more numbers than states")
}

/// Coordinates of new states have this bit: no file has as many states.
pub(super) const FRESH: u32 = 1 << 31;

/// The random coordinate of a new state: bit 31, and 31 bits of the SHA-256 of its name. `2^32 - 1` is left to common draws.
#[must_use]
pub(super) fn fresh_coordinate(name: &str) -> u32 {
    let hash = Sha256::digest(name.as_bytes());
    let bits = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
    FRESH | (bits % (FRESH - 1))
}
