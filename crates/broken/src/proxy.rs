//! Intermediaries that each break one promise, and the scenarios of the area `through` that must notice.

use std::collections::BTreeSet;

use clap::ValueEnum;

/// A promise of an intermediary to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Keeps all of them.
    None,
    /// Uses a connection to the upstream again that still owes an answer.
    AnswersWithAnothers,
    /// Sends a request again, to the second upstream, whose first upstream failed.
    RetriesPosts,
    /// Sends a request again, to the second upstream, whose client has left.
    RetriesCanceled,
    /// Goes on to the end of the answer when its client has left.
    NeverTells,
    /// Tells the upstream one second after the client has left.
    TellsLate,
    /// Gives the client neither an answer nor an end when the upstream fails.
    TellsClientNothing,
    /// Answers 200 when the upstream fails.
    HidesFailures,
    /// Answers 502 when it gives up.
    CallsItBadGateway,
    /// Keeps the connection to an upstream that it has given up on.
    GivesUpInSilence,
    /// Ends an answer that was cut off as if it were whole.
    MendsCuts,
    /// Gets the rest of an answer that was cut off from the second upstream.
    MendsHalves,
    /// Takes the whole answer before it passes any of it on.
    HoldsBack,
    /// Bounds the whole exchange instead of the upstream's silence.
    BoundsTheWhole,
    /// Drops the headers that carry a deadline or a name.
    DropsHeaders,
    /// Passes on the first 8 KiB of a body in either direction.
    CutsBodies,
    /// Answers the last of several pipelined requests only, as if it were the first.
    SkipsToLast,
    /// Closes behind an answer without saying so.
    ClosesUnsaid,
    /// Ends every exchange when one client leaves.
    CancelsAll,
    /// Keeps interim answers to itself.
    SwallowsContinue,
    /// Exits at SIGTERM and drops what is under way.
    DiesAtSigterm,
    /// Does not end when it has drained.
    OutlivesSigterm,
}

impl Fault {
    /// Its name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("no fault is hidden");
        value.get_name().to_owned()
    }

    /// The ids of the scenarios that it must fail, each on a process of its own.
    pub fn fails(self) -> BTreeSet<String> {
        fails(self).iter().copied().flatten().map(|slug| format!("through/{slug}")).collect()
    }
}

/// The slugs of the scenarios in which a client leaves and its upstream has to be told.
const LEAVES: &[&str] = &[
    "expect-leaves-fin",
    "expect-leaves-rst",
    "half-fin",
    "half-half-close",
    "half-rst",
    "stalled-fin",
    "stalled-half-close",
    "stalled-later-fin",
    "stalled-later-rst",
    "stalled-part-fin",
    "stalled-part-read-fin",
    "stalled-part-rst",
    "stalled-pipelined-fin",
    "stalled-pipelined-rst",
    "stalled-rst",
    "stalled-whole-fin",
    "stream-fin",
    "stream-half-close",
    "stream-later-fin",
    "stream-later-rst",
    "stream-part-fin",
    "stream-part-read-fin",
    "stream-part-rst",
    "stream-pipelined-fin",
    "stream-pipelined-rst",
    "stream-rst",
    "stream-whole-fin",
];

/// The other scenarios that fail where a connection is kept that owes an answer.
const ANOTHERS: &[&str] = &[
    "canceled-not-retried",
    "gives-up-tells-upstream",
    "no-answer-of-an-upload",
    "no-answer-of-another",
    "no-answer-of-another-race",
    "no-rest-of-another",
    "own-answer-after-504",
];

const RETRIES_POSTS: &[&str] = &[
    "closed-post-sent-once",
    "gives-up-504",
    "gives-up-on-a-post-once",
    "gives-up-tells-upstream",
    "kept-post-sent-once",
    "own-answer-after-504",
    "reset-post-sent-once",
    "timed-out-post-sent-once",
    "upstream-closes-502",
    "upstream-resets-502",
];

const TELLS_CLIENT_NOTHING: &[&str] = &[
    "gives-up-504",
    "gives-up-mid-answer",
    "gives-up-mid-stream",
    "gives-up-on-a-post-once",
    "gives-up-tells-upstream",
    "own-answer-after-504",
    "upstream-closes-502",
    "upstream-closes-mid-stream",
    "upstream-closes-midway",
    "upstream-resets-502",
    "upstream-resets-midway",
];

const HIDES_FAILURES: &[&str] = &[
    "closed-post-sent-once",
    "kept-post-sent-once",
    "reset-post-sent-once",
    "upstream-closes-502",
    "upstream-resets-502",
];

const MENDS_CUTS: &[&str] = &[
    "gives-up-mid-answer",
    "gives-up-mid-stream",
    "half-answered-not-retried",
    "upstream-closes-mid-stream",
    "upstream-closes-midway",
    "upstream-resets-midway",
];

fn fails(fault: Fault) -> &'static [&'static [&'static str]] {
    match fault {
        Fault::None => &[],
        Fault::AnswersWithAnothers => &[LEAVES, ANOTHERS],
        Fault::RetriesPosts => &[RETRIES_POSTS],
        Fault::RetriesCanceled => &[&["canceled-not-retried"]],
        Fault::NeverTells => &[LEAVES, &["drain-hears-leaving", "slow-reader-leaves"]],
        Fault::TellsLate => &[LEAVES, &["drain-hears-leaving"]],
        Fault::TellsClientNothing => &[TELLS_CLIENT_NOTHING],
        Fault::HidesFailures => &[HIDES_FAILURES],
        Fault::CallsItBadGateway => &[&["gives-up-504"]],
        Fault::GivesUpInSilence => {
            &[&["gives-up-mid-answer", "gives-up-mid-stream", "gives-up-tells-upstream"]]
        }
        Fault::MendsCuts => &[MENDS_CUTS],
        Fault::MendsHalves => &[&[
            "gives-up-mid-answer",
            "half-answered-not-retried",
            "upstream-closes-midway",
            "upstream-resets-midway",
        ]],
        Fault::HoldsBack => &[&["events-not-held-back", "expect-continue", "slow-reader-bounded"]],
        Fault::BoundsTheWhole => &[&["stream-outlives-timeout"]],
        Fault::DropsHeaders => &[&[
            "envoy-timeout-unchanged",
            "grpc-timeout-unchanged",
            "request-id-unchanged",
            "traceparent-unchanged",
        ]],
        Fault::CutsBodies => {
            &[&["chunked-upload-whole", "large-answer-whole", "slow-reader-bounded", "upload-whole"]]
        }
        Fault::SkipsToLast => &[&[
            "pipelined-in-order",
            "stalled-pipelined-fin",
            "stalled-pipelined-rst",
            "stream-pipelined-fin",
            "stream-pipelined-rst",
        ]],
        Fault::ClosesUnsaid => &[&["one-after-another", "own-answer-after-504"]],
        Fault::CancelsAll => &[&["others-untouched"]],
        Fault::SwallowsContinue => &[&["expect-continue"]],
        Fault::DiesAtSigterm => &[&["drain-ends", "drains"]],
        Fault::OutlivesSigterm => &[&["drain-ends"]],
    }
}
