//! `lab show`: one request, and what became of its work, drawn on a line of time.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use play::verdict::GRACE;
use report::terminal::render;
use suite::exit::Exit;
use suite::missing;
use testbed::build;
use testbed::capability::Capability;
use testbed::catalog::{self, Catalog};
use testbed::census;
use testbed::guard;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};
use testbed::toolchains;
use testbed::witness::{Witness, Word};
use wire::h2::{Code, H2, Manners};
use wire::trace::Trace;
use wire::{Answer, Request, Wire};

use crate::args::{Leave, Show};
use crate::progress::{color, print, say};

/// The width of the line of time, in characters.
const WIDTH: f64 = 60.0;
/// The time after the request for which the work is watched.
const WATCH: Duration = Duration::from_secs(20);

/// The longest time after the answer at which work may begin; not every path has any.
const BEGIN: Duration = Duration::from_millis(300);

/// An answer later than this after its deadline is called late.
const LATE: Duration = Duration::from_millis(100);

/// The events of one request, as times since it was sent.
#[derive(Debug, Default)]
struct Seen {
    /// The end of the client's side, and its time.
    client: Option<(String, Duration)>,
    /// The body of the answer.
    body: Option<String>,
    /// The deadline the client asked for.
    deadline: Option<Duration>,
    began: Option<Duration>,
    beats: Vec<Duration>,
    ended: Option<(&'static str, Duration)>,
}

/// Starts a server, sends it one request, watches its work, and draws both.
pub(crate) fn show(args: &Show) -> Result<Exit, String> {
    let (listed, target) = args.asked()?;
    if args.leave == Some(Leave::Stream) && !args.http2 {
        return Err("--leave stream: only HTTP/2 has streams; it takes --http2".into());
    }
    guard::kill_on_signals().map_err(|error| format!("failed to catch signals: {error}"))?;
    let (name, server) = started(listed, args)?;
    let trace = Trace::default();
    let text = |error: wire::Error| error.to_string();
    let wire = Wire::connect(server.address(), Instant::now() + WATCH, &trace)
        .map_err(|error| server.died().unwrap_or_else(|| text(error)))?
        .with_host(server.host());
    let mut request = Request::get(target).id("show");
    if let Some(deadline) = args.deadline {
        request = request.timeout(deadline);
    }
    say(&format!("{name} {target}"));
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
    print(draw(&seen, color()));
    if seen.began.is_none() && listed.is_none() {
        print(format_args!(
            "{}\n",
            render::wrap(
                &format!("its work is heard when {}", missing::takes(Capability::Witness)),
                "          "
            )
        ));
    }
    if let Some(census) = server.admin().and_then(|admin| census::Census::read(admin).ok()) {
        print(format_args!("census    {}\n", census.line()));
    }
    Ok(Exit::Good)
}

/// Starts the server that was asked for, and gives its name too.
fn started(listed: Option<&str>, args: &Show) -> Result<(String, Arc<Server>), String> {
    let own = match (&args.run, &args.url) {
        (Some(command), _) => {
            let here = std::env::current_dir()
                .map_err(|error| format!("failed to find the current folder: {error}"))?;
            Some(Subject::command(command, &here, args.start_timeout)?)
        }
        (_, Some(url)) => Some(Subject::at(url, None)?),
        _ => None,
    };
    if let Some(own) = own {
        return Ok((own.name().to_owned(), own.start(Setup::default())?));
    }
    let root = catalog::root()?;
    let catalog = Catalog::read(&root)?;
    let stanza = catalog.find(listed.unwrap_or_default())?;
    if let Some(why) = toolchains::missing(stanza, &root) {
        return Err(format!("{} is absent: {why}", stanza.name));
    }
    say(&format!("building {}", stanza.name));
    build::build(stanza, &root, |_| {})?;
    let flags = flags(&args.flag)?;
    let flags: Vec<_> = flags.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let server = Subject::listed(stanza, &root, None)?.start(Setup { flags: &flags, ..Setup::default() })?;
    Ok((stanza.name.clone(), server))
}

impl Seen {
    /// Notes what the witness hears of the work, until it has ended.
    fn hear(&mut self, witness: &Witness, sent_at: Instant) {
        let since = |at: Instant| at.saturating_duration_since(sent_at);
        let began = witness.wait_start("show", BEGIN).is_some();
        let ended = began.then(|| watched(witness)).flatten();
        for (at, word) in witness.events("show") {
            match word {
                Word::Start => self.began = Some(since(at)),
                Word::Beat(_) => self.beats.push(since(at)),
                _ => {}
            }
        }
        self.ended = ended.map(|(at, word)| (how_it_ended(word), since(at)));
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
    let ended = witness.wait_end("show", WATCH)?;
    while witness.last("show").is_some_and(|last| last.elapsed() < GRACE) && Instant::now() < until {
        std::thread::sleep(GRACE / 10);
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
    std::thread::sleep(args.after);
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

fn how_it_ended(word: Word) -> &'static str {
    match word {
        Word::Completed => "completed",
        Word::Panicked => "panicked",
        _ => "canceled",
    }
}

/// Draws what was seen; what the work did after the client had its answer is red on a terminal.
fn draw(seen: &Seen, colors: bool) -> String {
    let mut text = String::new();
    let Some((client, answered)) = &seen.client else { return text };
    let ends = [Some(*answered), seen.ended.map(|(_, at)| at), seen.beats.last().copied()];
    let last = ends.into_iter().flatten().max().unwrap_or_default().as_secs_f64().max(1e-6);
    let column = |at: Duration| (at.as_secs_f64() / last * WIDTH).round() as usize;
    let ms = |at: Duration| format!("{:.1} ms", at.as_secs_f64() * 1e3);
    let _ =
        writeln!(text, "request   {} {} at {}", "━".repeat(column(*answered).max(1)), client, ms(*answered));
    if let Some(body) = &seen.body {
        let _ = writeln!(text, "answer    {body}");
    }
    let Some(began) = seen.began else {
        let _ = writeln!(text, "work      never started");
        return text;
    };
    let (how, ended) = seen.ended.unwrap_or(("not seen to end", Duration::from_secs_f64(last)));
    let heard = seen.beats.last().copied().filter(|beat| *beat > ended + GRACE);
    let (how, ended) = match heard {
        Some(heard) => (format!("last heard of, long after it was {how},"), heard),
        None => (how.to_owned(), ended),
    };
    let wanted = column(ended.min(*answered)).saturating_sub(column(began)).max(1);
    let zombie = column(ended).saturating_sub(column(*answered).max(column(began)));
    let (red, plain) = if colors { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
    let bar = format!("{}{red}{}{plain}", "█".repeat(wanted), "▒".repeat(zombie));
    let _ = writeln!(text, "work      {}{bar} {how} at {}", " ".repeat(column(began)), ms(ended));
    let late = seen.beats.iter().filter(|beat| *beat > answered).count();
    let over = ended.saturating_sub(*answered);
    let _ = if late > 0 && over > GRACE {
        writeln!(
            text,
            "verdict   {red}zombie{plain}: {late} beats and {} of work that nobody waits for",
            ms(over)
        )
    } else if let Some(overshoot) =
        seen.deadline.and_then(|deadline| answered.checked_sub(deadline)).filter(|over| *over > LATE)
    {
        writeln!(text, "verdict   {red}late{plain}: answered {} after the deadline", ms(overshoot))
    } else if late > 0 {
        writeln!(text, "verdict   stopped: {} after the end of the request", ms(over))
    } else {
        writeln!(text, "verdict   no work after the end of the request")
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answered: u64, ended: u64, beats: &[u64]) -> Seen {
        let ms = Duration::from_millis;
        Seen {
            body: None,
            deadline: None,
            client: Some(("504".into(), ms(answered))),
            began: Some(ms(0)),
            beats: beats.iter().copied().map(ms).collect(),
            ended: Some(("completed", ms(ended))),
        }
    }

    #[test]
    fn work_past_the_answer_is_a_zombie() {
        let text = draw(&seen(300, 3000, &[200, 400, 3000]), false);
        assert!(text.contains("zombie: 2 beats and 2700.0 ms"), "{text}");
        assert!(text.contains("██████▒▒▒"), "{text}");
    }

    #[test]
    fn work_that_stopped_in_time_is_none() {
        let text = draw(&seen(300, 301, &[200]), false);
        assert!(text.contains("no work after the end") && !text.contains('▒'), "{text}");
    }

    #[test]
    fn work_that_needs_a_moment_to_stop_is_no_zombie() {
        let text = draw(&seen(300, 307, &[200, 307]), false);
        assert!(text.contains("stopped: 7.0 ms after the end") && !text.contains("zombie"), "{text}");
    }

    #[test]
    fn work_that_beats_on_after_its_end_is_a_zombie() {
        let text = draw(&seen(300, 300, &[200, 1000, 3000]), false);
        assert!(text.contains("last heard of, long after it was completed, at 3000.0 ms"), "{text}");
        assert!(text.contains("zombie: 2 beats and 2700.0 ms"), "{text}");
    }

    #[test]
    fn an_answer_long_after_the_deadline_is_late() {
        let deadline = Some(Duration::from_millis(300));
        let text = draw(&Seen { deadline, ..seen(2000, 2000, &[]) }, false);
        assert!(text.contains("late: answered 1700.0 ms after the deadline"), "{text}");
    }

    #[test]
    fn work_that_never_began_is_said_so() {
        let seen = Seen { began: None, ..seen(1, 1, &[]) };
        assert!(draw(&seen, false).contains("never started"));
    }

    #[test]
    fn colors_are_for_terminals() {
        assert!(draw(&seen(300, 3000, &[400]), true).contains("\x1b[31m"));
        assert!(!draw(&seen(300, 3000, &[400]), false).contains('\x1b'));
    }
}
