//! The verdict on servers that know nothing of the lab, as a user sees it: the whole output, on one screen.

use std::process::{Command, Output};

/// The lines of a terminal's screen, and its columns.
const SCREEN: (usize, usize) = (40, 100);

fn lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).args(args).output().expect("the lab can be run")
}

/// Judges one of the servers in `tests/stranger` by the four questions.
fn judged(server: &str, more: &[&str]) -> (String, Output) {
    let file = format!("{}/tests/stranger/{server}", env!("CARGO_MANIFEST_DIR"));
    let run = format!("python3 '{file}'");
    let output = lab(&[&["check", "--run", &run, "--only", "stranger"], more].concat());
    (String::from_utf8_lossy(&output.stdout).into_owned(), output)
}

/// Checks that everything that was printed fits on one screen.
fn fits(stdout: &str, output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines = stdout.lines().count() + stderr.lines().count();
    assert!(lines <= SCREEN.0, "{lines} lines:\n{stderr}{stdout}");
    assert!(stdout.lines().all(|line| line.chars().count() <= SCREEN.1), "{stdout}");
}

fn answer<'a>(stdout: &'a str, question: &str) -> &'a str {
    let line = stdout.lines().find_map(|line| line.strip_prefix(question));
    line.unwrap_or_else(|| panic!("no `{question}` in:\n{stdout}")).trim()
}

#[test]
fn a_server_of_fifteen_lines_without_a_witness_is_told_on_one_screen() {
    let (stdout, output) = judged("bare.py", &[]);
    fits(&stdout, &output);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(answer(&stdout, "answered in time?").starts_with("yes"), "{stdout}");
    for question in ["stops at its deadline?", "stops when its client leaves?"] {
        assert_eq!(answer(&stdout, question), "not judged", "{stdout}");
    }
    assert!(stdout.contains(" need `witness`: ") && stdout.contains("LAB_WITNESS"), "{stdout}");
    assert!(!stdout.lines().any(|line| line.trim_start().starts_with("unsupported")), "{stdout}");
}

#[test]
fn the_same_with_a_witness_is_told_what_to_mend_first_with_its_bytes() {
    let (stdout, output) = judged("heard.py", &[]);
    fits(&stdout, &output);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(answer(&stdout, "answered in time?").starts_with("yes"), "{stdout}");
    for question in ["stops at its deadline?", "stops when its client leaves?"] {
        assert!(answer(&stdout, question).starts_with("no"), "{stdout}");
    }
    for part in ["Mend first: work/context", "  cause:  ", "  remedy: ", "> GET /slow", "work beat"] {
        assert!(stdout.contains(part), "no `{part}` in:\n{stdout}");
    }
}

#[test]
fn the_verdict_can_be_pasted_into_an_issue() {
    let (stdout, _) = judged("bare.py", &["--format", "markdown"]);
    assert!(stdout.starts_with("| question | answer | not with |\n|---|---|---|\n"), "{stdout}");
    assert!(stdout.contains("| answered in time? | yes") && stdout.contains(" need `witness`: "), "{stdout}");
}

#[test]
fn scenarios_asked_for_by_name_have_their_rows_above_the_verdict() {
    let run = format!("python3 '{}/tests/stranger/bare.py'", env!("CARGO_MANIFEST_DIR"));
    let output = lab(&["check", "--run", &run, "--only", "deadline/answers-504,values"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("  pass        deadline/answers-504"), "{stdout}");
    assert!(!stdout.contains("values/"), "{stdout}");
    assert!(answer(&stdout, "answered in time?").starts_with("yes"), "{stdout}");
}

#[test]
fn an_area_is_listed_and_a_wrong_id_gets_the_nearest() {
    let area = lab(&["explain", "spared"]);
    let stdout = String::from_utf8_lossy(&area.stdout).into_owned();
    assert!(stdout.contains("spared/body-one") && !stdout.contains("disconnect/"), "{stdout}");
    let page = lab(&["explain", "disconnect/fin"]);
    let stdout = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(stdout.contains("- how it goes wrong: ") && stdout.contains("- what mends it: "), "{stdout}");
    let wrong = lab(&["explain", "disconect/fin"]);
    assert_eq!(wrong.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(stderr.contains("did you mean `disconnect/fin`"), "{stderr}");
}
