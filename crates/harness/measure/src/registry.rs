//! The list of all measurements. Whatever is done with every measurement iterates over it: the plan, the schedule, the
//! document and its schema, `samples.csv`, `latency.hlog`, `lab diff`, the terminal and the page.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use suite::document::{self, Document, Gap, located};

use crate::measurement::{Interval, Measurement, Size};
use crate::results::Results;
use crate::schedule::Taker;
use crate::table::Table;
use crate::{
    disconnect, footprint, interference, leak, outside, overshoot, storm, streams, throughput, zombie,
};

/// Declares the measurements, in the order in which they are taken and shown: name, implementation, what it asks.
macro_rules! registry {
    ($($name:ident: $measurement:ty, $about:literal;)*) => {
        /// The names of all measurements, each with what it asks.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $about),)*];

        /// The old names of measurements, each with the new one.
        pub const ALIASES: &[(&[&str], &str)] =
            &[$((<$measurement as Measurement>::ALIASES, stringify!($name)),)*];

        /// The records of a run, by measurement.
        #[derive(Debug, Clone, Default)]
        pub struct Measured {
            $(#[doc = $about] pub $name: Vec<<$measurement as Measurement>::Record>,)*
            /// The rounds that brought nothing.
            pub gaps: Vec<Gap>,
        }

        /// The plan of a run.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Plan {
            /// Its length.
            pub size: Size,
            /// Flags that every server is started with, on top of its defaults.
            pub flags: Vec<(String, String)>,
            $(#[doc = $about] pub $name: <$measurement as Measurement>::Plan,)*
        }

        impl Default for Plan {
            /// The plan of nothing: a run that is older than a measurement has taken no round of it.
            fn default() -> Self {
                Self::of(Size::Quick).only(&[])
            }
        }

        impl Plan {
            /// The plan of a run of this size.
            pub fn of(size: Size) -> Self {
                Self { size, flags: Vec::new(), $($name: <$measurement>::plan(size),)* }
            }

            /// The same plan with no rounds but those of the measurements of these names; `all` is every one.
            #[must_use]
            pub fn only(mut self, wanted: &[String]) -> Self {
                let is_wanted = |name: &str, aliases: &[&str]| {
                    let is = |one: &String| one == "all" || one == name || aliases.contains(&one.as_str());
                    wanted.iter().any(is)
                };
                $(if !is_wanted(stringify!($name), <$measurement>::ALIASES) {
                    <$measurement>::rounds(&mut self.$name).into_iter().for_each(|rounds| *rounds = 0);
                })*
                self
            }

            /// The names of the measurements that the plan takes a round of.
            pub fn asked(&self) -> Vec<&'static str> {
                let mut plan = self.clone();
                let mut asked = Vec::new();
                $(if <$measurement>::rounds(&mut plan.$name).into_iter().any(|rounds| *rounds > 0) {
                    asked.push(stringify!($name));
                })*
                asked
            }
        }

        impl Plan {
            /// Returns true when the plan asks for a measurement in which floors stand beside the others.
            pub fn has_floors(&self) -> bool {
                let asked = self.asked();
                $((<$measurement>::FLOORS && asked.contains(&stringify!($name))))||*
            }
        }

        impl Measured {
            /// The names of the measurements that recorded something.
            pub fn recorded(&self) -> Vec<&'static str> {
                let mut recorded = Vec::new();
                $(if !self.$name.is_empty() {
                    recorded.push(stringify!($name));
                })*
                recorded
            }
        }

        /// Takes every round of a plan.
        pub(crate) fn run(plan: &Plan, taker: &mut Taker<'_>) -> Measured {
            $(
                taker.begin(stringify!($name));
                let $name = <$measurement>::run(&plan.$name, taker);
            )*
            Measured { $($name,)* gaps: taker.gaps() }
        }

        /// The measurements of a run that recorded something, as plain data.
        pub fn measurements(results: &Results) -> Vec<document::Measurement> {
            let mut all = Vec::new();
            $(if !results.measured.$name.is_empty() {
                all.push(document::Measurement {
                    name: stringify!($name).to_owned(),
                    series: <$measurement>::series(results),
                    records: results.measured.$name.iter().map(value).collect(),
                });
            })*
            all
        }

        /// Takes the measurements that are known here out of a document, and its gaps.
        ///
        /// # Errors
        /// A sentence that names the measurement and the field.
        pub(crate) fn take(document: &mut Document) -> Result<Measured, String> {
            Ok(Measured {
                $($name: records(document, stringify!($name))?,)*
                gaps: std::mem::take(&mut document.gaps),
            })
        }

        /// The schema of the records of each measurement, by name.
        pub fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
            vec![$((
                stringify!($name),
                generator.subschema_for::<<$measurement as Measurement>::Record>(),
            ),)*]
        }

        /// The tables of each measurement that recorded something, by its name.
        pub fn tables(results: &Results) -> Vec<(&'static str, Vec<Table>)> {
            let all = vec![$((stringify!($name), <$measurement>::tables(results)),)*];
            all.into_iter().filter(|(_, tables)| !tables.is_empty()).collect()
        }

        /// The latencies of a run as histograms.
        pub fn histograms(results: &Results) -> Vec<Interval> {
            let mut all = Vec::new();
            $(all.extend(<$measurement>::histograms(results));)*
            all
        }

        /// True when what was measured breaks a check.
        pub(crate) fn is_broken(results: &Results) -> bool {
            $(<$measurement>::is_broken(results))||*
        }
    };
}

