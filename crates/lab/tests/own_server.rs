//! `docs/own-server.md`, followed to the letter: its servers are written as they stand there, its commands are run, and what
//! comes of them is what it says.
//!
//! A fence whose info string names a file is that file; a `console` fence is commands. Those before the first server are run
//! in the repository, and each server's in a folder of its own. A server whose language is not on this machine fails under
//! `CI`, and is ignored elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use suite::missing;
use testbed::capability::Capability;

/// A server of the document: its heading, the program that runs it, and the package of Debian that has this program.
const SERVERS: [(&str, &str, &str); 3] =
    [("Python", "python3", "python3"), ("Node", "node", "nodejs"), ("Go", "go", "golang-go")];
/// The longest time that a server's commands may take: several times what they take on a machine with other work.
const MOST: Duration = Duration::from_secs(180);
/// The command of the document that puts `lab` on the PATH; here it is the one under test.
const INSTALL: &str = "cargo install --locked --path crates/lab";
/// The scenarios that judge work, and not only answers.
const WORK: [&str; 3] = ["work/context", "work/completes-once", "disconnect/fin"];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // Side by side they would take each other's time.
    args.test_threads.get_or_insert(1);
    let trials = SERVERS.into_iter().map(|(language, program, package)| {
        let name = format!("the_server_in_{}_is_judged_as_its_document_says", language.to_lowercase());
        let is_here = Command::new(program).arg("--help").output().is_ok();
        let wants = format!("no `{program}` on the PATH: apt-get install --no-install-recommends {package}");
        if is_here {
            return Trial::test(name, move || follow(language));
        }
        let is_ci = std::env::var_os("CI").is_some();
        if !is_ci {
            eprintln!("IGNORED: {name}: {wants}");
        }
        Trial::test(name, move || Err(wants.into())).with_ignored_flag(!is_ci)
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

/// A folder of one server, which is removed with it.
struct Place(PathBuf);

impl Place {
    fn new(language: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("lab-own-{language}-{}", std::process::id()));
        let place = Self(path);
        std::fs::create_dir_all(place.0.join("server"))?;
        std::fs::create_dir_all(place.0.join("bin"))?;
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lab"), place.0.join("bin/lab"))?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The fences of a part of the document, in their order: the info string and the text of each.
fn fences(text: &str) -> Vec<(&str, String)> {
    let fences = text.split("\n```").skip(1).step_by(2).filter_map(|fence| fence.split_once('\n'));
    fences.map(|(info, text)| (info, format!("{text}\n"))).collect()
}

/// The commands of a part's `console` fences, a line each.
fn commands(text: &str) -> Vec<String> {
    let consoles = fences(text).into_iter().filter(|(info, _)| *info == "console");
    let lines: String = consoles.map(|(_, text)| text).collect();
    lines.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// The cells of the table whose first heading is `heading`, without its head.
fn table<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let head = format!("| {heading} |");
    let lines = text.lines().skip_while(|line| !line.starts_with(&head)).skip(2);
    let lines = lines.take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The parts in backticks.
fn quoted(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The number that stands behind `before`.
fn number(text: &str, before: &str) -> Option<u64> {
    let (_, behind) = text.split_once(before)?;
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}

/// The needs in a table's words: all flags are one.
fn need(word: &str) -> String {
    if word.starts_with("flag:") { "flag:…".to_owned() } else { word.to_owned() }
}

/// Does what the document says for one language, and compares what comes of it with what the document says.
fn follow(language: &str) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no repository")?;
    let document = std::fs::read_to_string(root.join("docs/own-server.md"))?;
    let (once, _) = document.split_once("\n## ").ok_or("no part")?;
    let (_, part) = document.split_once(&format!("\n## {language}\n")).ok_or("no part of this language")?;
    let (part, _) = part.split_once("\n## ").ok_or("nothing behind it")?;

    let place = Place::new(language)?;
    let server = place.0.join("server");
    for (name, text) in fences(part).iter().filter_map(|(info, text)| Some((info.split_once(' ')?.1, text))) {
        std::fs::write(server.join(name), text)?;
    }
    let (install, set): (Vec<_>, Vec<_>) = commands(once).into_iter().partition(|line| line == INSTALL);
    holds(install.len() == 1, || format!("the document installs `lab` in another way: {set:?}"))?;
    let mut run = commands(part);
    let judging = run.pop().ok_or("no command")?;
    let script = format!(
        "set -e\n{}\ncd '{}'\n{}\nset +e\n{judging}\n",
        set.join("\n"),
        server.display(),
        run.join("\n")
    );
    let path = std::env::join_paths(
        std::iter::once(place.0.join("bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let began = Instant::now();
    let output = Command::new("sh")
        .arg("-c")
        .arg(&script)
        .env("PATH", path)
        .current_dir(root)
        .stdin(Stdio::null())
        .output()?;
    let took = began.elapsed();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let status = number(part, "exit status ").ok_or("the document states no exit status")?;
    holds(output.status.code().and_then(|code| u64::try_from(code).ok()) == Some(status), || {
        format!("{} in place of {status}: {told}", output.status)
    })?;
    let judged = std::fs::read_to_string(server.join("judged/results.json"))?;
    compare(&document, part, language, &serde_json::from_str(&judged)?)?;
    holds(took < MOST, || format!("it took {took:.1?}"))
}

/// Compares a run with the document's tables: what failed, that the work was judged, and what was lacking.
fn compare(document: &str, part: &str, language: &str, run: &serde_json::Value) -> Result<(), Failed> {
    let rows = run["results"].as_array().ok_or("no results")?;
    let of = |verdict: &str| -> BTreeSet<String> {
        let rows = rows.iter().filter(|row| row["verdict"] == verdict);
        rows.filter_map(|row| row["id"].as_str()).map(str::to_owned).collect()
    };
    let stated: BTreeSet<String> = table(part, "fails").iter().flat_map(|row| quoted(row[0])).collect();
    let failed = of("fail");
    holds(!stated.is_empty() && failed == stated, || {
        let seen: Vec<String> = rows
            .iter()
            .filter(|row| row["verdict"] == "fail")
            .map(|row| format!("{}: {}", row["id"], row["observed"]))
            .collect();
        format!("the document says that {stated:?} fail; what failed: {seen:#?}")
    })?;
    let (passed, errors) = (of("pass"), of("error"));
    holds(errors.is_empty(), || format!("not judged: {errors:?}"))?;
    for id in WORK {
        holds(passed.contains(id) || failed.contains(id), || format!("{id} was not judged: {run}"))?;
    }
    let lacked = rows.iter().flat_map(|row| row["lacks"].as_array().into_iter().flatten());
    let lacked: BTreeSet<String> = lacked.filter_map(|word| word.as_str()).map(need).collect();
    let column = 1 + SERVERS.iter().position(|(name, ..)| *name == language).ok_or("no column")?;
    let lacks = table(document, "lacks");
    let stated: BTreeSet<String> =
        lacks.iter().filter(|row| !row[column].is_empty()).flat_map(|row| quoted(row[0])).collect();
    holds(lacked == stated, || format!("the document says that it lacks {stated:?}; it lacks {lacked:?}"))?;
    for row in lacks.iter().filter(|row| !row[0].starts_with("`flag:")) {
        let word = quoted(row[0]).next().ok_or("no need is named")?;
        let known = Capability::ALL.iter().find(|known| known.word() == word).ok_or("no such need")?;
        holds(missing::takes(*known) == row[4], || format!("`lab check` says: {}", missing::takes(*known)))?;
    }
    Ok(())
}
