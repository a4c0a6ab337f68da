//! Laws of which a goal follows one, and the passes that make goals of them on the device: every reward by itself, values dealt to places, chosen places, given
//! rows, [sums](super::sums). Rewards are on a [`Cover`], where they are, sums aside, as [`Cover::step`] brings them there. The words and what is made of them are defined in
//! docs/random-numbers.md.

use std::ops::Range;

use super::cover::Cover;
use super::draws::{Draws, Ruler, flagged};
use super::layout::{
    Condition, KIND_CHOSEN, KIND_DEALT, KIND_DRAWN, KIND_GIVEN, Leaf, NOWHERE, Place, Settled,
};
use super::pace::MAX_ITERATIONS;
use crate::reward::{GivenRows, GoalLaw, Independent, Making, Places, Recipe, RowPick, WholeGoal};

/// What the device has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Words that a buffer holds.
    pub(super) numbers: u64,
    /// Draws that the rewards of a goal are sums of: those of a block in a buffer.
    pub(super) latents: u64,
}

/// How the goals of a leaf are made.
#[derive(Clone, Debug)]
pub(super) enum LeafKind {
    /// Philox blocks.
    Drawn { blocks: Range<u32> },
    /// What lies in places, and the rewards it goes to: those that are no slots, then those that are.
    Placed {
        others: Range<u32>,
        slots: Range<u32>,
        /// Whether measured goals are arrangements in their order.
        in_order: bool,
    },
    /// Rewards that a row is for.
    Given { rewards: Range<u32>, in_order: bool },
    /// Philox blocks of latent draws, and bundles of rewards that are sums of them.
    Summed {
        blocks: Range<u32>,
        bundles: Range<u32>,
    },
}

impl Draws {
    /// What draws the goals of a law on a cover; `None` where the host has to.
    pub(super) fn of_law(
        law: &GoalLaw,
        cover: Cover,
        rows: &[u32],
        stays: &[bool],
        room: Room,
    ) -> Option<Self> {
        let mut draws = Self {
            has_laws: true,
            ..Self::default()
        };
        let make = Make {
            cover,
            ruler: cover.ruler()?,
            rows,
            own: &|_| true,
            stays,
            room,
        };
        draws.push(law.recipe(), &[], &make)?;
        Some(draws)
    }

    /// Adds the leaves of a law that goals follow which meet the conditions.
    fn push(&mut self, recipe: &Recipe, conditions: &[Condition], make: &Make<'_>) -> Option<()> {
        match recipe {
            Recipe::Independent(law) => {
                self.push_drawn(law, conditions, make);
                Some(())
            }
            Recipe::Linear(linear) => {
                let leaf = self.leaf(conditions, make);
                self.push_linear(linear, leaf, make)
            }
            Recipe::Whole(whole) => self.push_whole(&**whole, conditions, make),
        }
    }

    fn push_drawn(&mut self, law: &Independent, conditions: &[Condition], make: &Make<'_>) {
        let own = make.own_rows();
        let own = own.map(|(row, reward)| (make.target(row), reward));
        let blocks = self.push_independent(law, make.ruler, own);
        let leaf = Leaf {
            kind: KIND_DRAWN,
            ..self.leaf(conditions, make)
        };
        self.push_leaf(leaf, LeafKind::Drawn { blocks });
    }

