//! NumPy archives: named arrays in `.npz` files, which are ZIP files of `.npy` arrays, stored or deflated.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};

use ::zip::result::{ZipError, ZipResult};
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::npy::{self, ArrayReader, Problem};

/// Most bytes that one byte of deflated data can stand for. An entry that promises more is lying.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Where arrays are read from.
pub(super) trait Source: Read + Seek {}

impl<S: Read + Seek> Source for S {}

/// Arrays by name. A `.npy` file counts as an archive of one array whose name is empty.
pub(super) struct Arrays {
    names: Vec<String>,
    content: Content,
}

enum Content {
    Archive(ZipArchive<Box<dyn Source>>),
    Single(Box<dyn Source>, u64),
}

impl Arrays {
    /// Opens a file of either kind, told apart by its first bytes.
    pub(super) fn open(file: File) -> Result<Self, Problem> {
        Self::read(Box::new(BufReader::new(file)))
    }

    /// Opens an archive or a single array from anything that can seek.
    pub(super) fn read(mut from: Box<dyn Source>) -> Result<Self, Problem> {
        let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
        let length = from.seek(SeekFrom::End(0)).map_err(unreadable)?;
        from.rewind().map_err(unreadable)?;
        let mut start = [0; 2];
        let short = from.read_exact(&mut start).is_err();
        from.rewind().map_err(unreadable)?;
        if !short && start == *b"\x93N" {
            return Ok(Self {
                names: vec![String::new()],
                content: Content::Single(from, length),
            });
        }
        if short || start != *b"PK" {
            return Err("is neither a .npz archive nor a .npy array".to_owned());
        }
        let archive = ZipArchive::new(from)
            .map_err(|e| format!("is no readable .npz archive: {}", in_words(&e)))?;
        if archive.has_duplicate_names() {
            return Err("holds two arrays of one name".to_owned());
        }
        let names = archive.file_names().map(|name| {
            let name =
                name.map_err(|e| format!("is no readable .npz archive: {}", in_words(&e)))?;
            Ok(name.strip_suffix(".npy").unwrap_or(&name).to_owned())
        });
        let names = names.collect::<Result<_, Problem>>()?;
        Ok(Self {
            names,
            content: Content::Archive(archive),
        })
    }

    /// The names of the arrays, in the order of the archive.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there is an array of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// Reads the header of an array. `None` if there is none of that name.
    pub(super) fn array(
        &mut self,
        name: &str,
    ) -> Option<Result<ArrayReader<Box<dyn Read + '_>>, Problem>> {
        let index = self.names.iter().position(|n| n == name)?;
        Some(self.array_at(index))
    }

    fn array_at(&mut self, index: usize) -> Result<ArrayReader<Box<dyn Read + '_>>, Problem> {
        match &mut self.content {
            Content::Single(from, length) => {
                from.rewind()
                    .map_err(|error| format!("cannot be read: {error}"))?;
                ArrayReader::open(Box::new(from), *length)
            }
            Content::Archive(archive) => {
                let entry = archive
                    .by_index(index)
                    .map_err(|e| format!("cannot be read: {}", in_words(&e)))?;
                let (size, packed) = (entry.size(), entry.compressed_size());
                let most = match entry.compression() {
                    CompressionMethod::Stored => packed,
                    _ => packed.saturating_mul(MAX_DEFLATE_RATIO),
                };
                match size > most {
                    true => Err(format!(
                        "promises {size} bytes, which {packed} packed bytes cannot hold"
                    )),
                    false => ArrayReader::open(Box::new(entry), size),
                }
            }
        }
    }
}

fn in_words(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(what) => format!("{what} (arrays are stored or deflated)"),
        other => other.to_string(),
    }
}

