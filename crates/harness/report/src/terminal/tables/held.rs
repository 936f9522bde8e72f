//! The tables of what a server holds: memory by connections, what `/fast` feels of a burst, what storms leave behind.

use comfy_table::{Cell, Color};
use measure::footprint::{Footprint, State};
use measure::interference::{self, Interference};
use measure::results::Results;
use measure::stats::Summary;

use super::speed::Section;
use super::{red, table};
use measure::text::{ABOUT, list, number, percentile, ratio, span};

/// The share of the change of memory that a line must explain to be called one.
const FIT: f64 = 0.98;

/// The sections of a run that measured one of these.
pub(super) fn sections(results: &Results, color: bool) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(spread(results, color));
    for (state, title) in [
        (State::InFlight, "What does a request in flight cost in memory?"),
        (State::Idle, "What does an idle connection cost in memory?"),
    ] {
        sections.extend(memory(results, state, title, color));
    }
    for burst in &results.plan.interference.bursts {
        sections.extend(strips(results, &burst.style, color));
    }
    sections.extend(leaks(results, color));
    sections
}

/// Lateness of 504s that are due one by one over a second.
fn spread(results: &Results, color: bool) -> Option<Section> {
    let all = &results.measured.spread;
    let header = ["server", "in a second", "deadline", "answers", "early", "p50", "p99", "worst"];
    let mut table = table(&header, color);
    for one in all {
        let Some(summary) = one.summary_ms else { continue };
        let mut cells = vec![
            Cell::new(&one.server),
            Cell::new(number(one.at_once as u64)),
            Cell::new(span(one.deadline_ms)),
            Cell::new(number(summary.count as u64)),
            if one.early > 0 { red(one.early) } else { Cell::new(0) },
        ];
        let say = |ms: f64| format!("{ms:.2} ms");
        cells.extend([say(summary.p50), percentile(summary.p99, say), say(summary.max)].map(Cell::new));
        table.add_row(cells);
    }
    let sentence =
        "Open loop: each request is due at its own moment, and its lateness counts from there.".to_owned();
    let title = "How late is the 504 when requests come in step?".to_owned();
    (!all.is_empty()).then(|| (title, Some(table), vec![sentence]))
}

/// Bytes a connection: the slope of a line through the process's memory by connections.
fn memory(results: &Results, state: State, title: &str, color: bool) -> Option<Section> {
    let all: Vec<&Footprint> = results
        .measured
        .footprint
        .iter()
        .filter(|memory| memory.state == state && memory.pss.is_some())
        .collect();
    let slopes = |server: &str| -> Option<Summary> {
        let of = all.iter().filter(|memory| memory.server == server);
        Summary::of(of.filter_map(|memory| Some(memory.pss?.slope)))
    };
    let compared = results.names();
    let floors = all.iter().map(|memory| memory.server.as_str()).filter(|name| !compared.contains(name));
    let mut servers: Vec<&str> =
        compared.iter().copied().chain(floors).filter(|name| slopes(name).is_some()).collect();
    // A floor has several turns, one after the other.
    servers.dedup();
    let base = servers.iter().copied().find(|name| name.starts_with("go-")).or(servers.first().copied())?;
    let of_base = slopes(base)?;
    let times = format!("× {base}");
    let header = ["server", "bytes each", "least", "most", &times, "heap and stacks", "fit, R²", "most held"];
    let mut table = table(&header, color);
    let mut crooked = Vec::new();
    for server in servers {
        let Some(slope) = slopes(server) else { continue };
        let turns = || all.iter().filter(move |memory| memory.server == server);
        let anonymous = Summary::of(turns().filter_map(|memory| Some(memory.anonymous?.slope)));
        let fit = turns().filter_map(|memory| Some(memory.pss?.r2)).fold(1.0, f64::min);
        let held = turns().flat_map(|memory| &memory.readings).map(|reading| reading.held).max();
        if fit < FIT {
            crooked.push(server);
        }
        table.add_row(vec![
            Cell::new(if compared.contains(&server) {
                server.to_owned()
            } else {
                format!("{server} (floor)")
            }),
            whole(slope.p50),
            whole(slope.min),
            whole(slope.max),
            Cell::new(if server == base { "1.00".to_owned() } else { ratio(&slope, &of_base) }),
            anonymous.map_or(Cell::new("-"), |anonymous| whole(anonymous.p50)),
            if fit < FIT {
                Cell::new(format!("⚠ {fit:.4}")).fg(Color::Yellow)
            } else {
                Cell::new(format!("{fit:.4}"))
            },
            Cell::new(number(held.unwrap_or(0) as u64)),
        ]);
    }
    let mut sentences = vec![ABOUT.to_owned(), about_memory(results)];
    if !crooked.is_empty() {
        sentences
            .push(format!("⚠ {}: the readings lie on no line, so the slope says little.", list(&crooked)));
    }
    Some((title.to_owned(), Some(table), sentences))
}

