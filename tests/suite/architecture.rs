//! Imports run one way: a room knows the rooms to its left and none to its right.
//!
//! Reads every path that starts with `crate` or `super` in the files under `src/`, in `use` lines and elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The rooms, left to right. Each may import from those before it.
const ROOMS: [&str; 14] = [
    "units",
    "document",
    "rng",
    "mdp",
    "reward",
    "program",
    "intervention",
    "plan",
    "statistics",
    "solve",
    "io",
    "experiment",
    "report",
    "cli",
];

/// Backends inside `solve`: blind to each other, so that a comparison of two of them means something.
const BACKENDS: [&str; 3] = ["reference", "cpu", "gpu"];

/// An import that runs the wrong way.
#[derive(Debug, PartialEq)]
struct Violation {
    file: PathBuf,
    path: String,
    reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, path) = (self.file.display(), &self.path);
        write!(f, "{file}: `{path}`: {}", self.reason)
    }
}

/// Names that the library's face shows at its top, and the room each is defined in.
type Face = HashMap<String, String>;

/// What is wrong with the imports of one file, given its path below `src/`.
fn violations(file: &Path, text: &str, face: &Face) -> Vec<Violation> {
    let modules: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let wrong = |path: Vec<String>| {
        let reason =
            wrong_room(&modules, &path, face).or_else(|| wrong_backend(&modules, &path))?;
        Some(Violation {
            file: file.to_owned(),
            path: path.join("::"),
            reason,
        })
    };
    paths(text).into_iter().filter_map(wrong).collect()
}

/// Why a file may not name this path, by the order of the rooms.
fn wrong_room(modules: &[String], path: &[String], face: &Face) -> Option<String> {
    // The library's face and the binary stand above all rooms.
    let own = modules[0].as_str();
    if own == "lib" || own == "main" {
        return None;
    }
    let place = |room: &str| ROOMS.iter().position(|r| *r == room);
    let Some(here) = place(own) else {
        return Some(format!("the room `{own}` is not in the order of rooms"));
    };
    if path[0] != "crate" {
        return None;
    }
    let named = path.get(1)?;
    let room = face.get(named).unwrap_or(named);
    match place(room) {
        None => Some(format!(
            "`{room}` is no room: import from where it is defined"
        )),
        Some(there) if there > here => Some(format!("`{own}` stands to the left of `{room}`")),
        Some(_) => None,
    }
}

/// Why a file of one backend may not name this path, if it leads into another.
fn wrong_backend(modules: &[String], path: &[String]) -> Option<String> {
    let own = modules.get(1).filter(|_| modules[0] == "solve")?;
    if !BACKENDS.contains(&own.as_str()) {
        return None;
    }
    let relative = path.iter().skip_while(|part| *part == "super");
    let below_solve = match path[0].as_str() {
        "crate" => path.get(2).filter(|_| path[1] == "solve"),
        // However many steps up: a backend has no module of its own that is named like another.
        _ => relative.clone().next(),
    };
    let other = below_solve.filter(|name| *name != own && BACKENDS.contains(&name.as_str()))?;
    Some(format!("the backends `{own}` and `{other}` share no code"))
}

/// Reads the re-exports of `lib.rs`: `pub use units::{Seed, StateId}` shows two names of the room `units`.
fn face(lib: &str) -> Face {
    let tokens = tokens(lib);
    let mut shown = Vec::new();
    for (i, pair) in tokens.windows(2).enumerate() {
        if pair == ["pub", "use"] {
            spell_out(&tokens, i + 2, &mut Vec::new(), &mut shown);
        }
    }
    let named = shown.into_iter().filter(|path| path.len() > 1);
    named
        .map(|path| (path[path.len() - 1].clone(), path[0].clone()))
        .collect()
}

/// Every path that starts with `crate` or `super`, groups spelled out: `crate::{a, b::c}` is two.
fn paths(text: &str) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = matches!(tokens[at].as_str(), "crate" | "super");
        let inside = at > 0 && tokens[at - 1] == "::";
        if starts && !inside {
            let mut prefix = Vec::new();
            at = spell_out(&tokens, at, &mut prefix, &mut found);
        } else {
            at += 1;
        }
    }
    // `pub(crate)` and `pub(super)` are no imports.
    found.retain(|path: &Vec<String>| path.len() > 1);
    found
}

