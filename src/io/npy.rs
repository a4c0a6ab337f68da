//! One NumPy array in the `.npy` format: its header, and its elements as a stream.
//!
//! Written after the format's description in NumPy's documentation (`numpy.lib.format`, versions 1 to 3). An array is read in pieces:
//! what a header promises is compared with the bytes that are there before anything is allocated for it.

use std::io::{Read, Write};

/// Bytes read at a time.
const PIECE: usize = 1 << 16;

/// Longest header that is read. NumPy itself refuses to evaluate one beyond 10,000 bytes.
const MAX_HEADER: usize = 1 << 16;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// What is wrong with an array, in words that follow its name.
pub(super) type Problem = String;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// IEEE numbers of 4 or 8 bytes.
    Float(usize),
    /// Integers with a sign, of 1 to 8 bytes.
    Signed(usize),
    /// Integers without a sign, of 1 to 8 bytes.
    Unsigned(usize),
    /// One byte, 0 or 1.
    Bool,
    /// Text of so many characters of 4 bytes, filled up with zeros.
    Unicode(usize),
    /// ASCII text of so many bytes, filled up with zeros.
    Bytes(usize),
}

impl Element {
    /// Reads NumPy's `descr`, such as `<f8`.
    fn read(descr: &str) -> Result<(Self, bool), Problem> {
        let unknown = || {
            format!(
                "has elements of type {descr:?}, which is not supported (supported: floats of 4 and 8 bytes, integers, \
                 booleans and text)"
            )
        };
        let mut characters = descr.chars();
        let order = characters.next().ok_or_else(unknown)?;
        let kind = characters.next().ok_or_else(unknown)?;
        if kind == 'O' {
            return Err(
                "holds Python objects; save it as an array of numbers or of text".to_owned(),
            );
        }
        let size: usize = characters.as_str().parse().map_err(|_| unknown())?;
        let element = match (kind, size) {
            ('f', 4 | 8) => Self::Float(size),
            ('i', 1 | 2 | 4 | 8) => Self::Signed(size),
            ('u', 1 | 2 | 4 | 8) => Self::Unsigned(size),
            ('b', 1) => Self::Bool,
            ('U', _) => Self::Unicode(size),
            ('S', _) => Self::Bytes(size),
            _ => return Err(unknown()),
        };
        match order {
            '<' | '|' => Ok((element, false)),
            '>' => Ok((element, true)),
            '=' => Ok((element, cfg!(target_endian = "big"))),
            _ => Err(unknown()),
        }
    }

    /// Bytes of one element; `None` where the number of characters is beyond reason.
    fn bytes(self) -> Option<usize> {
        match self {
            Self::Float(n) | Self::Signed(n) | Self::Unsigned(n) | Self::Bytes(n) => Some(n),
            Self::Bool => Some(1),
            Self::Unicode(n) => n.checked_mul(4),
        }
    }

    /// Whether the elements are whole numbers.
    pub(super) fn is_integer(self) -> bool {
        matches!(self, Self::Signed(_) | Self::Unsigned(_))
    }

    /// Whether the elements are text.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Unicode(_) | Self::Bytes(_))
    }
}

/// What stands before an array's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) element: Element,
    big_endian: bool,
    /// Whether the first index runs fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
    /// Number of elements, the product of `shape`.
    pub(super) count: usize,
    /// Bytes of the header itself.
    length: u64,
}

impl Header {
    fn read(from: &mut impl Read) -> Result<Self, Problem> {
        let mut start = [0; 8];
        fill(from, &mut start)?;
        if &start[..6] != MAGIC {
            return Err("is not in the .npy format".to_owned());
        }
        let (length, before) = match start[6] {
            1 => {
                let mut bytes = [0; 2];
                fill(from, &mut bytes)?;
                (usize::from(u16::from_le_bytes(bytes)), 10)
            }
            2 | 3 => {
                let mut bytes = [0; 4];
                fill(from, &mut bytes)?;
                (u32::from_le_bytes(bytes) as usize, 12)
            }
            other => {
                return Err(format!(
                    "has version {other} of the .npy format; 1 to 3 are known"
                ));
            }
        };
        if length > MAX_HEADER {
            return Err(format!("has a header of {length} bytes"));
        }
        let mut text = vec![0; length];
        fill(from, &mut text)?;
        let text =
            String::from_utf8(text).map_err(|_| "has a header that is not text".to_owned())?;
        let mut header = Dictionary { rest: &text }.read()?;
        header.length = before + length as u64;
        Ok(header)
    }

