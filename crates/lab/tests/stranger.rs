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
    // A busy machine may take its time to start the interpreter.
    let args = ["check", "--run", &run, "--only", "stranger", "--start-timeout", "1m"];
    let output = lab(&[&args, more].concat());
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
    assert_ne!(answer(&stdout, "answered in time?"), "not judged", "{stdout}");
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
    for question in ["stops at its deadline?", "stops when its client leaves?"] {
        assert!(answer(&stdout, question).starts_with("no"), "{stdout}");
    }
    for part in ["Mend first: ", "  cause:  ", "  remedy: ", "> GET /slow", " ms  work "] {
        assert!(stdout.contains(part), "no `{part}` in:\n{stdout}");
    }
}

#[test]
fn the_verdict_can_be_pasted_into_an_issue() {
    let (stdout, _) = judged("bare.py", &["--format", "markdown"]);
    assert!(stdout.starts_with("| question | answer | not with |\n| --- | --- | --- |\n"), "{stdout}");
    assert!(stdout.contains("| answered in time? | ") && stdout.contains(" need `witness`: "), "{stdout}");
    // A shell that the command is pasted into must see the words that it was given.
    assert!(
        stdout.contains("check --run \"python3 '") && stdout.contains("bare.py'\" --only stranger"),
        "{stdout}"
    );
}

#[test]
fn scenarios_asked_for_by_name_have_their_rows_above_the_verdict() {
    let run = format!("python3 '{}/tests/stranger/bare.py'", env!("CARGO_MANIFEST_DIR"));
    let args = ["check", "--run", &run, "--only", "deadline/answers-504,values", "--start-timeout", "1m"];
    let output = lab(&args);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.lines().any(|line| line.starts_with("  ") && line.contains(" deadline/answers-504 ")),
        "{stdout}"
    );
    assert!(!stdout.contains("values/"), "{stdout}");
    assert_ne!(answer(&stdout, "answered in time?"), "not judged", "{stdout}");
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

#[test]
fn a_request_to_a_server_of_the_users_own_is_drawn_with_its_work() {
    let run = |server: &str| format!("python3 '{}/tests/stranger/{server}'", env!("CARGO_MANIFEST_DIR"));
    let shown = |server: &str| {
        let args = ["show", "--run", &run(server), "--deadline", "300ms", "--start-timeout", "1m"];
        String::from_utf8_lossy(&lab(&args).stdout).into_owned()
    };
    let heard = shown("heard.py");
    assert!(heard.contains("answered 504") && heard.contains("verdict   zombie: "), "{heard}");
    let bare = shown("bare.py");
    assert!(bare.contains("answered 504") && bare.contains("its work is heard when "), "{bare}");
    let twice = lab(&["show", "--run", &run("bare.py"), "/slow", "/fast"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("the target is the only word"));
}

/// A repository with one server in its list, removed on drop.
struct Repository(std::path::PathBuf);

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_server_of_the_users_own_has_a_row_beside_the_others_and_a_series_in_every_figure() {
    let folder = Repository(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("stranger-compare"));
    std::fs::create_dir_all(&folder.0).expect("a test has a folder of its own");
    let server = format!("{}/tests/stranger/heard.py", env!("CARGO_MANIFEST_DIR"));
    let list = format!(
        "[[server]]\nname = \"listed\"\nabout = \"one of the list\"\nrun = \"python3 '{server}'\"\nsupports = [\"witness\", \"style:context\"]\n"
    );
    std::fs::write(folder.0.join("servers.toml"), list).expect("a test has a folder of its own");
    let run = format!("python3 '{server}'");
    let args = ["compare", "--quick", "--no-build", "--measure-only=zombie", "--out", "out", "listed"];
    let args = [&args[..], &["--run", &run, "--start-timeout", "1m"]].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(args)
        .current_dir(&folder.0)
        .output()
        .expect("the lab can be run");
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let has = |name: &str, cell: &str| {
        told.lines().any(|line| line.split_whitespace().next() == Some(name) && line.contains(cell))
    };
    // One of the list is told by a flag where its witness is, and this program knows the variable alone.
    assert!(has("run", "zombie ") && has("listed", "no start heard"), "{told}");
    let results = std::fs::read_to_string(folder.0.join("out/results.json")).expect("it was written");
    let results: serde_json::Value = serde_json::from_str(&results).expect("it is JSON");
    let names: Vec<_> =
        results["servers"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["listed", "run"]);
    let page = std::fs::read_to_string(folder.0.join("out/report.html")).expect("it was written");
    assert!(page.contains(">run<"), "no bar of the server in the report");
}

#[test]
fn a_command_that_names_flags_is_given_them_by_the_scenarios_that_need_them() {
    let file = format!("{}/tests/stranger/flags.py", env!("CARGO_MANIFEST_DIR"));
    let verdicts = |flags: &str, only: &str| {
        let run = format!("python3 '{file}' {{port}} {flags}");
        let output =
            lab(&["check", "--run", &run, "--only", only, "--start-timeout", "1m", "--format", "json"]);
        let run: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let rows = run["results"].as_array().expect("there are results").iter();
        let mut rows: Vec<String> = rows.map(|row| format!("{} {}", row["id"], row["verdict"])).collect();
        rows.sort();
        rows.join(", ").replace("outside/upstream-", "").replace('"', "")
    };
    let only = "outside/upstream-unset,outside/upstream-no-budget,outside/upstream-shutdown";
    assert_eq!(
        verdicts("--upstream={upstream} --reserve={reserve} --request-timeout={request-timeout}", only),
        "no-budget pass, shutdown unsupported, unset pass"
    );
    assert_eq!(
        verdicts("--upstream={upstream} --reserve={reserve}", only),
        "no-budget unsupported, shutdown unsupported, unset unsupported"
    );
    // It refuses the timeout, and is then to be given `--threads`, which its command does not name.
    assert_eq!(
        verdicts("--request-timeout={request-timeout}", "baseline/bad-flag-exit-2"),
        "baseline/bad-flag-exit-2 unsupported"
    );
}
