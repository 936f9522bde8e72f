//! One experiment: the parameters of a request, as a link and as a command.

use std::time::Duration;

use serde::Serialize;
use wire::{Leave, Request};

/// The longest work, and the longest time of any parameter: an experiment is watched by a person.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);
/// The shortest work and deadline.
const SHORTEST: Duration = Duration::from_millis(10);

/// The way in which the client's side of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// It waits for the answer.
    Waits,
    /// It disconnects in this way, this long after it asked.
    Leaves(Leave, Duration),
}

/// The parameters of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Experiment {
    /// The server's name.
    pub(crate) server: String,
    /// The style of its work.
    pub(crate) style: String,
    /// The length of its work.
    pub(crate) work: Duration,
    /// The deadline that the client gives; `None` leaves the server's own.
    pub(crate) deadline: Option<Duration>,
    pub(crate) client: Client,
}

/// The ways to disconnect, each with its word.
pub(crate) const WAYS: [(&str, Leave); 3] =
    [("fin", Leave::Fin), ("rst", Leave::Rst), ("half-close", Leave::HalfClose)];

/// The way to disconnect of that word.
pub(crate) fn way(word: &str) -> Option<Leave> {
    WAYS.iter().find(|(known, _)| *known == word).map(|(_, way)| *way)
}

/// The word of a way to disconnect.
pub(crate) fn word(way: Leave) -> &'static str {
    WAYS.iter().find(|(_, known)| *known == way).map_or("fin", |(word, _)| *word)
}

impl Experiment {
    /// Reads the parameters of a query.
    ///
    /// # Errors
    /// A sentence that names the parameter and what it takes.
    pub(crate) fn read(parameters: impl Iterator<Item = (String, String)>) -> Result<Self, String> {
        let (mut server, mut style, mut leave) = (None, "context".to_owned(), "none".to_owned());
        let (mut work, mut deadline, mut after) = (Duration::from_secs(3), None, Duration::from_millis(300));
        for (name, value) in parameters {
            match name.as_str() {
                "server" => server = Some(value),
                "style" => style = value,
                "leave" => leave = value,
                "work" => work = time(&name, &value, SHORTEST)?,
                "deadline" if value == "own" => deadline = None,
                "deadline" => deadline = Some(time(&name, &value, SHORTEST)?),
                "after" => after = time(&name, &value, Duration::ZERO)?,
                "token" => {}
                _ => return Err(format!("unknown parameter `{name}`")),
            }
        }
        let is_word = |text: &str| {
            text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        if style.is_empty() || !is_word(&style) {
            return Err("`style` takes the name of a style, such as `drop`".to_owned());
        }
        let client = match leave.as_str() {
            "none" => Client::Waits,
            word => match way(word) {
                Some(way) => Client::Leaves(way, after),
                None => return Err("`leave` takes none, fin, rst or half-close".to_owned()),
            },
        };
        let server = server.ok_or("`server` is missing: it takes a server's name")?;
        Ok(Self { server, style, work, deadline, client })
    }

    /// The request that is sent, under this name.
    pub(crate) fn request(&self, id: &str) -> Request {
        let request = Request::get(self.target()).id(id);
        match self.deadline {
            Some(deadline) => request.timeout(deadline),
            None => request,
        }
    }

    fn target(&self) -> String {
        format!("/slow?work={}&style={}", text(self.work), self.style)
    }

    /// The parameters as a page's link has them, behind its `#`.
    pub(crate) fn link(&self) -> String {
        let deadline = self.deadline.map_or("own".to_owned(), text);
        let (leave, after) = match self.client {
            Client::Waits => ("none", String::new()),
            Client::Leaves(way, after) => (word(way), format!("&after={}", text(after))),
        };
        let Self { server, style, .. } = self;
        let work = text(self.work);
        format!("server={server}&style={style}&work={work}&deadline={deadline}&leave={leave}{after}")
    }

    /// The command that does the same on a terminal.
    pub(crate) fn command(&self) -> String {
        let deadline = self.deadline.map(|deadline| format!(" --deadline {}", text(deadline)));
        let leave = match self.client {
            Client::Waits => String::new(),
            // The terminal's client closes or resets.
            Client::Leaves(Leave::HalfClose, _) => return String::new(),
            Client::Leaves(way, after) => format!(" --leave {} --after {}", word(way), text(after)),
        };
        format!("lab show {} '{}'{}{leave}", self.server, self.target(), deadline.unwrap_or_default())
    }

    /// The event that says that it begins.
    pub(crate) fn told(&self, id: u64) -> Told<'_> {
        let (leave, after_ms) = match self.client {
            Client::Waits => ("none", None),
            Client::Leaves(way, after) => (word(way), Some(after.as_millis())),
        };
        Told {
            id,
            server: &self.server,
            style: &self.style,
            work_ms: self.work.as_millis(),
            deadline_ms: self.deadline.map(|deadline| deadline.as_millis()),
            leave,
            after_ms,
            link: self.link(),
            command: self.command(),
        }
    }
}

/// An experiment as a page is told of it.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'a> {
    id: u64,
    server: &'a str,
    style: &'a str,
    work_ms: u128,
    deadline_ms: Option<u128>,
    leave: &'static str,
    after_ms: Option<u128>,
    link: String,
    command: String,
}

fn time(name: &str, value: &str, least: Duration) -> Result<Duration, String> {
    let time = contract::duration::parse(value).map_err(|error| format!("`{name}`: {error}"))?;
    if (least..=LONGEST).contains(&time) {
        return Ok(time);
    }
    Err(format!("`{name}` takes a time from {} to {}, such as 300ms", text(least), text(LONGEST)))
}

/// A time of whole milliseconds, as parameters have it.
fn text(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Experiment, String> {
        Experiment::read(form_urlencoded::parse(query.as_bytes()).into_owned())
    }

    #[test]
    fn a_link_repeats_its_experiment() {
        for link in [
            "server=tokio&style=drop&work=3000ms&deadline=300ms&leave=none",
            "server=threads&style=spin&work=10000ms&deadline=own&leave=rst&after=0ms",
            "server=smol&style=process-unkilled&work=50ms&deadline=10ms&leave=half-close&after=20ms",
        ] {
            assert_eq!(read(link).unwrap().link(), link);
        }
    }

    #[test]
    fn a_bad_parameter_is_named_with_what_it_takes() {
        for (query, name) in [
            ("style=drop", "`server`"),
            ("server=x&style=a%20b", "`style`"),
            ("server=x&style=", "`style`"),
            ("server=x&leave=shout", "`leave`"),
            ("server=x&work=11s", "`work`"),
            ("server=x&work=0ms", "`work`"),
            ("server=x&deadline=soon", "`deadline`"),
            ("server=x&after=1h", "`after`"),
            ("server=x&witness=1.2.3.4", "`witness`"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.contains(name), "{query}: {error}");
        }
    }

    #[test]
    fn the_request_says_no_more_than_the_parameters() {
        let bytes = read("server=x&style=drop&work=1s&deadline=300ms").unwrap().request("play-1").bytes("h");
        let text = String::from_utf8(bytes).unwrap();
        let wanted = "GET /slow?work=1000ms&style=drop HTTP/1.1\r\nHost: h\r\nX-Request-Id: play-1\r\ngrpc-timeout: 300m\r\n\r\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_command_of_the_terminal_does_the_same() {
        let command = read("server=smol&style=drop&deadline=300ms&leave=rst&after=50ms").unwrap().command();
        assert_eq!(
            command,
            "lab show smol '/slow?work=3000ms&style=drop' --deadline 300ms --leave rst --after 50ms"
        );
    }
}
