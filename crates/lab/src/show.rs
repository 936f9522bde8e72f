//! `lab show`: one request, and what became of its work, drawn on a line of time.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use measure::zombie::How;
use play::verdict::GRACE;
use report::terminal::render;
use suite::exit::Exit;
use suite::missing;
use testbed::capability::Capability;
use testbed::catalog::{self, Catalog};
use testbed::census;
use testbed::guard;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};
use testbed::witness::{Witness, Word};
use wire::h2::{Code, H2, Manners};
use wire::trace::Trace;
use wire::{Answer, Request, Wire};

use crate::args::{Leave, Show};
use crate::prepare;
use crate::progress::{print, say, screen};

mod chain;
mod draw;
mod outside;

use draw::Seen;
use outside::Behind;

/// The id of the request.
const ID: &str = "show";

/// The time after the request for which the work is watched.
const WATCH: Duration = Duration::from_secs(20);

/// The longest time after the answer at which work may begin; not every path has any.
const BEGIN: Duration = Duration::from_millis(300);
/// The longest time after the request at which work outside the process may begin.
const BEGIN_OUTSIDE: Duration = Duration::from_secs(2);

/// Starts a server, sends it one request, watches its work, and draws both.
pub(crate) fn show(args: &Show) -> Result<Exit, String> {
    let (listed, target) = args.asked()?;
    if args.leave == Some(Leave::Stream) && !args.http2 {
        return Err("--leave stream: only HTTP/2 has streams; it takes --http2".into());
    }
    guard::kill_on_signals()?;
    if let Some(names) = chain::names(listed, args)? {
        return chain::show(&names, target, args);
    }
    let Shown { name, server, behind } = started(listed, target, args)?;
    let trace = Trace::default();
    let text = |error: wire::Error| error.to_string();
    let wire = Wire::connect(server.address(), Instant::now() + WATCH, &trace)
        .map_err(|error| server.died().unwrap_or_else(|| text(error)))?
        .with_host(server.host());
    let mut request = Request::get(target).id(ID);
    if let Some(deadline) = args.deadline {
        request = request.timeout(deadline);
    }
    say(&format!("{name} {target}"));
    let outside = behind.witness(&server, ID)?;
    let seen = thread::scope(|scope| -> Result<Seen, String> {
        let begins_by = Instant::now() + BEGIN_OUTSIDE;
        let watch = outside.map(|outside| scope.spawn(move || outside.watch(begins_by, begins_by + WATCH)));
        let (sent_at, left_at, client, body) = match args.http2 {
            true => streamed(wire, &request, args),
            false => exchanged(wire, &request, args),
        }
        .map_err(text)?;
        let client = Some((client, left_at.saturating_duration_since(sent_at)));
        let mut seen = Seen { deadline: args.deadline, client, body, ..Seen::default() };
        if let Some(witness) = server.witness() {
            seen.hear(witness, sent_at);
        }
        if let Some(watch) = watch {
            let found = watch.join().expect("a watch does not panic")?;
            seen.outside = behind.drawn(found, sent_at);
        }
        Ok(seen)
    })?;
    print(draw::draw(&seen, screen()));
    if seen.began.is_none() && listed.is_none() {
        print(format_args!(
            "{}\n",
            render::wrap_to(
                &format!("its work is heard when {}", missing::takes(Capability::Witness)),
                "          ",
                screen().width
            )
        ));
    }
    if let Some(census) = server.admin().and_then(|admin| census::Census::read(admin).ok()) {
        print(format_args!("census    {}\n", census.line()));
    }
    Ok(Exit::Good)
}

/// A server, and what stands behind it.
struct Shown {
    name: String,
    server: Arc<Server>,
    behind: Behind,
}

