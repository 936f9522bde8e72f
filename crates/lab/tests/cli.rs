//! The command as people run it: what it prints, which files it leaves, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use suite::exit::Exit;

mod shared;

use shared::{Place, ends, holds, text};

/// The argument that makes this program a server, and the way in which it serves.
const SERVER: &str = "__server";
/// The time for which work goes on after its answer: longer than `lab show` waits for work to begin.
const ZOMBIE: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(SERVER) {
        let way = args.next().unwrap_or_default();
        serve(&way, args.skip_while(|arg| arg != "--witness").nth(1).as_deref());
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        Trial::test("a_server_that_accepts_and_never_answers_is_told_within_ten_seconds", mute),
        Trial::test("a_server_that_never_answers_slow_is_told_and_its_areas_are_skipped", mute_slow),
        Trial::test("a_server_whose_bytes_are_odd_and_allowed_is_not_blamed", odd),
        Trial::test("nothing_judged_is_exit_2_and_says_what_it_would_take", nothing_judged),
        Trial::test("a_closed_stderr_neither_ends_the_run_nor_hides_its_results", closed_stderr),
        Trial::test("a_reader_that_leaves_stdout_is_no_failure_and_the_files_are_written", closed_stdout),
        Trial::test("a_full_stdout_is_exit_2_and_the_files_are_written", full_stdout),
        Trial::test("an_interrupt_keeps_what_was_judged_and_says_so", interrupt),
        Trial::test("a_folder_that_cannot_be_written_is_told_before_anything_runs", unwritable),
        Trial::test("a_server_in_the_background_is_told_to_stay_in_the_foreground_and_ended", daemon),
        Trial::test("a_server_that_is_never_ready_is_told_with_what_it_printed_instead", never_ready),
        Trial::test("the_help_has_the_table_of_exit_statuses", help),
        Trial::test("a_request_whose_work_never_begins_is_shown_at_once", show_no_work),
        Trial::test("a_request_is_shown_when_its_work_has_ended", show_work),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Serves on a free port until it is killed, in one of four ways: `mute` never answers, `mute-slow` answers all but `/slow`,
/// `plain` answers `/fast` with 200 and `/slow` when its work is done or with 504 at its deadline, and `odd` does so with what a
/// client must bear: bytes that are no UTF-8 in its logs, an interim response, a trailer, and 421 for a `Host` that is not its
/// own.
///
/// With a witness, the work of `/slow` goes on for [`ZOMBIE`] after the answer.
fn serve(way: &str, witness: Option<&str>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    println!("listening on http://{}", listener.local_addr().expect("it is bound"));
    for stream in listener.incoming().filter_map(Result::ok) {
        let (way, witness) = (way.to_owned(), witness.map(str::to_owned));
        std::thread::spawn(move || answer(&stream, &way, witness.as_deref()));
    }
}

fn answer(mut stream: &TcpStream, way: &str, witness: Option<&str>) -> Option<()> {
    let mut head = Vec::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        head.push(line.to_ascii_lowercase());
    }
    let is_slow = head.first()?.contains("/slow");
    if way == "mute" || (way == "mute-slow" && is_slow) {
        std::thread::sleep(Duration::from_secs(60));
        return None;
    }
    let field = |name| head.iter().find_map(|line| line.strip_prefix(name));
    let budget = field("grpc-timeout: ").and_then(|text| text.strip_suffix('m')?.parse().ok());
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    let say = |word: &str| {
        let told = witness.zip(field("x-request-id: ").filter(|_| is_slow));
        told.map(|(witness, id)| socket.send_to(format!("{id} {word}").as_bytes(), witness))
    };
    say("start");
    let budget = budget.unwrap_or(2000);
    let work = millis(head.first()?).filter(|work| *work < budget);
    if is_slow {
        std::thread::sleep(Duration::from_millis(work.unwrap_or(budget + 1)));
    }
    let status = if is_slow && work.is_none() { "504 Gateway Timeout" } else { "200 OK" };
    if way == "odd" {
        std::io::stdout().write_all(b"caf\xe9\n").expect("somebody reads");
        std::io::stderr().write_all(b"caf\xe9\n").expect("somebody reads");
        let own = stream.local_addr().ok()?.to_string();
        let status = if field("host: ") == Some(own.as_str()) { status } else { "421 Misdirected Request" };
        write!(stream, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n").ok()?;
        return write!(stream, "Connection: close\r\n\r\n3\r\nok\n\r\n0\r\nX-Sum: 1\r\n\r\n").ok();
    }
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n").ok()?;
    if say("beat 1").is_some() {
        std::thread::sleep(ZOMBIE);
        say("end completed");
    }
    Some(())
}

/// The length of work that a request line asks for in milliseconds.
fn millis(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("work=")?;
    rest.split_once("ms")?.0.parse().ok()
}

fn lab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command that runs this program as a server.
fn own(way: &str) -> String {
    format!("'{}' {SERVER} {way}", std::env::current_exe().expect("we run").display())
}

fn mute() -> Result<(), Failed> {
    let began = Instant::now();
    let output = lab(&["check", "--run", &own("mute")]).output()?;
    let took = began.elapsed();
    ends(&output, Exit::NotRun)?;
    holds(text(&output).contains("accepts and never answers"), || text(&output))?;
    holds(took < Duration::from_secs(10), || format!("told after {took:?}"))
}

fn mute_slow() -> Result<(), Failed> {
    let mut child =
        lab(&["check", "--run", &own("mute-slow"), "--only", "baseline/fast-200,deadline,disconnect"])
            .spawn()?;
    let (began, mut told) = (Instant::now(), None);
    let stderr = BufReader::new(child.stderr.take().ok_or("no pipe")?);
    for line in stderr.lines() {
        if line?.contains("what is about /slow is not tried") {
            told.get_or_insert(began.elapsed());
        }
    }
    let output = child.wait_with_output()?;
    ends(&output, Exit::Broken)?;
    holds(told.is_some_and(|told| told < Duration::from_secs(10)), || format!("told after {told:?}"))?;
    let skipped = text(&output).matches("not run: `GET /slow?work=1ms`").count();
    let judged = text(&output).matches("fail        deadline/answers-504").count();
    holds(skipped > 60 && judged == 1, || text(&output))?;
    holds(began.elapsed() < Duration::from_secs(40), || format!("ended after {:?}", began.elapsed()))
}

fn odd() -> Result<(), Failed> {
    let (began, only) = (Instant::now(), "baseline/fast-200,deadline/answers-504,deadline/never-early");
    let output = lab(&["check", "--run", &own("odd"), "--only", only]).output()?;
    ends(&output, Exit::Good)?;
    holds(text(&output).contains("3 pass"), || text(&output))?;
    // A client that did not understand the answers would wait for each.
    holds(began.elapsed() < Duration::from_secs(90), || format!("{:?}", began.elapsed()))
}

fn nothing_judged() -> Result<(), Failed> {
    let output = lab(&["check", "--run", &own("plain"), "--only", "work"]).output()?;
    ends(&output, Exit::NotRun)?;
    let told = text(&output);
    holds(told.contains("nothing was judged") && told.contains("LAB_WITNESS"), || told.clone())
}

/// The scenarios that `plain` passes in a second.
const QUICK: &str = "baseline/fast-200,deadline/answers-504";

fn closed_stderr() -> Result<(), Failed> {
    let place = Place::new("stderr");
    let mut child =
        lab(&["check", "--run", &own("plain"), "--only", QUICK, "--format", "json", "--out", place.path()])
            .spawn()?;
    drop(child.stderr.take());
    let output = child.wait_with_output()?;
    ends(&output, Exit::Good)?;
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    holds(printed["results"].as_array().is_some_and(|rows| rows.len() == 2), || printed.to_string())?;
    holds(place.results()?["results"] == printed["results"], || "the file says otherwise".to_owned())
}

fn closed_stdout() -> Result<(), Failed> {
    let place = Place::new("stdout");
    let mut child =
        lab(&["check", "--run", &own("plain"), "--only", QUICK, "--out", place.path()]).spawn()?;
    drop(child.stdout.take());
    ends(&child.wait_with_output()?, Exit::Good)?;
    place.results().map(drop)
}

fn full_stdout() -> Result<(), Failed> {
    let place = Place::new("full");
    let full = std::fs::File::options().write(true).open("/dev/full")?;
    let output = lab(&["check", "--run", &own("plain"), "--only", QUICK, "--out", place.path()])
        .stdout(full)
        .output()?;
    ends(&output, Exit::NotRun)?;
    holds(text(&output).contains("failed to write to stdout"), || text(&output))?;
    place.results().map(drop)
}

/// Sends SIGINT once a line of the command's stderr holds `wanted`; gives its output.
fn interrupted(mut child: Child, wanted: &str) -> Result<Output, Failed> {
    let mut stderr = BufReader::new(child.stderr.take().ok_or("no pipe")?);
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains(wanted) {
        line.clear();
        if stderr.read_line(&mut line)? == 0 {
            return Err(format!("it ended before `{wanted}`: {said}").into());
        }
        said += &line;
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    holds(kill.success(), || "failed to send SIGINT".to_owned())?;
    stderr.read_to_string(&mut said)?;
    let output = child.wait_with_output()?;
    Ok(Output { stderr: said.into_bytes(), ..output })
}

fn interrupt() -> Result<(), Failed> {
    let place = Place::new("interrupt");
    let args = [
        "check",
        "--run",
        &own("plain"),
        "--only",
        "baseline,deadline",
        "--jobs",
        "1",
        "--out",
        place.path(),
    ];
    let output = interrupted(lab(&args).spawn()?, "pass deadline/")?;
    ends(&output, Exit::Interrupted)?;
    let told = text(&output);
    holds(told.contains("scenarios were judged until then (") && told.contains("kept in"), || told.clone())?;
    let kept = place.results()?;
    holds(kept["interrupted"] == true, || "the file does not say that it is not whole".to_owned())?;
    let rows = kept["results"].as_array().ok_or("no results")?;
    let died = rows.iter().any(|row| row["observed"].as_str().is_some_and(|text| text.contains("died")));
    holds(!rows.is_empty() && !died, || format!("a server that was ended is blamed: {kept}"))
}

fn unwritable() -> Result<(), Failed> {
    let place = Place::new("unwritable");
    std::fs::create_dir(&place.0)?;
    let file = place.0.join("file");
    std::fs::write(&file, "")?;
    let below = file.join("below").display().to_string();
    for args in [
        ["check", "--run", "false", "--out", &below],
        ["check", "--run", "false", "--trace", &below],
        ["compare", "--quick", "--no-build", "--out", &below],
    ] {
        let output = lab(&args).output()?;
        ends(&output, Exit::NotRun)?;
        holds(output.stderr.starts_with(b"lab: failed to write `"), || text(&output))?;
    }
    Ok(())
}

fn daemon() -> Result<(), Failed> {
    let place = Place::new("daemon");
    std::fs::create_dir(&place.0)?;
    let id = place.0.join("id");
    // It is gone as soon as it has said that it is ready.
    let script = format!(
        "(setsid sh -c \"echo \\$\\$ > {}; exec sleep 60\" &); while [ ! -s {} ]; do sleep 0.01; done; \
         echo listening on http://127.0.0.1:9",
        id.display(),
        id.display()
    );
    let output = lab(&["check", "--run", &format!("sh -c '{script}'"), "--only", "baseline"]).output()?;
    ends(&output, Exit::NotRun)?;
    holds(text(&output).contains("run it in the foreground"), || text(&output))?;
    let id = std::fs::read_to_string(&id)?;
    holds(!Path::new("/proc").join(id.trim()).exists(), || format!("process {id} is left"))
}

fn never_ready() -> Result<(), Failed> {
    let (began, server) = (Instant::now(), "sh -c 'echo starting soon; exec sleep 60'");
    // So long that a busy machine has the shell print before.
    let output = lab(&["check", "--run", server, "--start-timeout", "3s", "--only", "baseline"]).output()?;
    ends(&output, Exit::NotRun)?;
    for told in ["did not print `listening on http://ADDR` within 3s", "its stdout says:", "starting soon"] {
        holds(text(&output).contains(told), || text(&output))?;
    }
    // The default is 10 s.
    holds(began.elapsed() < Duration::from_secs(8), || format!("told after {:?}", began.elapsed()))
}

fn help() -> Result<(), Failed> {
    let output = lab(&["--help"]).output()?;
    // Lines are broken to the width of the terminal.
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (told, table) = (squeeze(&String::from_utf8_lossy(&output.stdout)), squeeze(&Exit::help()));
    holds(told.contains(&table), || format!("{told}\n\nhas not\n\n{table}"))
}

/// Shows one request to this program's server, which is the only one of a list.
fn shown(name: &str, args: &[&str]) -> Result<(Output, Duration), Failed> {
    let place = Place::new(name);
    std::fs::create_dir(&place.0)?;
    let list = format!(
        "[[server]]\nname = \"own\"\nabout = \"this test\"\nrun = \"{}\"\nsupports = [\"witness\"]\n",
        own("plain")
    );
    std::fs::write(place.0.join("servers.toml"), list)?;
    let began = Instant::now();
    let output = lab(&["show", "own"]).args(args).current_dir(&place.0).output()?;
    ends(&output, Exit::Good)?;
    Ok((output, began.elapsed()))
}

fn show_no_work() -> Result<(), Failed> {
    for target in ["/fast", "/values", "/no-such-path"] {
        let (output, took) = shown("show-no-work", &[target])?;
        holds(text(&output).contains("answered 200"), || text(&output))?;
        holds(took < Duration::from_secs(5), || format!("{target} took {took:?}: {}", text(&output)))?;
    }
    Ok(())
}

fn show_work() -> Result<(), Failed> {
    let (output, took) = shown("show-work", &["/slow?work=3s", "--deadline", "100ms"])?;
    let told = text(&output);
    holds(told.contains("answered 504") && told.contains("completed"), || told.clone())?;
    holds(took > ZOMBIE, || format!("it ended after {took:?}: {told}"))
}
