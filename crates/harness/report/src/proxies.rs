//! A run of intermediaries as a page of Markdown, for `docs/proxies.md`.

use std::collections::BTreeSet;
use std::fmt::Write;

use measure::disconnect::said;
use measure::table::{self, Column, Table};
use measure::text::list;
use measure::told::{Cell, Sent, Told, WATCH};
use suite::departure::WAYS;
use suite::document::{Document, Gap, Row, Server, Status};
use suite::scenarios;
use suite::verdict::Verdict;
use testbed::proxies::Proxy;

use crate::markdown;

mod short;

/// Where the configurations are, from the page.
const CONFIGURATIONS: &str = "../peers/proxies";

/// A run of intermediaries, and what is known about them.
#[derive(Debug)]
pub struct Run<'a> {
    /// The document.
    pub document: &'a Document,
    /// The measurements.
    pub told: &'a [Told],
    /// The manifests.
    pub proxies: &'a [Proxy],
}

impl Run<'_> {
    /// The intermediaries that ran, in the order of the run.
    fn ran(&self) -> impl Iterator<Item = &Server> {
        self.document.servers.iter().filter(|server| server.status == Status::Ran)
    }

    fn proxy(&self, name: &str) -> Option<&Proxy> {
        self.proxies.iter().find(|proxy| proxy.name == name)
    }

    /// True for an intermediary as its documentation has it.
    fn is_first(&self, name: &str) -> bool {
        self.proxy(name).is_none_or(|proxy| proxy.knob.is_none())
    }

    fn row(&self, server: &str, id: &str) -> Option<&Row> {
        self.document.results.iter().find(|row| row.server == server && row.id == id)
    }

    fn cell(&self, server: &str, sent: Sent, way: &str) -> Option<Cell> {
        let of = |told: &&Told| told.server == server && told.state == sent && told.way == way;
        Cell::of(self.told.iter().filter(of))
    }

    /// The variants of the same program that keep what `server` breaks.
    fn mended_by(&self, server: &str, id: &str) -> Vec<&Proxy> {
        let Some(family) = self.proxy(server).map(|proxy| &proxy.family) else { return Vec::new() };
        let others = self.proxies.iter().filter(|proxy| proxy.family == *family && proxy.name != server);
        others.filter(|proxy| self.row(&proxy.name, id).is_some_and(is_kept)).collect()
    }
}

/// True when a promise was kept.
fn is_kept(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Pass | Verdict::Xpass)
}

/// True when a promise was broken, expected or not.
fn is_broken(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Fail | Verdict::Warn | Verdict::Xfail | Verdict::Flaky)
}

/// Writes the page.
pub fn page(run: &Run<'_>) -> String {
    let (document, machine) = (run.document, &run.document.machine);
    let plan = document.plan.as_ref().and_then(|plan| plan.get("tries")?.as_u64());
    let tries = plan.unwrap_or_default();
    let mut text = String::from(
        "<!-- Written by `lab proxies` from target/lab/through.json. Do not edit. -->\n\n# Between client and server: intermediaries\n\n",
    );
    short::short(&mut text, run);
    let _ = writeln!(
        text,
        "\nFrom `lab through` on {}: {} configurations, {} of {} scenarios, {tries} clients for each way to disconnect. {} cores, \
         Linux {}; {}. The lab is the client and the upstream of each intermediary: what stands here was seen from both sides, \
         on loopback, with HTTP/1.1 on both.\n",
        document.taken_at,
        document.servers.len(),
        document.scenarios.chosen,
        document.scenarios.of,
        machine.cores,
        machine.kernel,
        document.noise
    );
    who(&mut text, run);
    for sent in Sent::ALL {
        ways(&mut text, run, sent);
    }
    questions(&mut text, run);
    mends(&mut text, run);
    text
}

