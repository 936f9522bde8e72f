//! Calls to an upstream that is not ready for them: its queue is full and the system drops what comes, or it answers first.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use testbed::capability::Capability::{
    FlagRequestTimeout, FlagReserve, FlagUpstream, Process, StyleUpstream,
};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

use super::upstream::{connect, start};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const STYLE: &str = "style=upstream&tick=10ms";
const CONNECT: &str =
    "connect(2): a full queue lets the system try again, which takes minutes until it gives up";

/// The base of these scenarios: a server that is started for the purpose, with an upstream of the harness's.
const BASE: Scenario = Scenario {
    judges: &[Judges::Answer],
    needs: &[Process, StyleUpstream, FlagUpstream, FlagReserve, FlagRequestTimeout],
    limit: Duration::from_secs(20),
    why: "an upstream that is overloaded accepts late or never, and that is when deadlines are needed most",
    sources: &[CONNECT],
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "outside/upstream-accepts-never",
        promise: "an upstream that accepts no connection is given up at the deadline, which is answered 504",
        sent: "`GET /slow?style=upstream` with `grpc-timeout: 400m` to an upstream whose queue of connections is full",
        wrong: "a connect that blocks with no timeout, outside of what the deadline reaches",
        run: never,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-accepts-late",
        promise: "an upstream that accepts late, and within the deadline, is waited for",
        sent: "`GET /slow?style=upstream` to an upstream that accepts after half a second, and then answers 200",
        wrong: "a short timeout of the connect alone, whose failure looks like an upstream that is down",
        run: late,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-answers-early",
        promise: "an answer that is there before the request is taken, or is a 502, at once",
        sent: "ten times `GET /slow?style=upstream` to an upstream that writes a 200 as soon as it has accepted, and then reads",
        why: "a server that refuses for its load answers before it reads, and who waits for another answer waits in vain",
        wrong: "a client that throws away what comes before its request is out, and waits for the answer that it has lost",
        sources: &["RFC 9112, section 9.5"],
        run: early,
        ..BASE
    },
];

/// A listener whose queue of connections is full.
struct Full {
    listener: TcpListener,
    address: SocketAddr,
    /// The connections that fill it.
    waiting: Vec<TcpStream>,
}

impl Full {
    fn open() -> Result<Self, Failure> {
        const MOST: usize = 16;
        let failed = |error| Failure::harness(format!("failed to open an upstream: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        // Asked again, the system takes the shorter queue.
        rustix::net::listen(&listener, 0).map_err(|error| failed(error.into()))?;
        let address = listener.local_addr().map_err(failed)?;
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            waiting.push(stream);
            if waiting.len() > MOST {
                return Err(Failure::harness("the queue of a listener takes no limit on this system"));
            }
        }
        Ok(Self { listener, address, waiting })
    }

    /// Takes the connections out of the queue, and answers the first request.
    fn serve(self) {
        drop(self.waiting);
        for stream in self.listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if read_head(&mut stream) {
                // The scenario may have failed meanwhile.
                let _ = stream.write_all(OK);
                return;
            }
        }
    }
}

/// Reads the head of a request; returns true when it came whole.
fn read_head(stream: &mut TcpStream) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return false,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    true
}

fn never(bench: &Bench) -> Outcome {
    let upstream = Full::open()?;
    let server = start(bench, Some(upstream.address), &[])?;
    let answer = connect(bench, &server)?.ask(&bench.slow_for(bench.ms(8000), bench.ms(400), STYLE))?;
    let late = bench.is_504(&answer, bench.ms(400))?;
    Ok(format!("504 {late:.1?} late").into())
}

fn late(bench: &Bench) -> Outcome {
    let upstream = Full::open()?;
    let server = start(bench, Some(upstream.address), &[])?;
    let accepts = move || {
        thread::sleep(Duration::from_millis(500));
        upstream.serve();
    };
    let failed = |error| Failure::harness(format!("failed to start a thread: {error}"));
    thread::Builder::new().name("upstream".into()).spawn(accepts).map_err(failed)?;
    let answer = connect(bench, &server)?.ask(&bench.slow_for(bench.ms(200), bench.ms(15_000), STYLE))?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    Ok(format!("200 after {:.1?}", answer.after()).into())
}

fn early(bench: &Bench) -> Outcome {
    const TRIES: usize = 10;
    let failed = |error| Failure::harness(format!("failed to open an upstream: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    let server = start(bench, Some(listener.local_addr().map_err(failed)?), &[])?;
    let answers = move || {
        let mut open = Vec::new();
        for stream in listener.incoming().take(TRIES) {
            let Ok(mut stream) = stream else { return };
            // The server may have left already. A connection that is left open holds up no other.
            let _ = stream.write_all(OK);
            open.push((read_head(&mut stream), stream));
        }
    };
    thread::Builder::new().name("upstream".into()).spawn(answers).map_err(failed)?;
    let mut taken = 0;
    for _ in 0..TRIES {
        let answer = connect(bench, &server)?.ask(&bench.slow_for(bench.ms(200), bench.ms(9000), STYLE))?;
        let reason = answer.response.field("reason");
        match (answer.status(), reason.as_deref()) {
            (200, _) => taken += 1,
            (502, Some("upstream")) => {}
            (status, _) => return Err(Failure::broken(format!("{status} with reason {}", or_none(reason)))),
        }
        let after = answer.after();
        ensure!(after <= bench.answer_late(), "{} only after {after:.1?}", answer.status());
    }
    Ok(format!("taken in {taken} of {TRIES}").into())
}
