//! `lab compare`: judges and measures servers side by side, and says what the figures mean.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use measure::measurement::Size;
use measure::registry::{Measured, Plan};
use measure::results::Results;
use measure::schedule;
use report::export::folder::Folder;
use report::terminal::{render, tables};
use suite::document::{self, Chosen, Document, Server, Status};
use suite::exit::Exit;
use suite::missing;
use suite::profile::Profile;
use suite::scenario::{Scenario, Slot};
use suite::scenarios;
use suite::session::{Entry, Session, Settings};
use suite::verdict::Level;
use testbed::catalog::{self, Catalog, Stanza};
use testbed::guard;
use testbed::machine::Binary;
use testbed::subject::{Setup, Subject};

use crate::args::Compare;
use crate::kept::Kept;
use crate::prepare::{self, Ready};
use crate::progress::{depth, print, say, screen, tell};

mod meter;
pub(crate) mod peers;

use meter::Meter;

/// Where the results go, from the root of the repository.
pub(crate) const FOLDER: &str = "target/lab";
/// The server of the list that is a floor: the same library as most, with no deadline, no context and no census.
const PLAIN: &str = "plain-hyper";

/// Builds, judges and measures the servers asked for; prints the tables and writes the results.
pub(crate) fn compare(args: &Compare) -> Result<Exit, String> {
    let root = catalog::root()?;
    let catalog = Catalog::read(&root)?;
    let stanzas = stanzas(&catalog, args)?;
    let own = args.run.as_deref().map(|command| prepare::own(command, args.start_timeout)).transpose()?;
    let folder = Arc::new(match &args.out {
        Some(out) => Folder::named(out)?,
        None => Folder::dated(&root.join(FOLDER), SystemTime::now())?,
    });
    guard::raise_descriptors()?;

    let (chosen, which) = chosen(args);
    let kept = Kept::new(Document::begin(&root, which), interrupted(Arc::clone(&folder), args.details))?;
    let mut ready = prepared(&stanzas, args, &root, &kept);
    ready.extend(own.and_then(|own| probed(&own, &kept)));
    let plan = plan(args);
    // A floor beside nobody says nothing.
    let floors = if plan.has_floors() && !ready.is_empty() {
        floors(&catalog, &stanzas, &root, args.no_build)
    } else {
        Vec::new()
    };

    let begin_at = Instant::now();
    let noise = prepare::noise();
    kept.note(|run| (run.noise, run.taken_at) = (noise, document::now()));
    let subjects: Vec<Subject> = ready.iter().map(|ready| ready.subject.clone()).collect();
    judge(ready, &chosen, &kept);
    let measured = measure(&plan, &subjects, &floors, begin_at);
    let mut document = kept.finish();
    check_binaries(&mut document.servers, &stanzas, &root);
    document.took_ms = begin_at.elapsed().as_millis() as u64;

    let results = Results::new(document, plan, measured);
    let paths = folder.write(&results)?;
    print(tables::print(&results, screen(), depth(args.details)));
    for path in paths {
        print(format_args!("{}\n", path.display()));
    }
    if args.servers.is_empty() && !args.peers {
        let offer = peers::offer(&catalog, &root, args.no_install);
        print(format_args!("{}\n", render::wrap_to(&offer, "", screen().width)));
    }
    if let Some(why) = missing::nothing_judged(&results.document()) {
        say(&why);
    }
    Ok(results.exit())
}

/// Keeps the verdicts of a run that a signal ended; its measurements are not whole, and go.
fn interrupted(folder: Arc<Folder>, details: bool) -> impl FnOnce(&Document) + Send + 'static {
    move |run| {
        let written = Results::of(run.clone()).and_then(|results| {
            folder.write_own(&results)?;
            print(tables::print(&results, screen(), depth(details)));
            Ok(())
        });
        match written {
            Ok(()) => say(&format!("the verdicts are kept in {}; no figure is", folder.path().display())),
            Err(error) => say(&error),
        }
    }
}

/// Builds the servers and starts each once; what keeps one from being run is noted.
fn prepared(stanzas: &[Stanza], args: &Compare, root: &Path, kept: &Kept) -> Vec<Ready> {
    let absent = peers::absent(stanzas, root, args.no_install);
    let mut ready = Vec::new();
    for (stanza, absent) in stanzas.iter().zip(absent) {
        let (server, found) = prepare::prepare(stanza, root, absent, args.no_build);
        if let Some(why) = &server.error {
            say(&format!("{}: {}: {why}", stanza.name, server.status.word()));
        }
        kept.note(|run| prepare::note(run, server));
        ready.extend(found);
    }
    ready
}

