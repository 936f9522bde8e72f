//! Checks that tables are laid out by their three renderers alone, and that those show every measurement.

use std::fs;
use std::path::{Path, PathBuf};

use measure::registry;
use measure::results::Results;
use measure::table::{Cell, Table};

use crate::page;
use crate::terminal::render::Screen;
use crate::terminal::tables::{self, Depth};

/// Returns everything that is printed of a run.
fn all(results: &Results) -> String {
    tables::print(results, Screen::FILE, Depth::Details)
}

/// Returns the sources and templates below a folder, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries
        .flat_map(below)
        .filter(|path| !path.ends_with("tests.rs") && !path.ends_with("tables.rs"))
        .collect()
}

#[test]
fn no_table_is_built_beside_the_model_and_its_renderers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["src", "templates", "../../lab/src", "../../../benches/benches"].map(|folder| root.join(folder));
    for path in folders.iter().flat_map(|folder| sources(folder)) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (sign, renderer) in [
            ("comfy_table", "src/terminal/render.rs"),
            ("| --", "src/markdown.rs"),
            ("|--", "src/markdown.rs"),
            ("<table", "templates/table.html"),
        ] {
            let found = code.lines().any(|line| line.contains(sign) && !line.trim_start().starts_with("//"));
            assert!(!found || path.ends_with(renderer), "{} builds a table with `{sign}`", path.display());
        }
    }
}

#[test]
fn every_measurement_of_the_registry_stands_on_the_terminal_and_on_the_page() {
    let results = measure::fixtures::everything();
    let shown = registry::tables(&results);
    let names: Vec<&str> = shown.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, registry::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    // A title may be broken into lines, and its characters escaped.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("&#62;", ">");
    let (printed, page) = (words(&all(&results)), page::render(&results).unwrap());
    let is_measured =
        |table: &&Table| table.lines.iter().flat_map(|line| &line.cells).any(|cell| *cell != Cell::none());
    for table in shown.iter().flat_map(|(_, tables)| tables).filter(is_measured) {
        assert!(printed.contains(&words(&table.title)), "`{}` is not printed", table.title);
        assert!(page.contains(&table.title), "`{}` is not on the page", table.title);
    }
}

#[test]
fn no_table_has_a_word_that_the_lab_alone_knows() {
    let results = measure::fixtures::everything();
    let shown = registry::tables(&results);
    let own = ["GET GET", "witness", "census", "SHOULD", "peers"];
    for table in shown.iter().flat_map(|(_, tables)| tables) {
        let heads =
            table.lines.iter().map(|line| &line.head).chain(table.columns.iter().map(|column| &column.name));
        for text in heads.chain([&table.title, &table.note, &table.first]).chain(&table.sentences) {
            let found = own.iter().find(|word| text.contains(*word));
            assert_eq!(found, None, "in `{}`: {text}", table.title);
        }
    }
}
