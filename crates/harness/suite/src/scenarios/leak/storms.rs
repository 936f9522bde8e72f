//! Storms, round after round: what a request took is given back, whichever way it ended.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    Admin, EndpointFanout, EndpointPanic, EndpointStream, EndpointUpload, Process, StyleContext, StyleDrop,
    StylePolling,
};
use testbed::census::Census;
use testbed::proc::Usage;
use wire::burst::Burst;
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};

/// Rounds of each storm. The first two warm pools and allocators up; from the second on nothing may grow.
const ROUNDS: usize = 5;
/// Rounds after which what still grows is a leak. An allocator's heap and a pool grow less and less; a leak never does.
const MOST: usize = 30;
/// Memory is flat when the last three rounds added no more than this many bytes a request.
const EACH: u64 = 87;
/// However few the requests, this much is no leak: a page here and there.
const PAGES: u64 = 64 * 1024;
/// Makes glibc show a leak: one heap, no freed blocks kept for each thread, nothing given back to the kernel, and no stacks
/// of ended threads kept. By default a pool of 500 threads fills those caches for some 30 rounds, by 430 bytes a request,
/// a thread per connection touches new pages of old stacks for more than 60, and trimming moves memory up and down by
/// megabytes; like this it rises ever slower, and stands still. Where there is no glibc nobody reads it.
const ALLOCATOR: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.malloc.trim_threshold=1073741824\
     :glibc.pthread.stack_cache_size=0",
);
/// Makes Go collect what nobody holds: by default its heap first grows to 4 MiB, whatever is live.
const COLLECTOR: (&str, &str) = ("GOGC", "10");
/// Threads that the last three rounds may add: a pool's high-water mark is reached by chance.
const THREADS: u64 = 24;
/// Descriptors that may come on top: a timer's, a pool's.
const DESCRIPTORS: u64 = 4;
/// The number of equal readings in a row, 20 ms apart, after which a server counts as idle.
const LONG: u32 = 25;

