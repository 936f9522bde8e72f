//! The playground as a page uses it: who is let in, what one experiment tells, and what is left when it ends.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use play::verdict::GRACE;
use serde_json::Value;
use suite::exit::Exit;
use testbed::proc::{self, State};

#[path = "play/server.rs"]
mod server;

/// Longer than any event is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(server::WORD) {
        server::serve();
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        Trial::test("a_request_that_names_another_host_is_refused", foreign_host),
        Trial::test("a_request_of_another_site_is_refused", foreign_origin),
        Trial::test("without_the_token_of_the_page_nothing_acts_or_tells", no_token),
        Trial::test("the_page_loads_from_its_own_address_alone", own_files),
        Trial::test("work_that_listens_stops_at_the_deadline", stops),
        Trial::test("work_that_does_not_listen_is_called_a_zombie_while_it_runs", zombie),
        Trial::test("a_client_that_is_killed_ends_the_work_that_listens", killed),
        Trial::test("a_page_that_comes_later_is_told_of_what_runs", late_page),
        Trial::test("a_bad_experiment_is_refused_with_its_parameter", refused),
        Trial::test("a_restart_ends_the_zombies", restarted),
        Trial::test("twenty_experiments_and_an_interrupt_leave_no_process", nothing_left),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise().into()) }
}

/// A playground that runs, with the page's token.
struct Playground {
    lab: Child,
    host: String,
    token: String,
}

impl Drop for Playground {
    fn drop(&mut self) {
        let _ = self.lab.kill();
        let _ = self.lab.wait();
    }
}

impl Playground {
    fn start() -> Result<Self, Failed> {
        let own = format!("'{}' {}", std::env::current_exe()?.display(), server::WORD);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(["play", "--run", &own]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut lab = command.stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(lab.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        let host = line.trim_end().strip_prefix("playground on http://").map(str::to_owned);
        let mut playground = Self { lab, host: host.ok_or(line)?, token: String::new() };
        let page = playground.ask(&format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", playground.host))?;
        let (_, rest) = page.split_once("name=\"token\" content=\"").ok_or("the page carries no token")?;
        playground.token = rest.split('"').next().unwrap_or_default().to_owned();
        Ok(playground)
    }

    /// Sends a head as it is, and reads the whole answer.
    fn ask(&self, head: &str) -> Result<String, Failed> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Sends what the page would send.
    fn post(&self, target: &str) -> Result<String, Failed> {
        let Self { host, token, .. } = self;
        self.ask(&format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nX-Lab-Token: {token}\r\n\r\n"
        ))
    }

    fn run(&self, parameters: &str) -> Result<u64, Failed> {
        let answer = self.post(&format!("/run?server=run&{parameters}"))?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        let begun: Value = serde_json::from_str(body).map_err(|_| answer.clone())?;
        Ok(begun["id"].as_u64().ok_or(answer)?)
    }

    fn events(&self) -> Result<Events, Failed> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Self { host, token, .. } = self;
        write!(stream, "GET /events?token={token} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
        let mut events = Events(BufReader::new(stream));
        events.find(|name, _| name == "stands")?;
        Ok(events)
    }

    fn interrupt(&self) -> Result<(), Failed> {
        let status = Command::new("kill").args(["-INT", &self.lab.id().to_string()]).status()?;
        holds(status.success(), || "it was gone already".to_owned())
    }
}

struct Events(BufReader<TcpStream>);

impl Events {
    /// Reads on to the first event that is wanted.
    fn find(&mut self, wanted: impl Fn(&str, &Value) -> bool) -> Result<Value, Failed> {
        let (until, mut name) = (Instant::now() + PATIENCE, String::new());
        while Instant::now() < until {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err("the events ended".into());
            }
            if let Some(named) = line.trim_end().strip_prefix("event: ") {
                named.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let event = serde_json::from_str(data)?;
                if wanted(&name, &event) {
                    return Ok(event);
                }
            }
        }
        Err("the event did not come".into())
    }

    /// Reads on to the end of an experiment: the bars as they are then, and the verdict.
    fn settled(&mut self, id: u64) -> Result<(Value, Value), Failed> {
        let bars = RefCell::default();
        let judged = self.find(|name, event| {
            if name == "moved" && event["id"] == id {
                bars.replace(event.clone());
            }
            name == "judged" && event["id"] == id && event["settled"] == true
        })?;
        Ok((bars.into_inner(), judged))
    }
}

/// Checks the verdict on work that listens: it is `kind`, unless this machine was later than is forgiven, which the bars of the
/// same moment show.
fn listened((bars, judged): &(Value, Value), deadline_ms: Option<f64>, kind: &str) -> Result<(), Failed> {
    let (grace, how) = (GRACE.as_secs_f64() * 1e3, if kind == "completed" { kind } else { "canceled" });
    let at = |bar: &Value| bar.as_f64().unwrap_or_default();
    let over = at(&bars["over"]["at"]);
    let kind = if at(&bars["ended"]["at"]).max(at(&bars["last"])) > over + grace {
        "zombie"
    } else if deadline_ms.is_some_and(|deadline| over > deadline + grace) {
        "late"
    } else {
        kind
    };
    holds(judged["kind"] == kind && bars["ended"]["how"] == how, || format!("not {kind}: {judged} of {bars}"))
}

fn is_refused(answer: &str) -> Result<(), Failed> {
    let status = answer.split(' ').nth(1);
    holds(status == Some("403") && !answer.contains("token\" content"), || answer.to_owned())
}

fn foreign_host() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let Playground { host, token, .. } = &playground;
    let port = host.rsplit(':').next().unwrap_or_default();
    let rest = format!("X-Lab-Token: {token}\r\n\r\n");
    for hosts in [
        format!("Host: rebound.example:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        format!("Host: {host}.rebound.example\r\n"),
        format!("Host: {host}\r\nHost: rebound.example\r\n"),
        String::new(),
    ] {
        for target in ["GET /", "GET /events", "POST /run?server=run", "GET /play.js", "GET /none"] {
            is_refused(&playground.ask(&format!("{target} HTTP/1.1\r\n{hosts}{rest}"))?)?;
        }
    }
    let named = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    holds(playground.ask(&named)?.starts_with("HTTP/1.1 200"), || "localhost is its own name".to_owned())
}

fn foreign_origin() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let Playground { host, token, .. } = &playground;
    for origin in ["http://other.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"] {
        for target in
            ["POST /run?server=run", "POST /leave?id=1&way=rst", "POST /restart?server=run", "GET /"]
        {
            let head = format!(
                "{target} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nX-Lab-Token: {token}\r\n\r\n"
            );
            is_refused(&playground.ask(&head)?)?;
        }
    }
    Ok(())
}