    /// Bytes of the elements, if they can be counted.
    fn data_bytes(&self) -> Option<u64> {
        let bytes = self.count.checked_mul(self.element.bytes()?)?;
        u64::try_from(bytes).ok()
    }

    /// The shape as NumPy shows it.
    pub(super) fn shape_text(&self) -> String {
        shape_text(&self.shape)
    }
}

/// A shape as NumPy shows it: `(3, 4)`, `(3,)`, `()`.
pub(super) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!(
            "({})",
            shape
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// The Python dictionary in a header, as far as NumPy writes one.
struct Dictionary<'t> {
    rest: &'t str,
}

impl Dictionary<'_> {
    fn read(mut self) -> Result<Header, Problem> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.take('}') {
            let key = self.string()?;
            self.expect(':')?;
            match key.as_str() {
                "descr" if self.peek() == Some('[') => {
                    return Err("has elements of several fields; save one array a field".to_owned());
                }
                "descr" => descr = Some(self.string()?),
                "fortran_order" => order = Some(self.boolean()?),
                "shape" => shape = Some(self.shape()?),
                _ => return Err(format!("has a header with the unknown key {key:?}")),
            }
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.unreadable());
            }
        }
        let (Some(descr), Some(fortran_order), Some(shape)) = (descr, order, shape) else {
            return Err("has a header without one of descr, fortran_order and shape".to_owned());
        };
        let (element, big_endian) = Element::read(&descr)?;
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let count = count
            .ok_or_else(|| format!("has the shape {}, beyond any memory", shape_text(&shape)))?;
        Ok(Header {
            element,
            big_endian,
            fortran_order,
            shape,
            count,
            length: 0,
        })
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Problem> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(self.unreadable()),
        }
    }

    fn unreadable(&self) -> Problem {
        let found: String = self.rest.chars().take(20).collect();
        format!("has a header that cannot be read (at {found:?})")
    }

    /// A string between quotes of either kind; NumPy writes none with an escape.
    fn string(&mut self) -> Result<String, Problem> {
        let quote = self.peek().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or_else(|| self.unreadable())?;
        let inner = &self.rest[1..];
        let end = inner.find(quote).ok_or_else(|| self.unreadable())?;
        self.rest = &inner[end + 1..];
        Ok(inner[..end].to_owned())
    }

    fn boolean(&mut self) -> Result<bool, Problem> {
        self.peek();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(self.unreadable())
    }

    fn shape(&mut self) -> Result<Vec<usize>, Problem> {
        let mut shape = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            self.peek();
            let end = self
                .rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(self.rest.len());
            let length = self.rest[..end].parse().map_err(|_| self.unreadable())?;
            // Python 2 wrote long integers so.
            self.rest = self.rest[end..].trim_start_matches('L');
            shape.push(length);
            if !self.take(',') && self.peek() != Some(')') {
                return Err(self.unreadable());
            }
        }
        // NumPy knows no more than 64 dimensions.
        match shape.len() <= 64 {
            true => Ok(shape),
            false => Err(format!("has {} dimensions", shape.len())),
        }
    }
}

fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), Problem> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "ends too early".to_owned(),
        _ => format!("cannot be read: {error}"),
    })
}

/// An array whose header has been read, and its elements not yet.
pub(super) struct ArrayReader<R> {
    pub(super) header: Header,
    from: R,
}

impl<R: Read> ArrayReader<R> {
    /// Reads the header. `length` is the number of bytes that there are, header and all: what the header promises must be just that.
    pub(super) fn open(mut from: R, length: u64) -> Result<Self, Problem> {
        let header = Header::read(&mut from)?;
        let promised = header.data_bytes();
        let there = length.saturating_sub(header.length);
        if promised != Some(there) {
            let promised =
                promised.map_or_else(|| "more than can be counted".to_owned(), |n| n.to_string());
            let shape = header.shape_text();
            return Err(format!(
                "has the shape {shape}, which takes {promised} bytes, and holds {there}"
            ));
        }
        Ok(Self { header, from })
    }

