//! `lab list`, `lab explain` and `lab docs`: the table of scenarios in print.

use std::io::IsTerminal;
use std::path::Path;

use clap::CommandFactory;
use measure::table::{Cell, Column, Table};
use report::export::schema;
use report::terminal::render;
use report::{markdown, pages, picture, readme};
use serde_json::json;
use suite::exit::Exit;
use suite::remedies;
use suite::scenario::Scenario;
use suite::scenarios;
use testbed::catalog::{self, Catalog};
use testbed::{files, toolchains};

use crate::args::{Args, List, ListFormat};
use crate::gallery;
use crate::progress::{color, folded, print, say, screen};

/// The table of scenarios as a document.
const SCENARIOS: &str = "docs/scenarios.md";
/// The shape of `results.json`.
const SCHEMA: &str = "docs/results.schema.json";
/// The page that has the table of exit statuses.
const README: &str = "README.md";
/// Its section with a question for every command.
const QUESTIONS: &str = "Which command answers my question?";
/// The picture in it.
const PICTURE: &str = "docs/picture.svg";

/// Prints the scenarios and the servers.
pub(crate) fn list(args: &List) -> Result<Exit, String> {
    let root = catalog::root()?;
    let catalog = Catalog::read(&root)?;
    let chosen = scenarios::select_from(scenarios::every(), args.only.as_deref().unwrap_or("*"))?;
    match args.format {
        ListFormat::Json => print(format_args!("{:#}\n", as_json(&catalog, &root, &chosen))),
        ListFormat::Human => show(&catalog, &root, &chosen),
    }
    Ok(Exit::Good)
}

fn as_json(catalog: &Catalog, root: &Path, chosen: &[&Scenario]) -> serde_json::Value {
    let scenarios: Vec<_> = chosen
        .iter()
        .map(|scenario| {
            let judges: Vec<_> = scenario.judges.iter().map(|judge| judge.word()).collect();
            json!({
                "id": scenario.id, "promise": scenario.promise, "level": scenario.level, "judges": judges,
                "needs": scenario.needs, "flags": scenario.flags,
            })
        })
        .collect();
    let servers: Vec<_> = catalog
        .servers
        .iter()
        .map(|server| {
            let missing = toolchains::missing(server, root);
            json!({"name": server.name, "about": server.about, "peer": server.peer, "missing": missing, "without": server.without})
        })
        .collect();
    json!({"servers": servers, "scenarios": scenarios})
}

fn show(catalog: &Catalog, root: &Path, chosen: &[&Scenario]) {
    let mut servers = Table::new("", "server", [Column::words("what it is")]);
    for server in &catalog.servers {
        let absent =
            toolchains::missing(server, root).map(|why| format!(" (absent: {why})")).unwrap_or_default();
        let without = server.without.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        servers.line(server.name.as_str(), vec![Cell::plain(format!("{}{absent}{without}", server.about))]);
    }
    let servers = lines(&servers);
    print(format_args!("{servers}\n{}\n{} scenarios\n", rows(chosen), chosen.len()));
}

/// A line for each scenario.
fn rows(chosen: &[&Scenario]) -> String {
    let mut rows = Table::new("", "scenario", [Column::words("level"), Column::words("promise")]);
    for scenario in chosen {
        rows.line(scenario.id, vec![Cell::plain(scenario.level), Cell::plain(scenario.promise)]);
    }
    lines(&rows)
}

/// Returns the lines of a table: folded on a terminal; elsewhere one for each line of the table, however long, for `grep`.
fn lines(table: &Table) -> String {
    if std::io::stdout().is_terminal() {
        render::table(table, screen())
    } else {
        render::table_of_any_width(table, color())
    }
}

/// Prints one scenario's page, or the scenarios that an area or a pattern selects.
pub(crate) fn explain(name: &str) -> Result<Exit, String> {
    if let Some(scenario) = scenarios::every().into_iter().find(|scenario| scenario.id == name) {
        let remedy = remedies::of(scenario.id).map(|remedy| format!("- what mends it: {remedy}\n"));
        let page = pages::page(scenario) + &remedy.unwrap_or_default();
        print(folded(page));
        return Ok(Exit::Good);
    }
    let chosen = scenarios::select_from(scenarios::every(), name).map_err(|_| unknown(name))?;
    print(format_args!(
        "{}\n{} scenarios; `lab explain ID` has the page of one\n",
        rows(&chosen),
        chosen.len()
    ));
    Ok(Exit::Good)
}

