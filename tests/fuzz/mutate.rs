//! Damaged files from whole ones.

/// splitmix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        hash_word(self.0)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

fn hash_word(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A short name for an input.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    let all = bytes
        .iter()
        .fold(0, |hash, b| hash_word(hash ^ u64::from(*b)).wrapping_add(1));
    all as u32
}

/// Numbers as texts that parsers should not trust.
const NUMBERS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"1",
    b"2",
    b"0.5",
    b"1e308",
    b"1e-320",
    b"-0",
    b"nan",
    b"inf",
    b"1e400",
    b"255",
    b"256",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551615",
    b"99999999999999999999",
    b"100000000",
    b"0x10",
    b"1_000",
    b"00",
];

/// Pieces of the languages.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b",",
    b":",
    b"=",
    b"\n",
    b"\t",
    b"\\u0000",
    b"\\",
    b"->",
    b"#",
    b"//",
    b"[[",
    b"]]",
    b"\"\"\"",
    b"'''",
    b"null",
    b"true",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\x00",
    b"\r\n",
    b"..",
    b"inf",
    b"{}",
    b"[]",
    b";",
    b"<",
    b">",
    b"(",
    b")",
    b"-",
    b"_",
];

/// Numbers in binary files.
const WORDS: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Longest input.
const MAX_BYTES: usize = 64 << 10;

/// One of the files, with one to eight changes.
pub(crate) fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        change(&mut bytes, corpus, random);
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len());
    let piece = |bytes: &[u8], random: &mut Random| {
        let from = random.below(bytes.len());
        let most = 1 << random.below(10);
        let len = 1 + random.below(most);
        (from, bytes.len().min(from + len))
    };
    match random.below(11) {
        _ if bytes.is_empty() => bytes.extend_from_slice(random.pick(TOKENS)),
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => bytes.truncate(at),
        3 => drop(bytes.splice(at..at, random.pick(TOKENS).iter().copied())),
        4 => {
            let (from, to) = piece(bytes, random);
            bytes.drain(from..to);
        }
        5 => {
            let (from, to) = piece(bytes, random);
            let copy = bytes[from..to].to_vec();
            bytes.splice(at..at, copy);
        }
        6 => {
            let other = &corpus[random.below(corpus.len())];
            let (from, to) = piece(other, random);
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        7 => {
            let word = WORDS[random.below(WORDS.len())].to_le_bytes();
            let len = 1 << random.below(4);
            let end = bytes.len().min(at + len);
            bytes[at..end].copy_from_slice(&word[..end - at]);
        }
        // The next number in the text becomes another one.
        _ => {
            let digits = |b: &u8| b.is_ascii_digit() || b"+-.eE_".contains(b);
            let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else {
                return;
            };
            let start = at + start;
            let len = bytes[start..].iter().take_while(|b| digits(b)).count();
            bytes.splice(start..start + len, random.pick(NUMBERS).iter().copied());
        }
    }
}
