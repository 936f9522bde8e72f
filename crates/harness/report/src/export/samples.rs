//! Every sample as a line of a table: `server,measurement,round,unit,value`.

use measure::results::Results;
use measure::series;

/// The header.
const HEADER: [&str; 5] = ["server", "measurement", "round", "unit", "value"];

/// The table; rounds are counted from 0.
pub fn render(results: &Results) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut line = |cells: [&str; 5]| writer.write_record(cells).expect("a buffer takes every line");
    line(HEADER);
    for series in series::all(results) {
        for (round, values) in series.rounds.iter().enumerate() {
            for value in values {
                let (round, value) = (round.to_string(), value.to_string());
                line([&series.server, &series.what, &round, &series.unit, &value]);
            }
        }
    }
    let bytes = writer.into_inner().expect("a buffer is flushed");
    String::from_utf8(bytes).expect("every cell was text")
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, everything, life};

    use super::*;

    #[test]
    fn every_measurement_of_the_registry_has_lines() {
        let (results, text) = (everything(), render(&everything()));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let lines: Vec<(String, String, usize, String, f64)> =
            reader.deserialize().collect::<Result<_, _>>().unwrap();
        let document = results.document();
        let names: Vec<&str> = document.measurements.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, measure::registry::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for measurement in document.measurements {
            for series in &measurement.series {
                let samples = series.rounds.iter().flatten().count();
                let found = lines.iter().filter(|line| line.1 == series.what).count();
                assert!(samples > 0, "{}: {}", measurement.name, series.what);
                assert_eq!(found, samples, "{}: {}", measurement.name, series.what);
            }
        }
    }

    #[test]
    fn every_sample_is_a_line_that_can_be_read_back() {
        let mut results = empty(&["a,b"]);
        results.measured.zombie = vec![life("a,b", "drop", 2699.0), life("a,b", "drop", 0.5)];
        let text = render(&results);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), &HEADER[..]);
        let lines: Vec<(String, String, usize, String, f64)> =
            reader.deserialize().collect::<Result<_, _>>().unwrap();
        let work: Vec<_> = lines.iter().filter(|line| line.1 == "work after its answer, drop").collect();
        assert_eq!(work.iter().map(|line| line.4).collect::<Vec<_>>(), [2699.0, 0.5]);
        assert!(lines.iter().all(|line| (line.0.as_str(), line.2, line.3.as_str()) == ("a,b", 0, "ms")));
        assert_eq!(lines.len(), 4);
    }
}
