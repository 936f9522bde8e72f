//! The code of the section "What to do" of README.md in Go and Python, run: work stops at the step behind the end of its
//! context. The documentation tests of `contract` compile its Rust. And the commands of all documents: their flags exist, and
//! the servers, scenarios, styles and endpoints that they name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::Call;
use suite::scenarios;
use testbed::capability::Capability;
use testbed::catalog::Catalog;
use testbed::{adapters, proxies};

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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the documents of the repository for its readers, with their paths from its root.
fn documents() -> Vec<(String, String)> {
    let root = root();
    let entries = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).expect("the folder is there");
        entries.map(|entry| entry.expect("the folder can be read").path())
    };
    let packages = entries(root.join("crates")).filter(|path| path.join("README.md").exists());
    let folders = [root.clone(), root.join("docs"), root.join("benches"), root.join("peers")];
    let paths = folders.into_iter().chain(packages).flat_map(entries);
    let pages = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("the page can be read");
        (path.strip_prefix(&root).expect("it lies below the root").display().to_string(), text)
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
    for (name, page) in documents() {
        for piece in pieces(&page).iter().filter(|piece| piece.starts_with("scripts/")) {
            let script = piece.split(' ').next().unwrap_or_default();
            assert!(root().join(script).exists(), "{name} names {script}");
        }
    }
}

/// The names of the values that a subcommand takes, by its help: behind each flag, and of the arguments in their order.
struct Takes {
    flags: HashMap<String, String>,
    arguments: Vec<String>,
}

impl Takes {
    fn of(subcommand: &str) -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_lab")).args([subcommand, "--help"]).output();
        let help = String::from_utf8(output.expect("the lab can be run").stdout).expect("help is text");
        let (mut flags, mut arguments) = (HashMap::new(), Vec::new());
        for line in help.lines().filter_map(|line| line.trim().split("  ").next()) {
            let bare = |text: &str| text.trim_matches(['[', ']', '<', '>', '.']).to_owned();
            if line.starts_with("--") {
                flags.extend(line.split_once(" <").map(|(flag, value)| (flag.to_owned(), bare(value))));
            } else if line.starts_with(['[', '<']) && !line.contains(' ') {
                arguments.push(bare(line));
            }
        }
        Self { flags, arguments }
    }

    /// Returns each value of a command with the name of what it stands for.
    fn values<'a>(&'a self, words: &'a [String]) -> Vec<(&'a str, &'a str)> {
        let (mut words, mut position, mut values) = (words.iter().map(String::as_str), 0, Vec::new());
        while let Some(word) = words.next() {
            if let Some(name) = self.flags.get(word) {
                values.extend(words.next().map(|value| (name.as_str(), value)));
            } else if word.starts_with('/') {
                values.push(("TARGET", word));
            } else if !word.starts_with('-') && !self.arguments.is_empty() {
                // The last argument is the one that may come again.
                values.push((&self.arguments[position.min(self.arguments.len() - 1)], word));
                position += 1;
            }
        }
        values
    }
}

/// Tells whether a word of a document stands for one that its reader puts there: `NAME`, `<name>`, `$ASK`.
fn stands_for_another(word: &str) -> bool {
    word.starts_with(['<', '$']) || !word.chars().any(char::is_lowercase)
}

/// Returns what is wrong with the path and the parameters of a request; `None` where a server of the lab takes them.
fn refused(target: &str) -> Option<String> {
    let request = http::Request::get(target).header("host", "lab").body(());
    let Ok((head, ())) = request.map(http::Request::into_parts) else {
        return Some(format!("`{target}` is no target"));
    };
    Call::read(&head, String::new).err().map(|refusal| format!("`{target}`: {refusal:?}"))
}

