//! The code in the documents and findings, read by its own language: none is shown that does not parse.
//!
//! Other tests run most of it. Some of it is for a newer Go than a distribution has, or needs a program that CI lacks.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The languages, each with a command that reads code from stdin and fails where it does not parse.
const PARSERS: [(&str, &[&str]); 3] = [
    ("rust", &["rustfmt", "--edition", "2024", "--emit", "stdout"]),
    ("go", &["gofmt", "-e"]),
    ("python", &["python3", "-c", "import ast, sys; ast.parse(sys.stdin.read())"]),
];

/// Returns the code of a page in one language, each with its first line.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut fences = page.split("\n```").skip(1).step_by(2);
    let mut blocks = Vec::new();
    for fence in fences.by_ref() {
        let (info, code) = fence.split_once('\n').unwrap_or_default();
        if info.split([' ', ',']).next() == Some(language) {
            blocks.push(code.to_owned() + "\n");
        }
    }
    blocks
}

/// Returns what the parser of a language says against code; `None` where it is not on this machine, unless under CI.
fn faults(parser: &[&str], code: &str) -> Option<String> {
    let mut command = Command::new(parser[0]);
    command.args(&parser[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = command.spawn();
    if started.is_err() && std::env::var_os("CI").is_none() {
        eprintln!("no `{}` on the PATH: its code was not read", parser[0]);
        return None;
    }
    let mut child = started.unwrap();
    child.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_piece_of_code_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["", "docs", "docs/findings"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let (mut wrong, mut read) = (Vec::new(), 0);
    for path in paths.filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let page = fs::read_to_string(&path).unwrap();
        for (language, parser) in PARSERS {
            for code in blocks(&page, language) {
                read += 1;
                wrong.extend(faults(parser, &code).map(|said| format!("{}: {said}", path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read >= 20, "only {read} pieces were found");
}
