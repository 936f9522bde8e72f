//! One span and the ids of its trace.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

/// The kinds of spans that a run has, by the protocol's numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Work in a process.
    Internal = 1,
    /// A request that is served.
    Server = 2,
    /// A call.
    Client = 3,
}

/// The ids of one trace: the same for the same run, so that a document is rendered alike every time.
pub(super) struct Ids {
    hasher: DefaultHasher,
    trace: u128,
    next: u64,
}

/// A span. Its times are milliseconds since the beginning of the run.
pub(super) struct Span {
    trace: u128,
    pub(super) id: u64,
    parent: Option<u64>,
    name: String,
    kind: Kind,
    from: f64,
    to: f64,
    attributes: Vec<Value>,
    events: Vec<(&'static str, f64)>,
    error: Option<String>,
}

impl Ids {
    /// Returns the ids of the trace that is known by `of`.
    pub(super) fn new(of: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        of.hash(&mut hasher);
        let mut ids = Self { hasher, trace: 0, next: 0 };
        ids.trace = u128::from(ids.id()) << 64 | u128::from(ids.id());
        ids
    }

    /// Takes the trace of a request that brought one.
    pub(super) fn join(&mut self, trace: u128) {
        self.trace = trace;
    }

    /// Returns the next id, which is never zero.
    fn id(&mut self) -> u64 {
        let mut hasher = self.hasher.clone();
        self.next.hash(&mut hasher);
        self.next += 1;
        hasher.finish().max(1)
    }

    /// Returns a span of the trace below `parent`.
    pub(super) fn span(&mut self, parent: Option<u64>, name: String, kind: Kind) -> Span {
        let (attributes, events, id) = (Vec::new(), Vec::new(), self.id());
        Span {
            trace: self.trace,
            id,
            parent,
            name,
            kind,
            from: 0.0,
            to: 0.0,
            attributes,
            events,
            error: None,
        }
    }
}

impl Span {
    /// Sets its beginning and its end.
    pub(super) fn from(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// Puts it below another span of its trace.
    pub(super) fn below(self, parent: u64) -> Self {
        Self { parent: Some(parent), ..self }
    }

    /// Adds an attribute that is a text.
    pub(super) fn text(self, key: &str, value: &str) -> Self {
        self.attribute(key, json!({"stringValue": value}))
    }

    /// Adds an attribute that is a whole number.
    pub(super) fn number(self, key: &str, value: u64) -> Self {
        self.attribute(key, json!({"intValue": value.to_string()}))
    }

    /// Adds an attribute that is a time in milliseconds.
    pub(super) fn ms(self, key: &str, value: f64) -> Self {
        self.attribute(key, json!({"doubleValue": value}))
    }

    /// Adds an attribute that is true or false.
    pub(super) fn flag(self, key: &str, value: bool) -> Self {
        self.attribute(key, json!({"boolValue": value}))
    }

    fn attribute(mut self, key: &str, value: Value) -> Self {
        self.attributes.push(json!({"key": key, "value": value}));
        self
    }

    /// Adds an event at a moment.
    pub(super) fn event(mut self, name: &'static str, at: f64) -> Self {
        self.events.push((name, at));
        self
    }

    /// Marks it as failed; the description may be empty.
    pub(super) fn error(self, description: &str) -> Self {
        Self { error: Some(description.to_owned()), ..self }
    }

    /// Renders it; `since` is the beginning of the run, in nanoseconds since the epoch.
    pub(super) fn json(self, since: u64) -> Value {
        let nanos = |ms: f64| (since + (ms * 1e6).round() as u64).to_string();
        let event = |(name, at): &(&str, f64)| json!({"timeUnixNano": nanos(*at), "name": name});
        let mut span = json!({
            "traceId": format!("{:032x}", self.trace),
            "spanId": format!("{:016x}", self.id),
            "parentSpanId": self.parent.map_or_else(String::new, |parent| format!("{parent:016x}")),
            "name": self.name,
            "kind": self.kind as u8,
            "startTimeUnixNano": nanos(self.from),
            "endTimeUnixNano": nanos(self.to),
            "attributes": self.attributes,
            "events": self.events.iter().map(event).collect::<Vec<_>>(),
        });
        if let Some(description) = self.error {
            span["status"] = json!({"code": 2, "message": description});
        }
        span
    }
}