/// The base of these scenarios: a server of their own, its counters, and the kernel's.
pub(in crate::scenarios) const BASE: Scenario = Scenario {
    judges: &[Judges::Work, Judges::Connection],
    needs: &[Process, Admin],
    env: &[ALLOCATOR, COLLECTOR],
    slot: Slot::Own,
    limit: Duration::from_secs(90),
    why: "a leak of one entry a request is an outage in a week, and no test of one request finds it",
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "leak/storm",
        promise: "5 storms of 500 timeouts leave no work, context, connection, thread, descriptor or memory behind",
        needs: &[Process, Admin, StyleContext],
        slot: Slot::Half,
        sent: "5 times 500 connections at once, each `GET /slow?style=context&work=3000ms` with `grpc-timeout: 300m`",
        wrong: "a parent context that keeps each child until it ends itself; a waiter that is never removed from its list",
        sources: &["https://pkg.go.dev/context#WithCancel (failing to call the CancelFunc leaks)"],
        run: storm,
        ..BASE
    },
    Scenario {
        id: "leak/storm-polling",
        promise: "the same for work that polls its context on the blocking pool",
        needs: &[Process, Admin, StylePolling],
        slot: Slot::Half,
        sent: "5 times 500 connections at once, each `GET /slow?style=polling&work=3000ms` with `grpc-timeout: 300m`",
        wrong: "jobs that still wait in the pool's queue when their request has timed out run later, for nobody",
        run: storm_polling,
        ..BASE
    },
    Scenario {
        id: "leak/storm-drop",
        promise: "the same for work that knows no context and is dropped at its deadline",
        needs: &[Process, Admin, StyleDrop],
        slot: Slot::Half,
        sent: "5 times 500 connections at once, each `GET /slow?style=drop&work=9000ms` with `grpc-timeout: 300m`",
        wrong: "a thread cannot be dropped: it runs to its end, 500 of them a storm",
        run: storm_drop,
        ..BASE
    },
    Scenario {
        id: "leak/disconnect-storm",
        promise: "5 storms of 500 clients that reset while their work runs leave nothing behind, long before the deadline",
        needs: &[Process, Admin, StyleContext],
        flags: &[("--request-timeout", "20s")],
        slot: Slot::Half,
        sent: "5 times 500 connections at once, each `GET /slow?work=15000ms`; once all work, RST; `--request-timeout 20s`",
        why: "a load balancer that fails over resets all its connections at once",
        wrong: "servers that notice a reset only when they write the answer",
        run: disconnect_storm,
        ..BASE
    },
    Scenario {
        id: "leak/fanout-storm",
        promise: "5 storms of 25 groups of 20 children leave no child behind",
        needs: &[Process, Admin, EndpointFanout],
        sent: "5 times 25 connections, each `GET /fanout?width=20&work=3000ms` with `grpc-timeout: 300m`",
        wrong: "a group whose children are detached when their parent is answered",
        run: fanout_storm,
        ..BASE
    },
    Scenario {
        id: "leak/stream-storm",
        promise: "5 storms of 100 streams, half cut by their deadline and half by a reset, leave nothing behind",
        needs: &[Process, Admin, EndpointStream],
        sent: "5 times 100 connections, each `GET /stream?chunks=1000&every=20ms`, 50 with `grpc-timeout: 300m`, 50 reset",
        wrong: "a producer that waits for a queue that nobody reads any more",
        run: stream_storm,
        ..BASE
    },
    Scenario {
        id: "leak/upload-storm",
        promise: "5 storms of 100 stalled uploads leave nothing behind",
        needs: &[Process, Admin, EndpointUpload],
        sent: "5 times 100 connections, each `POST /upload` with `Content-Length: 1000`, 10 bytes and `grpc-timeout: 300m`",
        wrong: "a thread that waits in `read` for the rest",
        run: upload_storm,
        ..BASE
    },
    Scenario {
        id: "leak/panic-storm",
        promise: "5 storms of 100 panics leave nothing behind",
        needs: &[Process, Admin, EndpointPanic],
        sent: "5 times 100 connections at once, each `GET /panic`",
        wrong: "a pool whose thread dies in a panic and is not replaced; a lock that stays poisoned",
        run: panic_storm,
        ..BASE
    },
    Scenario {
        id: "leak/idle-connections",
        promise: "5 storms of 200 connections that send nothing, or half a head, leave nothing behind",
        sent: "5 times 200 connections, 100 without a byte and 100 with `GET /fa`, all closed or reset",
        why: "port scanners, health checks and load balancers do this all day",
        wrong: "a connection that is counted at its accept and uncounted at its first request's end",
        run: idle_connections,
        ..BASE
    },
    Scenario {
        id: "leak/garbage-storm",
        promise: "5 storms of 200 malformed heads leave nothing behind",
        sent: "5 times 200 connections, each `GET /fast HTTP/9.9 nonsense`",
        wrong: "the path of an error is the one that forgets to give back",
        run: garbage_storm,
        ..BASE
    },
    Scenario {
        id: "leak/refused-storm",
        promise: "5 storms of 200 connections over the limit leave nothing behind",
        flags: &[("--max-connections", "8")],
        sent: "5 times 200 connections at once, each `GET /fast`; `--max-connections 8`",
        wrong: "a place that is taken before the limit is looked at, and not given back",
        run: refused_storm,
        ..BASE
    },
];

/// Runs `round`, of `each` requests, five times or until nothing grows; after each, everything must be as it was.
pub(in crate::scenarios) fn rounds(
    bench: &Bench,
    each: usize,
    mut round: impl FnMut() -> Result<(), Failure>,
) -> Outcome {
    let before = bench.census()?;
    let back = |census: &Census| {
        census.is_quiet()
            && census.contexts.live <= before.contexts.live
            && census.connections.live <= before.connections.live
    };
    // One thread for each request is a pool's right, and on a busy machine it needs some storms to get there.
    let pool = bench.usage()?.threads + each as u64;
    let mut seen: Vec<Usage> = Vec::new();
    while seen.len() < ROUNDS || (seen.len() < MOST && grows(&seen, each).is_some()) {
        let number = seen.len() + 1;
        round()?;
        bench.census_until(bench.patience(), &format!("back where it was, in round {number},"), back)?;
        let usage = settled(bench, &seen, pool)?;
        bench.trace().say(0, &format!("round {number}: {usage:?}"));
        if number > 2
            && let Some(what) = grown(&seen, pool, &usage)
        {
            return Err(Failure::broken(format!("round {number} left {what} in the first two")));
        }
        seen.push(usage);
    }
    judged(&seen, each)
}

