//! The probe: it finds an unknown server's capabilities, asking for something that cannot exist first.
//!
//! A server has not got what it says that it has not got: it answers 404, 405, 501, or a 400 that names the parameter; or it
//! answers nonsense as it answers sense. Any other answer is no excuse: the scenarios are run, and one of the area
//! `probe` says what was wrong with it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use testbed::capability::Capability;
use testbed::census::Census;
use testbed::server::Server;
use wire::h2::H2;
use wire::trace::Trace;
use wire::{Answer, Request, Wire};

use crate::verdict::Failure;

/// The time that one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The deadline of a question for `/slow`: a busy machine may take its time for 1 ms of work.
const BUDGET: Duration = Duration::from_millis(1500);
/// The same for a server that answers 1 ms of work with 504. Most such servers ignore the parameters, and answer each
/// question at its deadline.
const BRIEF: Duration = Duration::from_millis(300);
/// The id of the request whose work is listened for.
const ID: &str = "lab-probe-2";

/// Asks `server` what it supports.
pub fn supports(server: &Server) -> BTreeSet<Capability> {
    let mut found = BTreeSet::new();
    let mut note = |yes: bool, what: Capability| {
        if yes {
            found.insert(what);
        }
    };
    note(server.admin().is_some_and(|admin| Census::read(admin).is_ok()), Capability::Admin);
    let sense = ask(server, &slow("work=1ms", BUDGET).id(ID));
    let heard = hears_witness(server);
    note(heard, Capability::Witness);
    note(keeps_alive(server), Capability::KeepAlive);
    note(echoes_id(server), Capability::RequestId);
    note(speaks_h2(server), Capability::Http2);
    methods(server, &mut note);
    let budget = if status(&sense) == Some(504) { BRIEF } else { BUDGET };
    let brief = |query: &str| ask(server, &slow(query, budget));
    let nonsense = brief("work=no-such-duration");
    note(has(&sense, &["work"]) && status(&sense) != status(&nonsense), Capability::ParamWork);
    let unread = Request::post("/slow?work=1ms&body=ignore", "lab").timeout(budget);
    let senseless = Request::post("/slow?work=1ms&body=eat", "lab").timeout(budget);
    let unread = ask(server, &unread);
    note(
        has(&unread, &["body"]) && status(&unread) != status(&ask(server, &senseless)),
        Capability::ParamBody,
    );
    note(
        has(&brief("work=1ms&tick=1ms"), &["tick"])
            && status(&sense) != status(&brief("work=1ms&tick=no-such-duration")),
        Capability::ParamTick,
    );
    let untold = ask(server, &Request::get("/fast").timeout_text("nonsense"));
    note(status(&untold) != Some(200) && has(&untold, &[]), Capability::TimeoutHeader);
    let no_style = brief("work=1ms&style=no-such-style");
    if status(&no_style) != status(&sense) {
        for style in Capability::ALL.iter().filter(|one| one.word().starts_with("style:")) {
            let answer = brief(&format!("work=1ms&{}", style.word().replace(':', "=")));
            // A framework may say 400 and keep to itself what is wrong.
            note(has(&answer, &["style"]) && status(&answer) != status(&no_style), *style);
        }
    } else {
        // It ignores the parameter: what it does is what it has, and ought to end with its context.
        note(heard, Capability::StyleContext);
    }
    let lost = ask(server, &Request::get("/no-such-path-anywhere"));
    note(status(&lost) != Some(200), Capability::Routing);
    if status(&lost) == Some(404) {
        let is_json = lost.is_ok_and(|answer| answer.response.field("reason").is_some());
        note(is_json, Capability::JsonErrors);
        for (endpoint, request, parameters) in endpoints() {
            note(has(&ask(server, &request), parameters), endpoint);
        }
    }
    found
}

/// True unless the answer says that the server has not got what it was asked for: a wrong answer does not say so, and
/// neither does none.
fn has(answer: &Result<Answer, Failure>, parameters: &[&str]) -> bool {
    let Ok(answer) = answer else { return true };
    match answer.status() {
        404 | 405 | 501 => false,
        400 => {
            let text = answer.response.text();
            !parameters.iter().any(|name| text.contains(name))
        }
        _ => true,
    }
}

/// Which methods are told apart; one that answers 200 to a method that cannot exist tells none apart.
fn methods(server: &Server, note: &mut impl FnMut(bool, Capability)) {
    let posted = Request::post("/slow?work=1ms", "lab").timeout(Duration::from_millis(300));
    note(has(&ask(server, &posted), &["body"]), Capability::Post);
    let fast = |method| ask(server, &Request::get("/fast").method(method));
    if status(&fast("FROB")) != Some(200) {
        note(has(&fast("HEAD"), &[]), Capability::Head);
        note(!matches!(status(&fast("DELETE")), Some(200 | 404 | 501)), Capability::Methods);
    }
}

