//! Plain matrices: what NumPy writes is read as it was, faults are all told, and no mutation makes a reader panic.

use std::io::Cursor;
use std::path::Path;

use powersweep::document::Faults;
use powersweep::io::npz::{Array, ArrayValues, NpzWriter};
use powersweep::io::{MatrixFormat, NamedMatrix, ReadError, parse_matrix, read_matrix};
use proptest::prelude::*;

fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/formats")
        .join(name)
}

fn read(name: &str) -> NamedMatrix {
    read_matrix(&sample(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn expected(number: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..12).map(|i| number(i / 4, i % 4)).collect()
}

const NAMES: [&str; 4] = ["start", "zwölf", "a,b", "end"];

#[test]
fn what_numpy_writes_is_read_as_it_was() {
    let quarter = expected(|row, column| 10.0 * row as f64 + column as f64 + 0.25);
    let whole = expected(|row, column| 10.0 * row as f64 + column as f64);
    let even = expected(|_, column| f64::from(column % 2 == 0));
    for (file, values, named) in [
        ("goals.npz", &quarter, true),
        ("goals-deflated.npz", &quarter, true),
        ("goals.npy", &quarter, false),
        ("goals-f4.npz", &quarter, true),
        ("goals-f8.npz", &quarter, true),
        ("goals-i1.npz", &whole, true),
        ("goals-u2.npz", &whole, true),
        ("goals-i4.npz", &whole, true),
        ("goals-u8.npz", &whole, true),
        ("goals-bool.npz", &even, true),
        ("goals-bare.csv", &quarter, false),
    ] {
        let matrix = read(file);
        assert_eq!((matrix.rows, matrix.columns), (3, 4), "{file}");
        assert_eq!(&matrix.values, values, "{file}");
        let names = named.then(|| NAMES.map(str::to_owned).to_vec());
        assert_eq!(matrix.names, names, "{file}");
    }
    let csv = read("goals.csv");
    assert_eq!(csv.values, quarter);
    assert_eq!(csv.names.unwrap(), ["start", "zwölf", "third", "end"]);
}

fn npz(arrays: &[Array<'_>]) -> Vec<u8> {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    arrays.iter().for_each(|array| writer.write(array).unwrap());
    writer.finish().unwrap().into_inner()
}

fn numbers<'a>(name: &'a str, shape: &'a [usize], values: &'a [f64]) -> Array<'a> {
    Array {
        name,
        shape,
        values: ArrayValues::Numbers(values),
    }
}

fn texts<'a>(name: &'a str, shape: &'a [usize], values: &'a [&'a str]) -> Array<'a> {
    Array {
        name,
        shape,
        values: ArrayValues::Texts(values),
    }
}

fn answer(format: MatrixFormat, name: &str, bytes: &[u8]) -> String {
    match parse_matrix(format, name, bytes) {
        Ok(matrix) => format!("read: {:?} {:?}", matrix.names, matrix.values),
        Err(faults) => faults.to_string(),
    }
}

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn an_archive_with_faults_is_answered_with_all_of_them() {
    let nan = [0.0, f64::NAN, 1.0, f64::INFINITY];
    let answers = [
        npz(&[
            numbers("goals", &[2, 2], &nan),
            texts("names", &[3], &["a", "", "a"]),
        ]),
        npz(&[
            numbers("goals", &[4], &nan),
            texts("names", &[1, 1], &["a"]),
        ]),
        npz(&[numbers("goals", &[0, 4], &[])]),
        npz(&[numbers("a", &[1, 1], &[0.0]), numbers("b", &[1, 1], &[0.0])]),
        npz(&[numbers("a", &[1], &[0.0]), texts("c", &[1, 1], &["x"])]),
        npz(&[
            texts("goals", &[1, 1], &["0.5"]),
            numbers("names", &[1], &[1.0]),
        ]),
        npz(&[]),
        b"PK\x03\x04 but nothing else".to_vec(),
        b"1,2\n3,4\n".to_vec(),
        Vec::new(),
        npy(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }\n",
            &[0; 8],
        ),
        npy(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }\n",
            &[],
        ),
        npy(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1), }\n",
            &[0; 8],
        ),
        npy(
            "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }\n",
            &[0; 4],
        ),
        npy(
            "{'descr': '<c16', 'fortran_order': False, 'shape': (1, 1), }\n",
            &[0; 16],
        ),
        npy(
            "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1, 1), }\n",
            &[0; 8],
        ),
        npy("{'descr': '<f8', 'shape': (1, 1), }\n", &[0; 8]),
        npy(
            "{'descr': '<f8', 'fortran_order': maybe, 'shape': (1, 1), }\n",
            &[0; 8],
        ),
        npy(
            "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }\n",
            &i64::MAX.to_le_bytes(),
        ),
        std::fs::read(sample("objects.npz")).unwrap(),
    ]
    .map(|bytes| answer(MatrixFormat::NumPy, "x.npz", &bytes));
    insta::assert_snapshot!(answers.join("\n\n"));
}

