//! Latencies as an HdrHistogram interval log: an interval for each turn, tagged with its server and measurement.
//!
//! A run keeps how long a turn took and not when it began. So every interval begins with the log, and intervals with the
//! same tag are the turns of one server in their order.

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::measure::results::Results;
use crate::measure::series::{self, Series};

/// Three digits that count, as everywhere else.
const DIGITS: u8 = 3;

/// The log; its values are microseconds from when a request was meant to be sent to its answer.
pub fn render(results: &Results) -> String {
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("Latencies in microseconds; the greatest of an interval is in milliseconds.")
        .add_comment("A tag is server/measurement. Intervals with the same tag are its turns, in their order.")
        .add_comment("When a turn began is not known: every interval begins with the log. One whose length is not known lasts as long as the run.")
        .with_base_time(httpdate::parse_http_date(&results.taken_at).unwrap_or(UNIX_EPOCH))
        .with_max_value_divisor(1e3);
    let mut writer = builder.begin_log_with(&mut log, &mut serializer).expect("a buffer takes every line");
    let run = Duration::from_millis(results.took_ms);
    let mut intervals: Vec<(usize, String, Duration, Histogram<u64>)> = Vec::new();
    for series in series::all(results) {
        for (turn, values) in series.turns.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
            if let Some(from) = series.latency_from {
                intervals.push((turn, tag(&series), run, histogram(values, from)));
            }
        }
    }
    for (name, turns) in
        [("back-to-back", &results.measured.throughput), ("in-step", &results.measured.latency)]
    {
        for turn in turns {
            for (status, latency) in
                [("200", &turn.row.ok), ("504", &turn.row.timeout), ("other", &turn.row.other)]
            {
                if let Some(latency) = latency {
                    let tag = clean(&format!("{}/fast-{name}-{status}", turn.server));
                    let lasted = Duration::from_secs_f64(turn.row.window_ms.max(0.0) / 1e3);
                    intervals.push((turn.turn, tag, lasted, latency.histogram()));
                }
            }
        }
    }
    intervals.sort_by_key(|(turn, _, _, _)| *turn);
    for (_, tag, lasted, histogram) in &intervals {
        writer
            .write_histogram(histogram, Duration::ZERO, *lasted, Tag::new(tag))
            .expect("a buffer takes every histogram");
    }
    String::from_utf8(log).expect("the log is text")
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
    clean(&format!("{}/{}", series.server, series.measurement))
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

    use super::*;
    use crate::load::Row;
    use crate::load::row::Latency;
    use crate::measure::fast::Fast;
    use crate::measure::words::tests::{empty, latenesses};

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
        results.took_ms = 7000;
        results.measured.overshoot = vec![latenesses("x y", &[&[1.0, 2.0, -0.5], &[100.0]])];
        let read = read(&render(&results));
        assert_eq!(read.len(), 2);
        let (tag, begin, lasted, histogram) = &read[0];
        assert_eq!((tag.as_str(), histogram.len()), ("x-y/lateness-of-the-504-500-at-once", 3));
        assert_eq!((*begin, *lasted), (Duration::ZERO, Duration::from_secs(7)), "as long as the run");
        assert!(histogram.equivalent(histogram.min(), 399_500), "an answer before its deadline counts too");
        assert!(read[1].3.equivalent(read[1].3.max(), 500_000));
    }

    #[test]
    fn a_turn_of_fast_requests_lasts_as_long_as_it_took() {
        let mut results = empty(&["x"]);
        let ok = Latency::of(&histogram(&[1.0, 2.0], 0.0));
        let row = Row { window_ms: 400.0, ok, ..Row::default() };
        results.measured.latency = vec![Fast { server: "x".into(), floor: false, turn: 3, row }];
        let read = read(&render(&results));
        assert_eq!(read.len(), 1);
        let (tag, begin, lasted, histogram) = &read[0];
        assert_eq!((tag.as_str(), histogram.len()), ("x/fast-in-step-200", 2));
        assert_eq!((*begin, *lasted), (Duration::ZERO, Duration::from_millis(400)));
    }
}
