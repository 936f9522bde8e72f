//! `lab gallery`: asks servers on other people's frameworks the same four questions, and writes what came of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use report::gallery::{self, Gallery, Shown};
use suite::document::{self, Row};
use suite::exit::Exit;
use suite::expect::Expectations;
use suite::probe;
use suite::profile::Profile;
use suite::scenario::Scenario;
use suite::session::{Entry, Session, Settings};
use suite::verdict::Verdict;
use testbed::abreast;
use testbed::adapters::{self, Adapter, Fetch, Question, Variant};
use testbed::capability::Supports;
use testbed::catalog;
use testbed::guard;
use testbed::machine::Machine;
use testbed::subject::{Setup, Subject};

use crate::args;
use crate::progress::say;

mod record;

use record::Record;
pub(crate) use record::page;

/// The page made of them.
pub(crate) const PAGE: &str = "docs/gallery.md";

/// Servers judged side by side.
const SIDE_BY_SIDE: usize = 2;
/// Scenarios of one server side by side: of a server that nobody knows it is not known how much it bears.
const JOBS: usize = 6;
/// The time for which one server may be judged.
const LIMIT: Duration = Duration::from_secs(90);

/// One server of the gallery.
type Exhibit<'a> = (&'a Adapter, &'a Variant);
/// The scenarios to run, and the results of earlier runs.
type Asked = (Vec<&'static Scenario>, Gallery);
/// The rows of one server, or why there are none.
type Rows = Result<Vec<Row>, String>;
/// Keeps the rows of a server by its name, with the time that judging it took.
type Keep<'a> = dyn Fn(&str, Rows, Duration) -> Result<(), String> + Sync + 'a;

/// Judges the servers asked for, and writes the results and the page.
pub(crate) fn gallery(args: &args::Gallery) -> Result<Exit, String> {
    let root = catalog::root()?;
    let adapters = adapters::read(&root)?;
    let exhibits = asked(&adapters, &args.names)?;
    let chosen = gallery::asked(args.only.as_deref().unwrap_or("*"))?;
    let fetch = Fetch { packages: args.install, apt: args.apt };
    guard::raise_descriptors()?;
    if args.ready {
        guard::kill_on_signals()?;
        return Ok(start_each(&exhibits, &install(&exhibits, &root, fetch), &root));
    }
    let record = Record::begin(&root, &adapters, exhibits.len())?;
    let machine = Machine::here(&root);
    let taken_at = document::now();
    let ready = install(&exhibits, &root, fetch);
    let before = Gallery::kept(&root)?;
    let kept = judge(&exhibits, &ready, &root, &(chosen, before), &|name, rows, took| {
        let shown = match rows {
            Ok(rows) => Shown::judged(&taken_at, &machine, took.as_millis() as u64, &rows),
            Err(why) => Shown::absent(&taken_at, &machine, Some(why)),
        };
        say(&format!("{name}: {}", told(&shown)));
        record.add(name, &shown)
    });
    kept?;
    let surprises = record.finish()?;
    for surprise in &surprises {
        say(surprise);
    }
    Ok(if surprises.is_empty() { Exit::Good } else { Exit::Broken })
}

/// The servers with one of these names: an adapter's, or `adapter/variant`; all without any.
fn asked<'a>(adapters: &'a [Adapter], names: &[String]) -> Result<Vec<Exhibit<'a>>, String> {
    let all: Vec<Exhibit<'a>> =
        adapters.iter().flat_map(|one| one.variants.iter().map(move |variant| (one, variant))).collect();
    let is = |exhibit: &Exhibit<'_>, name: &str| name == exhibit.0.name || name == full_name(*exhibit);
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|exhibit| is(exhibit, name))) {
        let known: Vec<&str> = adapters.iter().map(|adapter| adapter.name.as_str()).collect();
        return Err(format!("no adapter is called `{unknown}`; there are: {}", known.join(", ")));
    }
    let wanted = |exhibit: &Exhibit<'_>| names.is_empty() || names.iter().any(|name| is(exhibit, name));
    Ok(all.into_iter().filter(wanted).collect())
}

fn full_name((adapter, variant): Exhibit<'_>) -> String {
    format!("{}/{}", adapter.name, variant.name)
}

/// Installs each adapter once, one after another; gives why an adapter cannot be had, by its name.
fn install<'a>(exhibits: &[Exhibit<'a>], root: &Path, fetch: Fetch) -> Vec<(&'a str, Result<(), String>)> {
    let mut done: Vec<(&str, Result<(), String>)> = Vec::new();
    for (adapter, _) in exhibits {
        if !done.iter().any(|(name, _)| *name == adapter.name) {
            let had = adapter.install(root, fetch, &say);
            if let Err(why) = &had {
                say(&format!("{}: absent: {why}", adapter.name));
            }
            done.push((&adapter.name, had));
        }
    }
    done
}