    /// Hands over all numbers in the order of the file, some thousand at a time.
    pub(super) fn each_number(mut self, mut take: impl FnMut(&[f64])) -> Result<(), Problem> {
        let (element, big) = (self.header.element, self.header.big_endian);
        if element.is_text() {
            return Err("holds text where numbers are wanted".to_owned());
        }
        let mut numbers: Vec<f64> = Vec::new();
        self.each_piece(|bytes| {
            numbers.clear();
            match element {
                Element::Float(8) => decode(bytes, big, &mut numbers, f64::from_le_bytes),
                Element::Float(_) => decode(bytes, big, &mut numbers, |b| {
                    f64::from(f32::from_le_bytes(b))
                }),
                Element::Bool => {
                    decode(bytes, big, &mut numbers, |[b]| f64::from(u8::from(b != 0)))
                }
                _ => {
                    let mut whole = Vec::new();
                    integers(element, bytes, big, &mut whole)?;
                    for x in whole {
                        let number = x as f64;
                        // 2^53 is where f64 begins to leave integers out.
                        if x.unsigned_abs() > 1 << 53 && number as i128 != i128::from(x) {
                            return Err(format!("holds {x}, which a 64-bit float cannot"));
                        }
                        numbers.push(number);
                    }
                }
            }
            take(&numbers);
            Ok(())
        })
    }

    /// Hands over all whole numbers in the order of the file, some thousand at a time.
    pub(super) fn each_integer(mut self, mut take: impl FnMut(&[i64])) -> Result<(), Problem> {
        let (element, big) = (self.header.element, self.header.big_endian);
        if !element.is_integer() {
            return Err("must hold whole numbers".to_owned());
        }
        let mut whole = Vec::new();
        self.each_piece(|bytes| {
            whole.clear();
            integers(element, bytes, big, &mut whole)?;
            take(&whole);
            Ok(())
        })
    }

    /// Reads a text that stands alone (shape `()`).
    pub(super) fn text(self) -> Result<String, Problem> {
        let shape = &self.header.shape;
        if shape.iter().any(|&d| d != 1) || shape.len() > 1 {
            return Err(format!(
                "has the shape {}; one text is wanted",
                self.header.shape_text()
            ));
        }
        let texts = Self {
            header: Header {
                shape: vec![1],
                ..self.header
            },
            from: self.from,
        };
        texts.texts().map(|mut texts| texts.remove(0))
    }

    /// Reads all numbers in row-major order, whatever the file's order is.
    pub(super) fn numbers(self) -> Result<Vec<f64>, Problem> {
        let Header {
            fortran_order,
            shape,
            count,
            ..
        } = self.header.clone();
        let mut values = reserve(count)?;
        self.each_number(|numbers| values.extend_from_slice(numbers))?;
        Ok(match fortran_order {
            true => row_major(&values, &shape),
            false => values,
        })
    }

    /// Reads all texts of an array of one dimension.
    pub(super) fn texts(mut self) -> Result<Vec<String>, Problem> {
        let (element, big) = (self.header.element, self.header.big_endian);
        if self.header.shape.len() != 1 {
            return Err(format!(
                "has the shape {}; a list of names has one dimension",
                self.header.shape_text()
            ));
        }
        let width = element
            .bytes()
            .filter(|_| element.is_text())
            .ok_or("must hold text (dtype U or S)")?;
        let mut texts = reserve(self.header.count)?;
        if width == 0 {
            texts.resize(self.header.count, String::new());
            return Ok(texts);
        }
        self.each_piece(|bytes| {
            for one in bytes.chunks_exact(width) {
                texts.push(text(element, one, big)?);
            }
            Ok(())
        })?;
        Ok(texts)
    }

    /// Hands over the bytes of whole elements, at most [`PIECE`] of them at a time (or one element).
    fn each_piece(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let width = self.header.element.bytes().unwrap_or(0).max(1);
        let mut left = self.header.data_bytes().unwrap_or(0);
        let piece = (PIECE / width).max(1) * width;
        let mut bytes = vec![0; piece.min(usize::try_from(left).unwrap_or(piece))];
        while left > 0 {
            let n = bytes.len().min(usize::try_from(left).unwrap_or(piece));
            fill(&mut self.from, &mut bytes[..n])?;
            take(&bytes[..n])?;
            left -= n as u64;
        }
        // A checksum is compared at the end of an entry.
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("goes on behind its last element".to_owned()),
            Err(error) => Err(format!("cannot be read: {error}")),
        }
    }
}

