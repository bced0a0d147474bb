//! Who may import whom: the table of ARCHITECTURE.md, enforced by reading every path in `src/`.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// For each room, the rooms (or single modules of rooms) it may name. A room may always name itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("child", &[]),
    ("action", &["model"]),
    ("i18n", &["model"]),
    ("config", &["model", "child", "action", "i18n"]),
    ("gateway", &["model"]),
    ("qr", &["model"]),
    ("store", &["model"]),
    ("simulator", &["model"]),
    ("engine", &["model", "child", "gateway", "qr", "store", "i18n"]),
    // `qr::render` and `config::qr_layout` besides design: which layout a code is drawn in is the mind's to know.
    ("app", &["model", "action", "i18n", "engine::api", "config::keymap", "config::qr_layout", "qr::render"]),
    ("ui", &["app", "model", "i18n", "qr::render", "config::theme", "config::qr_layout"]),
    // `model` and `i18n` besides design: the loop reads the clock and has a few words of its own.
    ("tui", &["app", "ui", "engine", "config", "action", "model", "i18n"]),
    ("cli", &["model", "child", "action", "i18n", "config", "gateway", "qr", "store", "simulator", "engine", "tui"]),
];

/// The engine's interface is imported by the pure app: it may know less than the engine.
const ENGINE_API: &[&str] = &["model", "qr::code"];

/// Crates that a room must not name.
const FOREIGN: &[(&str, &[&str])] = &[
    ("app", &["tokio", "reqwest", "sqlx", "crossterm", "rustix"]),
    ("ui", &["tokio", "reqwest", "sqlx", "crossterm", "rustix"]),
    ("model", &["tokio", "reqwest", "sqlx", "ratatui", "crossterm"]),
    ("qr", &["tokio", "reqwest", "sqlx"]),
    ("child", &["reqwest", "sqlx", "ratatui", "crossterm"]),
    ("gateway", &["sqlx", "ratatui", "axum"]),
    ("store", &["reqwest", "ratatui", "axum"]),
    ("simulator", &["reqwest", "sqlx", "ratatui"]),
    ("cli", &["ratatui"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file without comments and without what is behind its `#[cfg(test)]`.
fn code_of(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    body.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every `crate::…` path in the code, braces opened: `crate::a::{b, c::d}` gives `a::b` and `a::c::d`.
fn crate_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let stem = &rest[..end];
        if rest[end..].starts_with('{') {
            let inside = &rest[end + 1..];
            let close = inside.find(';').map_or(inside.len(), |end| end);
            let mut depth = 0;
            let mut item = String::new();
            for c in inside[..close].chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => paths.push(format!("{stem}{}", std::mem::take(&mut item).trim())),
                    c if depth == 0 => item.push(c),
                    _ => {}
                }
            }
            if !item.trim().is_empty() {
                paths.push(format!("{stem}{}", item.trim()));
            }
        } else {
            paths.push(stem.to_owned());
        }
    }
    paths
}

#[test]
fn every_room_imports_only_what_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 40, "only {} files found", files.len());
    let mut broken = Vec::new();
    let mut seen = 0;
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if matches!(room, "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
            broken.push(format!("{}: the room {room} is not in the table", inside.display()));
            continue;
        };
        let is_api = inside == Path::new("engine/api.rs") || inside.starts_with("engine/api");
        let allowed = if is_api { ENGINE_API } else { allowed };
        let code = code_of(&fs::read_to_string(&file).unwrap());
        for path in crate_paths(&code) {
            seen += 1;
            // What is imported for its interface must not lead to the rest of the engine either.
            let room = if is_api { "engine::api" } else { room };
            let own = path == room || path.starts_with(&format!("{room}::"));
            // The words, and how the tests of a room run their properties.
            let words = path.starts_with("_rust_i18n") || path == "property::cases";
            let permitted = allowed.iter().any(|may| path == *may || path.starts_with(&format!("{may}::")));
            // `use crate::qr::Code` is the re-export of `qr::code::Code`.
            let reexport = path == "qr::Code" && allowed.contains(&"qr::code");
            if !(own || words || permitted || reexport) {
                broken.push(format!("{}: crate::{path}", inside.display()));
            }
        }
        let foreign = FOREIGN.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, crates)| crates);
        for name in foreign {
            if code.lines().any(|line| line.contains(&format!("{name}::"))) {
                broken.push(format!("{}: names the crate {name}", inside.display()));
            }
        }
    }
    assert!(seen > 150, "only {seen} paths seen: the reader is blind");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_reader_sees_grouped_paths() {
    let code = "use crate::a::{b, c::d, e::{f, g}};\nfn x() { crate::h::i() }";
    assert_eq!(crate_paths(code), ["a::b", "a::c::d", "a::e::", "h::i"]);
}

/// Whoever tries a change must see what the next one sees: a red run that is green when it is repeated teaches people to
/// repeat it.
#[test]
fn every_property_is_tried_from_a_fixed_seed() {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    let mut properties = 0;
    for file in files.iter().filter(|file| !file.ends_with("tests/house.rs")) {
        let text = fs::read_to_string(file).unwrap();
        for (at, _) in text.match_indices("proptest! {\n") {
            properties += 1;
            let inside = text[at..].lines().nth(1).unwrap().trim();
            assert!(inside.starts_with("#![proptest_config(cases("), "{}: {inside}", file.display());
        }
        for other in ["TestRunner::", "fastrand::u", "fastrand::Rng::new("] {
            let test = file.components().any(|part| part.as_os_str() == "tests");
            assert!(!test || !text.contains(other), "{}: {other} of no fixed seed", file.display());
        }
    }
    assert!(properties > 15, "only {properties} properties seen: the reader is blind");
}
