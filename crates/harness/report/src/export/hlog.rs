//! Latencies as an HdrHistogram interval log: an interval for each turn, tagged with its server and measurement.
//!
//! An interval begins when its turn did, in seconds since the run; runs of old did not keep that, and theirs begin with the
//! log. Intervals with the same tag are the turns of one server in their order.

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use measure::results::Results;
use measure::series;
use suite::document::Series;

/// Three digits that count, as everywhere else.
const DIGITS: u8 = 3;

/// A turn of one server, as a line of the log.
struct Turn {
    tag: String,
    begin: Duration,
    lasted: Duration,
    histogram: Histogram<u64>,
}

/// The log; its values are microseconds from when a request was meant to be sent to its answer.
pub fn render(results: &Results) -> String {
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("Latencies in microseconds; the greatest of an interval is in milliseconds.")
        .add_comment("A tag is server/measurement; intervals with the same tag are its turns, in their order.")
        .add_comment("An interval begins when its turn did, in seconds since the run; one of 0 where that is not known.")
        .add_comment("It is as long as its load; where that is not known, as its slowest answer.")
        .with_base_time(httpdate::parse_http_date(&results.taken_at).unwrap_or(UNIX_EPOCH))
        .with_max_value_divisor(1e3);
    let mut writer = builder.begin_log_with(&mut log, &mut serializer).expect("a buffer takes every line");
    let mut turns = latenesses(results);
    turns.extend(loads(results));
    turns.sort_by_key(|turn| turn.begin);
    for Turn { tag, begin, lasted, histogram } in &turns {
        writer
            .write_histogram(histogram, *begin, *lasted, Tag::new(tag))
            .expect("a buffer takes every histogram");
    }
    String::from_utf8(log).expect("the log is text")
}

/// Every answer that was timed against a deadline.
fn latenesses(results: &Results) -> Vec<Turn> {
    let mut all = Vec::new();
    for series in series::all(results) {
        let Some(from) = series.latency_from else { continue };
        for (turn, values) in series.rounds.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
            let histogram = histogram(values, from);
            all.push(Turn {
                tag: tag(&series),
                begin: millis(series.rounds_at_ms.get(turn).copied()),
                lasted: Duration::from_micros(histogram.max()),
                histogram,
            });
        }
    }
    all
}

/// Every answer of the loads of `/fast`, by status.
fn loads(results: &Results) -> Vec<Turn> {
    let measured = &results.measured;
    let mut all = Vec::new();
    for (name, turns) in [("back-to-back", &measured.throughput), ("in-step", &measured.latency)] {
        for turn in turns {
            let row = &turn.row;
            for (status, latency) in [("200", &row.ok), ("504", &row.timeout), ("other", &row.other)] {
                let Some(latency) = latency else { continue };
                all.push(Turn {
                    tag: clean(&format!("{}/fast-{name}-{status}", turn.server)),
                    begin: millis(turn.at_ms),
                    lasted: millis(Some(row.window_ms)),
                    histogram: latency.histogram(),
                });
            }
        }
    }
    all
}

/// Milliseconds as the log writes them: 0 when they are not known.
fn millis(ms: Option<f64>) -> Duration {
    Duration::from_micros((ms.unwrap_or(0.0).max(0.0) * 1e3).round() as u64)
}

fn histogram(values: &[f64], from: f64) -> Histogram<u64> {
    let mut histogram = Histogram::new(DIGITS).expect("three digits are allowed");
    for value in values {
        histogram += ((value + from) * 1e3).round() as u64;
    }
    histogram
}

/// `server/measurement` without the characters that a tag must not have.
fn tag(series: &Series) -> String {
    clean(&format!("{}/{}", series.server, series.what))
}

fn clean(text: &str) -> String {
    text.replace([' ', '\n', '\r'], "-").replace(',', "")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use load::Row;
    use load::row::Latency;
    use measure::fixtures::{empty, latenesses};
    use measure::throughput::Fast;

    use super::*;

    /// The log as a standard reader sees it: tag, begin, length and histogram of each interval.
    fn read(log: &str) -> Vec<(String, Duration, Duration, Histogram<u64>)> {
        let entries = IntervalLogIterator::new(log.as_bytes()).map(Result::unwrap);
        let intervals = entries.filter_map(|entry| match entry {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text).unwrap();
            Deserializer::new().deserialize(&mut &bytes[..]).unwrap()
        };
        intervals
            .map(|interval| {
                let tag = interval.tag().unwrap().as_str().to_owned();
                (tag, interval.start_timestamp(), interval.duration(), decode(interval.encoded_histogram()))
            })
            .collect()
    }

    #[test]
    fn the_log_is_read_back_turn_by_turn() {
        let mut results = empty(&["x y"]);
        results.measured.overshoot = vec![latenesses("x y", &[&[1.0, 2.0, -0.5], &[100.0]])];
        results.measured.overshoot[0].turns_at_ms = vec![1500.0, 9000.25];
        let read = read(&render(&results));
        assert_eq!(read.len(), 2);
        let (tag, begin, lasted, histogram) = &read[0];
        assert_eq!((tag.as_str(), histogram.len()), ("x-y/lateness-of-the-504-500-at-once", 3));
        assert_eq!(*begin, Duration::from_millis(1500));
        assert!((402..403).contains(&lasted.as_millis()), "as long as its slowest answer: {lasted:?}");
        assert!(histogram.equivalent(histogram.min(), 399_500), "an answer before its deadline counts too");
        assert!(read[1].3.equivalent(read[1].3.max(), 500_000));
        assert_eq!(read[1].1, Duration::from_millis(9000), "to the millisecond");
    }

    #[test]
    fn a_turn_of_fast_requests_lasts_as_long_as_it_took() {
        let mut results = empty(&["x"]);
        let ok = Latency::of(&histogram(&[1.0, 2.0], 0.0));
        let row = Row { window_ms: 400.0, ok, ..Row::default() };
        results.measured.latency =
            vec![Fast { server: "x".into(), floor: false, turn: 3, at_ms: Some(12_000.0), row }];
        let turns = read(&render(&results));
        assert_eq!(turns.len(), 1);
        let (tag, begin, lasted, histogram) = &turns[0];
        assert_eq!((tag.as_str(), histogram.len()), ("x/fast-in-step-200", 2));
        assert_eq!((*begin, *lasted), (Duration::from_secs(12), Duration::from_millis(400)));
        results.measured.latency[0].at_ms = None;
        assert_eq!(read(&render(&results))[0].1, Duration::ZERO, "an old run did not keep it");
    }
}
