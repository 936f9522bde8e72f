//! The page's conclusion, in sentences: each stands only where the run shows it.

use std::fmt::Write;

use measure::told::{Cell, Sent, Told};
use suite::departure::WAYS;
use suite::document::{Row, Server};

use super::{Run, is_broken, is_kept, names};

/// Writes the conclusion.
pub(super) fn short(text: &mut String, run: &Run<'_>) {
    let first: Vec<&Server> = run.ran().filter(|server| run.is_first(&server.name)).collect();
    let all = first.len();
    let never = |server: &Server, sent: Sent| {
        let cells = WAYS.iter().filter_map(|way| run.cell(&server.name, sent, way.name));
        cells.filter(|cell| cell.never() > 0).count()
    };
    let pick = |wanted: &dyn Fn(&Server) -> bool| -> Vec<&str> {
        first.iter().filter(|server| wanted(server)).map(|server| server.name.as_str()).collect()
    };
    let measured = |server: &Server| run.told.iter().any(|told| told.server == server.name);
    let tells = pick(&|server| measured(server) && Sent::ALL.iter().all(|sent| never(server, *sent) == 0));
    let _ = writeln!(
        text,
        "- Of {all} intermediaries as their documentation has them, {} tell their upstream of every client that disconnects, in all \
         {} ways: {}.",
        tells.len(),
        2 * WAYS.len(),
        names(&tells)
    );
    let silent = pick(&|server| plain_never(run, server, Sent::Nothing));
    let _ = writeln!(
        text,
        "- {} do not tell an upstream that has said nothing when its client closes or resets: {}. Its work runs to its end.",
        silent.len(),
        names(&silent)
    );
    let streams = pick(&|server| plain_never(run, server, Sent::Stream));
    let _ = writeln!(text, "- While events stream, {} do not: {}.", streams.len(), names(&streams));
    let mut sentence = |what: &str, wanted: &dyn Fn(&Row) -> bool| {
        let broken = pick(&|server| {
            run.document.results.iter().any(|row| row.server == server.name && is_broken(row) && wanted(row))
        });
        let _ = writeln!(text, "- {what}: {}.", names(&broken));
    };
    sentence("End an answer that was cut off as if it were whole", &|row| {
        row.observed.starts_with("a cut answer that looks whole")
    });
    sentence("Send a POST twice", &|row| {
        row.id.ends_with("-post-sent-once") && row.observed.contains("times")
    });
    sentence("Give one client the answer of another", &|row| {
        row.observed.starts_with("the answer of another")
    });
    let answers = run.document.results.iter().filter(|row| row.id.starts_with("through/no-") && is_kept(row));
    let _ = writeln!(
        text,
        "- In {} runs of the scenarios about connections that are used again, each with 30 to 180 answers, every answer was \
         its own.",
        answers.count()
    );
}

/// True when a plain close or reset is not told.
fn plain_never(run: &Run<'_>, server: &Server, sent: Sent) -> bool {
    let of = |told: &&Told| {
        let way = told.way == WAYS[0].name || told.way == WAYS[1].name;
        told.server == server.name && told.state == sent && way
    };
    Cell::of(run.told.iter().filter(of)).is_some_and(|cell| cell.never() > 0)
}
