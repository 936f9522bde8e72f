//! The code that decides what becomes of the work: functions of the servers' own sources, with the lines that matter marked.

use serde::Serialize;

mod table;

use table::Server;

/// A function as it stands in a source.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Excerpt {
    /// The file, from the root of the repository.
    path: &'static str,
    /// The number of its first line in the file.
    first: usize,
    lines: Vec<Line>,
}

/// One line of code.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    text: &'static str,
    /// True for a line that decides.
    marked: bool,
}

/// The functions behind this style on this server, and those that hear of a client that disconnects if it `leaves`. Empty for a
/// server of unknown source.
pub(crate) fn behind(server: &str, style: &str, leaves: bool) -> Vec<Excerpt> {
    let Some(Server { files, parts, .. }) = table::SERVERS.iter().find(|known| known.names.contains(&server))
    else {
        return Vec::new();
    };
    let wanted = parts.iter().filter(|part| part.styles.contains(&style) || leaves && part.on_disconnect);
    let found = wanted.filter_map(|part| {
        let file = files.iter().find(|file| file.path.ends_with(part.file))?;
        let excerpt = excerpt(file.path, file.text, part.function, part.marks)?;
        // A function without such a line has another job on this server.
        excerpt.lines.iter().any(|line| line.marked).then_some(excerpt)
    });
    found.collect()
}

/// Cuts a function out of a file, with the comment above it.
fn excerpt(path: &'static str, text: &'static str, function: &str, marks: &[&str]) -> Option<Excerpt> {
    let lines: Vec<&'static str> = text.lines().collect();
    let head = lines.iter().position(|line| begins(line, function))?;
    let indent = indent(lines[head]);
    let is_end = |line: &&str| {
        if path.ends_with(".py") {
            !line.trim().is_empty() && self::indent(line) <= indent
        } else {
            self::indent(line) == indent
                && line.trim_end().ends_with('}')
                && line.trim_start().starts_with('}')
        }
    };
    let end = lines[head + 1..].iter().position(is_end).map_or(lines.len(), |end| {
        // Python's next line is the end of nothing, and a brace is a line of its function.
        head + 1 + end + usize::from(!path.ends_with(".py"))
    });
    let is_comment = |line: &&&str| line.trim_start().starts_with("//");
    let first = head - lines[..head].iter().rev().take_while(is_comment).count();
    let body = lines[first..end].iter().map(|line| line.get(indent..).unwrap_or_default());
    let mut lines: Vec<Line> = body.map(|text| Line { text, marked: is_marked(text, marks) }).collect();
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    Some(Excerpt { path, first: first + 1, lines })
}

/// True for the line that opens the function, in Rust, Go or Python.
fn begins(line: &str, function: &str) -> bool {
    let line = line.trim_start();
    let names = |before: &str| {
        line.split_once(before).is_some_and(|(_, rest)| {
            rest.strip_prefix(function).is_some_and(|rest| rest.starts_with(['(', '<']))
        })
    };
    !line.starts_with("//")
        && (names("fn ") || names("def ") || line.starts_with("func ") && (names("func ") || names(") ")))
}

fn is_marked(line: &str, marks: &[&str]) -> bool {
    let line = line.trim_start();
    !line.starts_with("//") && marks.iter().any(|mark| line.contains(mark))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use testbed::catalog::Catalog;

    use super::*;
    use crate::stand::STYLES;

    #[test]
    fn every_style_of_every_server_has_its_code_and_a_line_that_decides() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
        for server in &Catalog::read(root).unwrap().servers {
            for style in STYLES.iter().filter(|style| server.can(style.need)) {
                let found = behind(&server.name, style.name, false);
                assert!(!found.is_empty(), "{} {}", server.name, style.name);
            }
        }
    }

    #[test]
    fn each_sibling_shows_how_it_hears_of_a_disconnect() {
        for server in ["tokio", "async-std", "smol", "threads"] {
            let (with, without) = (behind(server, "drop", true), behind(server, "drop", false));
            assert!(with.len() > without.len(), "{server}");
        }
    }

    #[test]
    fn an_excerpt_is_what_stands_in_the_file() {
        for excerpt in behind("threads", "polling", true) {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
            let text = std::fs::read_to_string(root.join(excerpt.path)).unwrap();
            let there = text.lines().skip(excerpt.first - 1).map(str::trim_start);
            for (line, there) in excerpt.lines.iter().zip(there) {
                assert_eq!(line.text.trim_start(), there);
            }
        }
    }

    #[test]
    fn a_function_is_cut_in_each_language() {
        let rust = "fn other() {\n}\n\n/// Does.\nasync fn it<T>(\n    a: T,\n) {\n    if a {\n    }\n    go(a);\n}\n\nfn next() {}\n";
        let cut = excerpt("a.rs", rust, "it", &["go("]).unwrap();
        let marked: Vec<_> = cut.lines.iter().filter(|line| line.marked).map(|line| line.text).collect();
        assert_eq!((cut.first, cut.lines.len(), marked), (4, 8, vec!["    go(a);"]));
        let go = "// it does.\nfunc (p slow) it(a int) {\n\tgo(a)\n}\n";
        assert_eq!(excerpt("a.go", go, "it", &[]).unwrap().lines.len(), 4);
        let python = "class A:\n    def it(self):\n        if self:\n\n            go()\n\n    def next(self):\n        pass\n";
        let cut = excerpt("a.py", python, "it", &["go("]).unwrap();
        let lines: Vec<_> = cut.lines.iter().map(|line| line.text).collect();
        assert_eq!(lines, ["def it(self):", "    if self:", "", "        go()"]);
        assert_eq!(excerpt("a.rs", rust, "none", &[]), None);
    }

    #[test]
    fn a_server_of_unknown_source_has_none() {
        assert!(behind("run", "drop", true).is_empty());
    }
}
