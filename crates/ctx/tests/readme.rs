//! The README's tables: each row is held by tests, and CONFORMANCE.md says by which.

use std::collections::BTreeSet;
use std::path::Path;

const README: &str = include_str!("../README.md");
const CONFORMANCE: &str = include_str!("../CONFORMANCE.md");
/// The README's parts whose tables say what the crate does.
const PARTS: [&str; 3] = ["# ctx: Go's context for Rust\n", "## Beside other libraries\n", "## From Go\n"];

/// Returns the rows of the tables in the part of `text` below `title`, without their heads.
fn rows<'a>(text: &'a str, title: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let (_, part) = text.split_once(title).unwrap_or_else(|| panic!("no `{title}`"));
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    let lines = part.lines().filter(|line| line.starts_with("| "));
    let rows = lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    rows.skip(1).filter(|row| !row[0].starts_with("---"))
}

/// Collects the names of the functions in the files of a folder.
fn functions(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, into);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once('('));
            into.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_row_of_the_readme_names_tests_that_there_are() {
    let mut there = BTreeSet::new();
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    functions(&crate_folder.join("tests"), &mut there);
    functions(&crate_folder.join("src"), &mut there);
    let held: Vec<_> = rows(CONFORMANCE, "## The README's tables, and the tests that hold them\n").collect();
    let mut claims = 0;
    for row in PARTS.iter().flat_map(|title| rows(README, title)) {
        claims += 1;
        let is_held = held.iter().any(|held| row[0].starts_with(held[0]));
        assert!(is_held, "CONFORMANCE.md names no test for the README's row `{}`", row[0]);
    }
    assert!(claims > 40, "{claims} rows");
    for row in &held {
        for name in row[1].split([',', ';', ' ']).filter(|word| word.contains('_')) {
            assert!(there.contains(name), "`{}`: there is no test `{name}`", row[0]);
        }
    }
    let (_, cost) = CONFORMANCE.split_once("What \"Cost\" says is held by ").expect("it is the last part");
    for name in cost.split([',', ' ', '\n', '.']).filter(|word| word.contains('_')) {
        assert!(there.contains(name), "there is no test `{name}`");
    }
}
