//! Counts lines, and finds files and functions that are too long.

use std::error::Error;
use std::path::Path;

use crate::rust::{self, Function};
use crate::tree::File;

/// The most lines of a file.
const FILE: usize = 400;

/// The most lines of a function, from `fn` to the closing brace.
const FUNCTION: usize = 60;

/// The folder of the harness, and within it the one of its scenarios.
const HARNESS: &str = "crates/harness/";
const SCENARIOS: &str = "/src/scenarios/";

/// Prints the lengths of the harness and of everything, and returns a complaint for each file and function that is too long.
pub(crate) fn check(_: &Path, files: &[File]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut complaints = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        if lines > FILE {
            complaints.push(format!("{} has {lines} lines, more than {FILE}", file.path));
        }
        for Function { name, line, lines } in rust::functions(&file.tokens) {
            if lines > FUNCTION {
                complaints
                    .push(format!("{}:{line}: `{name}` has {lines} lines, more than {FUNCTION}", file.path));
            }
        }
    }
    let harness = |file: &&File| file.path.starts_with(HARNESS);
    let code = |file: &&File| !file.is_test() && !file.path.contains(SCENARIOS);
    report("all", files.iter().collect());
    report("harness", files.iter().filter(harness).collect());
    report("harness without scenarios and tests", files.iter().filter(harness).filter(code).collect());
    Ok(complaints)
}

/// Prints the number of lines of `files`, without modules of tests, the longest file, and the lengths of the functions.
fn report(what: &str, files: Vec<&File>) {
    let lines = |file: &&&File| file.text.lines().count();
    let all: usize = files.iter().map(|file| lines(&file) - rust::test_lines(&file.tokens)).sum();
    println!("sizes: {what}: {} files, {all} lines without `mod tests`", files.len());
    if let Some(longest) = files.iter().max_by_key(lines) {
        println!("sizes:   longest file   {:4} lines  {}", lines(&longest), longest.path);
    }
    let mut functions: Vec<Function> = files.iter().flat_map(|file| rust::functions(&file.tokens)).collect();
    functions.sort_by_key(|function| function.lines);
    if let Some(longest) = functions.last() {
        let ninetieth = functions[(functions.len() - 1) * 9 / 10].lines;
        println!("sizes:   functions p90  {ninetieth:4} lines, of {}", functions.len());
        println!("sizes:   longest        {:4} lines  {}", longest.lines, longest.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        check(Path::new("."), &[File::parse("x.rs", text.into()).expect("the text is Rust")])
            .expect("nothing is read")
    }

    #[test]
    fn allows_a_file_of_400_lines_and_a_function_of_60() {
        let function = format!("fn a() {{\n{}}}\n", "a();\n".repeat(58));
        assert_eq!(complaints(&function), Vec::<String>::new());
        assert_eq!(complaints(&"\n".repeat(400)), Vec::<String>::new());
    }

    #[test]
    fn names_what_is_longer() {
        let function = format!("\nfn a() {{\n{}}}\n", "a();\n".repeat(59));
        assert_eq!(complaints(&function), ["x.rs:2: `a` has 61 lines, more than 60"]);
        assert_eq!(complaints(&"\n".repeat(401)), ["x.rs has 401 lines, more than 400"]);
    }
}