/// Says what comes near a name that is neither a scenario's nor an area's.
fn unknown(name: &str) -> String {
    const MOST: usize = 5;
    let mut near = vec![scenarios::nearest(name)];
    let like = scenarios::select_from(scenarios::every(), &format!("*{name}*")).unwrap_or_default();
    near.extend(
        like.iter()
            .map(|scenario| scenario.id)
            .filter(|id| *id != near[0])
            .take(MOST - 1)
            .collect::<Vec<_>>(),
    );
    let near: Vec<_> = near.iter().map(|one| format!("`{one}`")).collect();
    format!(
        "no scenario and no area is called `{name}`; did you mean {}? `lab list` prints them all",
        near.join(", ")
    )
}

/// Writes the generated documents, or says which of them are stale.
pub(crate) fn docs(check: bool, run: Option<&Path>) -> Result<Exit, String> {
    let root = catalog::root()?;
    let documents = [
        (SCENARIOS, pages::document(&scenarios::every())),
        (SCHEMA, schema::render()),
        (gallery::PAGE, gallery::page(&root)?),
        (README, with_exits(&root.join(README))?),
    ];
    let mut stale = false;
    for (name, fresh) in documents {
        let path = root.join(name);
        if !check {
            files::write(&path, fresh)?;
            say(&format!("wrote {}", path.display()));
        } else if std::fs::read_to_string(&path).map_or(true, |text| text != fresh) {
            say(&format!("`{name}` is stale; run `lab docs`"));
            stale = true;
        }
    }
    if let (true, Err(error)) = (check, crate::learned::check(&root)) {
        say(&error);
        stale = true;
    }
    let path = root.join(README);
    let readme = files::read(&path)?;
    if let Some(run) = run {
        let results = crate::report::measured(run)?;
        for (path, text) in
            [(path, readme::put(&readme, &results)?), (root.join(PICTURE), picture::draw(&results)?)]
        {
            files::write(&path, text)?;
            say(&format!("wrote {}", path.display()));
        }
    } else if check {
        let drawn = std::fs::read_to_string(root.join(PICTURE)).unwrap_or_default();
        let checks = [readme::check(&readme), picture::check(&drawn), questions(&readme)];
        for error in checks.into_iter().filter_map(Result::err) {
            say(&error);
            stale = true;
        }
    }
    Ok(if stale { Exit::Broken } else { Exit::Good })
}

/// Checks that the README's table of questions names every command.
fn questions(readme: &str) -> Result<(), String> {
    let table = readme.split("\n## ").find(|part| part.starts_with(QUESTIONS)).unwrap_or_default();
    let command = Args::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    match names.into_iter().find(|name| !table.contains(&format!("`lab {name}"))) {
        Some(name) => Err(format!("README.md: no question under `{QUESTIONS}` is answered by `lab {name}`")),
        None => Ok(()),
    }
}

/// The README with the table of exit statuses between its two marks.
fn with_exits(path: &Path) -> Result<String, String> {
    const MARKS: (&str, &str) = ("<!-- exit: begin -->\n", "<!-- exit: end -->");
    let text = files::read(path)?;
    let parts = text
        .split_once(MARKS.0)
        .and_then(|(before, rest)| Some((before, rest.split_once(MARKS.1)?.1)))
        .ok_or_else(|| format!("`{}` has no place for the exit statuses", path.display()))?;
    Ok(format!("{}{}{}{}{}", parts.0, MARKS.0, exits(), MARKS.1, parts.1))
}

/// The table of exit statuses as Markdown.
fn exits() -> String {
    let mut table = Table::new("", "exit status", [Column::words("commands"), Column::words("meaning")]);
    for (status, of, meaning) in Exit::table() {
        table.line(status.to_string(), vec![Cell::plain(of), Cell::plain(meaning)]);
    }
    markdown::table_of_markup(&table)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn readme() -> String {
        std::fs::read_to_string(catalog::root().unwrap().join(README)).unwrap()
    }

    /// The commands of the lab in the README, without what stands before `lab`.
    fn commands(readme: &str) -> Vec<String> {
        let spans = readme.split('`').skip(1).step_by(2).filter(|span| span.starts_with("lab "));
        spans.map(|span| span.split(" > ").next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_readme_has_a_question_for_every_command() {
        assert_eq!(questions(&readme()), Ok(()));
        let without = readme().replace("`lab explain", "`explain");
        assert!(questions(&without).unwrap_err().ends_with("is answered by `lab explain`"));
    }

    #[test]
    fn every_command_in_the_readme_is_one_that_the_lab_takes() {
        let commands = commands(&readme());
        assert!(commands.len() > 20, "{commands:?}");
        for command in commands {
            let words = shlex::split(&command).unwrap();
            let parsed = Args::try_parse_from(&words);
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}
