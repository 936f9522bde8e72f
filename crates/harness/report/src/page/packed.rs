//! Packed details of the matrix's cells: every verdict with its whole trace, as one compressed text that the page
//! unpacks when the first cell is pressed.
//!
//! The traces of 13 servers are 9 MB as text. The rows of one scenario are alike, so they are packed one behind the other: that
//! makes them a tenth of it.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use measure::results::Results;
use serde::Serialize;
use suite::document::Row;

use crate::matrix;

/// All rows together have at most so many characters, so that the page stays small; 13 servers need 900,000.
const MOST: usize = 1_200_000;
/// The numbers of lines that a trace may have; the first that leaves all rows small enough is taken.
const LINES: [usize; 6] = [usize::MAX, 100, 40, 15, 5, 0];

/// One verdict, in the shape that the script of the page reads.
#[derive(Serialize)]
struct Opened<'a> {
    /// Its place in the run.
    number: usize,
    /// The grade of its verdict.
    class: &'static str,
    server: &'a str,
    id: &'a str,
    verdict: &'static str,
    level: String,
    promise: &'a str,
    observed: &'a str,
    expected: Option<&'a str>,
    attempts: u32,
    took_ms: u64,
    /// The trace, a line each for what was sent and received.
    trace: &'a [String],
    /// The number of further lines in `results.json`.
    cut: usize,
}

/// The rows by scenario, as base64 of gzip of JSON.
pub fn rows(results: &Results) -> String {
    let packed = LINES.iter().map(|lines| pack(&results.results, *lines));
    let mut last = String::new();
    for text in packed {
        last = text;
        if last.len() <= MOST {
            break;
        }
    }
    last
}

fn pack(rows: &[Row], lines: usize) -> String {
    let mut opened: Vec<_> =
        rows.iter().enumerate().map(|(number, row)| opened(number, row, lines)).collect();
    opened.sort_by_key(|row| row.id);
    let json = serde_json::to_vec(&opened).expect("a row holds nothing that JSON cannot say");
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&json).expect("a buffer takes every byte");
    STANDARD.encode(packer.finish().expect("a buffer takes every byte"))
}

fn opened(number: usize, row: &Row, lines: usize) -> Opened<'_> {
    let shown = lines.min(row.trace.len());
    Opened {
        number,
        class: matrix::tone(row.verdict).class(),
        server: &row.server,
        id: &row.id,
        verdict: row.verdict.word(),
        level: row.level.to_string(),
        promise: &row.promise,
        observed: &row.observed,
        expected: row.expected.as_deref(),
        attempts: row.attempts,
        took_ms: row.took_ms,
        trace: &row.trace[..shown],
        cut: row.trace.len() - shown,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use measure::fixtures::{empty, whole};
    use serde_json::Value;
    use suite::verdict::Verdict;

    use super::*;

    fn unpack(text: &str) -> Vec<Value> {
        let mut json = String::new();
        let bytes = STANDARD.decode(text).unwrap();
        GzDecoder::new(&bytes[..]).read_to_string(&mut json).unwrap();
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn every_row_is_unpacked_with_its_whole_trace() {
        let results = whole();
        let rows = unpack(&rows(&results));
        assert_eq!(rows.len(), results.results.len());
        for row in &rows {
            let original = &results.results[usize::try_from(row["number"].as_u64().unwrap()).unwrap()];
            assert_eq!(
                (&row["id"], &row["server"]),
                (&original.id.as_str().into(), &original.server.as_str().into())
            );
            assert_eq!((&row["trace"], &row["cut"]), (&serde_json::json!(original.trace), &0.into()));
        }
        assert!(rows.iter().any(|row| row["class"] == "odd"));
    }

    #[test]
    fn the_rows_of_one_scenario_follow_one_another() {
        let mut results = empty(&["x", "y"]);
        for server in ["x", "y"] {
            let row = |id| Row::whole_server(server, id, Verdict::Pass, "ok");
            results.results.extend(["b/b", "a/a"].map(row));
        }
        let rows = unpack(&rows(&results));
        let order: Vec<_> = rows.iter().map(|row| (row["id"].as_str().unwrap(), &row["number"])).collect();
        assert_eq!(order, [("a/a", &1.into()), ("a/a", &3.into()), ("b/b", &0.into()), ("b/b", &2.into())]);
    }

    #[test]
    fn traces_that_are_too_long_are_cut_and_say_so() {
        let mut results = empty(&["x"]);
        let mut row = Row::whole_server("x", "a/b", Verdict::Pass, "ok");
        let mut random = fastrand::Rng::with_seed(7);
        let mut line = || (0..2000).map(|_| random.alphanumeric()).collect::<String>();
        row.trace = (0..2000).map(|_| line()).collect();
        results.results = vec![row];
        let text = rows(&results);
        assert!(text.len() <= MOST, "{}", text.len());
        let rows = unpack(&text);
        assert_eq!((rows[0]["trace"].as_array().unwrap().len(), &rows[0]["cut"]), (100, &1900.into()));
    }
}
