//! Sums as bytes, for checkpoints: little-endian numbers, lists behind their lengths. A reader trusts nothing.

use super::moments::Moments;
use super::{BlockSet, CellSums, FixedPoint, MAX_LISTED_GOALS, ObservedSums, PowerScale};

/// Bytes of a [`Moments`].
const MOMENTS_BYTES: usize = 4 * 16 + 2 * 8;

/// Why bytes are no sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("it ends too early")]
    Short,
    /// More than was needed.
    #[error("{0} bytes are left over")]
    Long(usize),
    /// A value that cannot be.
    #[error("{0} makes no sense")]
    Impossible(&'static str),
}

/// Reads what [`Encoder`] wrote.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// From the first byte on.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Short`].
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes(N)?.try_into().map_err(|_| DecodeError::Short)
    }

    /// A count.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Short`].
    pub fn count(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The length of a list whose entries take so many bytes: what does not fit in the rest is refused before anything is allocated.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Short`].
    pub fn len(&mut self, entry_bytes: usize) -> Result<usize, DecodeError> {
        let len = usize::try_from(self.count()?).map_err(|_| DecodeError::Short)?;
        let bytes = len.checked_mul(entry_bytes).ok_or(DecodeError::Short)?;
        if bytes > self.rest.len() {
            return Err(DecodeError::Short);
        }
        Ok(len)
    }

    fn number(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_bits(self.count()?))
    }

    fn sum(&mut self) -> Result<i128, DecodeError> {
        Ok(i128::from_le_bytes(self.array()?))
    }

    fn list<T>(
        &mut self,
        entry_bytes: usize,
        mut entry: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        (0..self.len(entry_bytes)?).map(|_| entry(self)).collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Long`] where something is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Long(left)),
        }
    }
}

/// Appends numbers and lists to bytes.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// The bytes so far.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a count.
    pub fn count(&mut self, count: u64) {
        self.bytes(&count.to_le_bytes());
    }

    fn number(&mut self, number: f64) {
        self.count(number.to_bits());
    }

    fn sum(&mut self, sum: i128) {
        self.bytes(&sum.to_le_bytes());
    }
}

impl BlockSet {
    /// Writes it.
    pub fn encode(&self, to: &mut Encoder) {
        to.count(self.ranges().len() as u64);
        for range in self.ranges() {
            to.count(range.start);
            to.count(range.end);
        }
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let ranges = from.list(16, |from| Ok(from.count()?..from.count()?))?;
        Self::from_ranges(ranges).ok_or(DecodeError::Impossible("the set of finished blocks"))
    }
}

impl PowerScale {
    fn encode(&self, to: &mut Encoder) {
        to.number(self.shift);
        for units in [self.units, self.square_units] {
            to.bytes(&units.bits().to_le_bytes());
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            shift: from.number()?,
            units: FixedPoint::with_bits(i32::from_le_bytes(from.array()?)),
            square_units: FixedPoint::with_bits(i32::from_le_bytes(from.array()?)),
        })
    }
}

impl CellSums {
    /// Writes them.
    pub fn encode(&self, to: &mut Encoder) {
        self.scale.encode(to);
        to.count(self.goals);
        to.count(self.power.len() as u64);
        let sums = self.power.iter().chain(&self.power_squared);
        sums.for_each(|&sum| to.sum(sum));
        to.sum(self.bound);
        to.number(self.bound_max);
        to.count(self.unconverged);
        to.count(self.unconverged_goals.len() as u64);
        self.unconverged_goals.iter().for_each(|&g| to.count(g));
        to.count(self.sweeps);
        to.count(self.sweeps_max.into());
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let scale = PowerScale::decode(from)?;
        let goals = from.count()?;
        let states = from.len(32)?;
        let mut sums = || (0..states).map(|_| from.sum()).collect::<Result<_, _>>();
        let [power, power_squared] = [sums()?, sums()?];
        let sums = Self {
            scale,
            goals,
            power,
            power_squared,
            bound: from.sum()?,
            bound_max: from.number()?,
            unconverged: from.count()?,
            unconverged_goals: from.list(8, Decoder::count)?,
            sweeps: from.count()?,
            sweeps_max: u32::try_from(from.count()?)
                .map_err(|_| DecodeError::Impossible("the largest number of sweeps"))?,
        };
        let listed = &sums.unconverged_goals;
        if listed.len() > MAX_LISTED_GOALS || !listed.is_sorted() {
            return Err(DecodeError::Impossible("the list of unconverged goals"));
        }
        Ok(sums)
    }
}

