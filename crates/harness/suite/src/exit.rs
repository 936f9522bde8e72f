//! The exit statuses of every command of the lab: the code, `lab --help` and the README are made from this one table.

use std::process::ExitCode;

use textwrap::{Options, WordSplitter};

/// The way in which a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for was done, and nothing is wrong.
    Good = 0,
    /// A check failed, a figure may not be believed, or a generated document is stale.
    Broken = 1,
    /// Nothing was judged or measured, something could not be run, or the command line is wrong.
    NotRun = 2,
    /// The second run is worse than the first.
    Worse = 3,
    /// SIGINT ended the command.
    Interrupted = 130,
    /// SIGTERM ended the command.
    Terminated = 143,
}

/// One line of the table: the exit, the commands that it is of, and its meaning.
const TABLE: [(Exit, &str, &str); 6] = [
    (Exit::Good, "all", "what was asked for was done, and nothing is wrong"),
    (
        Exit::Broken,
        "check, through, compare, gallery, load, watch, docs",
        "a check failed, a figure may not be believed, a server differs from its manifest, the watched load failed, or a generated document is stale",
    ),
    (
        Exit::NotRun,
        "all",
        "nothing was judged or measured, something could not be run or written, or the command line is wrong",
    ),
    (Exit::Worse, "diff", "the second run is worse than the first"),
    (
        Exit::Interrupted,
        "all",
        "ended by SIGINT (Ctrl-C); `check`, `compare` and `gallery` keep what was judged until then",
    ),
    (Exit::Terminated, "all", "ended by SIGTERM; the same"),
];

impl Exit {
    /// The status that the process ends with.
    pub fn status(self) -> u8 {
        self as u8
    }

    /// The exit of a command that a signal of this number ended.
    pub fn by_signal(signal: i32) -> Self {
        const SIGTERM: i32 = 15;
        if signal == SIGTERM { Self::Terminated } else { Self::Interrupted }
    }

    /// The table as lines for `--help`.
    pub fn help() -> String {
        let line = |(exit, of, meaning): &(Self, &str, &str)| {
            let of = if *of == "all" { String::new() } else { format!(" ({of})") };
            hanging(&format!("  {:>3}  ", exit.status()), &format!("{meaning}{of}"))
        };
        let lines: Vec<String> = TABLE.iter().map(line).collect();
        format!("Exit status:\n{}", lines.join("\n"))
    }

    /// The table as plain data: each status, the commands that it is of, and its meaning.
    pub fn table() -> impl Iterator<Item = (u8, &'static str, &'static str)> {
        TABLE.iter().map(|(exit, of, meaning)| (exit.status(), *of, *meaning))
    }
}

/// Returns words behind a head, broken into lines of at most 78 columns that stand below the first word.
fn hanging(head: &str, words: &str) -> String {
    const WIDTH: usize = 78;
    let below = " ".repeat(head.len());
    let options = Options::new(WIDTH).initial_indent(head).subsequent_indent(&below);
    textwrap::fill(words, options.break_words(false).word_splitter(WordSplitter::NoHyphenation))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_has_a_line_of_its_own_in_the_order_of_the_statuses() {
        let statuses: Vec<u8> = TABLE.iter().map(|(exit, ..)| exit.status()).collect();
        assert_eq!(statuses, [0, 1, 2, 3, 130, 143]);
    }

    #[test]
    fn a_signal_ends_a_command_as_a_shell_counts_it() {
        assert_eq!(Exit::by_signal(2).status(), 128 + 2);
        assert_eq!(Exit::by_signal(15).status(), 128 + 15);
    }
}