/// Most elements that are held at once: 8 GiB as 64-bit numbers. A small deflated file can promise thousands of times its size.
const MAX_ELEMENTS: usize = 1 << 30;

/// Room for `count` values, or a word instead of a crash.
pub(super) fn reserve<T>(count: usize) -> Result<Vec<T>, Problem> {
    if count > MAX_ELEMENTS {
        return Err(format!(
            "has {count} elements; at most {MAX_ELEMENTS} are read"
        ));
    }
    let mut values = Vec::new();
    match values.try_reserve_exact(count) {
        Ok(()) => Ok(values),
        Err(_) => Err(format!(
            "has {count} elements, more than there is memory for"
        )),
    }
}

fn decode<const N: usize, T>(
    bytes: &[u8],
    big_endian: bool,
    to: &mut Vec<T>,
    read: impl Fn([u8; N]) -> T,
) {
    let (elements, _) = bytes.as_chunks::<N>();
    match big_endian {
        false => to.extend(elements.iter().map(|&b| read(b))),
        true => to.extend(elements.iter().map(|&b| {
            let mut b = b;
            b.reverse();
            read(b)
        })),
    }
}

fn integers(element: Element, bytes: &[u8], big: bool, to: &mut Vec<i64>) -> Result<(), Problem> {
    match element {
        Element::Signed(1) => decode(bytes, big, to, |b| i64::from(i8::from_le_bytes(b))),
        Element::Signed(2) => decode(bytes, big, to, |b| i64::from(i16::from_le_bytes(b))),
        Element::Signed(4) => decode(bytes, big, to, |b| i64::from(i32::from_le_bytes(b))),
        Element::Signed(_) => decode(bytes, big, to, i64::from_le_bytes),
        Element::Unsigned(1) => decode(bytes, big, to, |b| i64::from(u8::from_le_bytes(b))),
        Element::Unsigned(2) => decode(bytes, big, to, |b| i64::from(u16::from_le_bytes(b))),
        Element::Unsigned(4) => decode(bytes, big, to, |b| i64::from(u32::from_le_bytes(b))),
        _ => {
            let mut wide = Vec::new();
            decode(bytes, big, &mut wide, u64::from_le_bytes);
            for x in wide {
                to.push(
                    i64::try_from(x)
                        .map_err(|_| format!("holds {x}, beyond 64 bits with a sign"))?,
                );
            }
        }
    }
    Ok(())
}

fn text(element: Element, bytes: &[u8], big: bool) -> Result<String, Problem> {
    if let Element::Bytes(_) = element {
        let text = std::str::from_utf8(bytes).map_err(|_| "holds bytes that are not text")?;
        return Ok(text.trim_end_matches('\0').to_owned());
    }
    let mut codes = Vec::new();
    decode(bytes, big, &mut codes, u32::from_le_bytes);
    let text: Option<String> = codes.into_iter().map(char::from_u32).collect();
    let text = text.ok_or("holds a number that is no character")?;
    Ok(text.trim_end_matches('\0').to_owned())
}

/// Brings elements whose first index runs fastest into the order in which the last one does.
fn row_major(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &length in shape {
        strides.push(stride);
        stride *= length;
    }
    let mut at = vec![0; shape.len()];
    let mut place = 0;
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered.push(values[place]);
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            place += strides[axis];
            if at[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            at[axis] = 0;
        }
    }
    ordered
}

/// Writes a header of version 1, aligned to 64 bytes as NumPy does. A shape is short: ours have two dimensions at most.
pub(super) fn write_header(
    descr: &str,
    shape: &[usize],
    to: &mut impl Write,
) -> std::io::Result<()> {
    let shape = shape_text(shape);
    let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let filled = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    to.write_all(MAGIC)?;
    to.write_all(&[1, 0])?;
    to.write_all(&(filled as u16).to_le_bytes())?;
    writeln!(to, "{dictionary:0$}", filled - 1)
}
