//! The door: which requests reach the playground.
//!
//! A page of another site can send requests to loopback from its reader's browser. It cannot choose `Host` or `Origin`, nor read the
//! token in our page: a name of its own that points to loopback shows in `Host`, its site in `Origin`.

use std::fmt::Write;
use std::hint::black_box;

use crate::http::Ask;

/// The header field that carries the token; a stream of events, which takes no header, has it in its query.
pub(crate) const TOKEN_FIELD: &str = "x-lab-token";

/// The names and the secret of one page.
#[derive(Debug)]
pub(crate) struct Door {
    hosts: [String; 2],
    token: String,
}

impl Door {
    /// A door for the page on this port, with a fresh token.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn new(port: u16) -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(length) => filled += length,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let token = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")], token })
    }

    /// The secret that the page carries.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Lets a request in, to the page's own files when it `shows` only those, or to what acts and tells.
    ///
    /// # Errors
    /// The sentence that the refused request is answered with.
    pub(crate) fn admit(&self, ask: &Ask, shows: bool) -> Result<(), &'static str> {
        let mut hosts = ask.values("host");
        let known = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        if !hosts.next().is_some_and(known) || hosts.next().is_some() {
            return Err("this page answers to its own address alone: `Host` names another\n");
        }
        let ours = |origin: &str| origin.strip_prefix("http://").is_some_and(known);
        if !ask.values("origin").all(ours) {
            return Err("`Origin` is another site: only the page itself may ask\n");
        }
        if shows || self.holds_token(ask) {
            return Ok(());
        }
        Err("the token is missing or wrong: reload the page, which carries it\n")
    }

    fn holds_token(&self, ask: &Ask) -> bool {
        let in_query = || ask.parameters().find(|(name, _)| name == "token").map(|(_, value)| value);
        let given = ask.values(TOKEN_FIELD).next().map(str::to_owned).or_else(in_query).unwrap_or_default();
        // Every byte is compared: the time that it takes says nothing of where they differ.
        let differences = given.bytes().zip(self.token.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        given.len() == self.token.len() && black_box(differences) == 0
    }
}