fn no_token() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let Playground { host, token, .. } = &playground;
    let wrong = format!("{}0", &token[..token.len() - 1]);
    let wrong = if wrong == *token { "1".repeat(token.len()) } else { wrong };
    for target in ["POST /run", "POST /leave", "POST /restart", "GET /events"] {
        for (query, field) in [
            (String::new(), String::new()),
            (format!("?token={wrong}"), String::new()),
            (String::new(), "X-Lab-Token: \r\n".to_owned()),
            (String::new(), format!("X-Lab-Token: {token}{token}\r\n")),
        ] {
            is_refused(
                &playground.ask(&format!("{target}{query} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n"))?,
            )?;
        }
    }
    Ok(())
}

fn own_files() -> Result<(), Failed> {
    let playground = Playground::start()?;
    for (path, kind) in [("/", "text/html"), ("/play.js", "text/javascript"), ("/play.css", "text/css")] {
        let answer = playground.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", playground.host))?;
        let policy = "Content-Security-Policy: default-src 'none'; script-src 'self'";
        holds(answer.contains(kind) && answer.contains(policy), || answer.clone())?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        let elsewhere = body.replace("http://www.w3.org/2000/svg", "").contains("://");
        holds(!body.is_empty() && !elsewhere, || format!("{path} is empty, or names another address"))?;
    }
    Ok(())
}

fn stops() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let mut events = playground.events()?;
    let id = playground.run("style=context&work=5s&deadline=1s")?;
    let begun = events.find(|name, event| name == "began" && event["id"] == id)?;
    let link = "server=run&style=context&work=5000ms&deadline=1000ms&leave=none";
    holds(begun["link"] == link, || begun.to_string())?;
    let beat = events.find(|name, event| name == "moved" && event["beats"].as_u64() > Some(0))?;
    holds(beat["over"].is_null() && beat["began"].is_number(), || beat.to_string())?;
    listened(&events.settled(id)?, Some(1000.0), "stopped")
}

fn zombie() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let mut events = playground.events()?;
    let id = playground.run("style=detached&work=2s&deadline=100ms")?;
    let judged = events.find(|name, event| name == "judged" && event["id"] == id)?;
    holds(judged["kind"] == "zombie" && judged["settled"] == false, || judged.to_string())?;
    let moved = events.find(|name, event| name == "moved" && !event["ended"].is_null())?;
    holds(moved["vain"].as_u64() > Some(20) && moved["over"]["how"] == "504", || moved.to_string())?;
    let (_, judged) = events.settled(id)?;
    holds(judged["kind"] == "zombie", || judged.to_string())
}

