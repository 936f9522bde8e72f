//! The command line and the environment, and the one line that a wrong value gets.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, FromArgMatches, Parser};

/// The most characters of a wrong value that its line repeats.
const SHOWN: usize = 64;

/// Reads the flags and the environment of this process, which calls itself `name`. `--help` and `--version` print what
/// they promise and exit 0.
///
/// # Errors
/// The one line that names what is wrong and what it takes.
pub(crate) fn read<F: Parser>(name: &'static str) -> Result<F, String> {
    let args: Vec<_> = std::env::args_os().collect();
    let parsed = parse(F::command().name(name), &args);
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
        _ => wrong(&error, &F::command(), &args, |name| std::env::var_os(name)),
    })
}

/// Reads the flags `args`, of which the first is the program's own name, and the environment.
///
/// # Errors
/// clap's error.
pub(crate) fn parse<F: FromArgMatches>(command: Command, args: &[OsString]) -> Result<F, clap::Error> {
    command.try_get_matches_from(args).and_then(|matches| F::from_arg_matches(&matches))
}

/// Returns the line for `error`, which `command` made of `args` and of the environment `env`.
pub(crate) fn wrong(
    error: &clap::Error,
    command: &Command,
    args: &[OsString],
    env: impl Fn(&OsStr) -> Option<OsString>,
) -> String {
    if error.kind() == ErrorKind::InvalidUtf8 {
        let arg = args.iter().skip(1).zip(args).find_map(|(arg, before)| not_text(arg, before));
        let name =
            arg.or_else(|| not_text_in_env(command, args, env)).unwrap_or_else(|| "an argument".into());
        return format!("error: {name} is not UTF-8 (see --help)");
    }
    let mut text = error.render().to_string();
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg] {
        // A value that is long, or of several lines, would push the name of its flag out of sight.
        if let Some(ContextValue::String(value)) = error.get(kind)
            && *value != shown(value)
        {
            text = text.replace(value, &shown(value));
        }
    }
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{line} (see --help)")
}

/// Describes the argument `arg`, which comes behind `before`, if it is not UTF-8: by the flag whose value it holds, where
/// it holds one.
fn not_text(arg: &OsStr, before: &OsStr) -> Option<String> {
    if arg.to_str().is_some() {
        return None;
    }
    let text = arg.to_string_lossy();
    let flag = text.split_once('=').map_or_else(|| before.to_string_lossy(), |(flag, _)| flag.into());
    Some(match flag.starts_with("--") {
        true => format!("the value of {}", shown(&flag)),
        false => format!("the argument {}", shown(&text)),
    })
}

/// Describes the first variable of the environment that is read, because `args` do not give its flag, and is not UTF-8.
fn not_text_in_env(
    command: &Command,
    args: &[OsString],
    env: impl Fn(&OsStr) -> Option<OsString>,
) -> Option<String> {
    command.get_arguments().find_map(|flag| {
        let (name, long) = (flag.get_env()?, format!("--{}", flag.get_long()?));
        let given =
            args.iter().filter_map(|arg| arg.to_str()).any(|arg| arg.split('=').next() == Some(&long));
        let bad = !given && env(name)?.to_str().is_none();
        bad.then(|| format!("the value of {} for {long}", name.to_string_lossy()))
    })
}

/// Returns the text as a line may repeat it: without control characters, and cut off when it is long.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use clap::CommandFactory;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[arg(long, env = "TEST_SIZE", value_name = "N", default_value = "1")]
        _size: u8,
        #[arg(long, env = "TEST_WORD", value_name = "WORD", default_value = "a")]
        _word: String,
    }

    fn bytes(bytes: &[u8]) -> OsString {
        OsString::from_vec(bytes.to_vec())
    }

    fn line(args: &[&[u8]]) -> String {
        let args: Vec<_> = [&b"program"[..]].iter().chain(args).map(|arg| bytes(arg)).collect();
        let error = parse::<Flags>(Flags::command(), &args).expect_err("the flags are wrong");
        wrong(&error, &Flags::command(), &args, |_| None)
    }

    #[test]
    fn a_wrong_value_is_one_line_with_the_name_of_its_flag() {
        for value in ["x", "300", "", "a\n\nb", "\u{1b}[31m", &"9".repeat(10_000)] {
            let line = line(&[b"--size", value.as_bytes()]);
            assert!(line.contains("--size"), "{line}");
            assert!(line.len() < 400 && !line.chars().any(char::is_control), "{line}");
        }
    }

    #[test]
    fn an_unknown_flag_is_named() {
        assert!(line(&[b"--nonsense"]).contains("--nonsense"));
        assert!(line(&[b"--word"]).contains("--word"));
    }

    #[test]
    fn a_value_that_is_no_text_is_named_by_its_flag() {
        assert_eq!(line(&[b"--size", b"\xff"]), "error: the value of --size is not UTF-8 (see --help)");
        assert_eq!(line(&[b"--word=\xff"]), "error: the value of --word is not UTF-8 (see --help)");
        assert!(line(&[b"\xff"]).contains("argument"));
    }

    #[test]
    fn a_variable_that_is_no_text_is_named_unless_its_flag_is_given() {
        let named = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(OsString::from).collect();
            not_text_in_env(&Flags::command(), &args, |_| Some(bytes(b"\xff")))
        };
        assert_eq!(named(&[]).as_deref(), Some("the value of TEST_SIZE for --size"));
        assert_eq!(named(&["--size=1"]).as_deref(), Some("the value of TEST_WORD for --word"));
        assert_eq!(named(&["--size", "1", "--word", "b"]), None);
    }
}