    fn push_whole(
        &mut self,
        whole: &dyn WholeGoal,
        conditions: &[Condition],
        make: &Make<'_>,
    ) -> Option<()> {
        match whole.making()? {
            Making::Overridden {
                inner,
                different,
                drawn,
            } => {
                let replaced = |reward: usize| make.own(reward) && different[reward];
                let left = |reward: usize| make.own(reward) && !different[reward];
                self.push_whole(
                    inner,
                    conditions,
                    &Make {
                        own: &left,
                        ..*make
                    },
                )?;
                // Whatever lay there before.
                self.push_drawn(
                    drawn,
                    conditions,
                    &Make {
                        own: &replaced,
                        ..*make
                    },
                );
                Some(())
            }
            Making::OneOf {
                components,
                word,
                ends,
            } => {
                let mut first = 0;
                for (component, &end) in components.iter().zip(ends) {
                    if end > first {
                        let own = Condition {
                            word,
                            first: first as u32,
                            last: (end - 1) as u32,
                        };
                        let all = [conditions, &[own]].concat();
                        self.push(component.recipe(), &all, make)?;
                        first = end;
                    }
                }
                Some(())
            }
            Making::Row(given) => {
                let leaf = self.leaf(conditions, make);
                self.push_rows(leaf, &given, make)
            }
            Making::Dealt {
                values,
                arrangements,
                places,
            } => {
                let start = |j: usize| make.cover.step(f64::from(values[j]));
                let mut leaf = Leaf {
                    kind: KIND_DEALT,
                    down_to: 1,
                    first_number: self.numbers.len() as u32,
                    ..self.leaf(conditions, make)
                };
                if let Some((counts, total)) = arrangements {
                    let each = counts.len() as u64 + 1;
                    if (values.len() as u64 + 1) * each > MAX_ITERATIONS {
                        return None;
                    }
                    leaf.n_columns = counts.len() as u32;
                    leaf.n_rows = u32::try_from(total).ok()?;
                    for &(value, count) in counts {
                        let pair = [make.cover.step(f64::from(value)), count as u32];
                        self.numbers.extend(pair);
                    }
                }
                let coordinates = vec![0; values.len()];
                let in_order = arrangements.is_some();
                self.push_places(leaf, start, &coordinates, places, in_order, make)
            }
            Making::Chosen {
                count,
                coordinates,
                law,
                places,
            } => {
                let leaf = Leaf {
                    kind: KIND_CHOSEN,
                    // The first place stays where it is, whatever lies there: it is chosen with all others alone.
                    down_to: (coordinates.len() - count) as u32,
                    law: self.push_law(law, make.ruler),
                    ..self.leaf(conditions, make)
                };
                self.push_places(leaf, |j| j as u32, coordinates, places, false, make)
            }
        }
    }

    fn push_places(
        &mut self,
        leaf: Leaf,
        start: impl Fn(usize) -> u32,
        coordinates: &[u32],
        places: Places<'_>,
        in_order: bool,
        make: &Make<'_>,
    ) -> Option<()> {
        // A place's slot is the first row of its rewards, those that are replaced included.
        let place_of = |reward: usize| places.of.get(reward).copied().flatten();
        let mut slots = vec![NOWHERE; coordinates.len()];
        for (row, reward) in make.rows.iter().enumerate() {
            if let Some(place) = place_of(*reward as usize) {
                let slot = &mut slots[place as usize];
                *slot = (*slot).min(row as u32);
            }
        }
        if slots.contains(&NOWHERE) {
            return None;
        }
        let leaf = Leaf {
            background: make.cover.step(f64::from(places.background)),
            first_place: self.places.len() as u32,
            n_places: slots.len() as u32,
            ..leaf
        };
        let place = |(j, slot): (usize, &u32)| Place {
            slot: *slot,
            start: start(j),
        };
        self.places.extend(slots.iter().enumerate().map(place));
        let settled = make.own_rows().map(|(row, reward)| {
            let place = place_of(reward).map(|place| place as usize);
            let by = place.map_or(NOWHERE, |place| slots[place]);
            let settled = Settled {
                row: make.target(row),
                by,
                coordinate: place.map_or(0, |place| coordinates[place]),
            };
            (settled, by == row as u32)
        });
        let (own, others): (Vec<_>, Vec<_>) = settled.partition(|(_, is_slot)| *is_slot);
        let others = self.push_settled(others.iter().map(|(settled, _)| *settled));
        let slots = self.push_settled(own.iter().map(|(settled, _)| *settled));
        let kind = LeafKind::Placed {
            others,
            slots,
            in_order,
        };
        self.push_leaf(leaf, kind);
        Some(())
    }

