//! `lab check`: judges servers, one after another, and prints what came of it.

use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use report::formats;
use suite::expect::Expectations;
use suite::run::{Judged, Row, Run};
use suite::scenario::Scenario;
use suite::session::{Entry, Session, Settings};
use suite::verdict::Verdict;
use suite::{probe, scenarios};
use testbed::capability::Supports;
use testbed::catalog::{self, Catalog, Stanza};
use testbed::noise::Noise;
use testbed::subject::{self, Setup, Subject};
use testbed::{build, guard, machine, toolchains};

use crate::args::{Check, CheckFormat};
use crate::progress::{Progress, color, print, say};

/// The id of the row that stands for a server that cannot be judged.
const WHOLE: &str = "server/start";

/// How long an address may take to accept before it counts as nobody's.
const REACH: Duration = Duration::from_secs(5);

/// Judges the servers asked for.
pub(crate) fn check(args: &Check) -> Result<ExitCode, String> {
    let chosen = scenarios::select(args.only.as_deref().unwrap_or("*"))?;
    let subjects = subjects(args)?;
    guard::kill_on_signals().map_err(|error| format!("failed to catch signals: {error}"))?;
    guard::limit_descriptors(None)
        .map_err(|error| format!("failed to raise the limit of descriptors: {error}"))?;
    let noise = Noise::measure(300);
    say(&format!("noise floor: {noise}"));
    let mut run = Run {
        profile: args.profile,
        noise,
        kernel: machine::kernel(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        servers: Vec::new(),
        results: Vec::new(),
    };
    for candidate in &subjects {
        let (judged, rows) = judge(candidate, args, &chosen);
        run.servers.push(judged);
        run.results.extend(rows);
    }
    if let Some(folder) = &args.trace {
        keep_traces(&run, folder)?;
    }
    show(&run, args.format);
    Ok(ExitCode::from(run.exit_code()))
}

/// A server that was asked for, before it is known whether it can be judged.
enum Candidate {
    Listed(Stanza),
    Own(Subject),
}

fn subjects(args: &Check) -> Result<Vec<Candidate>, String> {
    if let Some(url) = &args.url {
        return Ok(vec![Candidate::Own(Subject::at(url, args.admin.as_deref())?)]);
    }
    if let Some(command) = &args.run {
        let here =
            std::env::current_dir().map_err(|error| format!("failed to find the current folder: {error}"))?;
        return Ok(vec![Candidate::Own(Subject::command(command, &here, args.start_timeout)?)]);
    }
    let catalog = Catalog::read(&catalog::root()?)?;
    if args.servers.is_empty() {
        return Ok(catalog
            .servers
            .into_iter()
            .filter(|server| !server.peer)
            .map(Candidate::Listed)
            .collect());
    }
    args.servers.iter().map(|name| catalog.find(name).cloned().map(Candidate::Listed)).collect()
}

/// Judges one server; whatever keeps it from being judged is a row too.
fn judge(candidate: &Candidate, args: &Check, chosen: &[&'static Scenario]) -> (Judged, Vec<Row>) {
    let (name, prepared, version) = match candidate {
        Candidate::Own(subject) => (subject.name().to_owned(), probed(subject), None),
        Candidate::Listed(stanza) => {
            let name = stanza.name.clone();
            if let Some(why) = catalog::root().ok().and_then(|root| toolchains::missing(stanza, &root)) {
                let row = Row::whole_server(&name, WHOLE, Verdict::Unsupported, format!("absent: {why}"));
                return (Judged { name, version: None, status: "absent" }, vec![row]);
            }
            (name, prepared(stanza, args.no_build), subject_version(stanza))
        }
    };
    match prepared.and_then(|(subject, expectations)| rows(subject, expectations, args, chosen)) {
        Ok(rows) => (Judged { name, version, status: "judged" }, rows),
        Err(error) => {
            let row = Row::whole_server(&name, WHOLE, Verdict::Error, error);
            (Judged { name, version, status: "error" }, vec![row])
        }
    }
}

fn subject_version(stanza: &Stanza) -> Option<String> {
    subject::version(stanza, &catalog::root().ok()?)
}

fn prepared(stanza: &Stanza, no_build: bool) -> Result<(Subject, Expectations), String> {
    let root = catalog::root()?;
    if !no_build {
        say(&format!("{}: building", stanza.name));
        build::build(stanza, &root, |_| {})?;
    }
    Ok((Subject::listed(stanza, &root, None)?, Expectations::read(&root, &stanza.name)?))
}

/// Finds out what an unknown server supports.
fn probed(subject: &Subject) -> Result<(Subject, Expectations), String> {
    let server = subject.start(Setup::default())?;
    TcpStream::connect_timeout(&server.address(), REACH)
        .map_err(|error| format!("nothing answers at http://{}: {error}", server.address()))?;
    let found = probe::supports(&server);
    let list: Vec<_> = found.iter().map(|one| one.word()).collect();
    say(&format!(
        "{}: supports {}",
        subject.name(),
        if list.is_empty() { "the least".into() } else { list.join(", ") }
    ));
    Ok((subject.clone().with_supports(Supports::Only(found)), Expectations::default()))
}

/// Runs the gate, and everything else if it holds.
fn rows(
    subject: Subject,
    expectations: Expectations,
    args: &Check,
    chosen: &[&'static Scenario],
) -> Result<Vec<Row>, String> {
    // A run that fails on the very first start has one error, not a hundred.
    drop(subject.start(Setup::default())?);
    // A server that runs already has one seat; of an unknown one it is not known how much it bears.
    let most = if subject.is_fixed() {
        1
    } else if subject.is_unknown() {
        4
    } else {
        usize::MAX
    };
    let settings = Settings {
        profile: args.profile,
        jobs: args.jobs.map_or(args.profile.jobs(), usize::from).min(most),
        keep_traces: args.trace.is_some(),
        gate: true,
    };
    let progress = Progress::start(subject.name(), chosen.len());
    let session = Session::new(vec![Entry::new(subject, expectations, chosen.to_vec())], settings);
    Ok(session.run(&|row| progress.done(row)).remove(0))
}

fn show(run: &Run, format: CheckFormat) {
    match format {
        CheckFormat::Human => print(formats::human(run, color())),
        CheckFormat::Json => print(formats::json(run)),
        CheckFormat::Junit => print(formats::junit(run)),
        CheckFormat::Markdown => print(formats::markdown(run)),
    }
}

/// Writes `<server>/<area>.<slug>.txt` for each result.
fn keep_traces(run: &Run, folder: &Path) -> Result<(), String> {
    for row in &run.results {
        let file = folder.join(&row.server).join(format!("{}.txt", row.id.replace('/', ".")));
        let text = format!("{} {}: {}\n{}\n", row.verdict, row.id, row.observed, row.trace.join("\n"));
        let written =
            file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
        written.map_err(|error| format!("failed to write `{}`: {error}", file.display()))?;
    }
    Ok(())
}