/// Starts each server once, and says which are ready to be judged.
fn start_each(exhibits: &[Exhibit<'_>], ready: &[(&str, Result<(), String>)], root: &Path) -> Exit {
    let mut unready = 0;
    for exhibit in exhibits {
        let (name, begin_at) = (full_name(*exhibit), Instant::now());
        let started = had(*exhibit, ready)
            .and_then(|()| exhibit.0.subject(exhibit.1, root)?.start(Setup::default()).map(drop));
        match started {
            Ok(()) => say(&format!("{name}: ready after {:.1} s", begin_at.elapsed().as_secs_f64())),
            Err(why) => {
                unready += 1;
                say(&format!("{name}: not ready: {why}"));
            }
        }
    }
    say(&format!("{} of {} servers are ready", exhibits.len() - unready, exhibits.len()));
    if unready == 0 { Exit::Good } else { Exit::NotRun }
}

/// Returns why a server's adapter cannot be had, if it cannot.
fn had(exhibit: Exhibit<'_>, ready: &[(&str, Result<(), String>)]) -> Result<(), String> {
    ready.iter().find(|(adapter, _)| *adapter == exhibit.0.name).map_or(Ok(()), |(_, had)| had.clone())
}

/// Judges the servers, [`SIDE_BY_SIDE`] at a time; the first error of `keep` ends it.
fn judge(
    exhibits: &[Exhibit<'_>],
    ready: &[(&str, Result<(), String>)],
    root: &Path,
    asked: &Asked,
    keep: &Keep<'_>,
) -> Result<(), String> {
    let failed = OnceLock::new();
    abreast::each(SIDE_BY_SIDE, exhibits, |exhibit| {
        if failed.get().is_some() {
            return;
        }
        let begin_at = Instant::now();
        let rows = had(*exhibit, ready).and_then(|()| rows(*exhibit, root, asked));
        if let Err(error) = keep(&full_name(*exhibit), rows, begin_at.elapsed()) {
            let _ = failed.set(error);
        }
    });
    failed.into_inner().map_or(Ok(()), Err)
}

/// Finds out what a server supports, and runs those of the scenarios, until the time is up.
fn rows(exhibit: Exhibit<'_>, root: &Path, (chosen, before): &Asked) -> Rows {
    let subject = exhibit.0.subject(exhibit.1, root)?;
    let until = Instant::now() + LIMIT;
    let found = probe::supports(&*subject.start(Setup::default())?);
    let subject = subject.with_supports(Supports::Only(found));
    let has = |one: &&'static Scenario| one.lacking(|need| subject.supports(need)).is_empty();
    let mut planned: Vec<&'static Scenario> = chosen.iter().copied().filter(|one| has(one)).collect();
    planned.sort_by_key(|one| one.turn());
    // What the manifest says that it fails, and what it failed the last time, needs no second look.
    let failed = before.servers.get(&full_name(exhibit));
    let known = |one: &&&Scenario| {
        let question = Question::of_area(one.area());
        let cell = question.and_then(|question| failed?.cell(question));
        cell.is_some_and(|cell| cell.failed.contains_key(one.id) || cell.beyond.contains_key(one.id))
            && exhibit.1.reds.iter().any(|red| Some(red.question) == question)
    };
    let once: BTreeSet<&'static str> = planned.iter().filter(known).map(|one| one.id).collect();
    let entry = Entry { once, ..Entry::new(subject.clone(), Expectations::default(), planned.clone()) };
    let settings = Settings { profile: Profile::Ci, jobs: JOBS, keep_traces: false, gate: false };
    Ok(run(&Session::new(vec![entry], settings), &subject, &planned, until))
}

/// Runs the scenarios side by side; those that have not begun at `until` are not run.
fn run(session: &Session, subject: &Subject, planned: &[&'static Scenario], until: Instant) -> Vec<Row> {
    abreast::each(JOBS, planned, |scenario| {
        if Instant::now() < until {
            return session.judge(0, scenario);
        }
        let why = format!("not run: {LIMIT:?} were over");
        Row::whole_server(subject.name(), scenario.id, Verdict::Error, why)
    })
}

/// A result in a line.
fn told(shown: &Shown) -> String {
    if let Some(why) = &shown.absent {
        return format!("absent: {}", why.lines().next().unwrap_or_default());
    }
    let told: Vec<String> = Question::ALL
        .iter()
        .filter_map(|question| {
            let cell = shown.cell(*question)?;
            Some(format!("{} {}", question.word(), cell.answer()))
        })
        .collect();
    format!("{} ({:.0} s)", told.join(", "), shown.took_ms as f64 / 1e3)
}
