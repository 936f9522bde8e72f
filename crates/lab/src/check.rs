//! `lab check`: judges servers, one after another, and prints what came of it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use measure::results::Results;
use report::export::folder::{self, Folder};
use report::{formats, stranger};
use suite::document::{Chosen, Document, Server};
use suite::exit::Exit;
use suite::scenario::Scenario;
use suite::session::{Entry, Session, Settings};
use suite::{missing, questions, scenarios};
use testbed::catalog::{self, Catalog, Stanza};
use testbed::subject::Subject;
use testbed::{files, guard, toolchains};

use crate::args::{Check, CheckFormat};
use crate::chain;
use crate::compare;
use crate::kept::Kept;
use crate::prepare::{self, Ready};
use crate::progress::{Progress, color, folded, print, say};

/// Judges the servers asked for.
pub(crate) fn check(args: &Check) -> Result<Exit, String> {
    let only = args.judging.only.as_deref().unwrap_or(if args.chain.is_empty() { "*" } else { chain::AREA });
    let chosen = if args.chain.is_empty() { scenarios::select(only)? } else { chain::select(only)? };
    let candidates = candidates(args)?;
    let out = args.out.as_deref().map(Folder::named).transpose()?;
    if let Some(traces) = &args.judging.trace {
        folder::writable(traces)?;
    }
    guard::raise_descriptors()?;
    let noise = prepare::noise();
    let which = if only == "*" { "the whole table".to_owned() } else { format!("`{only}`") };
    let scenarios = Chosen { chosen: chosen.len(), of: scenarios::all().len(), which };
    let head = Document {
        noise,
        profile: args.judging.profile,
        ..Document::begin(&catalog::root_or_here(), scenarios)
    };
    let (kept, mut took) = (Kept::new(head, interrupted(args))?, Duration::ZERO);
    for candidate in &candidates {
        let (server, ready) = ready(candidate, args);
        kept.note(|run| prepare::note(run, server));
        let begin_at = Instant::now();
        if let Some(ready) = ready {
            judge(ready, args, &chosen, &kept);
        }
        took += begin_at.elapsed();
    }
    let run = Document { took_ms: took.as_millis() as u64, ..kept.finish() };
    if let Some(folder) = &args.judging.trace {
        keep_traces(&run, folder)?;
    }
    if let Some(out) = &out {
        write(&run, out)?;
    }
    View::of(args).show(&run);
    if let Some(why) = missing::nothing_judged(&run) {
        say(&why);
    }
    Ok(run.exit())
}

/// Prints what was judged until a signal came, and keeps it in a file.
fn interrupted(args: &Check) -> impl FnOnce(&Document) + Send + 'static {
    let (view, out) = (View::of(args), args.out.clone());
    move |run| {
        let folder = match &out {
            Some(out) => Folder::named(out),
            None => {
                catalog::root().and_then(|root| Folder::dated(&root.join(compare::FOLDER), SystemTime::now()))
            }
        };
        if let Err(error) = folder.and_then(|folder| write(run, &folder)) {
            say(&error);
        }
        view.show(run);
    }
}

/// Writes the run's files, and says where.
fn write(run: &Document, folder: &Folder) -> Result<(), String> {
    folder.write_own(&Results::of(run.clone())?)?;
    say(&format!("kept in {}", folder.path().display()));
    Ok(())
}

/// A server that was asked for, before it is known whether it can be judged.
enum Candidate {
    Listed(Stanza),
    Chain(Vec<Stanza>),
    Own(Subject),
}

fn candidates(args: &Check) -> Result<Vec<Candidate>, String> {
    if let Some(url) = &args.url {
        return Ok(vec![Candidate::Own(Subject::at(url, args.admin.as_deref())?)]);
    }
    if let Some(command) = &args.run {
        return Ok(vec![Candidate::Own(prepare::own(command, args.start_timeout)?)]);
    }
    let catalog = Catalog::read(&catalog::root()?)?;
    if !args.chain.is_empty() {
        let links = |names: &String| chain::links(names, &catalog).map(Candidate::Chain);
        return args.chain.iter().map(links).collect();
    }
    if args.servers.is_empty() {
        let own = catalog.servers.into_iter().filter(|server| !server.peer);
        return Ok(own.map(Candidate::Listed).collect());
    }
    args.servers.iter().map(|name| catalog.find(name).cloned().map(Candidate::Listed)).collect()
}

