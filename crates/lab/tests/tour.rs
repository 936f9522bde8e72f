//! `docs/tour.md` to the letter: every command on it is run, and what it prints has the shape of what the page shows.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::abreast;

/// A command may be unlucky on a machine with other work; what the page teaches shows within this many runs.
const TRIES: usize = 3;
/// Commands that run at once: each is one request, and waits nearly all of its time.
const ABREAST: usize = 2;
/// The servers of the lab.
const SERVERS: [&str; 4] = ["tokio", "async-std", "smol", "threads"];
/// The line that stands for lines which are not compared.
const REST: &str = "…";

/// A folder with the list of servers, whose builds are those of this test's profile.
struct Repository(PathBuf);

impl Repository {
    fn new() -> Self {
        let root = root();
        let built = Path::new(env!("CARGO_BIN_EXE_lab")).parent().expect("a program stands in a folder");
        let target = built.parent().expect("a profile's folder stands in the target folder");
        let profile = if built.ends_with("release") { " --release" } else { "" };
        // Of the whole workspace, as its test run builds them: of one server alone, cargo would build its dependencies anew
        // with fewer features.
        let build = format!(
            "cargo test --workspace --test conformance --no-run --locked --quiet{profile} --manifest-path {} --target-dir {}",
            root.join("Cargo.toml").display(),
            target.display()
        );
        let list = std::fs::read_to_string(root.join("servers.toml")).expect("the list can be read");
        let list = SERVERS.iter().fold(list, |list, name| {
            list.replace(
                &format!("\"cargo build --release --locked -p server-{name}\""),
                &format!("\"{build}\""),
            )
        });
        let list = list.replace("target/release/", &format!("{}/", built.display()));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tour");
        std::fs::create_dir_all(&folder).expect("a test has a folder of its own");
        std::fs::write(folder.join("servers.toml"), list).expect("a test has a folder of its own");
        Self(folder)
    }

    /// The command of the page, which begins with `lab`.
    fn lab(&self, words: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(words).current_dir(&self.0).env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
        command
    }

    /// Runs a command of the page, and gives what it prints.
    fn prints(&self, words: &[String]) -> String {
        if words.first().is_some_and(|word| word == "play") {
            return self.first_line(words);
        }
        let output = self.lab(words).output().expect("the lab can be run");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The first line of a command that goes on until it is ended; its servers end with it. Any free port will do.
    fn first_line(&self, words: &[String]) -> String {
        let port = words.iter().position(|word| word == "--port").expect("the page names a port");
        let words: Vec<_> = words.iter().take(port).cloned().chain(["tokio".into()]).collect();
        let mut child = self.lab(&words).stdout(Stdio::piped()).spawn().expect("the lab can be run");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it prints where it listens");
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
        line
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/tour.md")).expect("the page can be read")
}

/// The commands of a text, each with the lines that stand below it.
fn commands(text: &str) -> Vec<(Vec<String>, String)> {
    let fences = text.split("\n```console\n").skip(1);
    let blocks = fences.map(|rest| rest.split("\n```").next().expect("a fence ends"));
    blocks
        .map(|block| {
            let (command, output) = block.split_once('\n').expect("a command prints something");
            let command = command.strip_prefix("$ lab ").expect("a fence holds one command of the lab");
            (shlex::split(command).expect("it is a command"), output.to_owned())
        })
        .collect()
}

/// A line without what differs from run to run: lengths of bars, figures, and the work that is left for a moment.
fn shape(line: &str) -> String {
    let line = line.replace(['━', '█', '▒'], "");
    if line.starts_with("census ") {
        return "census".to_owned();
    }
    // Either is said of work that ends with its request, as the clocks have it.
    if line.starts_with("verdict   stopped: ") || line.contains("no work after the end of the request") {
        return "verdict stopped".to_owned();
    }
    let words = line.split_whitespace().map(|word| {
        let bare =
            word.trim_end_matches([',', ':']).trim_end_matches("ms").trim_start_matches("http://127.0.0.1:");
        if bare.parse::<f64>().is_ok() && (bare.contains('.') || bare != word) { "N" } else { word }
    });
    let words: Vec<_> = words.collect();
    let counted = |at: usize| words.get(at + 1).is_some_and(|next| *next == "beats");
    let words = words.iter().enumerate().map(|(at, word)| if counted(at) { "N" } else { *word });
    words.collect::<Vec<_>>().join(" ")
}

fn differ(shown: &str, printed: &str) -> Option<String> {
    let mut printed = printed.lines();
    for line in shown.lines().take_while(|line| *line != REST) {
        let got = printed.next().unwrap_or_default();
        if shape(line) != shape(got) {
            return Some(format!("the page shows\n  {line}\nand the command prints\n  {got}"));
        }
    }
    let rest: Vec<_> = printed.collect();
    (!shown.lines().any(|line| line == REST) && !rest.is_empty())
        .then(|| format!("the page leaves out\n{}", rest.join("\n")))
}

#[test]
fn every_command_prints_what_the_page_shows() {
    let repository = Repository::new();
    let wrong = abreast::each(ABREAST, &commands(&page()), |(words, shown)| {
        let mut difference = None;
        for _ in 0..TRIES {
            difference = differ(shown, &repository.prints(words));
            if difference.is_none() {
                break;
            }
        }
        difference.map(|difference| format!("lab {}: {difference}", words.join(" ")))
    });
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_of_eight_steps_has_a_command_a_picture_and_one_folded_answer() {
    let page = page();
    let steps: Vec<_> =
        page.split("\n## ").filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(steps.len(), 8);
    for (number, step) in (1..).zip(steps) {
        assert!(step.starts_with(&format!("{number}. ")), "step {number}");
        let (lesson, answer) =
            step.split_once("<details><summary>Answer</summary>\n").expect("an answer is folded");
        assert_eq!(lesson.matches("**Question.** ").count(), 1, "step {number}");
        assert!(answer.trim_end().ends_with("</details>"), "step {number}");
        assert_eq!(commands(lesson).len(), 1, "step {number}");
        assert!(lesson.contains("━━━"), "step {number} has a picture");
    }
}

#[test]
fn each_link_to_the_live_page_repeats_the_command_of_its_step() {
    let page = page();
    let mut links = 0;
    for step in page.split("\n## ") {
        let Some((_, link)) = step.split_once("http://127.0.0.1:8000/#") else { continue };
        let link = link.split(')').next().unwrap_or_default();
        let (words, _) = &commands(step)[0];
        let style =
            words[2].split(['?', '&']).find(|pair| pair.starts_with("style=")).expect("it names a style");
        assert!(link.contains(&format!("server={}&{style}&", words[1])), "{link}");
        links += 1;
    }
    assert_eq!(links, 7, "shutdown alone has none");
}

#[test]
fn figures_may_differ_and_words_may_not() {
    let zombie = "verdict   zombie: 270 beats and 2699.8 ms of work that nobody waits for";
    assert_eq!(differ(zombie, &zombie.replace("270 beats", "3 beats").replace("2699.8", "31.0")), None);
    assert!(differ(zombie, "verdict   no work after the end of the request").is_some());
    let answer = "request   ━━━ answered 504 at 300.1 ms";
    assert_eq!(differ(answer, "request   ━ answered 504 at 1.9 ms"), None);
    assert!(differ(answer, "request   ━━━ answered 200 at 300.1 ms").is_some());
    assert!(differ("one\n…", "one\ntwo").is_none() && differ("one", "one\ntwo").is_some());
}
