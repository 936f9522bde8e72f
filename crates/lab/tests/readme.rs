//! The code of the section "What to do" of README.md in Go and Python, run: work stops at the step behind the end of its
//! context. The documentation tests of `contract` compile its Rust. And the commands of all documents: their flags exist.

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

/// The ways in which the documents call the lab.
const CALLS: [&str; 3] = ["lab ", "cargo run --release -p lab -- ", "cargo run --quiet --release -p lab -- "];

/// Returns the documents of the repository for its readers, with their names.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders =
        ["", "docs"].map(|folder| std::fs::read_dir(root.join(folder)).expect("the folder is there"));
    let paths = folders.into_iter().flatten().map(|entry| entry.expect("the folder can be read").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("the page can be read");
        (path.file_name().expect("a file has a name").to_string_lossy().into_owned(), text)
    };
    pages.map(read).collect()
}

/// Returns the code of a page: each line of a fence, and each piece between backticks with its lines as one.
fn pieces(page: &str) -> Vec<String> {
    let (mut pieces, mut prose, mut fenced) = (Vec::new(), String::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            pieces.push(line.trim_start_matches("$ ").to_owned());
        } else {
            prose += line;
            // A paragraph that lacks a backtick changes no other.
            prose.push(if line.is_empty() { '\n' } else { ' ' });
        }
    }
    for paragraph in prose.lines() {
        pieces.extend(paragraph.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    pieces
}

/// Returns the words of a command of the lab, up to the program that it starts; `None` for other code.
fn command(piece: &str) -> Option<Vec<String>> {
    let rest = CALLS.iter().find_map(|call| piece.strip_prefix(call))?;
    let words = shlex::split(rest.split(" #").next()?)?;
    Some(words.into_iter().take_while(|word| !matches!(word.as_str(), "--" | "&" | "|" | ">")).collect())
}

#[test]
fn every_command_of_the_documents_has_its_name_and_its_flags() {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (name, page) in documents() {
        for words in pieces(&page).iter().filter_map(|piece| command(piece)) {
            asked += 1;
            // The flags before it are read first.
            let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(&words).arg("--help").output();
            let output = output.expect("the lab can be run");
            let said = String::from_utf8_lossy(&output.stderr);
            // A sentence may name a flag without its value.
            if !output.status.success() && !said.contains("a value is required") {
                wrong.push(format!("{name}: lab {}: {}", words.join(" "), said.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 60, "only {asked} commands were found");
}

#[test]
fn every_script_that_the_documents_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, page) in documents() {
        for piece in pieces(&page).iter().filter(|piece| piece.starts_with("scripts/")) {
            let script = piece.split(' ').next().unwrap_or_default();
            assert!(root.join(script).exists(), "{name} names {script}");
        }
    }
}