    fn push_rows(&mut self, leaf: Leaf, given: &GivenRows<'_>, make: &Make<'_>) -> Option<()> {
        let wanted = |reward: usize| given.column_of.get(reward).copied().flatten();
        let mut used: Vec<u32> = make.own_rows().filter_map(|own| wanted(own.1)).collect();
        used.sort_unstable();
        used.dedup();
        let numbers = given.rows as u64 * used.len() as u64;
        // Sums of a goal's number and one below the number of rows do not overflow.
        if self.numbers.len() as u64 + numbers > make.room.numbers || given.rows > 1 << 30 {
            return None;
        }
        let mut leaf = Leaf {
            kind: KIND_GIVEN,
            first_number: self.numbers.len() as u32,
            n_columns: used.len() as u32,
            n_rows: given.rows as u32,
            ..leaf
        };
        for row in 0..given.rows {
            let step = |column: &u32| make.cover.step(f64::from((given.value)(row, *column)));
            self.numbers.extend(used.iter().map(step));
        }
        if let RowPick::Words { word, ends } = given.pick {
            leaf.pick = word;
            let mut first = 0;
            let mut lasts: Vec<(u32, u32)> = Vec::with_capacity(ends.len());
            for (row, &end) in ends.iter().enumerate() {
                if end > first {
                    lasts.push(((end - 1) as u32, row as u32));
                    first = end;
                }
            }
            leaf.first_end = self.numbers.len() as u32;
            leaf.n_ends = lasts.len() as u32;
            self.numbers.extend(lasts.iter().map(|(last, _)| *last));
            self.numbers.extend(lasts.iter().map(|(_, row)| *row));
        }
        let rewards = make.own_rows().map(|(row, reward)| Settled {
            row: make.target(row),
            by: match wanted(reward) {
                Some(column) => used.partition_point(|c| *c < column) as u32,
                None => NOWHERE,
            },
            coordinate: 0,
        });
        let rewards = self.push_settled(rewards);
        let in_order = given.in_order;
        self.push_leaf(leaf, LeafKind::Given { rewards, in_order });
        Some(())
    }

    fn push_settled(&mut self, settled: impl Iterator<Item = Settled>) -> Range<u32> {
        let first = self.settled.len() as u32;
        self.settled.extend(settled);
        first..self.settled.len() as u32
    }

    /// A leaf of goals that meet the conditions.
    fn leaf(&mut self, conditions: &[Condition], make: &Make<'_>) -> Leaf {
        let first_condition = self.conditions.len() as u32;
        self.conditions.extend(conditions);
        Leaf {
            first_condition,
            n_conditions: conditions.len() as u32,
            background: make.cover.step(0.0),
            ..Leaf::default()
        }
    }

    pub(super) fn push_leaf(&mut self, leaf: Leaf, kind: LeafKind) {
        self.leaves.push(leaf);
        self.kinds.push(kind);
    }

    /// The same without what only the device needs.
    pub(super) fn uploaded(&self) -> Self {
        Self {
            leaves: self.leaves.clone(),
            kinds: self.kinds.clone(),
            bundles: self.bundles.clone(),
            n_latents: self.n_latents,
            ..Self::default()
        }
    }
}

/// What leaves of a cell have in common.
#[derive(Clone, Copy)]
pub(super) struct Make<'a> {
    pub(super) cover: Cover,
    ruler: Ruler,
    /// Per row: its reward.
    rows: &'a [u32],
    /// The rewards that are to be drawn.
    own: &'a dyn Fn(usize) -> bool,
    stays: &'a [bool],
    pub(super) room: Room,
}

impl Make<'_> {
    fn own(&self, reward: usize) -> bool {
        (self.own)(reward)
    }

    /// A row, and whether its reward can be had for ever.
    pub(super) fn target(&self, row: usize) -> u32 {
        flagged(row, self.stays)
    }

    /// Rows that are to be drawn, and the reward of each.
    pub(super) fn own_rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.rows.iter().map(|reward| *reward as usize);
        rows.enumerate().filter(|(_, reward)| self.own(*reward))
    }
}