#[test]
fn a_csv_with_faults_is_answered_with_all_of_them() {
    let texts = [
        "a,b,a,\n1,2,x,4\n1,nan,3\n,-inf,1e999,\"7\"\n\n# a comment\n  5 ,6,7,8,9\n",
        "1;2\n3;4\n",
        "a,b\n",
        "",
        "\u{feff}\"start, or not\",end\r\n1,2\r\n3,zwölf\r\n",
        "1,2\n3,four\n\"5\n6\",7",
        "0,start\n1,2\n",
    ];
    let each = texts.map(|text| {
        format!(
            "{text}\n=> {}\n",
            answer(MatrixFormat::Csv, "x.csv", text.as_bytes())
        )
    });
    insta::assert_snapshot!(each.join("\n"));
    let latin = answer(MatrixFormat::Csv, "x.csv", b"1,\xe4\n");
    assert_eq!(
        latin,
        "x.csv: error: not UTF-8 text (byte 2 is not part of a character)"
    );
}

#[test]
fn a_csv_may_have_comments_empty_lines_quotes_and_either_end_of_line() {
    for text in [
        "a,b\n1,2\n3,4\n",
        "\u{feff}a,b\r\n1,2\r\n3,4",
        "# from a tool\n\na,\"b\"\n\n 1, 2\n#x\n\"3\",4e0\n\n",
    ] {
        let shown = answer(MatrixFormat::Csv, "x.csv", text.as_bytes());
        assert_eq!(
            shown, "read: Some([\"a\", \"b\"]) [1.0, 2.0, 3.0, 4.0]",
            "{text}"
        );
    }
}

#[test]
fn a_million_faults_are_counted_and_twenty_told() {
    let shown = answer(MatrixFormat::Csv, "x.csv", "a\n".repeat(1 << 20).as_bytes());
    assert_eq!(shown.lines().count(), 21, "{}", &shown[..200]);
    assert!(shown.ends_with(&format!(
        "and {} more fields that are wrong",
        (1 << 20) - 21
    )));
    let many = vec![f64::NAN; 100_000];
    let shown = answer(
        MatrixFormat::NumPy,
        "x.npz",
        &npz(&[numbers("goals", &[100, 1000], &many)]),
    );
    assert!(shown.ends_with("and 99980 more numbers that are not finite"));
}

#[test]
fn a_file_that_promises_more_than_it_holds_costs_nothing() {
    // A deflated entry whose directory and header agree on 2^40 bytes, of which a few are there.
    let honest = npz(&[numbers("goals", &[64, 1024], &[0.0; 65536])]);
    let size = (65536 * 8 + 128u32).to_le_bytes();
    let mut lying = honest.clone();
    let places: Vec<usize> = (0..honest.len() - 4)
        .filter(|&i| honest[i..i + 4] == size)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        lying[at..at + 4].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
    }
    assert!(answer(MatrixFormat::NumPy, "x.npz", &honest).starts_with("read"));
    let shown = answer(MatrixFormat::NumPy, "x.npz", &lying);
    assert!(
        shown.contains("which") && shown.contains("bytes"),
        "{shown}"
    );
}

#[test]
fn other_extensions_are_answered_with_those_that_are_known() {
    let error = read_matrix(Path::new("goals.xlsx")).unwrap_err();
    assert!(matches!(error, ReadError::UnknownExtension { .. }));
    assert_eq!(
        error.to_string(),
        "goals.xlsx: unknown kind of file; known extensions: .npz, .npy, .csv"
    );
    assert!(matches!(
        read_matrix(Path::new("none.npy")),
        Err(ReadError::File { .. })
    ));
}

