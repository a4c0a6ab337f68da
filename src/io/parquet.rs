//! Tables out, as Parquet: named columns of one length, Snappy, one row group, no time stamp, so that equal tables are
//! equal files.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::{Type, TypePtr};

/// One column.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its values.
    pub values: Values<'a>,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Values<'a> {
    /// UTF-8 text.
    Text(Vec<&'a str>),
    /// UTF-8 text that may be missing.
    OptionalText(Vec<Option<&'a str>>),
    /// Whole numbers.
    Count(Vec<i64>),
    /// Whole numbers that may be missing.
    OptionalCount(Vec<Option<i64>>),
    /// Numbers. What is missing or not finite is null, never 0.
    Number(Vec<Option<f64>>),
}

impl Values<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::OptionalText(values) => values.len(),
            Self::Count(values) => values.len(),
            Self::OptionalCount(values) => values.len(),
            Self::Number(values) => values.len(),
        }
    }
}

/// Writes a table and returns the writer.
///
/// # Errors
///
/// What the writer says, and columns of different lengths.
pub fn write_table<W: Write + Send>(columns: &[Column<'_>], to: W) -> Result<W> {
    let rows = columns.first().map_or(0, |c| c.values.len());
    if let Some(odd) = columns.iter().find(|c| c.values.len() != rows) {
        let (name, found) = (odd.name, odd.values.len());
        let message = format!("the column {name:?} has {found} rows, the first one has {rows}");
        return Err(ParquetError::General(message));
    }
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("powersweep ", env!("CARGO_PKG_VERSION")).to_owned());
    let mut file = SerializedFileWriter::new(to, schema(columns)?, Arc::new(properties.build()))?;
    let mut group = file.next_row_group()?;
    for column in columns {
        let mut writer = group
            .next_column()?
            .ok_or_else(|| ParquetError::General("the schema has too few columns".to_owned()))?;
        write_column(writer.untyped(), &column.values)?;
        writer.close()?;
    }
    group.close()?;
    file.into_inner()
}

fn schema(columns: &[Column<'_>]) -> Result<TypePtr> {
    let fields = columns.iter().map(|column| {
        let (physical, logical, repetition) = match column.values {
            Values::Text(_) => (
                Physical::BYTE_ARRAY,
                Some(LogicalType::String),
                Repetition::REQUIRED,
            ),
            Values::OptionalText(_) => (
                Physical::BYTE_ARRAY,
                Some(LogicalType::String),
                Repetition::OPTIONAL,
            ),
            Values::Count(_) => (Physical::INT64, None, Repetition::REQUIRED),
            Values::OptionalCount(_) => (Physical::INT64, None, Repetition::OPTIONAL),
            Values::Number(_) => (Physical::DOUBLE, None, Repetition::OPTIONAL),
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition);
        field.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<_>>()?;
    let root = Type::group_type_builder("table").with_fields(fields);
    root.build().map(Arc::new)
}

fn write_column(writer: &mut ColumnWriter<'_>, values: &Values<'_>) -> Result<()> {
    match (writer, values) {
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(texts)) => {
            let texts: Vec<ByteArray> = texts.iter().map(|&text| text.into()).collect();
            writer.write_batch(&texts, None, None)?;
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::OptionalText(texts)) => {
            let present: Vec<ByteArray> = texts.iter().flatten().map(|&text| text.into()).collect();
            writer.write_batch(&present, Some(&levels(texts)), None)?;
        }
        (ColumnWriter::Int64ColumnWriter(writer), Values::Count(counts)) => {
            writer.write_batch(counts, None, None)?;
        }
        (ColumnWriter::Int64ColumnWriter(writer), Values::OptionalCount(counts)) => {
            let present: Vec<i64> = counts.iter().flatten().copied().collect();
            writer.write_batch(&present, Some(&levels(counts)), None)?;
        }
        (ColumnWriter::DoubleColumnWriter(writer), Values::Number(numbers)) => {
            let kept = numbers.iter().map(|x| x.filter(|x| x.is_finite()));
            let kept: Vec<Option<f64>> = kept.collect();
            let present: Vec<f64> = kept.iter().flatten().copied().collect();
            writer.write_batch(&present, Some(&levels(&kept)), None)?;
        }
        _ => {
            let message = "a column's writer does not fit its values".to_owned();
            return Err(ParquetError::General(message));
        }
    }
    Ok(())
}

/// 1 where there is a value.
fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|x| i16::from(x.is_some())).collect()
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;

    use super::*;

    fn table(numbers: [Option<f64>; 3]) -> Vec<Column<'static>> {
        let values = [
            ("state", Values::Text(vec!["a", "ä", ""])),
            ("n", Values::Count(vec![1, i64::MAX, 0])),
            ("label", Values::OptionalText(vec![None, Some("b"), None])),
            ("steps", Values::OptionalCount(vec![Some(7), None, None])),
            ("power", Values::Number(numbers.to_vec())),
        ];
        values
            .map(|(name, values)| Column { name, values })
            .to_vec()
    }

    fn write(columns: &[Column<'_>]) -> Vec<u8> {
        write_table(columns, Vec::new()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let columns = table([Some(0.1 + 0.2), None, Some(f64::INFINITY)]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&write(&columns)).unwrap();
        let rows: Vec<Vec<Field>> = SerializedFileReader::new(file)
            .unwrap()
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                row.unwrap()
                    .get_column_iter()
                    .map(|(_, f)| f.clone())
                    .collect()
            })
            .collect();
        assert_eq!(rows[0][0], Field::Str("a".to_owned()));
        assert_eq!(rows[1][1], Field::Long(i64::MAX));
        assert_eq!(rows[0][2..4], [Field::Null, Field::Long(7)]);
        assert_eq!(rows[1][2..4], [Field::Str("b".to_owned()), Field::Null]);
        assert_eq!(rows[0][4], Field::Double(0.1 + 0.2));
        assert_eq!(rows[1][4], Field::Null);
        assert_eq!(
            rows[2][4],
            Field::Null,
            "an infinite end of an interval is missing"
        );
    }

    #[test]
    fn equal_tables_are_equal_files() {
        let numbers = [Some(0.5), None, Some(0.25)];
        assert_eq!(write(&table(numbers)), write(&table(numbers)));
        let others = [Some(0.5), None, Some(0.25 + f64::EPSILON)];
        assert_ne!(write(&table(numbers)), write(&table(others)));
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let mut columns = table([None; 3]);
        columns[1].values = Values::Count(vec![1]);
        assert!(write_table(&columns, Vec::new()).is_err());
    }
}
