//! The deadline holds under load: storms, spinning neighbors, a full blocking pool.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{Admin, KeepAlive, StyleBlocking, StyleSpin};
use testbed::noise::quantile;
use wire::burst::Burst;

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario, Slot};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "deadline/thousand-at-once",
        promise: "1,000 requests at once are answered 504 each, none lost and none early",
        judges: &[Judges::Answer, Judges::Work],
        slot: Slot::Exclusive,
        limit: Duration::from_secs(20),
        sent: "1,000 connections, each `GET /slow?work=5000ms` with `grpc-timeout: 1000m`",
        why: "timeouts come in storms: whatever is slow is slow for everybody at once",
        wrong: "a listen backlog of 128, which is std's, makes the burst wait 1 to 2 s in SYN retries",
        run: thousand_at_once,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/fast-in-a-storm",
        promise: "/fast stays prompt while 1,000 /slow wait",
        needs: &[KeepAlive],
        slot: Slot::Exclusive,
        limit: Duration::from_secs(20),
        sent: "1,000 times `GET /slow?work=5000ms` with `grpc-timeout: 1500m`, and meanwhile `GET /fast` again and again, 50 times at most",
        why: "waiting must cost nothing to those who do not wait",
        wrong: "a pool of worker threads as large as the load that was foreseen",
        run: fast_in_a_storm,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/spinning-neighbour",
        promise: "one spinning request of two threads delays neither /fast nor the 504 of others",
        level: Level::Should,
        needs: &[StyleSpin, KeepAlive],
        flags: &[("--threads", "2")],
        slot: Slot::Exclusive,
        limit: Duration::from_secs(20),
        sent: "`GET /slow?style=spin&work=700ms`, meanwhile `GET /fast` again and again, and `GET /slow` with \
               `grpc-timeout: 300m`; best of 3, `--threads 2`",
        why: "one loop without an await must not stop the neighbors",
        wrong: "tokio stalls about once in 250 tries, when the spinning worker holds the I/O driver",
        sources: &[
            "https://github.com/tokio-rs/tokio/issues/4730",
            "https://github.com/tokio-rs/tokio/issues/4941",
        ],
        run: spinning_neighbour,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/two-spinners",
        promise: "what two spinning requests on two threads do to /fast",
        level: Level::Info,
        needs: &[StyleSpin],
        flags: &[("--threads", "2")],
        slot: Slot::Exclusive,
        limit: Duration::from_secs(20),
        sent: "two times `GET /slow?style=spin&work=700ms`, then `GET /fast`; `--threads 2`",
        why: "as many spinning requests as threads stop an async server altogether; threads of the kernel go on",
        run: two_spinners,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/late-work-is-504",
        promise: "work that never yields and ends past its deadline is answered 504, late, and never 200",
        needs: &[StyleSpin],
        slot: Slot::Half,
        sent: "`GET /slow?style=spin&work=600ms` with `grpc-timeout: 200m`",
        why: "a 200 after the deadline is an answer that the caller has stopped waiting for",
        wrong: "`timeout` of tokio and async-std polls the work first, and a work that is ready wins however late it is",
        sources: &["https://docs.rs/tokio/latest/tokio/time/fn.timeout.html"],
        run: late_work_is_504,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/blocking-pool-full",
        promise: "8 blocking requests on a pool of 4 are all answered 504 on time, and the pool drains",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[StyleBlocking, Admin],
        flags: &[("--blocking-threads", "4")],
        slot: Slot::Own,
        sent: "8 times `GET /slow?style=blocking&work=800ms` with `grpc-timeout: 300m`; `--blocking-threads 4`",
        why: "a full pool is where timeouts come from; the deadline must hold in the queue too",
        wrong: "a deadline that starts when the closure does",
        run: blocking_pool_full,
        ..Scenario::BASE
    },
];

/// `count` requests that wait for their deadline.
fn waiting(bench: &Bench, count: usize, deadline: Duration) -> Result<Burst, Failure> {
    bench.storm((0..count).map(|_| bench.slow_for(bench.ms(5000), deadline, "tick=250ms")).collect())
}

fn thousand_at_once(bench: &Bench) -> Outcome {
    let deadline = bench.ms(1000);
    let mut late = Vec::new();
    for shot in waiting(bench, 1000, deadline)?.finish()? {
        late.push(bench.shot_is_504(&shot, deadline)?.as_secs_f64() * 1e3);
    }
    late.sort_by(f64::total_cmp);
    let (median, worst) = (quantile(&late, 0.5), quantile(&late, 1.0));
    // A thousand answers are work by themselves: the tolerance of one answer, times four.
    let most = 4.0 * bench.answer_late().as_secs_f64() * 1e3;
    ensure!(worst <= most, "the last of 1,000 was {worst:.0} ms late; at most {most:.0} ms are forgiven");
    Ok(Observed::new(format!("1,000 times 504; late p50 {median:.1} ms, worst {worst:.1} ms"))
        .with("worst_ms", worst))
}