fn matrices() -> impl Strategy<Value = (usize, usize, Vec<f64>, Vec<String>)> {
    (1..6usize, 1..6usize).prop_flat_map(|(rows, columns)| {
        let number = prop_oneof![
            any::<f64>().prop_filter("finite", |x| x.is_finite()),
            Just(-0.0),
            Just(0.1)
        ];
        let names = proptest::collection::hash_set("[a-zö\"\\x20,#]{0,3}[a-z]", columns);
        let values = proptest::collection::vec(number, rows * columns);
        (
            Just(rows),
            Just(columns),
            values,
            names.prop_map(|set| set.into_iter().collect()),
        )
    })
}

/// NaN words and infinities are numbers to a parser, so they are no names.
fn is_name(name: &str) -> bool {
    name.trim() == name && name.parse::<f64>().is_err() && !name.starts_with('#')
}

fn csv_of(columns: usize, values: &[f64], names: &[String]) -> String {
    let quoted = names
        .iter()
        .map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    let header = quoted.collect::<Vec<_>>().join(",");
    let rows = values
        .chunks(columns)
        .map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    std::iter::once(header)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

fn check(faults: &Faults) {
    assert!(faults.has_errors() && !faults.to_string().is_empty());
    let text = &faults.source.as_ref().unwrap().text;
    for span in faults.list.iter().filter_map(|f| f.span.clone()) {
        assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((rows, columns, values, names) in matrices()) {
        prop_assume!(names.iter().all(|n| is_name(n)));
        let list: Vec<&str> = names.iter().map(String::as_str).collect();
        let shape = [rows, columns];
        let bytes = npz(&[numbers("goals", &shape, &values), texts("names", &[columns], &list)]);
        let csv = csv_of(columns, &values, &names);
        for (format, bytes) in [(MatrixFormat::NumPy, &bytes[..]), (MatrixFormat::Csv, csv.as_bytes())] {
            let matrix = parse_matrix(format, "x", bytes).unwrap();
            prop_assert_eq!((matrix.rows, matrix.columns), (rows, columns));
            prop_assert_eq!(matrix.names.as_ref(), Some(&names));
            prop_assert!(same_bits(&matrix.values, &values));
            // The control: the last bit of one number is noticed.
            let mut other = values.clone();
            other[0] = f64::from_bits(other[0].to_bits() ^ 1);
            prop_assert!(!same_bits(&matrix.values, &other));
        }
    }
}

const GOOD: [(MatrixFormat, &[u8]); 5] = [
    (
        MatrixFormat::NumPy,
        include_bytes!("../data/formats/goals.npz"),
    ),
    (
        MatrixFormat::NumPy,
        include_bytes!("../data/formats/goals-deflated.npz"),
    ),
    (
        MatrixFormat::NumPy,
        include_bytes!("../data/formats/goals.npy"),
    ),
    (
        MatrixFormat::Csv,
        include_bytes!("../data/formats/goals.csv"),
    ),
    (MatrixFormat::Csv, b"# c\n\"a\",b\r\n1,2\n\n-3e5,\"4\"\n"),
];

fn mutate(bytes: &[u8], changes: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(at, kind, byte) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at % bytes.len();
        match kind {
            0..=3 => bytes[at] = byte,
            4 => bytes[at] ^= 1 << (byte % 8),
            5 => drop(bytes.drain(at..(at + usize::from(byte) % 20).min(bytes.len()))),
            6 => bytes.insert(at, byte),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_good_file_makes_a_reader_panic(
        which in 0..GOOD.len(),
        changes in proptest::collection::vec((any::<usize>(), 0..8u8, prop_oneof![any::<u8>(), proptest::sample::select(b",\"\n\r#.e-'{}() <>fiUb08".to_vec())]), 1..6),
    ) {
        let (format, bytes) = GOOD[which];
        match parse_matrix(format, "x", &mutate(bytes, &changes)) {
            Ok(matrix) => {
                prop_assert_eq!(matrix.values.len(), matrix.rows * matrix.columns);
                prop_assert!(matrix.values.iter().all(|x| x.is_finite()));
                prop_assert!(matrix.names.is_none_or(|names| names.len() == matrix.columns));
            }
            Err(faults) => check(&faults),
        }
    }
}

#[test]
fn the_files_that_are_mutated_are_good_to_begin_with() {
    for (format, bytes) in GOOD {
        assert!(answer(format, "x", bytes).starts_with("read"));
    }
}
