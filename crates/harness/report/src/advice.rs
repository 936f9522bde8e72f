//! The remedies for what a run has shown, the one source of them: in few words, in a sentence, and as code in three languages.

use measure::disconnect::ACTIONS;
use measure::results::Results;
use measure::zombie::summary::worst;
use measure::zombie::{Fate, STYLES};

/// The programs that show the remedies, in Rust, Go and Python.
const PROGRAMS: [&str; 3] = [
    include_str!("../../../shown/src/remedies.rs"),
    include_str!("../../../shown/src/remedies.go"),
    include_str!("../../../shown/src/remedies.py"),
];

/// A way to stop work, or to keep it from being in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Work asks its context.
    Ask,
    /// Spawned work is canceled.
    Cancel,
    /// Blocking calls get timeouts.
    Bound,
    /// Loops leave the threads that answer.
    Move,
    /// Child processes are killed.
    Kill,
    /// Queries are canceled.
    Query,
    /// The connection is watched.
    Watch,
}

/// A remedy, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice<'a> {
    /// The remedy.
    pub remedy: Remedy,
    /// The styles of work, or the servers, that need it.
    pub needed: Vec<&'a str>,
}

/// Returns the remedies for what ran on in a run, or was late.
pub fn of(results: &Results) -> Vec<Advice<'_>> {
    let names = results.names();
    let with = |remedy: Remedy, styles: &[&'static str], wanted: fn(Fate) -> bool| Advice {
        remedy,
        needed: styles
            .iter()
            .copied()
            .filter(|style| names.iter().filter_map(|name| worst(results, name, style)).any(wanted))
            .collect(),
    };
    let ran_on = |fate| matches!(fate, Fate::Zombie(_) | Fate::Endless(_));
    let outlived = |remedy: Remedy, style: &'static str| {
        let is = results.measured.outside.iter().any(|one| one.style == style && one.is_zombie());
        Advice { remedy, needed: is.then_some(style).into_iter().collect() }
    };
    let is_deaf = |name: &&str| {
        let heard = |action: &measure::disconnect::Action| results.measured.heard_of(name, action.name);
        ACTIONS.iter().filter_map(heard).any(|heard| heard.canceled < heard.tries)
    };
    let all = [
        with(Remedy::Ask, &["context", "polling", "drop", "spin"], ran_on),
        with(Remedy::Cancel, &["detached"], ran_on),
        with(Remedy::Bound, &["blocking"], ran_on),
        with(Remedy::Move, STYLES, |fate| matches!(fate, Fate::HeldAnswer(_))),
        outlived(Remedy::Kill, "process-unkilled"),
        outlived(Remedy::Query, "query-dropped"),
        Advice { remedy: Remedy::Watch, needed: names.iter().copied().filter(is_deaf).collect() },
    ];
    all.into_iter().filter(|advice| !advice.needed.is_empty()).collect()
}

impl Remedy {
    /// Returns it in few words.
    pub fn brief(self) -> &'static str {
        match self {
            Self::Ask => "check a context (deadline, cancel signal) at each step",
            Self::Cancel => "cancel what you spawn",
            Self::Bound => "time out blocking calls",
            Self::Move => "move CPU loops to other threads",
            Self::Kill => "kill child processes",
            Self::Query => "cancel queries",
            Self::Watch => "read the connection while the work runs, and cancel at its end",
        }
    }

    /// Returns it as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Ask => {
                "Hand the context into the work, and check it at each step. Nothing stops a thread from outside."
            }
            Self::Cancel => "Keep the handle of what you spawn, and cancel it when the request ends.",
            Self::Bound => "Give each blocking call the time that is left as its timeout.",
            Self::Move => "Move loops that burn CPU off the threads that answer.",
            Self::Kill => "Kill the child process when the request ends, and wait for it.",
            Self::Query => "Cancel the query in the database. A closed connection does not stop it.",
            Self::Watch => {
                "Watch the connection while the work runs, and cancel the work when the connection ends."
            }
        }
    }

    /// Returns its name in the files that show it as code.
    fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Cancel => "cancel",
            Self::Bound => "bound",
            Self::Move => "move",
            Self::Kill => "kill",
            Self::Query => "query",
            Self::Watch => "watch",
        }
    }

    /// Returns it as code in Rust, in Go and in Python: a part of programs that are compiled and run.
    pub fn code(self) -> [String; 3] {
        PROGRAMS.map(|program| shown(program, self.name()))
    }
}

/// Cuts the lines that a program shows under a name, without their indentation; empty where it shows none.
fn shown(program: &str, name: &str) -> String {
    let mark = |line: &str| {
        let line = line.trim().trim_start_matches(['/', '#']).trim_start();
        line.strip_prefix("shown: ").map(str::to_owned)
    };
    let lines = program.lines().skip_while(|line| mark(line).as_deref() != Some(name)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| mark(line).is_none()).collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let lines: Vec<&str> = lines.into_iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
    lines.join("\n").replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    #[test]
    fn each_way_to_run_on_has_one_remedy_with_code_in_three_languages() {
        let mut results = empty(&["tokio", "threads"]);
        results.measured.zombie = vec![
            life("tokio", "context", 0.2),
            life("threads", "drop", 2000.0),
            life("tokio", "detached", 2699.0),
            life("tokio", "blocking", 2699.0),
        ];
        let advice = of(&results);
        let remedies: Vec<Remedy> = advice.iter().map(|advice| advice.remedy).collect();
        assert_eq!(remedies, [Remedy::Ask, Remedy::Cancel, Remedy::Bound]);
        assert_eq!(advice[0].needed, ["drop"]);
        let longest = |code: &str| code.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        use Remedy::{Ask, Bound, Cancel, Kill, Move, Query, Watch};
        for remedy in [Ask, Cancel, Bound, Move, Kill, Query, Watch] {
            assert!(remedy.code().iter().all(|code| (1..=70).contains(&longest(code))), "{remedy:?}");
        }
    }

    #[test]
    fn a_program_shows_the_lines_between_its_marks_without_their_indentation() {
        let program = "f() {\n\t// shown: a\n\tfor x {\n\t\tx\n\t}\n\t// shown: end\n\t// shown: b\n\ty\n\t// shown: end\n}\n";
        assert_eq!(shown(program, "a"), "for x {\n    x\n}");
        assert_eq!((shown(program, "b").as_str(), shown(program, "c").as_str()), ("y", ""));
        assert_eq!(shown("    # shown: a\n    z  # not a mark\n    # shown: end\n", "a"), "z  # not a mark");
    }

    #[test]
    fn where_nothing_ran_on_there_is_no_remedy() {
        let mut results = empty(&["tokio"]);
        results.measured.zombie = vec![life("tokio", "context", 0.2)];
        assert!(of(&results).is_empty());
    }
}