fn fast_in_a_storm(bench: &Bench) -> Outcome {
    // On a retry too it is shorter than the 2 s that a server grants by itself.
    let deadline = bench.ms(1500).min(Duration::from_millis(1900));
    // No request is sent before, so until then none is due.
    let all_wait_until = Instant::now() + deadline;
    let mut storm = waiting(bench, 1000, deadline)?;
    // All heads are out when the last connection has been written to.
    storm.drive(Instant::now() + bench.ms(400))?;
    let mut wire = bench.connect()?;
    let mut took = Vec::new();
    while took.len() < 50 && Instant::now() < all_wait_until - bench.ms(100) {
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} instead of 200", answer.status());
        took.push(answer.after().as_secs_f64() * 1e3);
        storm.drive(Instant::now() + Duration::from_millis(5))?;
    }
    let still = storm.shots().iter().filter(|shot| !shot.is_done()).count();
    ensure!(still == 1000, "only {still} of 1,000 still waited at the end");
    ensure!(took.len() >= 10, "only {} /fast were answered while 1,000 waited", took.len());
    took.sort_by(f64::total_cmp);
    let (median, worst) = (quantile(&took, 0.5), quantile(&took, 1.0));
    let most = bench.answer_late().as_secs_f64() * 1e3;
    ensure!(worst <= most, "/fast took {worst:.0} ms at worst; at most {most:.0} ms are forgiven");
    for shot in storm.finish()? {
        bench.shot_is_504(&shot, deadline)?;
    }
    Ok(Observed::new(format!("/fast p50 {median:.2} ms, worst {worst:.1} ms")).with("worst_ms", worst))
}

fn spinning_neighbour(bench: &Bench) -> Outcome {
    let mut last = Failure::broken("never tried");
    for attempt in 1..=3 {
        match one_neighbour(bench) {
            Ok(text) => return Ok(format!("{text} (try {attempt})").into()),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

fn one_neighbour(bench: &Bench) -> Result<String, Failure> {
    let mut hog = bench.connect()?;
    hog.send_request(&bench.slow_for(bench.ms(700), bench.ms(1500), "style=spin"))?;
    let began_at = Instant::now();
    let mut others = bench.storm(vec![bench.slow("")])?;
    let mut wire = bench.connect()?;
    let mut worst = Duration::ZERO;
    while began_at.elapsed() < bench.ms(500) {
        worst = worst.max(wire.ask(&bench.fast())?.after());
        // Its answer is seen when it comes, not when the loop is over.
        others.drive(Instant::now() + Duration::from_millis(5))?;
    }
    let others = others.finish()?;
    hog.answer()?;
    let late = bench.shot_is_504(&others[0], bench.deadline())?;
    let most = bench.answer_late().min(bench.ms(200));
    ensure!(worst <= most, "/fast took {worst:.0?} beside a spinning request");
    ensure!(late <= most, "the 504 came {late:.0?} late beside a spinning request");
    Ok(format!("/fast {worst:.1?} at worst, the 504 {late:.1?} late"))
}

fn two_spinners(bench: &Bench) -> Outcome {
    let mut hogs = Vec::new();
    for _ in 0..2 {
        let mut hog = bench.connect()?;
        hog.send_request(&bench.slow_for(bench.ms(700), bench.ms(1500), "style=spin"))?;
        hogs.push(hog);
    }
    std::thread::sleep(bench.ms(50));
    let after = bench.ask(&bench.fast())?.after().as_secs_f64() * 1e3;
    for mut hog in hogs {
        hog.answer()?;
    }
    Ok(Observed::new(format!("/fast took {after:.1} ms")).with("fast_ms", after))
}

fn late_work_is_504(bench: &Bench) -> Outcome {
    let deadline = bench.ms(200);
    let answer = bench.ask(&bench.slow_for(bench.ms(600), deadline, "style=spin"))?;
    let (status, after) = (answer.status(), answer.after());
    ensure!(status == 504, "{status} instead of 504, {after:.1?} after sending");
    ensure!(after >= deadline, "early: {after:.1?} for a deadline of {deadline:?}");
    Ok(format!("504, {:.0?} late", after - deadline).into())
}

fn blocking_pool_full(bench: &Bench) -> Outcome {
    let requests =
        (0..8).map(|_| bench.slow_for(bench.ms(800), bench.deadline(), "style=blocking")).collect();
    let mut worst = Duration::ZERO;
    for shot in bench.storm(requests)?.finish()? {
        let late = bench.shot_is_504(&shot, bench.deadline())?;
        worst = worst.max(bench.in_time(bench.deadline() + late, bench.deadline())?);
    }
    let (census, _) = bench.census_until(bench.patience(), "drained", |census| census.work.live == 0)?;
    ensure!(census.requests.live == 0, "requests are left: {}", census.line());
    let after = bench.ask(&bench.slow_for(bench.ms(20), bench.ms(1500), "style=blocking"))?;
    ensure!(after.status() == 200, "{} instead of 200 from the drained pool", after.status());
    Ok(format!("8 times 504, at most {worst:.1?} late; the pool drained").into())
}