registry! {
    zombie: zombie::Measure, "The time for which work goes on after its answer.";
    outside: outside::Measure, "The time for which work outside the process goes on after its request.";
    storm: storm::Measure, "The cost of a storm of requests that time out.";
    overshoot: overshoot::Measure, "The lateness of 504s, one by one and many at once.";
    spread: overshoot::Spread, "The lateness of 504s that are due one by one over a second.";
    disconnect: disconnect::Measure, "The time to cancel work whose client disconnects.";
    streams: streams::late::Measure, "The lateness of 504s of the streams of one HTTP/2 connection.";
    resets: streams::reset::Measure, "The time to cancel work whose HTTP/2 stream is reset.";
    rapid_reset: streams::rapid_reset::Measure, "The cost of HTTP/2 streams that are reset as fast as they are opened.";
    footprint: footprint::Measure, "The memory of a connection.";
    interference: interference::Measure, "`/fast` under a burst of `/slow`.";
    leak: leak::Measure, "The leak of storm after storm.";
    throughput: throughput::Measure, "The throughput of `/fast`, back to back.";
    latency: throughput::Latency, "The latency of `/fast`, in step with a schedule.";
}

/// The schema of a plan.
pub fn plan_schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Plan>()
}

/// Takes the records of a measurement out of a document, in their own type.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_one_measurement_has_no_rounds_for_another() {
        let plan = |wanted: &str| Plan::of(Size::Full).only(&[wanted.to_owned()]);
        for (name, _) in ALL {
            assert_eq!(plan(name).asked(), [*name]);
        }
        for (aliases, name) in ALIASES {
            assert!(aliases.iter().all(|alias| plan(alias).asked().contains(name)), "{name}");
        }
        assert_eq!(plan("all").asked().len(), ALL.len(), "a full run measures everything");
    }

    #[test]
    fn a_plan_is_read_back_as_it_was_written() {
        for size in [Size::Quick, Size::Standard, Size::Full] {
            let plan = Plan::of(size);
            assert_eq!(typed::<Plan>("plan", value(&plan)), Ok(plan));
        }
    }

    #[test]
    fn a_plan_of_before_a_measurement_has_no_round_of_it() {
        let mut older = value(&Plan::of(Size::Full));
        older.as_object_mut().expect("a plan is an object").remove("outside");
        let plan = typed::<Plan>("plan", older).unwrap();
        assert_eq!((plan.asked().contains(&"outside"), plan.asked().contains(&"zombie")), (false, true));
    }

    #[test]
    fn work_is_longer_than_its_deadline_in_every_plan() {
        for plan in [Size::Quick, Size::Standard, Size::Full].map(Plan::of) {
            assert!(plan.zombie.work_ms > plan.zombie.deadline_ms);
            assert!(plan.storm.work_ms > plan.storm.deadline_ms);
            assert!(plan.leak.work_ms > plan.leak.deadline_ms);
            let styles = plan.interference.bursts.iter().map(|burst| &burst.style).chain(&plan.storm.styles);
            assert!(styles.into_iter().all(|style| zombie::STYLES.contains(&style.as_str())));
            let mut bursts = plan.interference.bursts.iter();
            assert!(bursts.all(|burst| burst.work_ms > plan.interference.deadline_ms));
        }
    }
}
