//! Measurements as plain data of the document, and back.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use suite::document::{Document, Measurement, Series, located};

use crate::disconnect::Departure;
use crate::footprint::Memory;
use crate::interference::Strip;
use crate::leak::Leak;
use crate::overshoot::Overshoot;
use crate::plan::Plan;
use crate::results::Results;
use crate::schedule::Measured;
use crate::series;
use crate::storm::Storm;
use crate::throughput::Fast;
use crate::zombie::Life;

/// Declares the measurements: the name in the document, the field in [`Measured`], its record, its series.
macro_rules! measurements {
    ($($name:literal $field:ident: $record:ty, $series:path;)*) => {
        /// The names of all measurements, in the order of the document.
        pub const NAMES: &[&str] = &[$($name,)*];

        /// The measurements of a run that recorded something.
        pub(crate) fn measurements(results: &Results) -> Vec<Measurement> {
            let mut all = Vec::new();
            $(all.extend(measurement($name, &results.measured.$field, || $series(results)));)*
            all
        }

        /// Takes the measurements that are known here out of a document, and its gaps.
        ///
        /// # Errors
        /// A sentence that names the measurement and the field.
        pub(crate) fn take(document: &mut Document) -> Result<Measured, String> {
            Ok(Measured {
                $($field: records(document, $name)?,)*
                gaps: std::mem::take(&mut document.gaps),
            })
        }

        /// The schema of the records of each measurement, by name.
        pub fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
            vec![$(($name, generator.subschema_for::<$record>()),)*]
        }
    };
}

measurements! {
    "overshoot" overshoot: Overshoot, series::overshoot;
    "spread" spread: Overshoot, series::spread;
    "zombie" tails: Life, series::zombie;
    "disconnect" departures: Departure, series::disconnect;
    "storm" storms: Storm, series::storm;
    "throughput" throughput: Fast, series::throughput;
    "latency" latency: Fast, series::latency;
    "footprint" memory: Memory, series::footprint;
    "interference" strips: Strip, series::interference;
    "leak" leaks: Leak, series::leak;
}

/// The schema of a plan.
pub fn plan_schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Plan>()
}

fn measurement<T: Serialize + JsonSchema>(
    name: &str,
    records: &[T],
    series: impl FnOnce() -> Vec<Series>,
) -> Option<Measurement> {
    let records: Vec<Value> = records.iter().map(value).collect();
    (!records.is_empty()).then(|| Measurement { name: name.to_owned(), series: series(), records })
}

pub(crate) fn records<T: DeserializeOwned>(document: &mut Document, name: &str) -> Result<Vec<T>, String> {
    let Some(index) = document.measurements.iter().position(|one| one.name == name) else {
        return Ok(Vec::new());
    };
    let records = document.measurements.remove(index).records;
    typed(&format!("measurement `{name}`"), Value::Array(records))
}

/// Reads a value of the document in its own type; `what` names it in the error.
pub(crate) fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| format!("{what}: {}", located(error)))
}

/// Makes a value of the document.
pub(crate) fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("a run holds nothing that JSON cannot say")
}
