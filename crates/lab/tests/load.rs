//! `lab load` as people run it: what it refuses, what it counts, and how it ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

/// A server that sends `answer` to each request, and how many requests it has read; after `most` answers it reads on and
/// closes.
fn server(answer: &'static str, most: u64) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/fast", listener.local_addr().expect("a listener has an address"));
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let requests = Arc::clone(&counted);
            std::thread::spawn(move || {
                let mut chunk = [0; 1024];
                while let Ok(1..) = stream.read(&mut chunk) {
                    let is_late = requests.fetch_add(1, Ordering::Relaxed) >= most;
                    if is_late || stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, requests)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn load(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["load", url]).args(args).output().expect("the lab can be run")
}

fn row(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

#[test]
fn what_is_no_load_is_refused_with_what_it_takes() {
    let (url, requests) = server(OK, u64::MAX);
    for (args, says) in [
        (["--for", "0s"], "must be above zero"),
        (["--for", "2000h"], "is a day at most"),
        (["--connections", "0"], "1..=1000000"),
        (["--rate", "0"], "takes 0.001 to 1000000"),
        (["--rate", "NaN"], "takes 0.001 to 1000000"),
        (["--rate", "1e30"], "takes 0.001 to 1000000"),
    ] {
        let output = load(&url, &args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {told}");
    }
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}

#[test]
fn a_rate_of_one_a_second_sends_one_request_in_a_second() {
    let (url, requests) = server(OK, u64::MAX);
    let output = load(&url, &["--rate", "1", "--for", "1s", "--json"]);
    assert_eq!((row(&output)["good"].as_u64(), requests.load(Ordering::Relaxed)), (Some(1), 1));
}

#[test]
fn a_server_that_dies_is_no_throughput_of_what_it_never_answered() {
    let (url, requests) = server(OK, 20);
    // It ends as soon as the server counts as gone.
    let output = load(&url, &["--connections", "4", "--for", "10s", "--json"]);
    let row = row(&output);
    assert_eq!(output.status.code(), Some(1), "{row}");
    assert_eq!(row["good"].as_u64(), Some(20), "{row}");
    assert!(
        requests.load(Ordering::Relaxed) > 20 && row["invalid"].as_array().is_some_and(|why| !why.is_empty())
    );
}

#[test]
fn answers_that_are_not_expected_or_only_interim_are_nothing_to_measure() {
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    for answer in [interim, missing] {
        let (url, _) = server(answer, u64::MAX);
        let output = load(&url, &["--connections", "2", "--for", "200ms"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{answer}: {told}");
        assert!(told.contains("no good answer to measure"), "{answer}: {told}");
    }
    let (url, _) = server(missing, u64::MAX);
    let output = load(&url, &["--connections", "2", "--for", "1s", "--expect", "404", "--json"]);
    assert!(row(&output)["good"].as_u64().is_some_and(|good| good > 0));
}

#[test]
fn an_answer_counts_whatever_its_version_its_options_and_its_number_of_fields() {
    let fields: &str = Box::leak("X-Field: 1\r\n".repeat(60).into_boxed_str());
    let answers = [
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok"),
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\nConnection: x-custom, keep-alive\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}"),
    ];
    for answer in answers {
        let (url, requests) = server(Box::leak(answer.clone().into_boxed_str()), u64::MAX);
        let output = load(&url, &["--rate", "40", "--for", "500ms", "--json"]);
        let (row, sent) = (row(&output), requests.load(Ordering::Relaxed));
        assert_eq!((row["good"].as_u64(), sent), (Some(20), 20), "{answer}: {row}");
    }
}
