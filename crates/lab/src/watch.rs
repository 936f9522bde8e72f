//! `lab watch`: the instruments without the client, while any load generator runs.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use measure::results::Results;
use measure::watch::{self, Instruments, Reading, Watch, Watcher};
use parking_lot::Mutex;
use report::export::folder::Folder;
use report::terminal::watch as terminal;
use suite::document::{Chosen, Document, Server};
use suite::exit::Exit;
use suite::scenarios;
use testbed::capability::{Capability, Supports};
use testbed::catalog::{self, Catalog};
use testbed::guard::{self, Child, Launch};
use testbed::heartbeats::Heartbeats;
use testbed::server::Server as Running;
use testbed::subject::Setup;
use testbed::url::Url;

use crate::args;
use crate::compare::{self, peers};
use crate::prepare;
use crate::progress::{print, say, screen, tell};
use crate::show;

/// From one reading to the next; of a long watch it grows.
const EVERY: Duration = Duration::from_millis(50);
/// From one word on the progress to the next.
const WORD: Duration = Duration::from_secs(10);
/// The longest time for heartbeats that come later than the census counts.
const LAST: Duration = Duration::from_secs(1);

/// A server to watch, and what keeps it alive.
struct Watched {
    name: String,
    url: String,
    instruments: Instruments,
    server: Server,
    /// The server itself, when it was started here.
    _running: Option<Arc<Running>>,
}

/// Runs the load and watches the server meanwhile.
pub(crate) fn watch(args: &args::Watch) -> Result<Exit, String> {
    let folder = Arc::new(match &args.out {
        Some(out) => Folder::named(out)?,
        None => Folder::dated(&catalog::root_or_here().join(compare::FOLDER), SystemTime::now())?,
    });
    guard::raise_descriptors()?;
    let watched = watched(args)?;
    let words = words(&args.command, &watched);
    let load = shown(&words);
    let head = head(watched.server.clone());
    let watcher = Watcher::begin(&watched.name, &load, watched.instruments, EVERY);
    let watcher = watcher.map_err(|error| format!("failed to read the instruments: {error}"))?;
    let state = Arc::new(Mutex::new(Some(watcher)));
    on_signal(&state, &head, &folder)?;

    let ended = watch_load(&state, words, &load, args.settle);
    let Some(watcher) = state.lock().take() else {
        // A signal has taken it, and is about to end this process.
        std::thread::sleep(Duration::from_secs(10));
        return Ok(Exit::Interrupted);
    };
    let watch = watcher.watch();
    let paths = folder.write(&document(head, watch)?)?;
    print(terminal::print(watch, screen()));
    for path in paths {
        print(format_args!("{}\n", path.display()));
    }
    let failed = ended?;
    if watch.requests() == Some(0) {
        return Err(format!("no request came to {}: is the load sent to {}?", watched.name, watched.url));
    }
    Ok(if failed { Exit::Broken } else { Exit::Good })
}

/// Runs the load to its end, and waits until no work is left. Gives whether the load failed.
fn watch_load(
    state: &Mutex<Option<Watcher>>,
    words: Vec<OsString>,
    load: &str,
    settle: Duration,
) -> Result<bool, String> {
    let start = |error| format!("failed to start `{load}`: {error}");
    let mut child = Child::start(Launch { words, ..Launch::default() }).map_err(start)?;
    if let Some((stdout, stderr)) = child.pipes() {
        pass_on(stdout).map_err(start)?;
        stderr.map(pass_on).transpose().map_err(start)?;
    }
    let (begin_at, mut word_at) = (Instant::now(), Instant::now());
    let status = loop {
        let every = read(state)?;
        if let Some(status) = child.ended() {
            break status;
        }
        if word_at.elapsed() >= WORD {
            word_at = Instant::now();
            say(&progress(state, begin_at.elapsed()));
        }
        std::thread::sleep(every);
    };
    if let Some(watcher) = state.lock().as_mut() {
        watcher.load_ended(&status.to_string());
    }
    let until = Instant::now() + settle;
    wait_until_none(state, until, Reading::running)?;
    // The last heartbeats may still be on their way when the census counts no more work.
    wait_until_none(state, until.min(Instant::now() + LAST), |reading| reading.heard)?;
    Ok(!status.success())
}

/// Reads until an instrument counts no work; without the instrument there is nothing to wait for.
fn wait_until_none(
    state: &Mutex<Option<Watcher>>,
    until: Instant,
    count: fn(&Reading) -> Option<u64>,
) -> Result<(), String> {
    let is_left = |watcher: &Watcher| count(&watcher.watch().after()).unwrap_or(0) > 0;
    while Instant::now() < until && state.lock().as_ref().is_some_and(is_left) {
        std::thread::sleep(read(state)?);
    }
    Ok(())
}

/// Reads once; gives the pause until the next reading.
fn read(state: &Mutex<Option<Watcher>>) -> Result<Duration, String> {
    let mut state = state.lock();
    let Some(watcher) = state.as_mut() else { return Ok(EVERY) };
    watcher.read().map_err(|error| format!("the server can be watched no longer: {error}"))?;
    Ok(watcher.every())
}

