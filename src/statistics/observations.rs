//! One number per goal and observable, as backends hand them over: the raw material of every statistic beyond POWER.

/// One scalar of one goal with its numerical bracket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// The number that enters the estimate.
    pub value: f64,
    /// The least that it may be in exact arithmetic.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Observed {
    /// A number that is known.
    #[must_use]
    pub fn sure(value: f64) -> Self {
        Self {
            value,
            low: value,
            high: value,
        }
    }
}

/// A bracket that is wider than nothing, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uncertain {
    /// Position of the goal in the block.
    pub goal: u32,
    /// The column.
    pub column: u32,
    /// Least.
    pub low: f64,
    /// Most.
    pub high: f64,
}

/// The observables of consecutive goals: `[n_goals, n_columns]`, row-major. It lives to the block's end, and sums, joint moments and
/// tables per goal are functions of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    columns: usize,
    goals: usize,
    values: Vec<f64>,
    uncertain: Vec<Uncertain>,
}

impl Observations {
    /// No goal yet, with room for `goals`.
    #[must_use]
    pub fn new(columns: usize, goals: usize) -> Self {
        Self {
            columns,
            goals: 0,
            values: Vec::with_capacity(columns * goals),
            uncertain: Vec::new(),
        }
    }

    /// Number of goals.
    #[must_use]
    pub fn goals(&self) -> usize {
        self.goals
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values of all goals, a row for each.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.goals).map(|g| &self.values[g * self.columns..(g + 1) * self.columns])
    }

    /// The values of so many goals at a time, row-major; the last part may hold fewer.
    pub fn chunks(&self, goals: usize) -> impl Iterator<Item = &[f64]> {
        self.values.chunks((goals * self.columns).max(1))
    }

    /// Where a value is not known exactly, by goal and column ascending.
    #[must_use]
    pub fn uncertain(&self) -> &[Uncertain] {
        &self.uncertain
    }

    /// The numbers of one goal with their brackets.
    #[must_use]
    pub fn observed(&self, goal: usize) -> Vec<Observed> {
        let row = &self.values[goal * self.columns..(goal + 1) * self.columns];
        let mut all: Vec<Observed> = row.iter().map(|x| Observed::sure(*x)).collect();
        for u in self.uncertain.iter().filter(|u| u.goal as usize == goal) {
            let x = &mut all[u.column as usize];
            (x.low, x.high) = (u.low, u.high);
        }
        all
    }

    /// Starts the row of the next goal.
    pub fn row(&mut self) -> Row<'_> {
        Row { to: self }
    }

    /// Appends rows of zeros and returns them, row-major, to be filled in.
    pub(super) fn blank(&mut self, goals: usize) -> &mut [f64] {
        let first = self.values.len();
        self.goals += goals;
        self.values.resize(self.goals * self.columns, 0.0);
        &mut self.values[first..]
    }

    /// Puts the one row of `with` in the place of a row that is there. No bracket of this row or a later one is.
    pub(super) fn replace(&mut self, goal: usize, with: &Self) {
        assert_eq!((with.goals, with.columns), (1, self.columns), "one row");
        let in_order = self
            .uncertain
            .last()
            .is_none_or(|u| (u.goal as usize) < goal);
        assert!(in_order, "brackets are in the order of the goals");
        let first = goal * self.columns;
        self.values[first..first + self.columns].copy_from_slice(&with.values);
        let goal = goal as u32;
        let brackets = with.uncertain.iter();
        self.uncertain
            .extend(brackets.map(|u| Uncertain { goal, ..*u }));
    }

    /// The goals for which `keep` says so, given their places and their rows.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(usize, &[f64]) -> bool) -> Self {
        let mut kept = Self::new(self.columns, 0);
        // Where a goal went.
        let mut places = vec![None; self.goals];
        for (goal, row) in self.rows().enumerate().filter(|(g, row)| keep(*g, row)) {
            places[goal] = Some(kept.goals as u32);
            kept.values.extend_from_slice(row);
            kept.goals += 1;
        }
        let brackets = self.uncertain.iter();
        kept.uncertain.extend(brackets.filter_map(|u| {
            let goal = places[u.goal as usize]?;
            Some(Uncertain { goal, ..*u })
        }));
        kept
    }

    /// Appends the goals that follow these.
    pub fn append(&mut self, next: &Self) {
        if self.goals == 0 {
            self.columns = next.columns;
        }
        let offset = self.goals as u32;
        self.goals += next.goals;
        self.values.extend_from_slice(&next.values);
        self.uncertain
            .extend(next.uncertain.iter().map(|u| Uncertain {
                goal: u.goal + offset,
                ..*u
            }));
    }
}

/// The row of one goal, filled from left to right.
#[derive(Debug)]
pub struct Row<'a> {
    to: &'a mut Observations,
}

impl Row<'_> {
    /// The next number, which is known.
    #[inline]
    pub fn push(&mut self, value: f64) {
        self.to.values.push(value);
    }

    /// The next number, with its bracket.
    #[inline]
    pub fn push_observed(&mut self, observed: Observed) {
        let Observed { value, low, high } = observed;
        // A bracket that is no number must surface in the sums.
        if low != value || high != value {
            let column = self.to.values.len() - self.to.goals * self.to.columns;
            if self.to.uncertain.is_empty() {
                // Where one goal has brackets most have: once for all of them.
                let goals = self.to.values.capacity() / self.to.columns.max(1);
                self.to.uncertain.reserve(goals);
            }
            self.to.uncertain.push(Uncertain {
                goal: self.to.goals as u32,
                column: column as u32,
                low,
                high,
            });
        }
        self.to.values.push(value);
    }

    /// Ends the row.
    ///
    /// # Panics
    ///
    /// If it is not full: a statistic pushed fewer or more numbers than it said it would.
    #[inline]
    pub fn finish(self) {
        self.to.goals += 1;
        assert_eq!(
            self.to.values.len(),
            self.to.goals * self.to.columns,
            "every statistic fills its columns"
        );
    }
}
