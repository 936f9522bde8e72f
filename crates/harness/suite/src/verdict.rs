//! The verdicts of a scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr, VariantArray};

/// The level of a promise: how much it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Level {
    /// A miss is a failure.
    Must,
    /// A miss is a warning.
    Should,
    /// Nothing is demanded; what was seen is reported.
    Info,
}

/// The verdict on one scenario and one server.
// In the order of a summary.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Verdict {
    /// The promise was kept.
    Pass,
    /// The promise was broken.
    Fail,
    /// A promise that is not a MUST was broken.
    Warn,
    /// The server lacks what the scenario needs.
    Unsupported,
    /// Broken, as the expectations say.
    Xfail,
    /// Kept, though the expectations say that it is broken.
    Xpass,
    /// Broken this time; the expectations say that it comes and goes.
    Flaky,
    /// The harness could not judge.
    Error,
}

impl Verdict {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// True when it must not be overlooked: a broken promise, or an expectation that no longer holds.
    pub fn is_red(self) -> bool {
        matches!(self, Self::Fail | Self::Xpass)
    }
}

/// An observation when a promise was kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// A short sentence for people.
    pub text: String,
    /// Named numbers for tables; the unit ends the name (`late_p99_ms`).
    pub figures: Vec<(&'static str, f64)>,
}

impl Observed {
    /// A sentence without figures.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), figures: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }
}

impl<T: Into<String>> From<T> for Observed {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Why a scenario did not come to "kept".
#[derive(Debug, Clone, PartialEq, Eq, derive_more::Display)]
pub enum Failure {
    /// The server broke the promise, or was too slow to be seen keeping it.
    Broken(String),
    /// The server broke the promise in a way that no noise excuses, such as an early answer: it is not tried again.
    Certain(String),
    /// The server lacks something that only the run could show.
    Unsupported(String),
    /// The harness could not do its part.
    Harness(String),
}

impl Failure {
    /// The server broke the promise, like this.
    pub fn broken(how: impl Into<String>) -> Self {
        Self::Broken(how.into())
    }

    /// The server broke the promise like this, and no noise of the machine can have made it look so.
    pub fn certain(how: impl Into<String>) -> Self {
        Self::Certain(how.into())
    }

    /// True when the server broke the promise, certainly or not.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Certain(_))
    }

    /// The server lacks this.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }

    /// The harness could not do this.
    pub fn harness(what: impl Into<String>) -> Self {
        Self::Harness(what.into())
    }

    /// The sentence inside.
    pub fn text(&self) -> &str {
        match self {
            Self::Broken(text) | Self::Certain(text) | Self::Unsupported(text) | Self::Harness(text) => text,
        }
    }
}

impl std::error::Error for Failure {}

impl From<wire::Error> for Failure {
    fn from(error: wire::Error) -> Self {
        let text = error.to_string();
        if error.is_local() { Self::Harness(text) } else { Self::Broken(text) }
    }
}

impl From<testbed::Error> for Failure {
    fn from(error: testbed::Error) -> Self {
        let text = error.to_string();
        if error.is_local() { Self::Harness(text) } else { Self::Broken(text) }
    }
}

impl From<load::Error> for Failure {
    fn from(error: load::Error) -> Self {
        Self::Harness(error.to_string())
    }
}

/// Fails the scenario with a message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        // Not negated: a comparison with NaN must miss, and clippy would rather have it spelled out.
        if $condition {
        } else {
            return Err($crate::verdict::Failure::broken(format!($($message)+)));
        }
    };
}

/// Judges an outcome by the promise's level and what was expected of it.
pub fn judge(outcome: &Result<Observed, Failure>, level: Level, expected: Option<Kind>) -> Verdict {
    match (outcome, expected) {
        (Err(Failure::Unsupported(_)), _) => Verdict::Unsupported,
        (Err(Failure::Harness(_)), _) => Verdict::Error,
        (Ok(_), Some(Kind::Xfail)) => Verdict::Xpass,
        (Ok(_), _) => Verdict::Pass,
        (Err(Failure::Broken(_) | Failure::Certain(_)), Some(Kind::Xfail)) => Verdict::Xfail,
        (Err(Failure::Broken(_) | Failure::Certain(_)), Some(Kind::Flaky)) => Verdict::Flaky,
        (Err(Failure::Broken(_) | Failure::Certain(_)), None) if level == Level::Must => Verdict::Fail,
        (Err(Failure::Broken(_) | Failure::Certain(_)), None) => Verdict::Warn,
    }
}

/// The expected verdict of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is broken every time.
    Xfail,
    /// It is broken now and then.
    Flaky,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_must_fails_and_anything_less_warns() {
        let broken = Err(Failure::broken("late"));
        assert_eq!(judge(&broken, Level::Must, None), Verdict::Fail);
        assert_eq!(judge(&broken, Level::Should, None), Verdict::Warn);
        assert_eq!(judge(&broken, Level::Info, None), Verdict::Warn);
    }

    #[test]
    fn an_expected_failure_that_passes_is_red() {
        let kept = Ok(Observed::new("kept"));
        assert_eq!(judge(&kept, Level::Must, Some(Kind::Xfail)), Verdict::Xpass);
        assert!(Verdict::Xpass.is_red());
        assert_eq!(judge(&kept, Level::Must, Some(Kind::Flaky)), Verdict::Pass);
    }

    #[test]
    fn an_expected_failure_is_not_red() {
        let broken = Err(Failure::broken("late"));
        for (kind, verdict) in [(Kind::Xfail, Verdict::Xfail), (Kind::Flaky, Verdict::Flaky)] {
            assert_eq!(judge(&broken, Level::Must, Some(kind)), verdict);
            assert!(!verdict.is_red());
        }
    }

    #[test]
    fn an_expectation_hides_neither_an_error_nor_a_lack() {
        let error = Err(Failure::harness("no socket"));
        assert_eq!(judge(&error, Level::Must, Some(Kind::Xfail)), Verdict::Error);
        let lack = Err(Failure::unsupported("no heartbeats"));
        assert_eq!(judge(&lack, Level::Must, Some(Kind::Xfail)), Verdict::Unsupported);
    }
}
