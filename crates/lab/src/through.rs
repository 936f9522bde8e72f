//! `lab through`: judges intermediaries, with the lab as their client and their upstream.

use std::path::Path;
use std::time::{Duration, Instant};

use measure::told::{self, Told};
use suite::document::{Chosen, Document, Gap, Row, Server, Status};
use suite::exit::Exit;
use suite::expect::Expectations;
use suite::scenario::Scenario;
use suite::scenarios;
use suite::session::{Entry, Session};
use testbed::proxies::{self, Proxy, install};
use testbed::subject::{Setup, Subject};
use testbed::{catalog, files, guard};

use crate::args::{Proxies, Through};
use crate::check;
use crate::prepare::{self, Ready, noise};
use crate::progress::{Progress, print, say};
use crate::report::read;

/// The document of the last run, in cargo's target folder.
pub(crate) const FILE: &str = "lab/through.json";

/// Judges the intermediaries asked for, and measures how soon they tell their upstreams.
pub(crate) fn through(args: &Through) -> Result<Exit, String> {
    let root = catalog::root()?;
    let proxies = chosen(args, &root)?;
    let only = args.judging.only.as_deref().unwrap_or("*");
    let table = scenarios::select_from(scenarios::through(), only)?;
    guard::kill_on_signals()?;
    guard::raise_descriptors()?;
    if args.install {
        for proxy in proxies.iter().filter(|proxy| install::missing(proxy, &root).is_some()) {
            install::install(proxy, &root, say)?;
        }
    }
    let which = if only == "*" { "the area `through`".to_owned() } else { format!("`{only}`") };
    let scenarios = Chosen { chosen: table.len(), of: scenarios::through().len(), which };
    let mut run = Document {
        noise: noise(),
        profile: args.judging.profile,
        plan: Some(serde_json::json!({ "tries": args.tries })),
        ..Document::begin(&root, scenarios)
    };
    let (mut took, mut told) = (Duration::ZERO, Vec::new());
    for proxy in &proxies {
        let begin_at = Instant::now();
        let (server, ready) = ready(proxy, &root);
        prepare::note(&mut run, server);
        if let Some(ready) = ready {
            run.results.extend(rows(&ready, args, &table));
            let (more, missing) = measured(&ready.subject, args.tries);
            told.extend(more);
            run.gaps.extend(missing);
        }
        took += begin_at.elapsed();
    }
    run.took_ms = took.as_millis() as u64;
    if args.tries > 0 {
        told::put(&mut run, &told);
    }
    if let Some(folder) = &args.judging.trace {
        check::keep_traces(&run, folder)?;
    }
    files::write(&catalog::target(&root).join(FILE), run.json())?;
    check::show(&run, args.judging.format);
    Ok(run.exit())
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
        return (server.not_run(Status::Absent, why), None);
    }
    server.version = install::version(proxy, root);
    let subject = Subject::through(proxy, root);
    // An intermediary that fails on the very first start has one error, not seventy.
    let started = subject.start(Setup::default()).and_then(|_| Expectations::read(root, &proxy.name));
    prepare::outcome(server, started.map(|known| Ready::new(subject, known)))
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
    let progress = Progress::start(subject.name(), table.len(), false);
    // The gate is left out: its start was one already, a request went through.
    let settings = args.judging.settings(false);
    let session = Session::new(vec![Entry::new(subject, expectations, table.to_vec())], settings);
    session.run(&|row| progress.done(row)).remove(0)
}