/// Prepares one server; what keeps it from being judged is noted.
fn ready(candidate: &Candidate, args: &Check) -> (Server, Option<Ready>) {
    // Servers of the list were found at the repository's root.
    let root = catalog::root_or_here();
    match candidate {
        Candidate::Listed(stanza) => {
            let absent = toolchains::missing(stanza, &root);
            prepare::prepare(stanza, &root, absent, args.no_build)
        }
        Candidate::Chain(links) => chain::prepare(links, &root, args.no_build),
        Candidate::Own(subject) => prepare::probed(subject),
    }
}

/// Runs the gate, and everything else if it holds.
fn judge(ready: Ready, args: &Check, chosen: &[&'static Scenario], kept: &Kept) {
    let Ready { subject, expectations, unanswered } = ready;
    // A server that runs already has one slot; of an unknown one it is not known how much it bears.
    let most = if subject.is_fixed() {
        1
    } else if subject.is_unknown() {
        4
    } else {
        usize::MAX
    };
    let settings = args.judging.settings(true);
    let settings = Settings { jobs: settings.jobs.min(most), ..settings };
    // One screen is all that a stranger's run prints, so its progress is no list beside it.
    let progress = Progress::start(subject.name(), chosen.len(), !View::of(args).rows);
    let entry = Entry { unanswered, ..Entry::new(subject, expectations, chosen.to_vec()) };
    let session = Session::new(vec![entry], settings);
    session.run(&|row| {
        progress.done(row);
        kept.judged(row);
    });
}

/// The way in which a run is printed.
#[derive(Clone, Copy)]
struct View {
    format: CheckFormat,
    /// True of a server that is not of the list: the four questions are answered.
    stranger: bool,
    /// True when every row is wanted, because some scenarios were asked for by name.
    rows: bool,
}

impl View {
    fn of(args: &Check) -> Self {
        let stranger = args.run.is_some() || args.url.is_some();
        let by_name = args.judging.only.as_deref().is_some_and(|only| only != "*" && only != questions::SET);
        Self { format: args.judging.format, stranger, rows: !stranger || by_name }
    }

    fn show(self, run: &Document) {
        if !self.stranger || matches!(self.format, CheckFormat::Json | CheckFormat::Junit) {
            return show(run, self.format);
        }
        // A run that asked none of the questions has rows alone.
        let asked = stranger::is_asked(run);
        let markdown = self.format == CheckFormat::Markdown;
        match (self.rows || !asked, markdown) {
            (true, true) => print(formats::markdown(run)),
            (true, false) => print(folded(formats::supported(run, color()))),
            (false, _) => {}
        }
        match (asked, markdown) {
            (true, true) => print(stranger::markdown(run)),
            (true, false) => print(folded(stranger::screen(run, color()))),
            (false, _) => {}
        }
    }
}

/// Prints a run in one of the formats.
pub(crate) fn show(run: &Document, format: CheckFormat) {
    match format {
        CheckFormat::Human => print(folded(formats::human(run, color()))),
        CheckFormat::Json => print(formats::json(run)),
        CheckFormat::Junit => print(formats::junit(run)),
        CheckFormat::Markdown => print(formats::markdown(run)),
    }
}

/// Writes `<server>/<area>.<slug>.txt` for each result.
pub(crate) fn keep_traces(run: &Document, folder: &Path) -> Result<(), String> {
    for row in &run.results {
        let file = folder.join(&row.server).join(format!("{}.txt", row.id.replace('/', ".")));
        let text = format!("{} {}: {}\n{}\n", row.verdict, row.id, row.observed, row.trace.join("\n"));
        files::write(&file, text)?;
    }
    Ok(())
}
