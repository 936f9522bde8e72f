//! The code of the section "What to do" of README.md in Go and Python, run: work stops at the step behind the end of its
//! context. The documentation tests of `contract` compile its Rust.

use std::path::Path;
use std::process::Command;

const SECTION: &str = "\n## What to do\n";
/// The steps that run: the second ends the context, so that the third does not begin.
const RUN: &str = "2";

/// Returns the code of the section in one language.
fn code(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(path).expect("the repository has a README");
    let (_, section) = readme.split_once(SECTION).expect("the README says what to do");
    let (section, _) = section.split_once("\n## ").expect("a section follows");
    let (_, code) = section.split_once(&format!("\n```{language}\n")).expect("the language has its code");
    code.split("```").next().unwrap_or_default().to_owned()
}

/// Writes a program, runs it, and returns what it printed; `None` where the language is not on this machine, unless under CI.
fn printed(program: &str, words: &[&str], file: &str, text: &str) -> Option<String> {
    let is_here = Command::new(program).arg("--help").output().is_ok();
    if !is_here && std::env::var_os("CI").is_none() {
        eprintln!("no `{program}` on the PATH: its code in README.md was not run");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    std::fs::create_dir_all(&folder).expect("a test has a folder of its own");
    std::fs::write(folder.join(file), text).expect("a test has a folder of its own");
    let output = Command::new(program).args(words).arg(file).current_dir(&folder).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn the_go_of_the_readme_stops_at_the_end_of_its_context() {
    let text = format!(
        "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n)\n\n{}\n\
         func main() {{\n\tctx, cancel := context.WithCancel(context.Background())\n\trun := 0\n\
         \tstep := func() {{\n\t\tif run++; run == {RUN} {{\n\t\t\tcancel()\n\t\t}}\n\t}}\n\
         \tif err := work(ctx, []func(){{step, step, step}}); err == context.Canceled {{\n\t\tfmt.Println(run)\n\t}}\n}}\n",
        code("go")
    );
    if let Some(run) = printed("go", &["run"], "work.go", &text) {
        assert_eq!(run, RUN);
    }
}

#[test]
fn the_python_of_the_readme_stops_at_the_end_of_its_context() {
    let text = format!(
        "{}\nimport threading\nstop, run = threading.Event(), []\n\ndef step():\n    run.append(1)\n    \
         if len(run) == {RUN}:\n        stop.set()\n\nwork(stop, [step] * 3)\nprint(len(run))\n",
        code("python")
    );
    if let Some(run) = printed("python3", &[], "work.py", &text) {
        assert_eq!(run, RUN);
    }
}
