//! Known deviations of a server, as data: `<pattern>  xfail|flaky  <why, with a source>`, one a line.

use std::path::Path;

use crate::pattern;
use crate::verdict::Kind;

/// The expectations of one server.
#[derive(Debug, Clone, Default)]
pub struct Expectations(Vec<Expectation>);

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// Which scenarios, with `*`.
    pub pattern: String,
    /// What is expected of them.
    pub kind: Kind,
    /// Why, with a source.
    pub why: String,
}

impl Expectations {
    /// Reads `expect/<server>.txt` under `root`; no file means no deviation.
    ///
    /// # Errors
    /// A sentence that names the file and the line.
    pub fn read(root: &Path, server: &str) -> Result<Self, String> {
        let path = root.join("expect").join(format!("{server}.txt"));
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("failed to read `{}`: {error}", path.display())),
        }
    }

    /// Parses the lines; `#` opens a comment line.
    ///
    /// # Errors
    /// A sentence that names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| parse_line(line).map_err(|error| format!("line {number}: {error}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first expectation whose pattern matches the id.
    pub fn of(&self, id: &str) -> Option<&Expectation> {
        self.0.iter().find(|expectation| pattern::matches(&expectation.pattern, id))
    }

    /// Every expectation.
    pub fn all(&self) -> &[Expectation] {
        &self.0
    }
}

fn parse_line(line: &str) -> Result<Expectation, String> {
    let (pattern, rest) = split_word(line);
    let (kind, why) = split_word(rest);
    let kind = match kind {
        "xfail" => Kind::Xfail,
        "flaky" => Kind::Flaky,
        other => return Err(format!("`{other}` is neither xfail nor flaky")),
    };
    if why.is_empty() {
        return Err(format!("`{pattern}` says no reason"));
    }
    Ok(Expectation { pattern: pattern.to_owned(), kind, why: why.to_owned() })
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_pattern_a_kind_and_a_reason() {
        let parsed =
            Expectations::parse("# known\n\nwork/drop  xfail  a thread cannot be stopped\n").unwrap();
        let found = parsed.of("work/drop").unwrap();
        assert_eq!((found.kind, found.why.as_str()), (Kind::Xfail, "a thread cannot be stopped"));
        assert!(parsed.of("work/context").is_none());
    }

    #[test]
    fn a_line_without_a_reason_or_with_another_kind_names_its_number() {
        assert_eq!(Expectations::parse("\na/b xfail").unwrap_err(), "line 2: `a/b` says no reason");
        assert_eq!(
            Expectations::parse("a/b skip why").unwrap_err(),
            "line 1: `skip` is neither xfail nor flaky"
        );
    }

    #[test]
    fn the_first_matching_line_wins() {
        let parsed = Expectations::parse("work/drop flaky one\nwork/* xfail two").unwrap();
        assert_eq!(parsed.of("work/drop").unwrap().kind, Kind::Flaky);
        assert_eq!(parsed.of("work/spin").unwrap().kind, Kind::Xfail);
    }
}
