//! The README's commands print what the README says, from the files that the README shows.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A fenced block: its language, its text and the line before it that is not empty.
struct Fence {
    language: String,
    text: String,
    before: String,
}

fn fences(page: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    let mut before = String::new();
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(language), None) => {
                open = Some(Fence {
                    language: language.to_owned(),
                    text: String::new(),
                    before: std::mem::take(&mut before),
                });
            }
            (None, Some(fence)) => fence.text += &format!("{line}\n"),
            (None, None) if line.is_empty() => {}
            (None, None) => before = line.to_owned(),
        }
    }
    fences
}

/// The name in "... This is `NAME`:".
fn file_name(before: &str) -> Option<&str> {
    before
        .strip_suffix("`:")?
        .rsplit_once("This is `")
        .map(|(_, name)| name)
}

/// Commands of a console block with what they print.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, output))) => output.push(line.to_owned()),
            (None, None) => panic!("a console block starts with a command: {line:?}"),
        }
    }
    commands
}

/// A stretch of a line.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    /// Digits with a point, and perhaps an exponent, as written.
    Decimal(String),
}

/// Cuts a line at its decimal numbers. Whole numbers are text: they are counts and names, and have no last digit to spare.
fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest: VecDeque<char> = line.chars().collect();
    let mut text = String::new();
    while let Some(&c) = rest.front() {
        let mut number = String::new();
        while let Some(&d) = rest.front() {
            let exponent = matches!(d, 'e') && number.contains('.') && rest.get(1) == Some(&'-');
            let sign = d == '-' && number.ends_with('e');
            let point =
                d == '.' && !number.contains('.') && rest.get(1).is_some_and(char::is_ascii_digit);
            if !(d.is_ascii_digit() || exponent || sign || (point && !number.is_empty())) {
                break;
            }
            number.push(d);
            rest.pop_front();
        }
        if number.contains('.') {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Decimal(number));
        } else if number.is_empty() {
            text.push(c);
            rest.pop_front();
        } else {
            text += &number;
        }
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// Whether two lines say the same.
///
/// Vector units of different widths add in different orders, so that estimates of two machines differ by the sum of
/// their bounds: about 2e-6 where five digits are shown, which moves the last digit by one at most. A bound itself (the
/// numbers with an exponent) may be wider where multiplications and additions are not fused: a factor of two is allowed.
fn agree(expected: &str, found: &str) -> bool {
    let (expected, found) = (pieces(expected), pieces(found));
    let same = |(a, b): (&Piece, &Piece)| match (a, b) {
        (Piece::Decimal(a), Piece::Decimal(b)) => {
            let (x, y): (f64, f64) = (a.parse().unwrap(), b.parse().unwrap());
            if a.contains('e') {
                x <= 2.0 * y && y <= 2.0 * x
            } else {
                let digits = a.len() - a.find('.').unwrap() - 1;
                a.len() == b.len() && (x - y).abs() < 1.5 * 10_f64.powi(-(digits as i32))
            }
        }
        (a, b) => a == b,
    };
    expected.len() == found.len() && expected.iter().zip(&found).all(same)
}

/// Whether the output is what is expected, in which a line `...` stands for any number of lines.
fn matches(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((dots, rest)) if dots == "..." => {
            (0..=found.len()).any(|n| matches(rest, &found[n..]))
        }
        Some((line, rest)) => {
            let Some((first, others)) = found.split_first() else {
                return false;
            };
            agree(line, first) && matches(rest, others)
        }
    }
}

/// Runs a command of the README with the binary under test and returns its standard output.
fn run(command: &str, directory: &Path) -> Vec<String> {
    let arguments = command
        .strip_prefix("cargo run --release -- ")
        .or(command.strip_prefix("powersweep "));
    let arguments = arguments.unwrap_or_else(|| panic!("the README runs {command:?}"));
    let output = Command::new(env!("CARGO_BIN_EXE_powersweep"))
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[cfg(unix)]
#[test]
fn every_command_prints_what_the_readme_says() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let home = tempfile::tempdir().unwrap();
    for name in ["datasets", "experiments"] {
        std::os::unix::fs::symlink(Path::new(ROOT).join(name), home.path().join(name)).unwrap();
    }
    let mut seen = 0;
    for fence in fences(&page) {
        if let Some(name) = file_name(&fence.before) {
            std::fs::write(home.path().join(name), &fence.text).unwrap();
        }
        if fence.language != "console" {
            continue;
        }
        for (command, expected) in commands(&fence.text) {
            if command == "./scripts/test" {
                // It is what runs this test.
                assert!(Path::new(ROOT).join("scripts/test").is_file());
                continue;
            }
            let found = run(&command, home.path());
            let shown = found.join("\n");
            assert!(
                matches(&expected, &found),
                "`{command}` prints something else than the README says:\n{shown}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} commands were found");
    the_picture_is_the_one_of_the_run(home.path());
}

/// The README's picture holds the tooltips (names, numbers, bounds) of the picture that the quickstart just drew.
fn the_picture_is_the_one_of_the_run(home: &Path) {
    let runs = std::fs::read_dir(home.join("powersweep-runs")).unwrap();
    let mut runs = runs.map(|entry| entry.unwrap().path());
    let quickstart = runs.find(|p| {
        p.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("quickstart")
    });
    let titles = |path: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .filter(|l| l.starts_with("<title>"))
            .map(str::to_owned)
            .collect()
    };
    let drawn = titles(&quickstart.unwrap().join("power.svg"));
    let shown = titles(&Path::new(ROOT).join("docs/pictures/quickstart.svg"));
    assert_eq!((drawn.len(), shown.len()), (58, 58));
    assert!(
        matches(&shown, &drawn),
        "docs/pictures/quickstart.svg is not what the quickstart draws"
    );
}

#[test]
fn the_comparison_can_fail() {
    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    let same = |a: &str, b: &str| matches(&lines(a), &lines(b));
    assert!(same(
        "r3c4 0.90571 ± 0.00011 1.1e-6",
        "r3c4 0.90572 ± 0.00011 1.3e-6"
    ));
    assert!(!same("r3c4 0.90571", "r3c4 0.90573"));
    assert!(!same("r3c4 0.90571", "r3c5 0.90571"));
    assert!(!same("n = 1,000,000", "n = 1,000,001"));
    assert!(!same("1.1e-6", "2.3e-6"));
    assert!(!same("0.50", "0.5"));
    assert!(same("a\n...\nd", "a\nb\nc\nd") && !same("a\n...\nd", "a\nb\nc"));
    assert!(!same("a\nb", "a") && !same("a", "a\nb"));
}