/// Bytes that three rounds of `each` requests may add.
fn flat(each: usize) -> u64 {
    PAGES.max(3 * each as u64 * EACH)
}

/// Returns the growth over the last three rounds.
fn recent_growth(seen: &[Usage], of: fn(&Usage) -> u64) -> u64 {
    let [earlier, .., last] = &seen[seen.len().saturating_sub(4)..] else { return 0 };
    of(last).saturating_sub(of(earlier))
}

/// Describes the growth that goes on after rounds of `each` requests, if any does.
fn grows(seen: &[Usage], each: usize) -> Option<String> {
    let (memory, threads) =
        (recent_growth(seen, |usage| usage.pss_anon), recent_growth(seen, |usage| usage.threads));
    if threads > THREADS {
        return Some(format!("the last three rounds left {threads} threads"));
    }
    let bytes = memory as f64 / (3 * each) as f64;
    (memory > flat(each)).then(|| format!("{bytes:.0} bytes of memory a request stay"))
}

/// The usage at rest, with threads and descriptors back under the ceiling of the first two rounds; or when patience ends.
///
/// Threads that a `pool` may have need not go; so what has not changed for long is at rest too, unless it is too much.
fn settled(bench: &Bench, seen: &[Usage], pool: u64) -> Result<Usage, Failure> {
    let until = Instant::now() + bench.patience();
    let (mut before, mut alike) = (None, 0);
    loop {
        let usage = bench.usage()?;
        let held = Some((usage.threads, usage.descriptors));
        alike = if before == held { alike + 1 } else { 0 };
        before = held;
        // Threads that end give their stacks back one by one.
        let enough = match seen.len() {
            0 | 1 => 3,
            _ if grown(seen, 0, &usage).is_none() => 3,
            _ if grown(seen, pool, &usage).is_none() => LONG,
            _ => u32::MAX,
        };
        if alike >= enough || Instant::now() >= until {
            return Ok(usage);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Describes what `usage` has more of than the first two rounds had, if anything; threads are allowed up to `pool`.
fn grown(seen: &[Usage], pool: u64, usage: &Usage) -> Option<String> {
    let most = |of: fn(&Usage) -> u64| seen.iter().take(2).map(of).max().unwrap_or(0);
    let (threads, descriptors) = (most(|usage| usage.threads).max(pool), most(|usage| usage.descriptors));
    if usage.threads > threads + THREADS {
        return Some(format!("{} threads after {threads}", usage.threads));
    }
    (usage.descriptors > descriptors + DESCRIPTORS)
        .then(|| format!("{} descriptors after {descriptors}", usage.descriptors))
}

/// Judges what the rounds of `each` requests have left.
fn judged(seen: &[Usage], each: usize) -> Outcome {
    let list =
        |of: fn(&Usage) -> u64| seen.iter().map(|usage| of(usage).to_string()).collect::<Vec<_>>().join(" ");
    let (threads, descriptors) = (list(|usage| usage.threads), list(|usage| usage.descriptors));
    let memory = list(|usage| usage.pss_anon / 1024);
    let text = format!("threads {threads}; descriptors {descriptors}; memory {memory} kB");
    if let Some(what) = grows(seen, each) {
        return Err(Failure::broken(format!("{what}; after each round: {text}")));
    }
    let bytes = recent_growth(seen, |usage| usage.pss_anon) as f64 / (3 * each) as f64;
    Ok(Observed::new(text).with("bytes_a_request", bytes).with("rounds", seen.len() as f64))
}

/// Sends `requests` at once; every answer must have one of `statuses`, 0 for none.
fn all_answered(bench: &Bench, requests: Vec<Request>, statuses: &[u16]) -> Result<(), Failure> {
    for shot in bench.storm(requests)?.finish()? {
        let status = shot.status().unwrap_or(0);
        ensure!(statuses.contains(&status), "{} instead of {statuses:?} in the storm", shot.how());
    }
    Ok(())
}

fn timeouts(bench: &Bench, style: &str, work: u64) -> Outcome {
    let query = format!("style={style}&tick=50ms");
    rounds(bench, 500, || {
        let request = |_| bench.slow_for(bench.ms(work), bench.deadline(), &query);
        all_answered(bench, (0..500).map(request).collect(), &[504])
    })
}

fn storm(bench: &Bench) -> Outcome {
    timeouts(bench, "context", 3000)
}

fn storm_polling(bench: &Bench) -> Outcome {
    timeouts(bench, "polling", 3000)
}

fn storm_drop(bench: &Bench) -> Outcome {
    timeouts(bench, "drop", 9000)
}

fn disconnect_storm(bench: &Bench) -> Outcome {
    rounds(bench, 500, || {
        let live = bench.census()?.work.live;
        let request = |_| Request::get("/slow?work=15s&tick=50ms").id(bench.id());
        let mut storm = bench.storm((0..500).map(request).collect())?;
        all_working(bench, &mut storm, live + 500)?;
        storm.reset();
        Ok(())
    })
}

/// Drives the storm until so many works are live.
fn all_working(bench: &Bench, storm: &mut Burst, wanted: u64) -> Result<(), Failure> {
    let until = Instant::now() + bench.patience();
    loop {
        storm.drive(Instant::now() + Duration::from_millis(10))?;
        let live = bench.census()?.work.live;
        if live >= wanted {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{live} of {wanted} works began");
    }
}

fn fanout_storm(bench: &Bench) -> Outcome {
    let target = format!("/fanout?width=20&work={}ms&tick=50ms", bench.ms(3000).as_millis());
    rounds(bench, 500, || {
        let request = |_| Request::get(&target).timeout(bench.deadline()).id(bench.id());
        all_answered(bench, (0..25).map(request).collect(), &[504])
    })
}

fn stream_storm(bench: &Bench) -> Outcome {
    let request = || Request::get("/stream?chunks=1000&every=20ms").id(bench.id());
    rounds(bench, 100, || {
        let mut left = bench.storm((0..50).map(|_| request()).collect())?;
        let cut = bench.storm((0..50).map(|_| request().timeout(bench.deadline())).collect())?;
        for shot in cut.finish()? {
            let whole = shot.response.as_ref().is_some_and(|response| response.whole);
            ensure!(!whole, "a stream of 20 s came whole in {:?}", bench.deadline());
        }
        left.drive(Instant::now())?;
        left.reset();
        Ok(())
    })
}

fn upload_storm(bench: &Bench) -> Outcome {
    rounds(bench, 100, || {
        let part = || Request::post_part("/upload", 1000, *b"0123456789");
        let request = |_| part().timeout(bench.deadline()).id(bench.id());
        all_answered(bench, (0..100).map(request).collect(), &[504])
    })
}

fn panic_storm(bench: &Bench) -> Outcome {
    rounds(bench, 100, || {
        all_answered(bench, (0..100).map(|_| Request::get("/panic").id(bench.id())).collect(), &[500, 0])
    })
}

fn idle_connections(bench: &Bench) -> Outcome {
    rounds(bench, 200, || {
        let mut wires = (0..200).map(|_| bench.connect()).collect::<Result<Vec<Wire>, _>>()?;
        for wire in wires.iter_mut().skip(100) {
            wire.send(b"GET /fa")?;
        }
        is_served(bench)?;
        for (number, wire) in wires.into_iter().enumerate() {
            if number % 2 == 0 {
                wire.close()
            } else {
                wire.reset()
            };
        }
        is_served(bench)
    })
}

/// `/fast` is answered, so whatever was accepted before it has been seen.
fn is_served(bench: &Bench) -> Result<(), Failure> {
    let answer = bench.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    Ok(())
}

fn garbage_storm(bench: &Bench) -> Outcome {
    rounds(bench, 200, || {
        let garbage = |_| Request::get("/fast HTTP/9.9 nonsense").id(bench.id());
        all_answered(bench, (0..200).map(garbage).collect(), &[0, 400, 414, 431, 501, 505])
    })
}

fn refused_storm(bench: &Bench) -> Outcome {
    rounds(bench, 200, || all_answered(bench, (0..200).map(|_| bench.fast()).collect(), &[0, 200, 503]))
}
