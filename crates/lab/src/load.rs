//! `lab load`: one load on a server that runs already.

use load::row::Latency;
use load::{Load, Pace, Row};
use measure::text::number;
use suite::exit::Exit;
use testbed::guard;
use testbed::url::Url;
use wire::Request;

use crate::progress::print;

/// Runs the load and prints its row.
pub(crate) fn load(args: &crate::args::Load) -> Result<Exit, String> {
    let url = Url::parse(&args.url)?;
    let pace = match args.rate {
        Some(per_second) => {
            let requests = (per_second * args.lasting.as_secs_f64()).round().max(1.0) as usize;
            Pace::Rate { per_second, requests }
        }
        None => Pace::BackToBack { lasting: args.lasting },
    };
    guard::raise_descriptors()?;
    let request = Request::get(&url.target);
    let load = Load {
        host: url.authority.clone(),
        good: args.expect.clone(),
        ..Load::new(url.reachable(), None, request, args.connections as usize, pace)
    };
    let row = load.run().map_err(|failure| failure.to_string())?.row;
    if args.json {
        let json = serde_json::to_string_pretty(&row).expect("a row holds nothing that JSON cannot say");
        print(format_args!("{json}\n"));
    } else {
        print(say(&row));
    }
    if row.good == 0 {
        return Err(format!("no good answer to measure: {}", row.invalid.join("; ")));
    }
    Ok(if row.is_valid() { Exit::Good } else { Exit::Broken })
}

/// The row in lines.
fn say(row: &Row) -> String {
    let mut lines = vec![format!(
        "{}: {} good answers over {} connections, {:.0} a second",
        row.mode,
        number(row.good),
        number(row.connections as u64),
        row.per_second
    )];
    for (name, latency) in [("200", &row.ok), ("504", &row.timeout), ("other", &row.other)] {
        lines.extend(latency.as_ref().map(|latency| say_latency(name, latency)));
    }
    lines.extend(row.others.iter().map(|(what, count)| format!("      {what}: {}", number(*count))));
    if row.interim > 0 {
        lines.push(format!("  1xx: {}, which are no answers", number(row.interim)));
    }
    if let (Some(rate), Some(lag)) = (row.rate, row.lag) {
        lines.push(format!(
            "client: sent {:.0} of {:.0} a second; left late by {} µs (p50), {} (p99), {} (worst)",
            rate.achieved, rate.requested, lag.p50_us, lag.p99_us, lag.max_us
        ));
    }
    lines.push(format!("client: on a processor for {:.0} % of its time", row.generator_cpu * 100.0));
    let little = &row.little;
    lines.push(format!(
        "Little's law: {:.2} in the system, {:.0} a second x {:.3} ms = {:.2}",
        little.in_system,
        little.per_second,
        little.mean_ms,
        little.per_second * little.mean_ms / 1e3
    ));
    lines.extend(row.invalid.iter().map(|reason| format!("⚠ not to be believed: {reason}")));
    lines.join("\n") + "\n"
}

fn say_latency(name: &str, latency: &Latency) -> String {
    let Latency { count, p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = latency;
    let quantiles = [(p90_ms, "p90"), (p99_ms, "p99"), (p999_ms, "p99.9")];
    let quantiles = quantiles.map(|(ms, name)| ms.map_or(String::new(), |ms| format!("{ms:.3} ({name}), ")));
    format!(
        "{name:>5}: {} in {p50_ms:.3} ms (p50), {}{max_ms:.3} (worst)",
        number(*count),
        quantiles.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_may_not_be_believed_says_so() {
        let row = Row {
            mode: "open loop".to_owned(),
            invalid: vec!["nothing was answered".to_owned()],
            ..Row::default()
        };
        assert!(say(&row).ends_with("⚠ not to be believed: nothing was answered\n"));
    }
}
