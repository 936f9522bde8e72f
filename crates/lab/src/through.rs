//! `lab through`: judges intermediaries, with the lab as their client and their upstream.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use measure::results::http_date;
use measure::told::{self, Told};
use suite::document::{Chosen, Document, Gap, Row, Server, Status};
use suite::exit::Exit;
use suite::expect::Expectations;
use suite::scenario::Scenario;
use suite::scenarios;
use suite::session::{Entry, Session, Settings};
use testbed::machine::Machine;
use testbed::noise::Noise;
use testbed::proxies::{self, Proxy, install};
use testbed::subject::{Setup, Subject};
use testbed::{catalog, guard};

use crate::args::{Proxies, Through};
use crate::check;
use crate::prepare::{self, Ready};
use crate::progress::{Progress, print, say};
use crate::report::read;

/// The document of the last run, in cargo's target folder.
pub(crate) const FILE: &str = "lab/through.json";

/// Judges the intermediaries asked for, and measures how soon they tell their upstreams.
pub(crate) fn through(args: &Through) -> Result<Exit, String> {
    let root = catalog::root()?;
    let proxies = chosen(args, &root)?;
    let only = args.only.as_deref().unwrap_or("*");
    let table = scenarios::select_from(scenarios::through(), only)?;
    guard::kill_on_signals().map_err(|error| format!("failed to catch signals: {error}"))?;
    guard::limit_descriptors(None)
        .map_err(|error| format!("failed to raise the limit of descriptors: {error}"))?;
    if args.install {
        for proxy in proxies.iter().filter(|proxy| install::missing(proxy, &root).is_some()) {
            install::install(proxy, &root, say)?;
        }
    }
    let (taken_at, mut took) = (SystemTime::now(), Duration::ZERO);
    let noise = Noise::measure(300);
    say(&format!("noise floor: {noise}"));
    let (mut servers, mut results) = (Vec::new(), Vec::new());
    let (mut told, mut gaps) = (Vec::new(), Vec::new());
    for proxy in &proxies {
        let begin_at = Instant::now();
        let (server, ready) = ready(proxy, &root);
        results.extend(prepare::row(&server));
        servers.push(server);
        if let Some(ready) = ready {
            results.extend(rows(&ready, args, &table));
            let (more, missing) = measured(&ready.subject, args.tries);
            told.extend(more);
            gaps.extend(missing);
        }
        took += begin_at.elapsed();
    }
    let which = if only == "*" { "the area `through`".to_owned() } else { format!("`{only}`") };
    let scenarios = Chosen { chosen: table.len(), of: scenarios::through().len(), which };
    let mut run = Document {
        took_ms: took.as_millis() as u64,
        noise,
        profile: args.profile,
        servers,
        results,
        plan: Some(serde_json::json!({ "tries": args.tries })),
        gaps,
        ..Document::new(http_date(taken_at), std::env::args().collect(), Machine::here(&root), scenarios)
    };
    if args.tries > 0 {
        told::put(&mut run, &told);
    }
    if let Some(folder) = &args.trace {
        check::keep_traces(&run, folder)?;
    }
    keep(&run, &catalog::target(&root).join(FILE))?;
    check::show(&run, args.format);
    Ok(run.exit())
}

/// Writes the document of a run.
fn keep(run: &Document, file: &Path) -> Result<(), String> {
    let written =
        file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, run.json()));
    written.map_err(|error| format!("failed to write `{}`: {error}", file.display()))
}

/// Prints a run as a page.
pub(crate) fn page(args: &Proxies) -> Result<Exit, String> {
    let root = catalog::root()?;
    let file = args.file.clone().unwrap_or_else(|| catalog::target(&root).join(FILE));
    let document = read(&file)?;
    let told =
        told::of(&document).map_err(|error| format!("failed to read `{}`: {error}", file.display()))?;
    let proxies = proxies::all(&root)?;
    print(report::proxies::page(&report::proxies::Run {
        document: &document,
        told: &told,
        proxies: &proxies,
    }));
    Ok(Exit::Good)
}

fn chosen(args: &Through, root: &Path) -> Result<Vec<Proxy>, String> {
    if let Some(command) = &args.run {
        return Ok(vec![Proxy::command(command, args.config.as_deref(), &args.supports)]);
    }
    let all = proxies::all(root)?;
    if args.names.is_empty() { Ok(all) } else { proxies::find(&all, &args.names) }
}

/// Starts an intermediary once; what keeps it from being judged is noted.
fn ready(proxy: &Proxy, root: &Path) -> (Server, Option<Ready>) {
    let mut server = Server::new(&proxy.name, &proxy.about);
    if let Some(why) = install::missing(proxy, root) {
        (server.status, server.error) = (Status::Absent, Some(why));
        return (server, None);
    }
    server.version = install::version(proxy, root);
    let subject = Subject::through(proxy, root);
    // An intermediary that fails on the very first start has one error, not seventy.
    let started = subject.start(Setup::default()).and_then(|_| Expectations::read(root, &proxy.name));
    match started {
        Ok(expectations) => (server, Some(Ready { subject, expectations, unanswered: None })),
        Err(error) => {
            (server.status, server.error) = (Status::Error, Some(error));
            (server, None)
        }
    }
}

/// Has clients leave in every way, on an intermediary of its own.
fn measured(subject: &Subject, tries: usize) -> (Vec<Told>, Vec<Gap>) {
    let name = subject.name();
    if tries == 0 {
        return (Vec::new(), Vec::new());
    }
    say(&format!("{name}: {tries} clients leave in each way"));
    match subject.start(Setup::default()) {
        Ok(server) => told::watch(&server, name, tries),
        Err(why) => {
            let (server, what) = (name.to_owned(), told::NAME.to_owned());
            (Vec::new(), vec![Gap { server, what, unsupported: false, why }])
        }
    }
}

fn rows(ready: &Ready, args: &Through, table: &[&'static Scenario]) -> Vec<Row> {
    let (subject, expectations) = (ready.subject.clone(), ready.expectations.clone());
    let settings = Settings {
        profile: args.profile,
        jobs: args.jobs.map_or(args.profile.jobs(), usize::from),
        keep_traces: args.trace.is_some(),
        // Its start was one already: a request went through.
        gate: false,
    };
    let progress = Progress::start(subject.name(), table.len(), false);
    let session = Session::new(vec![Entry::new(subject, expectations, table.to_vec())], settings);
    session.run(&|row| progress.done(row)).remove(0)
}