/// A request to each endpoint beyond the least, and the parameters that it takes.
fn endpoints() -> [(Capability, Request, &'static [&'static str]); 5] {
    let stream = "/stream?chunks=1&every=1ms";
    let fanout = "/fanout?width=1&work=1ms";
    [
        (Capability::EndpointValues, Request::get("/values"), &[]),
        (Capability::EndpointUpload, Request::post("/upload", "lab"), &["body"]),
        (Capability::EndpointStream, Request::get(stream), &["chunks", "every"]),
        (Capability::EndpointFanout, Request::get(fanout), &["width", "work"]),
        (Capability::EndpointPanic, Request::get("/panic"), &[]),
    ]
}

fn slow(query: &str, budget: Duration) -> Request {
    Request::get(format!("/slow?{query}")).timeout(budget)
}

fn ask(server: &Server, request: &Request) -> Result<Answer, Failure> {
    Ok(Wire::connect(server.address(), Instant::now() + PATIENCE, &Trace::default())?.ask(request)?)
}

fn status(answer: &Result<Answer, Failure>) -> Option<u16> {
    answer.as_ref().ok().map(Answer::status)
}

/// True when an id is sent back, be it the right one or another.
fn echoes_id(server: &Server) -> bool {
    let answer = ask(server, &Request::get("/fast").id("lab-probe-1"));
    answer.is_ok_and(|answer| answer.response.header("x-request-id").is_some())
}

/// True unless an answer says that it closes, be it by its version alone.
fn keeps_alive(server: &Server) -> bool {
    ask(server, &Request::get("/fast")).is_ok_and(|answer| answer.response.keeps_alive())
}

/// True when the preface is answered with SETTINGS, and a request with a status.
fn speaks_h2(server: &Server) -> bool {
    let h2 = H2::connect(server.address(), Instant::now() + PATIENCE, &Trace::default());
    h2.is_ok_and(|mut h2| h2.ask(&Request::get("/fast")).is_ok_and(|answer| answer.status() == 200))
}

/// True when the work of the request [`ID`] was heard to begin.
fn hears_witness(server: &Server) -> bool {
    // On a busy machine a datagram takes its time.
    server.witness().is_some_and(|witness| witness.wait_start(ID, Duration::from_secs(1)).is_some())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use testbed::url::Url;

    use super::*;

    /// The capabilities found of a server that answers 200 to everything but a POST, which gets this status and text.
    fn posted(status: &'static str, text: &'static str) -> BTreeSet<Capability> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::server(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().take(20).flatten() {
                let mut head = [0; 1024];
                let length = stream.read(&mut head).unwrap_or(0);
                let (status, text) =
                    if head[..length].starts_with(b"POST") { (status, text) } else { ("200", "") };
                if !status.is_empty() {
                    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", text.len());
                    let _ = write!(stream, "{head}Connection: close\r\n\r\n{text}");
                }
            }
        });
        supports(&Server::at(&url, None))
    }

    /// The deadlines of the questions for `/slow`, in their order, by a server that answers them with this status.
    fn deadlines(status: &'static str) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::server(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (sender, heads) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = [0; 1024];
                let length = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
                let status = if head.contains(" /slow?") { status } else { "404" };
                let _ = sender.send(head);
                let _ =
                    write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        supports(&Server::at(&url, None));
        let of_slow = heads.try_iter().filter(|head| head.starts_with("get /slow?"));
        of_slow
            .filter_map(|head| Some(head.split_once("grpc-timeout: ")?.1.lines().next()?.to_owned()))
            .collect()
    }

    #[test]
    fn a_server_that_ignores_the_length_of_work_is_waited_for_once() {
        let [first, rest @ ..] = &deadlines("504")[..] else { panic!("it was not asked") };
        assert!(
            first == "1500m" && rest.len() > 3 && rest.iter().all(|one| one == "300m"),
            "{first} {rest:?}"
        );
        assert!(deadlines("200").iter().all(|one| one == "1500m"), "a busy machine may take its time");
    }

    #[test]
    fn a_server_lacks_what_it_says_that_it_has_not_got() {
        for (status, text) in [("404", ""), ("405", ""), ("501", ""), ("400", "parameter `body` takes read")]
        {
            assert!(!posted(status, text).contains(&Capability::Post), "{status} {text}");
        }
    }

    #[test]
    fn a_wrong_answer_or_none_is_no_excuse() {
        for (status, text) in [("500", ""), ("400", "bad request"), ("403", "no token"), ("", "")] {
            assert!(posted(status, text).contains(&Capability::Post), "{status} {text}");
        }
    }

    #[test]
    fn a_server_that_answers_nonsense_as_it_answers_sense_is_asked_for_the_least() {
        let found = posted("200", "");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [Capability::Post]);
    }
}