/// Finds out what the user's server supports; notes what keeps it from being run.
fn probed(own: &Subject, kept: &Kept) -> Option<Ready> {
    let (server, found) = prepare::probed(own);
    if let Some(error) = &server.error {
        say(&format!("{}: {error}", own.name()));
    }
    kept.note(|run| prepare::note(run, server));
    found
}

/// The servers asked for; the lab's own when none is named.
fn stanzas(catalog: &Catalog, args: &Compare) -> Result<Vec<Stanza>, String> {
    if args.servers.is_empty() {
        return Ok(catalog.servers.iter().filter(|server| args.peers || !server.peer).cloned().collect());
    }
    let mut found: Vec<Stanza> = Vec::new();
    for name in &args.servers {
        let stanza = catalog.find(name)?;
        if found.iter().all(|have| have.name != stanza.name) {
            found.push(stanza.clone());
        }
    }
    Ok(found)
}

/// The servers that stand beside the others where speed is compared: one that only accepts and answers, and hyper with
/// nothing around it. A floor that cannot be built is left out, with a word on stderr.
fn floors(catalog: &Catalog, asked: &[Stanza], root: &Path, no_build: bool) -> Vec<Subject> {
    let accept_only = Subject::floor();
    let plain = catalog.servers.iter().find(|stanza| stanza.name == PLAIN);
    let plain = plain.filter(|_| asked.iter().all(|stanza| stanza.name != PLAIN)).map(|stanza| {
        let subject = prepare::built(stanza, root, no_build, tell)?;
        subject.start(Setup::default()).map(|_| subject)
    });
    let note = |error: &String| say(&format!("a floor is missing: {error}"));
    std::iter::once(accept_only).chain(plain).filter_map(|floor| floor.inspect_err(note).ok()).collect()
}

fn plan(args: &Compare) -> Plan {
    let plan = Plan::of(match args {
        Compare { quick: true, .. } => Size::Quick,
        Compare { full: true, .. } => Size::Full,
        _ => Size::Standard,
    });
    match &args.measure_only {
        Some(measurements) => plan.only(measurements),
        None => plan,
    }
}

/// The scenarios of the run, the gate first, and which they are in words.
fn chosen(args: &Compare) -> (Vec<&'static Scenario>, Chosen) {
    let all = scenarios::all();
    if args.measure_only.is_some() {
        return (Vec::new(), Chosen { chosen: 0, of: all.len(), which: "only measurements".to_owned() });
    }
    let quick = args.quick;
    let wanted = |scenario: &&&Scenario| !quick || is_quick(scenario);
    let chosen: Vec<_> = all.iter().filter(wanted).copied().collect();
    let which = if quick {
        "the quick ones of baseline, deadline, work and disconnect"
    } else {
        "all that there are"
    };
    let which = Chosen { chosen: chosen.len(), of: all.len(), which: which.to_owned() };
    (chosen, which)
}

fn is_quick(scenario: &Scenario) -> bool {
    let light = scenario.level == Level::Must && matches!(scenario.slot, Slot::Shared | Slot::Own);
    let area = matches!(scenario.area(), "baseline" | "deadline" | "work");
    scenario.id == scenarios::GATE || scenario.id == "disconnect/fin" || (light && area)
}

fn measure(plan: &Plan, subjects: &[Subject], floors: &[Subject], since: Instant) -> Measured {
    let meter = Meter::start("measuring", schedule::count(plan, subjects, floors));
    schedule::take(plan, subjects, floors, since, &mut |server, what| {
        meter.step(&format!("{server}: {what}"))
    })
}

/// Judges every server by `chosen`.
fn judge(servers: Vec<Ready>, chosen: &[&'static Scenario], kept: &Kept) {
    let meter = Meter::start("scenarios", servers.len() * chosen.len());
    let entry = |ready: Ready| Entry::new(ready.subject, ready.expectations, chosen.to_vec());
    let settings = Settings { profile: Profile::Ci, jobs: Profile::Ci.jobs(), keep_traces: true, gate: true };
    let session = Session::new(servers.into_iter().map(entry).collect(), settings);
    session.run(&|row| {
        meter.judged(row);
        kept.judged(row);
    });
}

/// Checks that the measured binaries are those that were judged: the files have not changed meanwhile.
fn check_binaries(servers: &mut [Server], stanzas: &[Stanza], root: &Path) {
    for (server, stanza) in servers.iter_mut().zip(stanzas) {
        if server.binary.is_some() && Binary::of(stanza, root).ok() != server.binary {
            let binary =
                "its file was replaced during the run: the verdicts and figures may be of two builds";
            (server.status, server.error) = (Status::Error, Some(binary.to_owned()));
        }
    }
}