impl ObservedSums {
    /// Writes them.
    pub fn encode(&self, to: &mut Encoder) {
        to.count(self.goals);
        to.count(self.moments().len() as u64);
        for moments in self.moments() {
            let sums = [moments.sum, moments.square, moments.below, moments.above];
            sums.into_iter().for_each(|sum| to.sum(sum));
            to.count(moments.uncertain);
            to.number(moments.widest);
        }
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let goals = from.count()?;
        let moments = from.list(MOMENTS_BYTES, |from| {
            Ok(Moments {
                sum: from.sum()?,
                square: from.sum()?,
                below: from.sum()?,
                above: from.sum()?,
                uncertain: from.count()?,
                widest: from.number()?,
            })
        })?;
        Ok(Self::from_moments(goals, moments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{BlockSums, Map, Observations, Observed, Quantity};

    fn sums() -> (CellSums, ObservedSums) {
        let mut block = BlockSums::new(3);
        for goal in 0..70 {
            block
                .power
                .iter_mut()
                .for_each(|x| *x -= 0.25 * goal as f64);
            block.note_goal(goal, if goal % 3 == 0 { 1e-3 } else { 1e-7 }, 1e-5, 9);
        }
        let mut cell = CellSums::new(3, PowerScale::new(0.5, 3.0));
        cell.add_block(&block).unwrap();
        let mut rows = Observations::new(1, 2);
        for value in [0.25, 1.0] {
            let mut row = rows.row();
            row.push_observed(Observed {
                value,
                low: 0.0,
                high: 1.0,
            });
            row.finish();
        }
        let quantities = [
            Quantity::share(0, Map::Identity),
            Quantity::share(0, Map::One),
        ];
        (cell, ObservedSums::of(&rows, &quantities).unwrap())
    }

    fn encoded() -> Vec<u8> {
        let mut to = Encoder::default();
        let (cell, observed) = sums();
        cell.encode(&mut to);
        observed.encode(&mut to);
        BlockSet::from_ranges(vec![0..4, 7..9])
            .unwrap()
            .encode(&mut to);
        to.finish()
    }

    fn decode(bytes: &[u8]) -> Result<(CellSums, ObservedSums, BlockSet), DecodeError> {
        let mut from = Decoder::new(bytes);
        let cell = CellSums::decode(&mut from)?;
        let observed = ObservedSums::decode(&mut from)?;
        let blocks = BlockSet::decode(&mut from)?;
        from.finish()?;
        Ok((cell, observed, blocks))
    }

    #[test]
    fn sums_come_back_as_they_were() {
        let (cell, observed, blocks) = decode(&encoded()).unwrap();
        assert_eq!((cell, observed), sums());
        assert_eq!(blocks.ranges(), [0..4, 7..9]);
    }

    #[test]
    fn bytes_cut_short_or_too_long_are_refused_and_huge_lengths_allocate_nothing() {
        let whole = encoded();
        for len in 0..whole.len() {
            assert_eq!(decode(&whole[..len]), Err(DecodeError::Short), "{len}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(decode(&longer), Err(DecodeError::Long(1)));
        // The number of states, behind the scale and the number of goals.
        let mut huge = whole.clone();
        huge[24..32].copy_from_slice(&(u64::MAX / 32).to_le_bytes());
        assert_eq!(decode(&huge), Err(DecodeError::Short));
    }
}
