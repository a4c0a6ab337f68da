//! The uniform law as a family. Its lattice is in `reward/uniform.rs`.

use super::super::Uniform;
use super::{Family, Kind, Read};
use crate::document::{Faults, TableReader};

impl Family for Uniform {
    fn mean(&self) -> f64 {
        self.low() + self.range() / 2.0
    }

    fn sd(&self) -> Option<f64> {
        Some(self.range() / 12f64.sqrt())
    }

    fn quantile(&self, p: f64) -> f64 {
        self.low() + p * self.range()
    }

    fn support(&self) -> (f64, f64) {
        (self.low(), self.high())
    }

    fn log_density(&self, x: f64) -> Option<f64> {
        let inside = x >= self.low() && x <= self.high();
        Some(if inside { 0.0 } else { f64::NEG_INFINITY })
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Lattice(self.lattice())
    }
}

impl Read for Uniform {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        Self::read(table, faults)
    }
}
