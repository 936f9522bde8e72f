//! Latencies as an HdrHistogram interval log: an interval for each turn, tagged with its server and measurement.

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
        .add_comment("An interval is a turn, and its time is the turn's number: turns of servers take each other's place.")
        .with_base_time(httpdate::parse_http_date(&results.taken_at).unwrap_or(UNIX_EPOCH))
        .with_max_value_divisor(1e3);
    let mut writer = builder.begin_log_with(&mut log, &mut serializer).expect("a buffer takes every line");
    let mut intervals: Vec<(usize, String, Histogram<u64>)> = Vec::new();
    for series in series::all(results) {
        for (turn, values) in series.turns.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
            if let Some(from) = series.latency_from {
                intervals.push((turn, tag(&series), histogram(values, from)));
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
                    intervals.push((turn.turn, tag, latency.histogram()));
                }
            }
        }
    }
    intervals.sort_by_key(|(turn, _, _)| *turn);
    for (turn, tag, histogram) in &intervals {
        let start = Duration::from_secs(*turn as u64);
        writer
            .write_histogram(histogram, start, Duration::from_secs(1), Tag::new(tag))
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
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::measure::words::tests::{empty, latenesses};

    #[test]
    fn the_log_is_read_back_turn_by_turn() {
        let mut results = empty(&["x y"]);
        results.measured.overshoot = vec![latenesses("x y", &[&[1.0, 2.0, -0.5], &[100.0]])];
        let log = render(&results);
        let read: Vec<(String, u64, Histogram<u64>)> = IntervalLogIterator::new(log.as_bytes())
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) => Some(interval),
                _ => None,
            })
            .map(|interval| {
                let bytes = data(interval.encoded_histogram());
                let histogram = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                (interval.tag().unwrap().as_str().to_owned(), interval.start_timestamp().as_secs(), histogram)
            })
            .collect();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].0.as_str(), read[0].1, read[0].2.len()),
            ("x-y/lateness-of-the-504-500-at-once", 0, 3)
        );
        assert!(read[0].2.equivalent(read[0].2.min(), 399_500), "an answer before its deadline counts too");
        assert!(read[1].2.equivalent(read[1].2.max(), 500_000));
    }

    /// Base 64, as the log writes it.
    fn data(text: &str) -> Vec<u8> {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digits = text.bytes().filter(|byte| *byte != b'=');
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
        for digit in digits {
            let value = alphabet.iter().position(|letter| *letter == digit).unwrap();
            (held, bits) = (held << 6 | value as u32, bits + 6);
            if bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits) as u8);
                held &= (1 << bits) - 1;
            }
        }
        bytes
    }
}
