//! The README's tables: each row is held by tests, and CONFORMANCE.md says by which.

use std::collections::BTreeSet;
use std::path::Path;

const README: &str = include_str!("../README.md");
const CONFORMANCE: &str = include_str!("../CONFORMANCE.md");
/// The README's parts whose tables say what the crate does.
const PARTS: [&str; 3] = ["# ctx: Go's context for Rust\n", "## Beside other libraries\n", "## From Go\n"];

/// The cell of a row that an example holds, and no test.
const EXAMPLE: &str = "the example under \"More than a wait\"";

/// Returns the rows of the tables in the part of `text` below `title`, without their heads.
fn rows<'a>(text: &'a str, title: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let (_, part) = text.split_once(title).unwrap_or_else(|| panic!("no `{title}`"));
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    let lines = part.lines().filter(|line| line.starts_with("| "));
    let rows = lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    rows.skip(1).filter(|row| !row[0].starts_with("---"))
}

/// Collects the names of the tests in the files of a folder.
fn tests(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests(&path, into);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let after = text.split("#[test]\n").skip(1);
            let names = after.filter_map(|test| test.split_once("fn ")?.1.split_once('('));
            into.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

/// Returns the names of tests in a cell, which all have underscores.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ';', ' ', '.', '\n']).filter(|word| word.contains('_'))
}

#[test]
fn every_row_of_the_readme_names_tests_that_there_are() {
    let mut there = BTreeSet::new();
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests(&crate_folder.join("tests"), &mut there);
    tests(&crate_folder.join("src"), &mut there);
    let held: Vec<_> = rows(CONFORMANCE, "## The README's tables, and the tests that hold them\n").collect();
    let claims: Vec<_> = PARTS.iter().flat_map(|title| rows(README, title)).collect();
    assert!(claims.len() > 40, "{} rows", claims.len());
    for claim in &claims {
        let by = held.iter().filter(|held| claim[0].starts_with(held[0])).count();
        assert_eq!(by, 1, "so many rows of CONFORMANCE.md are about the README's row `{}`", claim[0]);
    }
    for row in &held {
        let is_claimed = claims.iter().any(|claim| claim[0].starts_with(row[0]));
        assert!(is_claimed, "the README has no row `{}`", row[0]);
        for name in names(row[1]) {
            assert!(there.contains(name), "`{}`: there is no test `{name}`", row[0]);
        }
        let elsewhere = row[1].starts_with("the tests of ") || row[1] == EXAMPLE;
        assert!(elsewhere || names(row[1]).next().is_some(), "`{}` names no test", row[0]);
    }
    assert!(README.contains("\n## More than a wait\n"), "the example is there");
    let (_, cost) = CONFORMANCE.split_once("What \"Cost\" says is held by ").expect("it is the last part");
    for name in names(cost) {
        assert!(there.contains(name), "there is no test `{name}`");
    }
    assert!(names(cost).count() > 2, "what the README says of costs is held by tests");
}
