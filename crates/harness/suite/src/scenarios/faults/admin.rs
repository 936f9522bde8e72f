//! Clients of the admin address that are slow.

use std::time::{Duration, Instant};

use testbed::capability::Capability::Admin;
use wire::Wire;

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "faults/slow-admin-client",
    promise: "clients that send the admin address a byte now and then keep nobody from the server's count",
    judges: &[Judges::Answer],
    needs: &[Admin],
    slot: Slot::Own,
    sent: "to the admin address: 8 times `GET /census`, a byte each 0.4 s; meanwhile one more `GET /census` at a time, 20 times",
    why: "an instrument that one client can blind shows nothing on the day it is needed",
    wrong: "one client at a time, and a patience that each byte begins anew",
    run: slow_client,
    ..Scenario::BASE
}];

fn slow_client(bench: &Bench) -> Outcome {
    let admin = bench.server().admin().ok_or_else(|| Failure::unsupported("no count of its own"))?;
    let until = Instant::now() + bench.ms(9_000);
    let dripping = |_| Wire::connect(admin, until, bench.trace());
    let mut wires = (0..8).map(dripping).collect::<Result<Vec<_>, _>>()?;
    let (mut bytes, mut worst) = (b"GET /census HTTP/1.1\r\n".iter(), Duration::ZERO);
    for number in 0..20 {
        if number % 4 == 0 {
            let byte = bytes.next().copied().into_iter().collect::<Vec<_>>();
            // One that was closed meanwhile has had its time.
            wires.retain_mut(|wire| wire.send(&byte).is_ok());
        }
        let asked_at = Instant::now();
        bench.census()?;
        worst = worst.max(asked_at.elapsed());
        std::thread::sleep(bench.ms(100));
    }
    ensure!(worst <= bench.answer_late(), "the server's count took {worst:.1?} beside 8 slow clients");
    Ok(format!("20 readings of the server's count, the slowest after {worst:.1?}").into())
}