fn about_memory(results: &Results) -> String {
    let numbers: Vec<String> = results.plan.footprint.held.iter().map(|held| number(*held as u64)).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    format!(
        "The slope of a line through the process's memory (PSS) with {} connections; what the kernel keeps for their sockets \
         is not in it.",
        list(&numbers)
    )
}

/// Returns the section on the interference of a burst of one style with `/fast`.
fn strips(results: &Results, style: &str, color: bool) -> Option<Section> {
    let all: Vec<&Interference> =
        results.measured.interference.iter().filter(|strip| strip.style == style).collect();
    let first = all.first()?;
    let header = ["server", "worst before", "worst beside", "not answered", "client's lag p99", "by slot"];
    let mut table = table(&header, color);
    let mut doubted = Vec::new();
    for server in results.names() {
        let turns: Vec<&&Interference> = all.iter().filter(|strip| strip.server == server).collect();
        let Some(shown) = turns.first() else { continue };
        let worst = |during: bool| {
            let of = turns.iter().filter_map(|strip| {
                let (before, beside) = strip.before_and_during();
                interference::worst(if during { &beside } else { &before })
            });
            Summary::of(of).map_or("-".to_owned(), |summary| span(summary.p50))
        };
        let missing: usize = shown.slots.iter().map(|slot| slot.missing).sum();
        if !shown.row.is_valid() {
            doubted.push(format!("⚠ {server}: {}", shown.row.invalid.join("; ")));
        }
        table.add_row(vec![
            Cell::new(if shown.row.is_valid() { server.to_owned() } else { format!("{server} ⚠") }),
            Cell::new(worst(false)),
            Cell::new(worst(true)),
            if missing > 0 { red(missing) } else { Cell::new(0) },
            Cell::new(shown.row.lag.map_or("-".to_owned(), |lag| span(lag.p99_us as f64 / 1e3))),
            Cell::new(shades(shown)),
        ]);
    }
    let plan = &results.plan.interference;
    let title = format!(
        "What does /fast feel of {} /slow in style {style} that time out beside it?",
        number(first.requests as u64)
    );
    let sentence = format!(
        "Asked {} times a second, come what may. By slot of {} ms, the worst latency: · under 2 ms, ░ under 10, ▒ under 50, ▓ \
        under 250, █ longer or no answer.",
        number(plan.rate as u64),
        plan.slot_ms
    );
    Some((title, Some(table), std::iter::once(sentence).chain(doubted).collect()))
}

/// A character for each slot, by its worst latency.
fn shades(strip: &Interference) -> String {
    let shade = |ms: f64| match ms {
        ms if ms < 2.0 => '·',
        ms if ms < 10.0 => '░',
        ms if ms < 50.0 => '▒',
        ms if ms < 250.0 => '▓',
        _ => '█',
    };
    let slot = |slot: &interference::Slot| {
        if slot.missing > 0 { '█' } else { slot.latency_ms.map_or(' ', |summary| shade(summary.max)) }
    };
    strip.slots.iter().map(slot).collect()
}

/// The change per round of storms.
fn leaks(results: &Results, color: bool) -> Option<Section> {
    let all = &results.measured.leak;
    let first = all.first()?;
    let header = ["server", "rounds", "work", "threads", "descriptors", "heap and stacks, kB", "fit, R²"];
    let mut table = table(&header, color);
    for leak in all {
        let slope = |line: Option<measure::stats::Line>, unit: f64| match line {
            // Adding zero takes the sign off a zero that was rounded from below.
            Some(line) => format!("{:+.1}", (line.slope / unit * 10.0).round() / 10.0 + 0.0),
            None => "-".to_owned(),
        };
        table.add_row(vec![
            Cell::new(&leak.server),
            Cell::new(leak.rounds.len()),
            Cell::new(slope(leak.work, 1.0)),
            Cell::new(slope(leak.threads, 1.0)),
            Cell::new(slope(leak.descriptors, 1.0)),
            Cell::new(slope(leak.anonymous, 1e3)),
            Cell::new(leak.anonymous.map_or("-".to_owned(), |line| format!("{:.2}", line.r2))),
        ]);
    }
    let title = format!(
        "What does storm after storm leave behind? (change per round of {} requests, style {})",
        number(first.requests as u64),
        first.style
    );
    let sentence = "A line through all rounds but the first, which pays for what later ones find. A leak has a slope and a \
        good fit; an allocator's habits have neither for long."
        .to_owned();
    Some((title, Some(table), vec![sentence]))
}

fn whole(value: f64) -> Cell {
    // A slope below zero is noise about nothing.
    Cell::new(if value < 0.0 { format!("{value:.0}") } else { number(value.round() as u64) })
}
