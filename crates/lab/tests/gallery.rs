//! A small gallery from end to end: a server of Python's standard library in two ways, and two that cannot be had.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SCENARIOS: &str = "deadline/answers-504,work/context,disconnect/fin,disconnect/rst,spared/signals";

/// A repository with three adapters, removed on drop.
struct Repository(PathBuf);

impl Repository {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gallery");
        let put = |file: &str, at: &str| {
            let at = folder.join(at);
            std::fs::create_dir_all(at.parent().expect("a file stands in a folder"))
                .expect("a test has a folder of its own");
            std::fs::copy(files.join(file), at).expect("a test has a folder of its own");
        };
        put("stdlib.toml", "peers/python/stdlib/adapter.toml");
        put("server.py", "peers/python/stdlib/server.py");
        put("missing.toml", "peers/none/missing/adapter.toml");
        put("unfetched.toml", "peers/python/unfetched/adapter.toml");
        std::fs::write(folder.join("peers/python/unfetched/requirements.txt"), "# nothing\n")
            .expect("a test has a folder of its own");
        std::fs::write(folder.join("servers.toml"), "server = []\n").expect("a test has a folder of its own");
        Self(folder)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.arg("gallery").args(args).current_dir(&self.0).env_remove("CARGO_TARGET_DIR");
        command
    }

    fn gallery(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the lab can be run")
    }

    fn page(&self) -> String {
        std::fs::read_to_string(self.0.join("docs/gallery.md")).expect("the page was written")
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_run_writes_a_page_in_which_the_red_cell_has_its_cause_and_a_mend_that_is_green() {
    let repository = Repository::new("gallery-run");
    let output = repository.gallery(&["--only", SCENARIOS]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let page = repository.page();
    let row = |name: &str| page.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("| `stdlib/plain`").contains("| yes | yes | **no** | yes |"), "{page}\n{told}");
    assert!(row("| `stdlib/watching`").contains("| yes | yes | yes | yes |"), "{page}\n{told}");
    assert!(row("| `missing/plain`").contains("| – | – | – | – | absent |"), "{page}");
    assert!(page.contains("cause: nothing reads while the work runs"), "{page}");
    assert!(page.contains("mend: `stdlib/watching` (all 2 scenarios pass there)"), "{page}");
    assert!(page.contains("- `missing/plain`: no `no-such-program-anywhere` on the PATH"), "{page}");
    let unfetched =
        "- `unfetched/plain`: its packages are not installed; `--install` does `python3 -m venv .venv`";
    assert!(page.contains(unfetched), "{page}");
    let html = std::fs::read_to_string(repository.0.join("target/lab/gallery.html"))
        .expect("the page of the report was written");
    assert!(html.contains("<a href=\"#stdlib-plain-disconnect\">no</a>"), "{html}");
}

#[test]
fn a_run_of_one_server_keeps_what_is_known_of_the_others() {
    let repository = Repository::new("gallery-one");
    let first = repository.gallery(&["missing", "--only", SCENARIOS]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let second = repository.gallery(&["stdlib/watching", "--only", "deadline/answers-504"]);
    assert_eq!(second.status.code(), Some(0), "{}", String::from_utf8_lossy(&second.stderr));
    let page = repository.page();
    assert!(page.contains("| – | – | – | – | absent |"), "{page}");
    assert!(page.contains("| yes | – | – | – |"), "{page}");
    assert!(page.contains("| – | – | – | – | not run |"), "{page}");
}

#[test]
fn an_interrupted_run_keeps_what_was_judged_and_says_how_much_that_is() {
    let repository = Repository::new("gallery-interrupted");
    let mut command = repository.command(&["--only", SCENARIOS]);
    let mut run = command.stderr(Stdio::piped()).spawn().expect("the lab can be run");
    let stderr = run.stderr.take().expect("its stderr is piped");
    let mut told = String::new();
    for line in BufReader::new(stderr).lines() {
        let line = line.expect("the lab writes text");
        // The result of a server that cannot be had is there at once, and those of the others are not.
        if line.contains("missing/plain: absent") {
            let kill = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
            assert!(kill.expect("there is `kill`").success());
        }
        told += &format!("{line}\n");
    }
    assert_eq!(run.wait().expect("it is a child").code(), Some(130), "{told}");
    let kept =
        std::fs::read_to_string(repository.0.join("docs/results/gallery.json")).expect("it was written");
    let kept: serde_json::Value = serde_json::from_str(&kept).expect("the file is whole");
    let names: Vec<&String> = kept["servers"].as_object().expect("it has servers").keys().collect();
    assert!(names.len() < 4 && names.iter().any(|name| *name == "missing/plain"), "{names:?}");
    assert!(told.contains(&format!("interrupted: {} of 4 servers were judged", names.len())), "{told}");
    assert!(repository.page().contains("| – | – | – | – | absent |"), "{}", repository.page());
    let files = std::fs::read_dir(repository.0.join("docs/results")).expect("it is a folder").count();
    assert_eq!(files, 1, "nothing half-written is left");
}

#[test]
fn servers_are_started_and_not_asked_where_only_readiness_is_wanted() {
    let repository = Repository::new("gallery-ready");
    let output = repository.gallery(&["stdlib", "missing", "--ready"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    for part in
        ["stdlib/watching: ready after", "missing/plain: not ready: no `no-such", "2 of 3 servers are ready"]
    {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!repository.0.join("docs").exists(), "nothing was judged, so nothing is written");
}

#[test]
fn an_unknown_name_lists_the_adapters_there_are() {
    let output = Repository::new("gallery-name").gallery(&["fastapy"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("no adapter is called `fastapy`; there are: missing, stdlib, unfetched"), "{told}");
}
