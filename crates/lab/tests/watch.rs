//! `lab watch` on a server whose zombies are known: each request is answered 504 at once, and its work runs on for 1.5 s.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use suite::exit::Exit;

mod shared;

use shared::{Place, ends, holds, text};

/// The argument that makes this program a load; then come the URL, the number of requests and the exit status.
const LOAD: &str = "__load";
/// The time for which work goes on after its answer: long beside the time for which a busy machine may not look.
const ZOMBIE: Duration = Duration::from_millis(1500);
/// The time by which the last heartbeat of work comes later than the census counts its end.
const BEHIND: Duration = Duration::from_millis(100);
/// Requests of a load.
const REQUESTS: u64 = 20;
/// Requests of a load that is interrupted long before its last one.
const ALL: u64 = 255;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(LOAD) {
        let url = args.next().unwrap_or_default();
        let mut number = || args.next()?.parse::<u8>().ok();
        let (requests, status) = (number().unwrap_or(0), number().unwrap_or(0));
        load(&url, requests);
        return ExitCode::from(status);
    }
    let trials = vec![
        Trial::test("zombies_answers_and_heartbeats_are_counted_as_they_were", counted),
        Trial::test("a_load_that_fails_is_exit_1_and_its_watch_is_kept", failing),
        Trial::test("a_load_that_sends_nothing_is_exit_2_and_names_the_address", silent),
        Trial::test("a_server_that_ends_under_the_load_is_exit_2_and_its_watch_is_kept", dying),
        Trial::test("an_interrupt_ends_the_load_and_keeps_the_watch", interrupt),
        Trial::test("a_watch_without_an_instrument_says_what_it_takes", blind),
        Trial::test("a_census_that_does_not_answer_is_told_before_the_load_begins", no_census),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Sends requests, 10 ms apart, and reads each answer to its end.
fn load(url: &str, requests: u8) {
    let address = url.trim_start_matches("http://");
    for number in 0..requests {
        let mut stream = TcpStream::connect(address).expect("the server accepts");
        write!(stream, "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: r-{number}\r\n\r\n").expect("it reads");
        stream.read_to_end(&mut Vec::new()).expect("it answers");
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("sent {requests}");
}

/// A server whose work outlives its answers, and its census.
struct Server {
    address: SocketAddr,
    admin: SocketAddr,
    witness: SocketAddr,
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    /// When each unit of work ends.
    ends: Mutex<Vec<Instant>>,
}

impl Server {
    fn start() -> Result<Self, Failed> {
        let (requests, census) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        // `lab watch` listens on it a moment later: it is none of those that the kernel gives to the sockets here meanwhile.
        let witness = SocketAddr::from((Ipv4Addr::LOCALHOST, testbed::port::free()?));
        let server = Self { address: requests.local_addr()?, admin: census.local_addr()?, witness };
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            requests.incoming().flatten().try_for_each(|stream| answer(stream, &shared, witness))
        });
        std::thread::spawn(move || {
            census.incoming().flatten().for_each(|stream| {
                let _ = tell(stream, &counts);
            });
        });
        Ok(server)
    }

    /// A watch of this server while this program is the load.
    fn watch(&self, place: &Place, requests: u64, status: u8) -> Result<Command, Failed> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(["watch", "--url", &format!("http://{}", self.address)]);
        command.args(["--admin", &format!("http://{}", self.admin)]);
        command.args(["--witness", &self.witness.to_string(), "--pid", &std::process::id().to_string()]);
        command.args(["--out", place.path(), "--"]).arg(std::env::current_exe()?);
        command.args([LOAD, "{url}", &requests.to_string(), &status.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

/// Answers 504 and lets the work run on.
fn answer(mut stream: TcpStream, counts: &Counts, witness: SocketAddr) -> Option<()> {
    let id =
        head(&stream).into_iter().find_map(|line| line.strip_prefix("X-Request-Id: ").map(str::to_owned))?;
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    socket.send_to(format!("{id} start").as_bytes(), witness).ok()?;
    counts.ends.lock().ok()?.push(Instant::now() + ZOMBIE);
    counts.answered.fetch_add(1, Ordering::Relaxed);
    stream
        .write_all(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .ok()?;
    std::thread::spawn(move || {
        std::thread::sleep(ZOMBIE + BEHIND);
        socket.send_to(format!("{id} end completed").as_bytes(), witness)
    });
    Some(())
}

/// Tells the census: all work is a zombie.
fn tell(mut stream: TcpStream, counts: &Counts) -> std::io::Result<()> {
    head(&stream);
    let now = Instant::now();
    let live = counts.ends.lock().map_or(0, |ends| ends.iter().filter(|end| **end > now).count());
    let answered = counts.answered.load(Ordering::Relaxed);
    let body = format!(
        r#"{{"server":"x","requests":{{"answered":{{"504":{answered}}}}},"work":{{"live":{live},"zombie":{live}}}}}"#
    );
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn head(stream: &TcpStream) -> Vec<String> {
    BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect()
}

/// The record of the watch in the document that was written.
fn record(place: &Place) -> Result<(serde_json::Value, serde_json::Value), Failed> {
    let document = place.results()?;
    Ok((document["measurements"][0]["records"][0].clone(), document))
}

fn counted() -> Result<(), Failed> {
    let place = Place::new("counted");
    let output = Server::start()?.watch(&place, REQUESTS, 0)?.output()?;
    ends(&output, Exit::Good)?;
    let (record, document) = record(&place)?;
    holds(record["answered"] == serde_json::json!({ "504": REQUESTS }), || record["answered"].to_string())?;
    let heard = &record["heard"];
    holds(heard["started"] == REQUESTS && heard["completed"] == REQUESTS && heard["running"] == 0, || {
        heard.to_string()
    })?;
    let series = document["measurements"][0]["series"].as_array().ok_or("no series")?.clone();
    let area = series.iter().find(|one| one["what"] == "watch: zombie area").ok_or("no area")?;
    let (area, wanted) =
        (area["rounds"][0][0].as_f64().unwrap_or(0.0), REQUESTS as f64 * ZOMBIE.as_secs_f64());
    // The census is read every 50 ms of the 1500 that each unit runs on.
    holds((area - wanted).abs() < wanted / 3.0, || format!("{area} task-seconds, not {wanted}"))?;
    let said = text(&output);
    holds(
        said.contains("Zombies: at most") && said.contains("20 × 504") && said.contains("sent 20"),
        || said,
    )?;
    holds(place.0.join("report.html").is_file(), || "no report".to_owned())
}

fn failing() -> Result<(), Failed> {
    let place = Place::new("failing");
    let output = Server::start()?.watch(&place, 1, 7)?.output()?;
    ends(&output, Exit::Broken)?;
    holds(record(&place)?.0["load_end"] == "exit status: 7", || text(&output))
}

fn silent() -> Result<(), Failed> {
    let (place, server) = (Place::new("silent"), Server::start()?);
    let output = server.watch(&place, 0, 0)?.output()?;
    ends(&output, Exit::NotRun)?;
    let wanted = format!("is the load sent to http://{}?", server.address);
    holds(text(&output).contains(&wanted), || text(&output))
}

fn dying() -> Result<(), Failed> {
    let (place, mut server) = (Place::new("dying"), Command::new("sleep").arg("60").spawn()?);
    // The load ends the server once it has been watched for a while, however long the watch took to begin.
    let (id, load) = (server.id().to_string(), format!("sleep 2; kill {}; exec sleep 60", server.id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["watch", "--url", "http://127.0.0.1:9", "--pid", &id]);
    let output = command.args(["--out", place.path(), "--", "sh", "-c", &load]);
    let reaped = std::thread::spawn(move || server.wait());
    let output = output.output()?;
    let _ = reaped.join();
    ends(&output, Exit::NotRun)?;
    holds(text(&output).contains("can be watched no longer"), || text(&output))?;
    let readings = record(&place)?.0["readings"].as_array().map_or(0, Vec::len);
    holds(readings > 1, || format!("{readings} readings were kept"))
}

fn interrupt() -> Result<(), Failed> {
    let (place, server) = (Place::new("interrupt"), Server::start()?);
    let child = server.watch(&place, ALL, 0)?.spawn()?;
    let until = Instant::now() + Duration::from_secs(30);
    let begun = || Ok::<_, Failed>(census(server.admin)?.contains(r#""live":0,"#));
    // Work runs from the first request on.
    while begun()? && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    holds(kill.success(), || "failed to send SIGINT".to_owned())?;
    let output = child.wait_with_output()?;
    ends(&output, Exit::Interrupted)?;
    let (record, document) = record(&place)?;
    holds(document["interrupted"] == true && record["load_end"].is_null(), || text(&output))?;
    // What had been sent by then may still be answered; a load that goes on never pauses before its last request.
    let until = Instant::now() + Duration::from_secs(30);
    let mut before = answered(server.admin)?;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let after = answered(server.admin)?;
        if after == before {
            break;
        }
        holds(Instant::now() < until, || "the load goes on".to_owned())?;
        before = after;
    }
    holds(!before.contains(&format!(":{ALL}")), || format!("the load went on: {before}"))
}

fn census(admin: SocketAddr) -> Result<String, Failed> {
    let mut stream = TcpStream::connect(admin)?;
    stream.write_all(b"GET /census HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn answered(admin: SocketAddr) -> Result<String, Failed> {
    let census = census(admin)?;
    Ok(census.split_once("answered").ok_or("no census")?.1.split('}').next().unwrap_or_default().to_owned())
}

fn blind() -> Result<(), Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = command.args(["watch", "--url", "http://127.0.0.1:9", "--", "true"]).output()?;
    ends(&output, Exit::NotRun)?;
    holds(text(&output).contains("give --admin (its census), --pid"), || text(&output))
}

fn no_census() -> Result<(), Failed> {
    let place = Place::new("no-census");
    let server = Server { admin: SocketAddr::from(([127, 0, 0, 1], 9)), ..Server::start()? };
    let output = server.watch(&place, 1, 0)?.output()?;
    ends(&output, Exit::NotRun)?;
    let said = text(&output);
    holds(said.contains("failed to read the instruments") && !said.contains("sent 1"), || said)?;
    holds(!place.0.exists(), || "a folder without a file in it was left".to_owned())
}