/// The elements of an array to be written.
#[derive(Clone, Debug)]
pub enum ArrayValues<'a> {
    /// `<f8`.
    Numbers(&'a [f64]),
    /// `<i8`.
    Integers(&'a [i64]),
    /// `<i4`.
    Indices(&'a [i32]),
    /// `|b1`.
    Booleans(&'a [bool]),
    /// `<U` with the length of the longest.
    Texts(&'a [&'a str]),
}

/// An array to be written.
#[derive(Clone, Debug)]
pub struct Array<'a> {
    /// Its name in the archive.
    pub name: &'a str,
    /// Its shape, row-major; the product is the number of values.
    pub shape: &'a [usize],
    /// Its elements.
    pub values: ArrayValues<'a>,
}

/// Writes arrays one after the other, deflated, without time stamps: equal arrays are equal files.
pub struct NpzWriter<W: Write + Seek> {
    archive: ZipWriter<W>,
}

impl<W: Write + Seek> NpzWriter<W> {
    /// Starts an archive.
    pub fn new(to: W) -> Self {
        Self {
            archive: ZipWriter::new(to),
        }
    }

    /// Adds an array whose values are written to what is returned, little-endian: as many as its shape says.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub(super) fn begin(
        &mut self,
        name: &str,
        shape: &[usize],
        descr: &str,
    ) -> std::io::Result<&mut ZipWriter<W>> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .last_modified_time(::zip::DateTime::default())
            .large_file(shape.iter().product::<usize>() > 1 << 24);
        self.archive.start_file(format!("{name}.npy"), options)?;
        npy::write_header(descr, shape, &mut self.archive)?;
        Ok(&mut self.archive)
    }

    /// Adds an array.
    ///
    /// # Errors
    ///
    /// What the writer says.
    ///
    /// # Panics
    ///
    /// If the shape does not fit the number of values.
    pub fn write(&mut self, array: &Array<'_>) -> std::io::Result<()> {
        let Array {
            name,
            shape,
            values,
        } = array;
        assert_eq!(
            shape.iter().product::<usize>(),
            values.len(),
            "the shape of {name:?}"
        );
        let to = self.begin(name, shape, &values.descr())?;
        match values {
            ArrayValues::Numbers(list) => write_all(list, to, |x| x.to_le_bytes()),
            ArrayValues::Integers(list) => write_all(list, to, |x| x.to_le_bytes()),
            ArrayValues::Indices(list) => write_all(list, to, |x| x.to_le_bytes()),
            ArrayValues::Booleans(list) => write_all(list, to, |x| [u8::from(*x)]),
            ArrayValues::Texts(list) => {
                let width = longest(list);
                list.iter().try_for_each(|text| {
                    let filled = text.chars().map(u32::from).chain(std::iter::repeat(0));
                    let codes: Vec<u32> = filled.take(width).collect();
                    write_all(&codes, to, |x| x.to_le_bytes())
                })
            }
        }
    }

    /// Writes the directory and returns the writer.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn finish(self) -> ZipResult<W> {
        self.archive.finish()
    }
}

impl ArrayValues<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(list) => list.len(),
            Self::Integers(list) => list.len(),
            Self::Indices(list) => list.len(),
            Self::Booleans(list) => list.len(),
            Self::Texts(list) => list.len(),
        }
    }

    fn descr(&self) -> String {
        match self {
            Self::Numbers(_) => "<f8".to_owned(),
            Self::Integers(_) => "<i8".to_owned(),
            Self::Indices(_) => "<i4".to_owned(),
            Self::Booleans(_) => "|b1".to_owned(),
            Self::Texts(list) => format!("<U{}", longest(list)),
        }
    }
}

/// NumPy has no text of no characters: an array of empty strings is `<U1`.
fn longest(texts: &[&str]) -> usize {
    texts
        .iter()
        .map(|t| t.chars().count())
        .max()
        .unwrap_or(0)
        .max(1)
}

fn write_all<T, const N: usize>(
    list: &[T],
    to: &mut impl Write,
    bytes: impl Fn(&T) -> [u8; N],
) -> std::io::Result<()> {
    for piece in list.chunks(8192) {
        let bytes: Vec<u8> = piece.iter().flat_map(&bytes).collect();
        to.write_all(&bytes)?;
    }
    Ok(())
}
