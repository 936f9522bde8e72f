//! The page's server: a thread a connection, on loopback alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use parking_lot::Mutex;

use crate::door::Door;
use crate::event::Stands;
use crate::experiment::{Experiment, way};
use crate::http::{self, Ask, Reply};
use crate::hub::{self, Hub};
use crate::run::{self, Orders};
use crate::stand::{STYLES, Stand};
use crate::{Error, code, page, usage};

/// The most connections at once.
const CONNECTIONS: usize = 64;
/// The most experiments at once.
const EXPERIMENTS: usize = 32;
/// The pause after which an idle stream of events says that it is open, which finds a page that has left.
const ALIVE: Duration = Duration::from_secs(5);

/// Has a page whose stream was cut open another at once, in milliseconds.
const RETRY: &str = "retry: 300\n\n";

/// The playground: its servers run, its page is served.
#[derive(Debug)]
pub struct Play {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    door: Door,
    stands: Vec<Stand>,
    hub: Hub,
    running: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
    connections: AtomicUsize,
}

/// An experiment under way.
#[derive(Debug)]
struct Running {
    orders: Arc<Orders>,
    /// Its first event, for pages that come later.
    began: Option<Arc<str>>,
}

impl Play {
    /// Listens on this port of loopback; 0 is a free one.
    ///
    /// # Errors
    /// When it cannot be listened on, or the system gives no token or thread.
    pub fn open(port: u16, stands: Vec<Stand>) -> Result<Self, Error> {
        let listen = |source| Error::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = Arc::new(State {
            door: Door::new(address.port()).map_err(Error::Token)?,
            stands,
            hub: Hub::default(),
            running: Mutex::default(),
            next: AtomicU64::new(1),
            connections: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let watch = move || usage::watch(&shared.stands, &shared.hub);
        std::thread::Builder::new().name("usage".into()).spawn(watch).map_err(Error::Thread)?;
        Ok(Self { listener, address, state })
    }

    /// Where the page is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the page, without end.
    pub fn serve(&self) {
        for stream in self.listener.incoming() {
            let Ok(stream) = stream else {
                // Out of descriptors, most likely: those of others come free.
                std::thread::sleep(Duration::from_millis(10));
                continue;
            };
            let state = Arc::clone(&self.state);
            if state.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
                state.connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let serve = move || {
                // A page that has left is no failure.
                let _ = state.serve(stream);
                state.connections.fetch_sub(1, Ordering::Relaxed);
            };
            if std::thread::Builder::new().name("page".into()).spawn(serve).is_err() {
                self.state.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl State {
    fn serve(self: &Arc<Self>, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(ask) = Ask::read(&mut stream) else { return Ok(()) };
        let file = page::file(&ask.path, self.door.token());
        if let Err(why) = self.door.admit(&ask, file.is_some()) {
            return Reply::text(403, why).write(&mut stream);
        }
        let reply = match (ask.method.as_str(), ask.path.as_str(), file) {
            ("GET", _, Some(file)) => file,
            ("GET", "/events", _) => return self.events(&mut stream),
            ("GET", "/code", _) => code(&ask),
            ("POST", "/run", _) => self.run(&ask),
            ("POST", "/leave", _) => self.leave(&ask),
            ("POST", "/restart", _) => self.restart(&ask),
            (_, "/events" | "/code" | "/run" | "/leave" | "/restart", _) | (_, _, Some(_)) => {
                Reply::text(405, "another method is needed\n")
            }
            _ => Reply::text(404, "there is no such page\n"),
        };
        reply.write(&mut stream)
    }

    /// Streams events to a page until it leaves.
    fn events(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let events = self.hub.listen();
        http::begin_events(stream)?;
        stream.write_all(RETRY.as_bytes())?;
        for line in self.state_now() {
            stream.write_all(line.as_bytes())?;
        }
        loop {
            match events.recv_timeout(ALIVE) {
                Ok(line) => stream.write_all(line.as_bytes())?,
                Err(RecvTimeoutError::Timeout) => stream.write_all(b": open\n\n")?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// The events that bring a new page to where the others are.
    fn state_now(&self) -> Vec<Arc<str>> {
        let running = self.running.lock();
        let servers = self.stands.iter().map(Stand::told).collect();
        let stands = Stands { servers, styles: &STYLES, running: running.keys().copied().collect() };
        let began = running.values().filter_map(|running| running.began.clone());
        hub::line("stands", &stands).into_iter().chain(began).collect()
    }

    /// Begins an experiment, and answers with its number.
    fn run(self: &Arc<Self>, ask: &Ask) -> Reply {
        let experiment = match Experiment::read(ask.parameters()) {
            Ok(experiment) => experiment,
            Err(why) => return Reply::text(400, why + "\n"),
        };
        let Some(place) = self.stands.iter().position(|stand| stand.name() == experiment.server) else {
            return Reply::text(400, format!("`server`: no `{}` is on show\n", experiment.server));
        };
        if !self.stands[place].has(&experiment.style) {
            let Experiment { server, style, .. } = experiment;
            return Reply::text(400, format!("`style`: {server} has no `{style}`\n"));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let orders = Arc::new(Orders::default());
        {
            let mut running = self.running.lock();
            if running.len() >= EXPERIMENTS {
                return Reply::text(429, format!("{EXPERIMENTS} experiments run already: wait for one\n"));
            }
            let began = hub::line("began", &experiment.told(id));
            running.insert(id, Running { orders: Arc::clone(&orders), began: began.clone() });
            // Before any page is told of its first step, and not twice to one that comes now: it knows the number.
            self.hub.pass(began);
        }
        let state = Arc::clone(self);
        let run = move || {
            run::run(id, &experiment, &state.stands[place], &orders, &state.hub);
            state.running.lock().remove(&id);
        };
        if std::thread::Builder::new().name("experiment".into()).spawn(run).is_err() {
            self.running.lock().remove(&id);
            return Reply::text(503, "no thread for the experiment\n");
        }
        Reply { status: 202, kind: "application/json", body: format!("{{\"id\":{id}}}\n") }
    }

    /// Has the client of a running experiment disconnect.
    fn leave(&self, ask: &Ask) -> Reply {
        let find = |wanted: &str| ask.parameters().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let Some(way) = find("way").as_deref().and_then(way) else {
            return Reply::text(400, "`way` takes fin, rst or half-close\n");
        };
        let Some(id) = find("id").and_then(|id| id.parse::<u64>().ok()) else {
            return Reply::text(400, "`id` takes the number of an experiment\n");
        };
        match self.running.lock().get(&id) {
            Some(running) => {
                running.orders.leave(way);
                Reply::text(202, "")
            }
            None => Reply::text(404, format!("experiment {id} does not run\n")),
        }
    }

    /// Kills a server with all its work, and starts it afresh.
    fn restart(&self, ask: &Ask) -> Reply {
        let name = ask.parameters().find(|(name, _)| name == "server").map(|(_, value)| value);
        let Some(stand) = self.stands.iter().find(|stand| name.as_deref() == Some(stand.name())) else {
            return Reply::text(400, "`server` takes the name of a server on show\n");
        };
        match stand.restart() {
            Ok(()) => Reply::text(202, ""),
            Err(why) => Reply::text(503, why + "\n"),
        }
    }
}

/// Answers with the code behind a choice.
fn code(ask: &Ask) -> Reply {
    let find = |wanted: &str| ask.parameters().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let (server, style) = (find("server").unwrap_or_default(), find("style").unwrap_or_default());
    let leaves = find("leave").is_some_and(|way| way != "none");
    match serde_json::to_string(&code::behind(&server, &style, leaves)) {
        Ok(body) => Reply { status: 200, kind: "application/json", body },
        Err(_) => Reply::text(503, "the code cannot be told\n"),
    }
}
