//! The load generator against the floor: a server of one thread, in this process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use load::{Load, Pace};
use wire::Request;

/// Starts a server that sends `answer` to the first `answers` requests of each connection, then nothing, and keeps it open.
fn server(answer: &'static str, answers: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut chunk = [0; 1024];
                let mut left = answers;
                while let Ok(1..) = stream.read(&mut chunk) {
                    if left > 0 {
                        left -= 1;
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                    if answer.contains("close") {
                        return;
                    }
                }
            });
        }
    });
    address
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn load(to: SocketAddr, connections: usize, pace: Pace) -> Load {
    Load::new(to, None, Request::get("/fast"), connections, pace)
}

#[test]
fn every_request_of_a_schedule_is_sent_and_answered() {
    let mut load = load(server(OK, usize::MAX), 4, Pace::Rate { per_second: 2000.0, requests: 400 });
    load.keep = true;
    let done = load.run().unwrap();
    let row = &done.row;
    assert_eq!((row.sent, row.finished, row.censored.count), (400, 400, 0), "{row:?}");
    assert_eq!((row.ok.as_ref().unwrap().count, done.samples.len()), (400, 400));
    assert!(row.window_ms >= 199.0, "the schedule was not kept: {row:?}");
    assert!(row.little.error() < 0.05, "{row:?}");
    let before_its_time = done.samples.iter().any(|sample| sample.sent_at < sample.intended_at);
    assert!(!before_its_time, "a request left before it was due");
}

#[test]
fn threads_of_the_generator_share_connections_and_schedule() {
    let mut load = load(server(OK, usize::MAX), 5, Pace::AtOnce { requests: 5 });
    load.threads = 2;
    let row = load.run().unwrap().row;
    assert_eq!((row.sent, row.ok.unwrap().count, row.mode.as_str()), (5, 5, "at once"));
}

#[test]
fn the_closed_loop_keeps_every_connection_busy() {
    let pace = Pace::BackToBack { lasting: Duration::from_secs(1) };
    let row = load(server(OK, usize::MAX), 3, pace).run().unwrap().row;
    assert_eq!((row.mode.as_str(), row.sent, row.rate, row.lag), ("closed loop", row.finished, None, None));
    assert!(row.finished > 3 && row.little.in_system == 3.0, "{row:?}");
}

#[test]
fn a_starved_generator_is_marked_and_not_believed() {
    // Nobody sends a hundred million requests a second from one thread.
    let pace = Pace::Rate { per_second: 1e8, requests: 2000 };
    let row = load(server(OK, usize::MAX), 2, pace).run().unwrap().row;
    assert_eq!(row.finished, 2000);
    assert!(!row.is_valid());
    assert!(row.invalid.iter().any(|reason| reason.ends_with("of 100000000 requests a second")), "{row:?}");
}

#[test]
fn latency_counts_from_when_a_request_was_due_and_not_from_when_a_connection_was_free() {
    // One connection, and a server that stops answering: what waits behind it is as late as it is.
    let mut load = load(server(OK, 3), 1, Pace::Rate { per_second: 1000.0, requests: 10 });
    // Long enough for a busy machine to bring the three answers.
    load.patience = Duration::from_secs(2);
    let row = load.run().unwrap().row;
    assert_eq!((row.finished, row.censored.count, row.censored.never_sent), (3, 7, 6));
    assert!(row.censored.oldest_ms.unwrap() >= 2000.0 && !row.is_valid(), "{row:?}");
}

#[test]
fn a_connection_that_the_server_closes_is_opened_again() {
    const LAST: &str = "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let row = load(server(LAST, 1), 2, Pace::Rate { per_second: 500.0, requests: 20 }).run().unwrap().row;
    assert_eq!((row.timeout.unwrap().count, row.ok, row.other), (20, None, None));
    assert_eq!(row.reopened, 20);
}

#[test]
fn a_connection_that_ends_without_an_answer_is_a_lost_request() {
    let row = load(server("close", 0), 2, Pace::AtOnce { requests: 2 }).run().unwrap().row;
    assert_eq!((row.others.get("lost"), row.finished), (Some(&2), 2), "{row:?}");
}