/// Reads one path from `at` on and returns where it ends; `prefix` is as it was on return.
fn spell_out(
    tokens: &[String],
    mut at: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let depth = prefix.len();
    loop {
        let token = tokens.get(at).map_or("", String::as_str);
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|t| t != "}") {
                at = match tokens[at].as_str() {
                    "," => at + 1,
                    _ => spell_out(tokens, at, prefix, found),
                };
            }
            at += 1;
            break;
        }
        prefix.push(token.to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|t| t != "::") {
            found.push(prefix.clone());
            // `a as b` inside a group.
            if tokens.get(at).is_some_and(|t| t == "as") {
                at += 2;
            }
            break;
        }
        at += 1;
    }
    prefix.truncate(depth);
    at
}

/// Words, `::` and single signs, without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if word > 0 {
            tokens.push(rest[..word].to_owned());
            word
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Length of the string or character literal that `rest` starts with, if it does.
fn literal(rest: &str) -> Option<usize> {
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let open = 1 + hashes + 1;
            return Some(
                rest[open..]
                    .find(&end)
                    .map_or(rest.len(), |i| open + i + end.len()),
            );
        }
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // A lifetime: no second quote follows its first character.
            _ if quote == '\'' && i > 1 && c != '\'' && !rest[1..].starts_with('\\') => {
                return None;
            }
            c if c == quote => return Some(i + 1),
            _ => {}
        }
    }
    None
}

fn source_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a readable source tree");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn imports_run_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = std::fs::read_to_string(source.join("lib.rs")).expect("a library");
    let face = face(&lib);
    let files = source_files(&source);
    let mut found = Vec::new();
    let mut read = 0;
    for file in &files {
        let text = std::fs::read_to_string(file).expect("readable source");
        let below = file.strip_prefix(&source).expect("a file below src");
        read += paths(&text).len();
        found.extend(violations(below, &text, &face));
    }
    let list: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
    // Guards against a reader that sees nothing.
    assert!(
        files.len() > 20 && read > 50,
        "{} files, {read} paths",
        files.len()
    );
}

#[test]
fn every_room_on_disk_has_its_place_in_the_order() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(source).expect("a source tree") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let known = ROOMS.contains(&name.as_str()) || name == "lib" || name == "main";
        assert!(
            known,
            "{} has no place in the order of rooms",
            path.display()
        );
    }
}

#[test]
fn an_import_to_the_right_is_caught_however_it_is_written() {
    let face = face("pub use experiment::{Engine, Spec};\npub use units::Seed;");
    let caught = |file: &str, text: &str| violations(Path::new(file), text, &face).len();
    for text in [
        "use crate::solve::Backend;",
        "use crate::{\n    mdp::Mdp,\n    solve::{Backend, bounds},\n};",
        "pub use crate::solve as solver;",
        "fn f(x: &'static str) -> crate::solve::Solution { todo!() }",
        "const QUOTE: char = '\"'; use crate::solve::Backend;",
        "const RAW: &str = r#\"\"\"#; use crate::solve::Backend;",
        "use crate::Engine;",
        "use crate::Unheard;",
    ] {
        assert!(caught("plan/order.rs", text) > 0, "{text}");
        assert_eq!(caught("lib.rs", text), 0, "{text}");
    }
    for text in [
        "use crate::mdp::Mdp;",
        "use crate::Seed;",
        "pub(crate) fn f() {}",
        "// use crate::solve::Backend;",
        "/* use crate::solve::Backend; */",
        "const TEXT: &str = \"crate::solve\";",
        "const RAW: &str = r#\"crate::solve \" \"#;",
        "use super::super::mdp::Mdp;",
    ] {
        assert_eq!(caught("plan/order.rs", text), 0, "{text}");
    }
    assert_eq!(caught("elsewhere/mod.rs", "use crate::mdp::Mdp;"), 1);
}

#[test]
fn a_backend_that_looks_at_another_is_caught() {
    let caught = |file: &str, text: &str| violations(Path::new(file), text, &Face::new()).len();
    for text in [
        "use crate::solve::cpu::Tile;",
        "use crate::solve::{bounds, cpu};",
        "use super::cpu::Tile;",
        "use super::super::{bounds, cpu::Tile};",
    ] {
        assert_eq!(caught("solve/reference.rs", text), 1, "{text}");
        assert_eq!(caught("solve/gpu/sweep.rs", text), 1, "{text}");
        assert_eq!(caught("solve/cpu/sweep.rs", text), 0, "{text}");
        assert_eq!(caught("solve/mod.rs", text), 0, "{text}");
    }
    assert_eq!(caught("solve/reference.rs", "use super::bounds::Bound;"), 0);
}
