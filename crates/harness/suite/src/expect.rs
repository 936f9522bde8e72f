//! Known deviations of a server, as data: `<pattern>  xfail|flaky  <why, with a source>`, one a line.

use std::path::Path;

use testbed::files;

use crate::verdict::Kind;
use crate::{pattern, scenarios};

/// The folder of the files, at the root of the repository.
const FOLDER: &str = "expect";

/// The expectations of one server.
#[derive(Debug, Clone, Default)]
pub struct Expectations(Vec<Expectation>);

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The line in the file, from 1.
    pub line: usize,
    /// Which scenarios, with `*`.
    pub pattern: String,
    /// The expected verdict.
    pub kind: Kind,
    /// Why, with a source.
    pub why: String,
}

impl Expectations {
    /// Reads `expect/<server>.txt` under `root`; no file means no deviation.
    ///
    /// # Errors
    /// A sentence that names the file and the line, also when a pattern matches no scenario.
    pub fn read(root: &Path, server: &str) -> Result<Self, String> {
        let path = root.join(FOLDER).join(format!("{server}.txt"));
        let Some(text) = files::read_if_any(&path)? else { return Ok(Self::default()) };
        Self::of_table(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Parses the lines, and checks that each is of a scenario in the table.
    fn of_table(text: &str) -> Result<Self, String> {
        let parsed = Self::parse(text)?;
        let table = scenarios::every();
        let is_idle =
            |one: &&Expectation| !table.iter().any(|known| pattern::matches(&one.pattern, known.id));
        let Some(Expectation { line, pattern, .. }) = parsed.0.iter().find(is_idle) else {
            return Ok(parsed);
        };
        let nearest = scenarios::nearest(pattern);
        Err(format!("line {line}: `{pattern}` matches no scenario; the nearest is `{nearest}`"))
    }

    /// Parses the lines; `#` opens a comment line.
    ///
    /// # Errors
    /// A sentence that names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| parse_line(number, line).map_err(|error| format!("line {number}: {error}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The expectations of a chain of servers, from the one that is asked to the last.
    ///
    /// Each link brings what it is expected to break of the area `hops`. The last one calls nobody: it brings what it is
    /// expected to break of the same promise to its own client.
    pub fn of_chain(links: &[(&str, &Self)]) -> Self {
        const LAST: [(&str, &str); 3] = [
            ("hops/fin", "disconnect/fin"),
            ("hops/rst", "disconnect/rst"),
            ("hops/deadline", "work/context"),
        ];
        let expected = |name: &str, id: &str, known: Option<&Expectation>| {
            let why = |known: &Expectation| format!("link `{name}`: {}", known.why);
            known.map(|known| Expectation { pattern: id.to_owned(), why: why(known), ..known.clone() })
        };
        let Some(((last, of_last), callers)) = links.split_last() else { return Self::default() };
        let ids = scenarios::all().into_iter().map(|one| one.id).filter(|id| id.starts_with("hops/"));
        let of_caller = |(name, known): &(&str, &Self), id: &str| expected(name, id, known.of(id));
        let passed = ids.flat_map(|id| callers.iter().filter_map(move |link| of_caller(link, id)));
        let done = LAST.iter().filter_map(|(id, own)| expected(last, id, of_last.of(own)));
        Self(passed.chain(done).collect())
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

fn parse_line(number: usize, line: &str) -> Result<Expectation, String> {
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
    Ok(Expectation { line: number, pattern: pattern.to_owned(), kind, why: why.to_owned() })
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use testbed::capability::Capability;
    use testbed::catalog::{self, Catalog};
    use testbed::proxies;

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
    fn a_chain_expects_what_its_links_do_and_of_the_last_what_it_owes_its_own_client() {
        let deaf = Expectations::parse("hops/fin xfail deaf\ndisconnect/fin xfail deaf too").unwrap();
        let caller = Expectations::parse("hops/rst xfail calls on").unwrap();
        let good = Expectations::default();
        let why = |links: &[(&str, &Expectations)], id: &str| {
            Expectations::of_chain(links).of(id).map(|one| one.why.clone())
        };
        assert_eq!(why(&[("a", &good), ("b", &deaf), ("c", &good)], "hops/fin").unwrap(), "link `b`: deaf");
        assert_eq!(why(&[("a", &good), ("b", &deaf)], "hops/fin").unwrap(), "link `b`: deaf too");
        // Who calls nobody cannot leave a call open.
        assert_eq!(why(&[("a", &good), ("b", &caller)], "hops/rst"), None);
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
    fn a_pattern_that_matches_no_scenario_names_its_line_and_the_nearest() {
        let error = Expectations::of_table("work/drop xfail why\n\nwork/dorp xfail why").unwrap_err();
        assert_eq!(error, "line 3: `work/dorp` matches no scenario; the nearest is `work/drop`");
    }

    #[test]
    fn every_line_of_the_repository_is_of_a_listed_server_and_of_a_scenario_that_it_runs() {
        type Can = Box<dyn Fn(Capability) -> bool>;
        let root = catalog::root().unwrap();
        let listed = Catalog::read(&root).unwrap().servers.into_iter();
        let listed =
            listed.map(|server| (server.name.clone(), Box::new(move |need| server.can(need)) as Can));
        let proxies = proxies::all(&root).unwrap().into_iter();
        let servers: Vec<_> = listed
            .chain(proxies.map(|proxy| (proxy.name, Box::new(move |need| proxy.supports.has(need)) as _)))
            .collect();
        let mut idle = Vec::new();
        for file in std::fs::read_dir(root.join(FOLDER)).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap();
            let server = servers.iter().find(|(known, _)| known == name);
            let (_, can) =
                server.unwrap_or_else(|| panic!("`{}` is of no server of the list", file.display()));
            let has = |need| need == Capability::Process || can(need);
            let runs: Vec<_> =
                scenarios::every().into_iter().filter(|one| one.lacking(has).is_empty()).collect();
            for Expectation { line, pattern, .. } in Expectations::read(&root, name).unwrap().all() {
                if !runs.iter().any(|one| pattern::matches(pattern, one.id)) {
                    idle.push(format!("{name}.txt: line {line}: {pattern}"));
                }
            }
        }
        assert!(idle.is_empty(), "of no scenario that the server runs: {idle:#?}");
    }

    #[test]
    fn the_first_matching_line_wins() {
        let parsed = Expectations::parse("work/drop flaky one\nwork/* xfail two").unwrap();
        assert_eq!(parsed.of("work/drop").unwrap().kind, Kind::Flaky);
        assert_eq!(parsed.of("work/spin").unwrap().kind, Kind::Xfail);
    }
}
