//! Latencies as an HdrHistogram interval log: an interval for each round, tagged with its server and measurement.
//!
//! An interval begins when its round did, in seconds since the run; where that is not known, with the log. Intervals with the same tag are the rounds of one server in their order.

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use measure::measurement::Interval;
use measure::registry;
use measure::results::Results;

/// The log, in the order in which the rounds began; intervals that began together are in the order of the document.
pub fn render(results: &Results) -> String {
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("Latencies in microseconds; the greatest of an interval is in milliseconds.")
        .add_comment("A tag is server/measurement; intervals with the same tag are its rounds, in their order.")
        .add_comment("An interval begins when its round did, in seconds since the run; one of 0 where that is not known.")
        .add_comment("It is as long as its load; where that is not known, as its slowest answer.")
        .with_base_time(httpdate::parse_http_date(&results.taken_at).unwrap_or(UNIX_EPOCH))
        .with_max_value_divisor(1e3);
    let mut writer = builder.begin_log_with(&mut log, &mut serializer).expect("a buffer takes every line");
    let mut intervals = registry::histograms(results);
    intervals.sort_by_key(|interval| millis(interval.at_ms));
    for Interval { tag, at_ms, lasted_ms, latencies } in &intervals {
        let lasted = lasted_ms.map_or_else(|| Duration::from_micros(latencies.max()), |ms| millis(Some(ms)));
        writer
            .write_histogram(latencies, millis(*at_ms), lasted, Tag::new(&clean(tag)))
            .expect("a buffer takes every histogram");
    }
    String::from_utf8(log).expect("the log is text")
}

/// Milliseconds as the log writes them: 0 when they are not known.
fn millis(ms: Option<f64>) -> Duration {
    Duration::from_micros((ms.unwrap_or(0.0).max(0.0) * 1e3).round() as u64)
}

/// A tag without the characters that it must not have.
fn clean(text: &str) -> String {
    text.replace([' ', '\n', '\r'], "-").replace(',', "")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
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
    fn the_log_is_read_back_round_by_round() {
        let mut results = empty(&["x y"]);
        results.measured.overshoot = vec![latenesses("x y", &[&[1.0, 2.0, -0.5], &[100.0]])];
        results.measured.overshoot[0].rounds_at_ms = vec![1500.0, 9000.25];
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
    fn a_round_of_fast_requests_lasts_as_long_as_it_took() {
        let mut results = empty(&["x"]);
        let mut latencies = Histogram::new(3).unwrap();
        latencies.record_n(1000, 2).unwrap();
        let ok = Latency::of(&latencies);
        let row = Row { window_ms: 400.0, ok, ..Row::default() };
        results.measured.latency =
            vec![Fast { server: "x".into(), floor: false, round: 3, at_ms: Some(12_000.0), row }];
        let turns = read(&render(&results));
        assert_eq!(turns.len(), 1);
        let (tag, begin, lasted, histogram) = &turns[0];
        assert_eq!((tag.as_str(), histogram.len()), ("x/fast-in-step-200", 2));
        assert_eq!((*begin, *lasted), (Duration::from_secs(12), Duration::from_millis(400)));
        results.measured.latency[0].at_ms = None;
        assert_eq!(read(&render(&results))[0].1, Duration::ZERO, "where it is not known");
    }
}