/// Returns what is wrong with a value of a subcommand, by the name of what it stands for.
fn unknown(subcommand: &str, name: &str, value: &str, catalog: &Catalog) -> Option<String> {
    let known = match name {
        "SERVER" | "SERVER,SERVER" | "SERVER,…" => {
            value.split(',').try_for_each(|one| catalog.find(one).map(|_| ()))
        }
        "PATTERN" if subcommand == "through" => {
            scenarios::select_from(scenarios::through(), value).map(|_| ())
        }
        "PATTERN" | "ID|AREA" => scenarios::select_from(scenarios::every(), value).map(|_| ()),
        "NAME" if subcommand == "through" => {
            proxies::all(&root()).and_then(|all| proxies::find(&all, &[value.to_owned()])).map(|_| ())
        }
        "NAME" => {
            let (adapter, variant) = value.split_once('/').unwrap_or((value, ""));
            let all = adapters::read(&root()).expect("the adapters can be read");
            let has = |one: &adapters::Adapter| {
                variant.is_empty() || one.variants.iter().any(|two| two.name == variant)
            };
            let found = all.iter().any(|one| one.name == adapter && has(one));
            found.then_some(()).ok_or_else(|| format!("no adapter is called `{value}`"))
        }
        "NAME=VALUE" => {
            let flag = format!("--{}", value.split('=').next().unwrap_or_default());
            Capability::flag(&flag).map(|_| ()).ok_or_else(|| format!("no server takes `{flag}`"))
        }
        "TARGET" => return refused(value),
        _ => Ok(()),
    };
    known.err()
}

#[test]
fn every_server_scenario_style_and_flag_in_a_command_of_the_documents_is_one_there_is() {
    let catalog = Catalog::read(&root()).expect("the list of servers can be read");
    let (mut takes, mut wrong, mut asked) = (HashMap::new(), Vec::new(), 0);
    for (page, text) in documents() {
        for words in pieces(&text).iter().filter_map(|piece| command(piece)) {
            let Some((subcommand, rest)) = words.split_first().filter(|(first, _)| !first.starts_with('-'))
            else {
                continue;
            };
            let takes = takes.entry(subcommand.clone()).or_insert_with(|| Takes::of(subcommand));
            for (name, value) in
                takes.values(rest).into_iter().filter(|(_, value)| !stands_for_another(value))
            {
                asked += 1;
                let why = unknown(subcommand, name, value, &catalog);
                wrong.extend(why.map(|why| format!("{page}: lab {}: {why}", words.join(" "))));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 60, "only {asked} values were found");
}

#[test]
fn every_url_of_a_command_of_the_documents_has_a_path_and_parameters_that_servers_take() {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (page, text) in documents() {
        for piece in pieces(&text).iter().filter(|piece| {
            ["curl ", "python3 "].iter().chain(&CALLS).any(|program| piece.starts_with(program))
        }) {
            let urls = shlex::split(piece).unwrap_or_default();
            let targets = urls.iter().filter_map(|word| Some(word.split_once("://")?.1.split_once('/')?.1));
            for target in targets.map(|target| format!("/{target}")) {
                asked += 1;
                // The admin address has these.
                let is_admin = ["/census", "/metrics"].contains(&target.as_str());
                let why = if is_admin { None } else { refused(&target) };
                wrong.extend(why.map(|why| format!("{page}: {piece}: {why}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 5, "only {asked} URLs were found");
}

#[test]
fn every_query_of_the_documents_asks_for_the_name_that_the_servers_give_their_connections() {
    let session = std::fs::read_to_string(root().join("crates/contract/src/database/session.rs"));
    let session = session.expect("the source is there");
    for (page, text) in documents() {
        for piece in pieces(&text).iter().filter(|piece| piece.starts_with("psql ")) {
            let name = piece.split_once("application_name = '").and_then(|(_, rest)| rest.split('\'').next());
            let is_given = |name: &str| session.contains(&format!("(\"application_name\", \"{name}\")"));
            assert!(name.is_some_and(is_given), "{page}: {piece}");
        }
    }
}