fn progress(state: &Mutex<Option<Watcher>>, since: Duration) -> String {
    let reading = state.lock().as_ref().map_or_else(Default::default, |watcher| watcher.watch().after());
    let counts = [
        ("requests", reading.requests),
        ("work", reading.running()),
        ("zombies", reading.no_request_waits()),
        ("threads", reading.threads),
    ];
    let counts: Vec<String> =
        counts.iter().filter_map(|(name, count)| Some(format!("{name} {}", (*count)?))).collect();
    format!("{:.0} s: {}", since.as_secs_f64(), counts.join(", "))
}

/// Keeps what was watched when a signal ends the command.
fn on_signal(
    state: &Arc<Mutex<Option<Watcher>>>,
    head: &Document,
    folder: &Arc<Folder>,
) -> Result<(), String> {
    let (state, head, folder) = (Arc::clone(state), head.clone(), Arc::clone(folder));
    guard::on_signals(move |_| {
        let Some(watcher) = state.lock().take() else { return };
        guard::kill_all();
        let head = Document { interrupted: true, ..head };
        let written = document(head, watcher.watch()).and_then(|results| folder.write_own(&results));
        match written {
            Ok(_) => {
                say(&format!("interrupted: the watch until then is kept in {}", folder.path().display()))
            }
            Err(error) => say(&error),
        }
        print(terminal::print(watcher.watch(), screen()));
    })
}

/// Finds the server and its instruments, or starts it with them.
fn watched(args: &args::Watch) -> Result<Watched, String> {
    match (&args.server, &args.url) {
        (Some(name), _) => started(name, args),
        (None, Some(url)) => running(url, args),
        (None, None) => Err("name a server of `lab list`, or give --url".to_owned()),
    }
}

/// Starts a server of the list.
fn started(name: &str, args: &args::Watch) -> Result<Watched, String> {
    let root = catalog::root()?;
    let stanza = Catalog::read(&root)?.find(name)?.clone();
    let absent = peers::absent(std::slice::from_ref(&stanza), &root, args.no_build).remove(0);
    let (server, ready) = prepare::prepare(&stanza, &root, absent, args.no_build);
    let Some(ready) = ready else {
        return Err(format!("{name}: {}", server.error.unwrap_or_else(|| "cannot be run".to_owned())));
    };
    let any = "127.0.0.1:0".parse().expect("an address");
    let heartbeats = Heartbeats::listen(any)
        .map_err(|error| format!("failed to open a socket for heartbeats: {error}"))?;
    let witness = heartbeats.address().to_string();
    let given = show::flags(&args.flag)?;
    let mut flags: Vec<_> = given.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let hears = ready.subject.supports(Capability::Witness);
    flags.extend(hears.then_some(("--witness", witness.as_str())));
    // With a witness of its own the subject would keep every heartbeat.
    let kept = ready.subject.supports(Capability::Admin).then_some(Capability::Admin);
    let subject = ready.subject.with_supports(Supports::Only(kept.into_iter().collect()));
    let running = subject.start(Setup { flags: &flags, ..Setup::default() })?;
    let instruments =
        Instruments { admin: running.admin(), pid: running.pid(), heartbeats: hears.then_some(heartbeats) };
    let url = format!("http://{}", running.address());
    Ok(Watched { name: name.to_owned(), url, instruments, server, _running: Some(running) })
}

/// Takes a server that runs already.
fn running(url: &str, args: &args::Watch) -> Result<Watched, String> {
    let parsed = Url::server(url)?;
    let admin = args.admin.as_deref().map(Url::server).transpose()?.map(|admin| admin.reachable());
    let listen = |address| {
        Heartbeats::listen(address)
            .map_err(|error| format!("failed to listen at --witness {address}: {error}"))
    };
    let heartbeats = args.witness.map(listen).transpose()?;
    let instruments = Instruments { admin, pid: args.pid, heartbeats };
    if instruments.is_empty() {
        return Err("nothing to watch with: give --admin (its census), --pid (its process) or --witness (where its work \
                    sends heartbeats)"
            .to_owned());
    }
    let name = parsed.authority.clone();
    let server = Server::new(&name, "not of the list");
    Ok(Watched { name, url: format!("http://{}", parsed.authority), instruments, server, _running: None })
}

/// The words of the load's command, with the server's address in the place of `{url}`.
fn words(command: &[OsString], watched: &Watched) -> Vec<OsString> {
    let fill = |word: &OsString| match word.to_str() {
        Some(text) => text.replace("{url}", &watched.url).into(),
        // A word that is no UTF-8 holds no placeholder.
        None => word.clone(),
    };
    command.iter().map(fill).collect()
}

fn shown(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Passes every line of the load on to stderr: stdout is for the result.
fn pass_on(stream: impl Read + Send + 'static) -> std::io::Result<()> {
    let pass = move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            tell(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    };
    std::thread::Builder::new().name("load".into()).spawn(pass).map(drop)
}

/// A document that has no measurement yet.
fn head(server: Server) -> Document {
    let noise = prepare::noise();
    let scenarios = Chosen { chosen: 0, of: scenarios::all().len(), which: "only a watch".to_owned() };
    Document { noise, servers: vec![server], ..Document::begin(&catalog::root_or_here(), scenarios) }
}

fn document(head: Document, watch: &Watch) -> Result<Results, String> {
    let mut document = Document { took_ms: watch.after().at_ms as u64, ..head };
    watch::put(&mut document, watch);
    Results::of(document)
}
