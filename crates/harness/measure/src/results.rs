//! A run with its measurements in their own types, made from and into the one document.

use std::ops::{Deref, DerefMut};

use suite::document::{Document, Limits};
use suite::exit::Exit;
use testbed::noise::Noise;

use crate::measurement::Size;
use crate::registry::{self, Measured, Plan};

/// A run whose measurements have been read back. It derefs to the rest of its document.
#[derive(Debug, Clone)]
pub struct Results {
    /// The document without what stands below: its plan, limits and gaps are empty here, and its measurements are those that
    /// belong to no schedule.
    document: Document,
    /// The limits by which figures are judged.
    pub limits: Limits,
    /// The plan: the measurements and their repetitions.
    pub plan: Plan,
    /// The measurements.
    pub measured: Measured,
}

/// Two ticks, in which work that looks at its context stops, and what the scheduler adds; at least 25 ms.
pub fn limits(plan: &Plan, noise: &Noise) -> Limits {
    let ticks = 2.0 * plan.zombie.tick_ms as f64;
    Limits { zombie_ms: (ticks + noise.max_ms).max(25.0).round() }
}

impl Results {
    /// The results of a run that was measured by this plan.
    pub fn new(mut document: Document, plan: Plan, measured: Measured) -> Self {
        let limits = document.limits.take().unwrap_or_else(|| limits(&plan, &document.noise));
        Self { document, limits, plan, measured }
    }

    /// Reads the measurements of a document. A run that measured nothing has a plan of nothing.
    ///
    /// # Errors
    /// A sentence that names the measurement and the field that is missing or wrong.
    pub fn of(mut document: Document) -> Result<Self, String> {
        let plan = match document.plan.take() {
            Some(plan) => registry::typed("plan", plan)?,
            None => Plan::of(Size::Quick).only(&[]),
        };
        let measured = registry::take(&mut document)?;
        Ok(Self::new(document, plan, measured))
    }

    /// The whole document.
    pub fn document(&self) -> Document {
        Document {
            plan: Some(registry::value(&self.plan)),
            limits: Some(self.limits),
            measurements: registry::measurements(self)
                .into_iter()
                .chain(self.document.measurements.iter().cloned())
                .collect(),
            gaps: self.measured.gaps.clone(),
            ..self.document.clone()
        }
    }

    /// Returns how the command that made this run ends: an early answer is a broken promise too.
    pub fn exit(&self) -> Exit {
        if registry::is_broken(self) { Exit::Broken } else { self.document().exit() }
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// A sentence that names the version, or what is missing or wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::of(Document::parse(text)?)
    }

    /// The document as JSON, on one line.
    pub fn json(&self) -> String {
        self.document().json()
    }
}

impl Deref for Results {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl DerefMut for Results {
    fn deref_mut(&mut self) -> &mut Document {
        &mut self.document
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use suite::document::Row;
    use suite::verdict::Verdict;

    use super::*;
    use crate::fixtures::{empty, latenesses, life, whole};

    #[test]
    fn a_run_is_read_back_as_it_was_written() {
        let mut results = whole();
        results.results.push(Row::whole_server("x", "a/c", Verdict::Xfail, "late"));
        results.measured.zombie = vec![life("x", "drop", 2699.0)];
        results.plan.flags = vec![("--threads".to_owned(), "2".to_owned())];
        let text = results.json();
        assert_eq!(Results::parse(&text).unwrap().json(), text);
    }

    #[test]
    fn a_record_of_another_shape_is_named_with_its_measurement() {
        let mut document: Value = serde_json::from_str(&whole().json()).unwrap();
        let measurements = document["measurements"].as_array_mut().unwrap();
        let storm = measurements.iter_mut().find(|one| one["name"] == "storm").unwrap();
        storm["records"][1]["quiet_ms"] = "never".into();
        let error = Results::parse(&document.to_string()).unwrap_err();
        assert!(error.starts_with("measurement `storm`: field `[1].quiet_ms`: invalid type"), "{error}");
    }

    #[test]
    fn a_run_that_measured_nothing_is_read_as_one_with_an_empty_plan() {
        let mut document = empty(&["x"]).document();
        (document.plan, document.limits) = (None, None);
        let results = Results::of(document).unwrap();
        assert_eq!((results.plan.storm.rounds, results.limits.zombie_ms), (0, 25.0));
    }

    #[test]
    fn an_early_answer_is_a_broken_promise() {
        let mut results = empty(&["x"]);
        results.results = vec![Row { attempts: 1, ..Row::whole_server("x", "a/c", Verdict::Pass, "ok") }];
        assert_eq!(results.exit(), Exit::Good);
        results.measured.overshoot = vec![latenesses("x", &[&[-1.0]])];
        results.measured.overshoot[0].early = 1;
        assert_eq!(results.exit(), Exit::Broken);
    }
}