fn killed() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let mut events = playground.events()?;
    for (way, style, work) in [
        ("rst", "context", "9s"),
        ("fin", "context", "9s"),
        ("half-close", "context", "9s"),
        ("rst", "detached", "300ms"),
    ] {
        let id = playground.run(&format!("style={style}&work={work}&deadline=own"))?;
        events
            .find(|name, event| name == "moved" && event["id"] == id && event["beats"].as_u64() > Some(2))?;
        playground.post(&format!("/leave?id={id}&way={way}"))?;
        let over =
            events.find(|name, event| name == "moved" && event["id"] == id && !event["over"].is_null())?;
        holds(over["over"]["how"] == way, || over.to_string())?;
        let end = events.settled(id)?;
        if style == "context" {
            listened(&end, None, "stopped")?;
        } else {
            holds(end.1["kind"] == "zombie", || format!("{way} {style}: {}", end.1))?;
        }
    }
    let answer = playground.post("/leave?id=1&way=rst")?;
    holds(answer.starts_with("HTTP/1.1 404") && answer.contains("does not run"), || answer.clone())
}

fn late_page() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let mut events = playground.events()?;
    let id = playground.run("style=detached&work=2s&deadline=100ms")?;
    events.find(|name, _| name == "moved")?;
    let mut later = playground.events()?;
    let began = later.find(|name, event| name == "began" && event["id"] == id)?;
    holds(began["style"] == "detached", || began.to_string())?;
    let (_, judged) = later.settled(id)?;
    holds(judged["kind"] == "zombie", || judged.to_string())
}

fn refused() -> Result<(), Failed> {
    let playground = Playground::start()?;
    for (target, status, name) in [
        ("/run?server=none", "400", "`server`"),
        ("/run?server=run&style=query", "400", "`style`"),
        ("/run?server=run&deadline=soon", "400", "`deadline`"),
        ("/run?server=run&work=1h", "400", "`work`"),
        ("/leave?id=1&way=shout", "400", "`way`"),
        ("/leave?id=x&way=fin", "400", "`id`"),
        ("/restart", "400", "`server`"),
        ("/play.js", "405", "method"),
        ("/none", "404", "no such page"),
    ] {
        let answer = playground.post(target)?;
        let told = answer.split(' ').nth(1) == Some(status) && answer.contains(name);
        holds(told, || format!("{target}: {answer}"))?;
    }
    Ok(())
}

fn restarted() -> Result<(), Failed> {
    let playground = Playground::start()?;
    let mut events = playground.events()?;
    let id = playground.run("style=detached&work=9s&deadline=50ms")?;
    events.find(|name, event| name == "judged" && event["kind"] == "zombie")?;
    playground.post("/restart?server=run")?;
    let failed = events.find(|name, event| name == "failed" && event["id"] == id)?;
    holds(failed["says"].as_str().is_some_and(|says| says.contains("afresh")), || failed.to_string())?;
    let id = playground.run("style=context&work=50ms&deadline=9s")?;
    listened(&events.settled(id)?, Some(9000.0), "completed")
}

fn nothing_left() -> Result<(), Failed> {
    let mut playground = Playground::start()?;
    let mut events = playground.events()?;
    for number in 0..20 {
        let style = ["context", "detached"][number % 2];
        let leave = ["none", "fin", "rst", "half-close"][number / 2 % 4];
        // A client that leaves is never answered before: no machine is so slow.
        let (work, deadline, deadline_ms) = match (style, leave) {
            (_, "none") => ("300ms", "60ms", Some(60.0)),
            ("context", _) => ("9s", "own", None),
            _ => ("300ms", "own", None),
        };
        let id = playground
            .run(&format!("style={style}&work={work}&deadline={deadline}&leave={leave}&after=30ms"))?;
        let over =
            events.find(|name, event| name == "moved" && event["id"] == id && !event["over"].is_null())?;
        let how = if leave == "none" { "504" } else { leave };
        holds(over["over"]["how"] == how, || format!("{style}, {leave}: {over}"))?;
        let end = events.settled(id)?;
        if style == "context" {
            listened(&end, deadline_ms, "stopped")?;
        } else {
            holds(end.1["kind"] == "zombie", || format!("{style}, {leave}: {}", end.1))?;
        }
    }
    // One is under way when the signal comes.
    playground.run("style=detached&work=9s&deadline=50ms")?;
    let servers = proc::children(playground.lab.id())?;
    holds(!servers.is_empty(), || "the server is a child".to_owned())?;
    playground.interrupt()?;
    let status = playground.lab.wait()?;
    holds(status.code() == Some(Exit::Interrupted.status().into()), || status.to_string())?;
    // At once: not even an entry in the table of processes is left for another to take.
    let left = servers.iter().filter(|server| server.state() != State::Gone).count();
    holds(left == 0, || format!("{left} of {} processes are left", servers.len()))
}
