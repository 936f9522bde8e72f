//! A client that has vanished is found out in time, whatever its connection was doing.

use std::time::Duration;

use testbed::capability::Capability::{
    Admin, EndpointStream, FlagIdleTimeout, KeepAlive, Post, Process, StyleContext, Witness,
};
use wire::{Request, Wire};

use super::{BASE, KEEPALIVE, connect, cut, link, long, noticed, promised};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};

const WASTE: &str = "a laptop that is closed, a phone in a tunnel and a host that lost its power send nothing: without probes \
    their work runs to its end, and their connections stay for hours";
const SILENT: &str = "a server that waits for a FIN or a RST waits for ever; keep-alive probes are off by default, and the \
    kernel's own begin after two hours";
/// Clients that vanish at once.
const CLIENTS: usize = 50;

const NOTICED: Scenario = Scenario { why: WASTE, wrong: SILENT, ..BASE };

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "vanish/stalled",
        promise: "a client that vanishes while it waits for its answer is noticed within twice the keepalive and a second",
        sent: "`GET /slow?work=40s` over a link that is cut once the work has begun; `--tcp-keepalive 3s`",
        run: |bench| {
            vanishes(bench, |bench, wire| {
                let request = long(bench);
                wire.send_request(&request)?;
                Ok(id(&request))
            })
        },
        ..NOTICED
    },
    Scenario {
        id: "vanish/behind-a-request",
        promise: "a client that vanishes with a second request sent is noticed in time",
        sent: "`GET /slow?work=40s` and `GET /fast` in one write over a link that is cut; `--tcp-keepalive 3s`",
        wrong: "a server that learns of the end by reading reads no further than the request it works for",
        run: |bench| {
            vanishes(bench, |bench, wire| {
                let request = long(bench);
                let second = bench.fast().bytes(wire.host());
                wire.send(&[request.bytes(wire.host()), second].concat())?;
                Ok(id(&request))
            })
        },
        ..NOTICED
    },
    Scenario {
        id: "vanish/upload",
        promise: "a client that vanishes in the middle of its upload is noticed in time",
        needs: &[Witness, StyleContext, Process, Post],
        sent: "`POST /slow?work=40s&body=ignore` with 10 of 100 bytes over a link that is cut; `--tcp-keepalive 3s`",
        run: |bench| {
            vanishes(bench, |bench, wire| {
                let target = "/slow?work=40s&body=ignore";
                let request = Request::post_part(target, 100, "0123456789").id(bench.id());
                wire.send_request(&request)?;
                Ok(id(&request))
            })
        },
        ..NOTICED
    },
    Scenario {
        id: "vanish/stream",
        promise: "a client that vanishes while its answer streams is noticed in time",
        needs: &[Witness, EndpointStream, Process],
        sent: "`GET /stream?chunks=2000&every=20ms` over a link that is cut after the first chunk; `--tcp-keepalive 3s`",
        why: "data that nobody acknowledges stops the probes: the kernel sends it again for a quarter of an hour, and small \
            chunks take as long to fill its buffer, so that no write fails and no write waits",
        wrong: "a server that sets the keep-alive alone has no bound on data that is not acknowledged (`TCP_USER_TIMEOUT`)",
        run: |bench| {
            vanishes(bench, |bench, wire| {
                let request = Request::get("/stream?chunks=2000&every=20ms").id(bench.id());
                wire.send_request(&request)?;
                wire.fill(bench.give_up_at)?;
                Ok(id(&request))
            })
        },
        ..NOTICED
    },
    Scenario {
        id: "vanish/idle",
        promise: "an idle connection whose client has vanished is closed in time, long before the idle timeout",
        judges: &[Judges::Connection],
        needs: &[Witness, Admin, KeepAlive, Process, FlagIdleTimeout],
        slot: Slot::Own,
        sent: "`GET /fast` and its answer over a link that is then cut; `--tcp-keepalive 3s`, the idle timeout is 60 s",
        why: "connections that nobody holds the other end of fill a limit on connections",
        run: idle,
        ..NOTICED
    },
    Scenario {
        id: "vanish/many",
        promise: "clients that vanish together are all noticed in time",
        needs: &[Witness, StyleContext, Process],
        slot: Slot::Own,
        sent: "50 of `GET /slow?work=40s`, a connection each, over one link that is cut; `--tcp-keepalive 3s`",
        why: "a switch that fails takes thousands of clients with it, in the same moment",
        run: many,
        ..NOTICED
    },
    Scenario {
        id: "vanish/by-default",
        promise: "a client that vanishes is noticed within 31 s with the server's own settings",
        flags: &[("--listen", "0.0.0.0:0"), ("--request-timeout", "60s")],
        limit: Duration::from_secs(60),
        sent: "`GET /slow?work=40s` over a link that is cut once the work has begun; no flag about it",
        why: "a setting that has to be known is one that most services do not have",
        wrong: "hyper and axum set no keep-alive at all; Go's begins after 15 s, and gives up after nine probes of 15 s",
        sources: &["https://pkg.go.dev/net#KeepAliveConfig", "tcp(7), TCP_KEEPIDLE"],
        run: by_default,
        ..NOTICED
    },
];

/// The default of `--tcp-keepalive`, in seconds.
const DEFAULT: u64 = 15;

fn id(request: &Request) -> String {
    request.id_given().expect("the request is named").to_owned()
}

/// Cuts the link of a client once the work has begun of the request that `send` sends, and names.
fn vanishes(bench: &Bench, send: impl Fn(&Bench, &mut Wire) -> Result<String, Failure>) -> Outcome {
    vanishes_for(bench, KEEPALIVE, send)
}

fn vanishes_for(
    bench: &Bench,
    keepalive: u64,
    send: impl Fn(&Bench, &mut Wire) -> Result<String, Failure>,
) -> Outcome {
    let link = link()?;
    let mut wire = connect(bench, &link)?;
    let id = send(bench, &mut wire)?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    let cut_at = cut(bench, &link)?;
    let outcome = noticed(bench, &[id], cut_at, keepalive);
    // A close would leave a FIN that is sent again for minutes, and keep the namespace.
    wire.reset();
    outcome
}

fn by_default(bench: &Bench) -> Outcome {
    vanishes_for(bench, DEFAULT, |bench, wire| {
        let request = long(bench);
        wire.send_request(&request)?;
        Ok(id(&request))
    })
}

fn idle(bench: &Bench) -> Outcome {
    let before = bench.census()?.connections.live;
    let link = link()?;
    let mut wire = connect(bench, &link)?;
    let answer = wire.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let cut_at = cut(bench, &link)?;
    let within = promised(bench, KEEPALIVE);
    let gone = |census: &testbed::census::Census| census.connections.live <= before;
    let (_, at) = bench.census_until(within, "closed", gone)?;
    wire.reset();
    Ok(format!("closed after {:.1} s", (at - cut_at).as_secs_f64()).into())
}

fn many(bench: &Bench) -> Outcome {
    let link = link()?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let (mut wire, request) = (connect(bench, &link)?, long(bench));
        wire.send_request(&request)?;
        clients.push((wire, id(&request)));
    }
    for (_, id) in &clients {
        bench.work_begins(id)?;
    }
    let cut_at = cut(bench, &link)?;
    let (wires, ids): (Vec<_>, Vec<_>) = clients.into_iter().unzip();
    let outcome = noticed(bench, &ids, cut_at, KEEPALIVE);
    for wire in wires {
        wire.reset();
    }
    outcome
}
