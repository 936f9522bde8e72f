//! The things that a server may support: what a scenario needs, what the server list and the probe say.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares the capabilities, each with its documentation and its word.
macro_rules! capabilities {
    ($($(#[$attribute:meta])* $variant:ident = $word:literal,)*) => {
        /// One thing that a server may support. Its word is what the server list says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Capability {
            $($(#[$attribute])* $variant,)*
        }

        impl Capability {
            /// Every capability.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the server list, in documents and in `lacks …`.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

capabilities! {
    /// An admin address that serves the census.
    Admin = "admin",
    /// Heartbeats of the work to a witness.
    Witness = "witness",
    /// A process that we start and may end: true of every server but one that is given by address.
    Process = "process",
    /// HTTP/2 with prior knowledge, on the same port.
    Http2 = "http2",
    /// 404 for unknown paths.
    Routing = "routing",
    /// 405 for methods that a path does not have.
    Methods = "methods",
    /// HEAD.
    Head = "head",
    /// POST to `/slow`.
    Post = "post",
    /// Connections that serve more than one request.
    KeepAlive = "keep-alive",
    /// `X-Request-Id`, taken and echoed.
    RequestId = "request-id",
    /// Errors as JSON.
    JsonErrors = "json-errors",
    /// Timeout headers that are parsed, and refused with 400 when malformed.
    TimeoutHeader = "timeout-header",
    /// `/slow?work=`, the length of the work.
    ParamWork = "param:work",
    /// `/slow?body=`, which leaves a body unread or drops it.
    ParamBody = "param:body",
    /// `/slow?tick=`, the length of a unit of work.
    ParamTick = "param:tick",
    /// Limits of the contract's sizes: a head of 16 KiB, 100 fields, a target of 8 KiB, a body of 1 MiB.
    HouseLimits = "limits",
    /// Work that awaits its context.
    StyleContext = "style:context",
    /// Work that is dropped at the deadline.
    StyleDrop = "style:drop",
    /// Work on a task of its own that nobody awaits.
    StyleDetached = "style:detached",
    /// Work on a thread that may block.
    StyleBlocking = "style:blocking",
    /// Work that polls its context between units.
    StylePolling = "style:polling",
    /// Work that keeps a processor busy and never looks.
    StyleSpin = "style:spin",
    /// Work that takes a permit, of which there are few.
    StylePermit = "style:permit",
    /// Work in a child process that is killed when its request ends.
    StyleProcess = "style:process",
    /// Work in a child process that nobody kills.
    StyleProcessUnkilled = "style:process-unkilled",
    /// Work that another server is asked for.
    StyleUpstream = "style:upstream",
    /// Work in a query to a database that is canceled when its request ends.
    StyleQuery = "style:query",
    /// Work in a query that nobody cancels.
    StyleQueryDropped = "style:query-dropped",
    /// `/values`.
    EndpointValues = "endpoint:/values",
    /// `/upload`.
    EndpointUpload = "endpoint:/upload",
    /// `/stream`.
    EndpointStream = "endpoint:/stream",
    /// `/fanout`.
    EndpointFanout = "endpoint:/fanout",
    /// `/panic`.
    EndpointPanic = "endpoint:/panic",
    /// `--listen`.
    FlagListen = "flag:--listen",
    /// `--admin`.
    FlagAdmin = "flag:--admin",
    /// `--witness`.
    FlagWitness = "flag:--witness",
    /// `--threads`.
    FlagThreads = "flag:--threads",
    /// `--blocking-threads`.
    FlagBlockingThreads = "flag:--blocking-threads",
    /// `--max-connections`.
    FlagMaxConnections = "flag:--max-connections",
    /// `--permits`.
    FlagPermits = "flag:--permits",
    /// `--upstream`.
    FlagUpstream = "flag:--upstream",
    /// `--database`.
    FlagDatabase = "flag:--database",
    /// `--reserve`.
    FlagReserve = "flag:--reserve",
    /// `--request-timeout`.
    FlagRequestTimeout = "flag:--request-timeout",
    /// `--read-header-timeout`.
    FlagReadHeaderTimeout = "flag:--read-header-timeout",
    /// `--read-timeout`.
    FlagReadTimeout = "flag:--read-timeout",
    /// `--write-timeout`.
    FlagWriteTimeout = "flag:--write-timeout",
    /// `--idle-timeout`.
    FlagIdleTimeout = "flag:--idle-timeout",
    /// `--tcp-keepalive`.
    FlagTcpKeepalive = "flag:--tcp-keepalive",
    /// `--shutdown-timeout`.
    FlagShutdownTimeout = "flag:--shutdown-timeout",
    /// `--on-disconnect`.
    FlagOnDisconnect = "flag:--on-disconnect",
    /// Go's profile of leaked goroutines, served on the admin address.
    BeyondGoroutineleak = "beyond:goroutineleak",
    /// An intermediary in front of the lab's upstream.
    Through = "through",
    /// Bytes of any kind that go through as they are.
    ThroughRaw = "through:raw",
    /// The route `/brief/`, which gives up on an upstream that says nothing for 1 s.
    ThroughBrief = "through:brief",
    /// The route `/pair/`, which does the same and has two upstreams.
    ThroughPair = "through:pair",
}

impl Capability {
    /// The capability of taking the flag `name`, such as `--threads`.
    pub fn flag(name: &str) -> Option<Self> {
        Self::prefixed("flag:", name)
    }

    /// The capability of working in the style `name`, such as `drop`.
    pub fn style(name: &str) -> Option<Self> {
        Self::prefixed("style:", name)
    }

    /// The capability of serving `path`, such as `/values`.
    pub fn endpoint(path: &str) -> Option<Self> {
        Self::prefixed("endpoint:", path)
    }

    fn prefixed(kind: &str, name: &str) -> Option<Self> {
        let is_it = |one: &Self| one.word().strip_prefix(kind) == Some(name);
        Self::ALL.iter().copied().find(is_it)
    }

    /// True for what the contract does not ask for: what some peer has, such as its runtime's own tools, and what only an
    /// intermediary can have.
    pub fn is_beyond(self) -> bool {
        self.word().starts_with("beyond:") || self.word().starts_with("through")
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that names no capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distance = |one: &&Capability| strsim::damerau_levenshtein(one.word(), &self.0);
        let nearest = Capability::ALL.iter().min_by_key(distance).expect("there are capabilities");
        write!(f, "unknown capability `{}`; the nearest is `{nearest}`", self.0)
    }
}

impl std::error::Error for Unknown {}

impl FromStr for Capability {
    type Err = Unknown;

    fn from_str(word: &str) -> Result<Self, Unknown> {
        Self::ALL.iter().copied().find(|one| one.word() == word).ok_or_else(|| Unknown(word.to_owned()))
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A server's capabilities: `"all"` of the contract, `{ all-but = […] }` of it, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supports {
    /// The whole contract.
    All,
    /// The whole contract without these.
    AllBut(BTreeSet<Capability>),
    /// These, and nothing else.
    Only(BTreeSet<Capability>),
}

impl Supports {
    /// True when the need is met.
    pub fn has(&self, need: Capability) -> bool {
        match self {
            Self::All => !need.is_beyond(),
            Self::AllBut(list) => !need.is_beyond() && !list.contains(&need),
            Self::Only(list) => list.contains(&need),
        }
    }

    /// Adds these capabilities.
    pub(crate) fn add(&mut self, more: &BTreeSet<Capability>) {
        match self {
            Self::All => {}
            Self::AllBut(list) => list.retain(|lacking| !more.contains(lacking)),
            Self::Only(list) => list.extend(more),
        }
    }
}

impl<'de> Deserialize<'de> for Supports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SupportsVisitor)
    }
}

struct SupportsVisitor;

impl<'de> Visitor<'de> for SupportsVisitor {
    type Value = Supports;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\", { all-but = [...] } or a list of capabilities")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Supports, E> {
        match word {
            "all" => Ok(Supports::All),
            word => word.parse().map(|one| Supports::Only([one].into())).map_err(E::custom),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Supports, A::Error> {
        let mut found = BTreeSet::new();
        while let Some(one) = list.next_element()? {
            found.insert(one);
        }
        Ok(Supports::Only(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Supports, A::Error> {
        const WORD: &str = "all-but";
        let unknown = |word: &str| de::Error::unknown_field(word, &[WORD]);
        match map.next_entry::<String, BTreeSet<Capability>>()? {
            Some((word, list)) if word == WORD => match map.next_key::<String>()? {
                None => Ok(Supports::AllBut(list)),
                Some(word) => Err(unknown(&word)),
            },
            Some((word, _)) => Err(unknown(&word)),
            None => Err(de::Error::missing_field(WORD)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_as_its_capability_and_none_stands_twice() {
        for one in Capability::ALL {
            assert_eq!(one.word().parse(), Ok(*one));
        }
    }

    #[test]
    fn an_unknown_word_names_the_nearest() {
        let error = "endpoint:/steam".parse::<Capability>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown capability `endpoint:/steam`; the nearest is `endpoint:/stream`"
        );
    }

    #[test]
    fn flags_styles_and_endpoints_are_found_by_their_names() {
        assert_eq!(Capability::flag("--threads"), Some(Capability::FlagThreads));
        assert_eq!(Capability::style("drop"), Some(Capability::StyleDrop));
        assert_eq!(Capability::endpoint("/values"), Some(Capability::EndpointValues));
        assert_eq!(Capability::flag("--nonsense"), None);
    }

    #[test]
    fn all_of_the_contract_is_nothing_beyond_it() {
        let all = Supports::All;
        assert!(all.has(Capability::Witness) && !all.has(Capability::BeyondGoroutineleak));
        let nearly = Supports::AllBut([Capability::Http2].into());
        assert!(nearly.has(Capability::Witness) && !nearly.has(Capability::Http2));
        assert!(!nearly.has(Capability::BeyondGoroutineleak));
    }
}
