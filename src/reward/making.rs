//! How goals that are drawn whole are made, for backends that make many at once: integers up to the rewards themselves.

use super::{GoalLaw, Independent, Marginal, WholeGoal};

/// What a goal that is drawn whole is made of. [`WholeGoal::draw`](super::WholeGoal::draw) is the definition; docs/random-numbers.md says the same in words.
#[derive(Debug)]
pub enum Making<'a> {
    /// Fixed values, dealt to places.
    Dealt {
        /// One per place, ascending: what is shuffled.
        values: &'a [f32],
        /// Distinct values, ascending, and how often each stands; the number of arrangements. Goal i of the measured ones is then the i-th
        /// arrangement in lexicographic order; all others are shuffled.
        arrangements: Option<(&'a [(f32, u64)], u64)>,
        /// Who has the places.
        places: Places<'a>,
    },
    /// Some places, drawn, each with a draw of its own.
    Chosen {
        /// How many: the last ones once places are shuffled that far.
        count: usize,
        /// Per place: the coordinate of its draw.
        coordinates: &'a [u32],
        /// The law of the draws.
        law: &'a Marginal,
        /// Who has the places.
        places: Places<'a>,
    },
    /// One of several given goals.
    Row(GivenRows<'a>),
    /// Goals with some rewards replaced.
    Overridden {
        /// What draws the others. It may know fewer rewards: those beyond are replaced.
        inner: &'a dyn WholeGoal,
        /// Per reward: whether it is replaced.
        different: &'a [bool],
        /// By what.
        drawn: &'a Independent,
    },
    /// One of several laws, by a word of the mixture's stream.
    OneOf {
        /// The laws.
        components: &'a [GoalLaw],
        /// The word.
        word: u32,
        /// Per law: one past its last word. It has those from the end of the one before.
        ends: &'a [u64],
    },
}

/// Which rewards belong to which place.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Per reward; there may be more rewards than this, which are replaced.
    pub of: &'a [Option<u32>],
    /// The reward of those that belong to none.
    pub background: f32,
}

/// Goals that were given, one a row.
pub struct GivenRows<'a> {
    /// Their number.
    pub rows: usize,
    /// Columns of a row.
    pub columns: usize,
    /// Per reward: its column; without one it is 0. There may be more rewards than this, which are replaced.
    pub column_of: Vec<Option<u32>>,
    /// The reward in a row and a column.
    pub value: Box<dyn Fn(usize, u32) -> f32 + 'a>,
    /// Whether goal i of the measured ones is row i, modulo the number of rows.
    pub in_order: bool,
    /// Which row another goal is.
    pub pick: RowPick<'a>,
}

impl std::fmt::Debug for GivenRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenRows")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .field("in_order", &self.in_order)
            .field("pick", &self.pick)
            .finish_non_exhaustive()
    }
}

/// How a row is drawn.
#[derive(Clone, Copy, Debug)]
pub enum RowPick<'a> {
    /// Every row is as likely, by words 2 and 3 of the mixture's stream.
    Any,
    /// By one word of the mixture's stream.
    Words {
        /// Which.
        word: u32,
        /// Per row: one past its last word.
        ends: &'a [u64],
    },
}