fn who(text: &mut String, run: &Run<'_>) {
    let columns = ["what it is", "the knob", "version", "verdicts"].map(Column::words);
    let mut table = Table::new("Who ran", "intermediary", columns);
    for server in &run.document.servers {
        let proxy = run.proxy(&server.name);
        let knob = proxy.and_then(|proxy| proxy.knob.as_deref()).unwrap_or("–");
        let version = server.version.as_deref().unwrap_or("–");
        let family = proxy.map_or(server.name.as_str(), |proxy| &proxy.family);
        let counts = match &server.error {
            Some(why) => format!("{}: {why}", server.status.word()),
            None => {
                let counts = run.document.counts(Some(&server.name));
                counts
                    .iter()
                    .map(|(verdict, count)| format!("{count} {verdict}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        };
        let name = format!("[{}]({CONFIGURATIONS}/{family})", server.name);
        table.line(name, [server.about.as_str(), knob, version, &counts].map(table::Cell::plain).into());
    }
    let _ = write!(text, "## {}\n\n{}", table.title, markdown::table_of_markup(&table));
}

/// The table of one state of the upstream: an intermediary a row, a way to disconnect a column.
fn ways(text: &mut String, run: &Run<'_>, sent: Sent) {
    let (title, note) = match sent {
        Sent::Nothing => ("The client disconnects, and its upstream has said nothing", "nothing yet"),
        Sent::Stream => ("The client disconnects, and its upstream streams", "an event each 20 ms"),
    };
    let _ = writeln!(
        text,
        "\n## {title}\n\nMilliseconds from the client's disconnect until the connection to the upstream, which had sent {note}, was \
         ended: median / longest. *Served*: a client that closed its sending half was answered whole. *Not asked*: the request \
         never came to the upstream. *Never*: not within {:.1} s; the number names the reason below.\n",
        WATCH.as_secs_f64()
    );
    let mut table = Table::new("", "intermediary", WAYS.iter().map(|way| Column::words(&said(way.name))));
    let mut notes = Vec::new();
    for server in run.ran() {
        let cells = WAYS.iter().map(|way| {
            let cell = run.cell(&server.name, sent, way.name);
            let id = format!("through/{}-{}", sent.slug(), way.slug);
            cell.map_or_else(|| "–".to_owned(), |cell| way_cell(run, &server.name, &id, cell, &mut notes))
        });
        table.line(server.name.as_str(), cells.map(table::Cell::plain).collect());
    }
    text.push_str(&markdown::table_of_markup(&table));
    text.push('\n');
    for (number, note) in (1..).zip(&notes) {
        let _ = writeln!(text, "{number}. {note}");
    }
    gaps(text, run, sent);
}

/// Lists the reasons for cells with fewer clients than planned, or with none.
fn gaps(text: &mut String, run: &Run<'_>, sent: Sent) {
    let state = format!(", {}", sent.slug());
    let of = |gap: &&Gap| gap.what.ends_with(&state);
    let gaps: BTreeSet<_> = run.document.gaps.iter().filter(of).map(|gap| (&gap.server, &gap.why)).collect();
    for (server, why) in gaps {
        let _ = writeln!(text, "\nWhere clients of {server} are missing: {why}.");
    }
}

fn way_cell(run: &Run<'_>, server: &str, id: &str, cell: Cell, notes: &mut Vec<String>) -> String {
    let mut parts = Vec::new();
    let share = |count: usize, what: &str| {
        if count == cell.tries { what.to_owned() } else { format!("{count} of {}: {what}", cell.tries) }
    };
    if let Some(told) = cell.told {
        parts.push(share(told.count, &format!("{:.1} / {:.1}", told.p50, told.max)));
    }
    for (count, what) in [(cell.served, "served"), (cell.not_asked, "not asked")] {
        if count > 0 {
            parts.push(share(count, what));
        }
    }
    if cell.never() > 0 {
        let note = note(run, server, id);
        let number = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
            notes.push(note);
            notes.len() - 1
        });
        parts.push(share(cell.never(), &format!("**never** <sup>{}</sup>", number + 1)));
    }
    parts.join("; ")
}

/// The reason why an upstream is not told, and the knob that mends it. A way that its scenario saw told, and the measurement
/// not always, has the reason of the next way that is expected not to be.
fn note(run: &Run<'_>, server: &str, id: &str) -> String {
    let expected = |id: &str| run.row(server, id).and_then(|row| row.expected.as_deref());
    let state = id.split_once('-').map_or(id, |(state, _)| state);
    let mut others = WAYS.iter().map(|way| format!("{state}-{}", way.slug));
    let why = expected(id).or_else(|| others.find_map(|other| expected(&other)));
    let why = why.unwrap_or("the reason is not known");
    format!("{server}: {why}. {}", remedy(run, server, id))
}

/// Returns the cure of a broken promise, in a sentence.
fn remedy(run: &Run<'_>, server: &str, id: &str) -> String {
    let mended: Vec<_> = run
        .mended_by(server, id)
        .iter()
        .map(|proxy| match &proxy.knob {
            Some(knob) => format!("{knob} (`{}`)", proxy.name),
            None => format!("`{}`, without the knob", proxy.name),
        })
        .collect();
    match mended[..] {
        [] => "No knob that mends it was found.".to_owned(),
        _ => format!("It is mended by {}, as this run shows.", mended.join(", or by ")),
    }
}

/// A table a topic: each promise, how many keep it, and who does not.
fn questions(text: &mut String, run: &Run<'_>) {
    text.push_str("\n## Question by question\n\nOf the configurations that were asked. One in *italics* is a variant.\n");
    for (title, topic) in scenarios::through_topics() {
        let mut table = Table::new(*title, "promise", ["kept by", "not kept by"].map(Column::words));
        for scenario in *topic {
            let rows: Vec<_> = run.document.results.iter().filter(|row| row.id == scenario.id).collect();
            let kept = rows.iter().filter(|row| is_kept(row)).count();
            let broken: Vec<_> = rows.iter().filter(|row| is_broken(row)).collect();
            let names: Vec<_> = broken
                .iter()
                .map(|row| match run.is_first(&row.server) {
                    true => row.server.clone(),
                    false => format!("*{}*", row.server),
                })
                .collect();
            let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
            let asked = kept + broken.len();
            let anchor = scenario.id.replace('/', "");
            let link = format!("[{}](scenarios.md#{anchor})", scenario.promise);
            table.line(link, [format!("{kept} of {asked}"), names].map(table::Cell::plain).into());
        }
        let _ = write!(text, "\n### {title}\n\n{}", markdown::table_of_markup(&table));
    }
}

/// Writes the promises that each intermediary breaks, why, and which of its variants keep them.
fn mends(text: &mut String, run: &Run<'_>) {
    text.push_str("\n## What breaks, why, and what mends it\n");
    for server in run.ran() {
        let broken: Vec<_> =
            run.document.results.iter().filter(|row| row.server == server.name && is_broken(row)).collect();
        if broken.is_empty() {
            continue;
        }
        let mut lines: Vec<(String, String, Vec<&str>)> = Vec::new();
        for row in broken {
            let seen = format!("{} (not expected)", row.observed.lines().next().unwrap_or_default());
            let why = row.expected.clone().unwrap_or(seen);
            let remedy = remedy(run, &server.name, &row.id);
            let slug = row.id.rsplit('/').next().unwrap_or(&row.id);
            match lines.iter_mut().find(|(known, mends, _)| (known, mends) == (&why, &remedy)) {
                Some((_, _, slugs)) => slugs.push(slug),
                None => lines.push((why, remedy, vec![slug])),
            }
        }
        let columns = ["why", "what mends it"].map(Column::words);
        let mut table = Table::new(server.name.as_str(), "promises", columns);
        for (why, remedy, slugs) in lines {
            let slugs: Vec<_> = slugs.iter().map(|slug| format!("`{slug}`")).collect();
            table.line(slugs.join(", "), [why, remedy].map(table::Cell::plain).into());
        }
        let _ = write!(text, "\n### {}\n\n{}", table.title, markdown::table_of_markup(&table));
    }
}

/// Names in a sentence, or a word for none.
fn names(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { list(names) }
}

#[cfg(test)]
mod tests;