/// Starts the server that was asked for, behind it what the work of the target needs.
fn started(listed: Option<&str>, target: &str, args: &Show) -> Result<Shown, String> {
    let own = match (&args.run, &args.url) {
        (Some(command), _) => Some(prepare::own(command, args.start_timeout)?),
        (_, Some(url)) => Some(Subject::at(url, None)?),
        _ => None,
    };
    if let Some(own) = own {
        // Only a server of the list takes the flags that name a database or the next server.
        let (name, server) = (own.name().to_owned(), own.start(Setup::default())?);
        return Ok(Shown { name, server, behind: Behind::of(target) });
    }
    let root = catalog::root()?;
    let catalog = Catalog::read(&root)?;
    let stanza = catalog.find(listed.unwrap_or_default())?;
    let subject = prepare::listed(stanza, &root, false, |_| {})?;
    let flags = flags(&args.flag)?;
    let behind = Behind::start(&subject, target)?;
    let own = behind.flags();
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let flags: Vec<_> = own.chain(flags.iter().map(|(name, value)| (name.as_str(), *value))).collect();
    let server = subject.start(Setup { flags: &flags, ..Setup::default() })?;
    Ok(Shown { name: stanza.name.clone(), server, behind })
}

impl Seen {
    /// Notes what the witness hears of the work, until it has ended.
    fn hear(&mut self, witness: &Witness, sent_at: Instant) {
        let since = |at: Instant| at.saturating_duration_since(sent_at);
        let began = witness.wait_start(ID, BEGIN).is_some();
        let ended = began.then(|| watched(witness)).flatten();
        for (at, word) in witness.events(ID) {
            match word {
                Word::Start => self.began = Some(since(at)),
                Word::Beat(_) => self.beats.push(since(at)),
                _ => {}
            }
        }
        self.ended = ended.and_then(|(at, word)| Some((How::of(word)?.word(), since(at))));
    }
}

/// Takes flags apart that are given as NAME=VALUE.
pub(crate) fn flags(given: &[String]) -> Result<Vec<(String, &str)>, String> {
    let mut flags = Vec::new();
    for flag in given {
        let (name, value) = flag
            .split_once('=')
            .ok_or_else(|| format!("--flag `{flag}`: it takes NAME=VALUE, such as threads=1"))?;
        flags.push((format!("--{name}"), value));
    }
    Ok(flags)
}

/// Watches the work until it has said that it ended and is silent: a child process beats on when the server has let go of it.
fn watched(witness: &Witness) -> Option<(Instant, Word)> {
    let until = Instant::now() + WATCH;
    let ended = witness.wait_end(ID, WATCH)?;
    while witness.last(ID).is_some_and(|last| last.elapsed() < GRACE) && Instant::now() < until {
        thread::sleep(GRACE / 10);
    }
    Some(ended)
}

/// The client's side of a request: when it was sent, when it was answered or its client left, which of these, and the body.
type Client = (Instant, Instant, String, Option<String>);

/// Sends the request over HTTP/1.1, and waits for the answer or leaves.
fn exchanged(mut wire: Wire, request: &Request, args: &Show) -> Result<Client, wire::Error> {
    let sent_at = wire.send_request(request)?;
    let Some(how) = args.leave else {
        return wire.answer().map(|answer| answered(sent_at, &answer));
    };
    thread::sleep(args.after);
    let left_at = if how == Leave::Fin { wire.close() } else { wire.reset() };
    Ok((sent_at, left_at, left(how), None))
}

/// Sends the request over HTTP/2, and waits for the answer or leaves.
fn streamed(wire: Wire, request: &Request, args: &Show) -> Result<Client, wire::Error> {
    let mut h2 = H2::over(wire, Manners::default())?;
    let (stream, sent_at) = (h2.request(request)?, Instant::now());
    let Some(how) = args.leave else {
        return h2.answer(stream).map(|answer| answered(sent_at, &answer));
    };
    h2.listen(args.after)?;
    let left_at = match how {
        Leave::Fin => h2.leave(wire::Leave::Fin).0,
        Leave::Rst => h2.leave(wire::Leave::Rst).0,
        Leave::Stream => h2.reset(stream, Code::CANCEL)?,
    };
    Ok((sent_at, left_at, left(how), None))
}

fn answered(sent_at: Instant, answer: &Answer) -> Client {
    let body = answer.response.text().trim_end().to_owned();
    (sent_at, answer.first_byte_at, format!("answered {}", answer.status()), Some(body))
}

fn left(how: Leave) -> String {
    match how {
        Leave::Fin => "left by FIN",
        Leave::Rst => "left by RST",
        Leave::Stream => "left by RST_STREAM",
    }
    .to_owned()
}
