//! A connection to PostgreSQL that waits for its answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

/// The time that one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: BytesMut,
}

/// One row of an answer, as text.
type Row = Vec<Option<String>>;

/// The parts of a URL.
struct Address<'a> {
    user: &'a str,
    password: Option<&'a str>,
    to: SocketAddr,
    name: &'a str,
}

impl Client {
    /// Connects to `postgres://user:password@ADDR:PORT/name` and logs in.
    pub(super) fn connect(url: &str) -> Result<Self, String> {
        let parts = parts(url)
            .ok_or_else(|| format!("`{url}` is not like postgres://user:password@127.0.0.1:5432/name"))?;
        let failed = |error: std::io::Error| format!("failed to connect to {}: {error}", parts.to);
        let stream = TcpStream::connect_timeout(&parts.to, PATIENCE).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_nodelay(true)).map_err(failed)?;
        let mut client = Self { stream, received: BytesMut::new() };
        let parameters =
            [("user", parts.user), ("database", parts.name), ("application_name", "lab-witness")];
        client.send(|bytes| frontend::startup_message(parameters, bytes))?;
        client.log_in(&parts)?;
        Ok(client)
    }

    /// Runs `query` and returns its rows.
    ///
    /// # Errors
    /// A sentence that says what was wrong.
    pub fn rows(&mut self, query: &str) -> Result<Vec<Row>, String> {
        self.send(|bytes| frontend::query(query, bytes))?;
        let (mut rows, mut wrong) = (Vec::new(), None);
        loop {
            match self.message()? {
                Message::DataRow(body) => rows.push(row(&body).ok_or("a row is malformed")?),
                Message::ErrorResponse(body) => wrong = Some(said(&body)),
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        wrong.map_or(Ok(rows), Err)
    }

    fn log_in(&mut self, parts: &Address<'_>) -> Result<(), String> {
        let password =
            || parts.password.ok_or_else(|| "it asks for a password".to_owned()).map(str::as_bytes);
        let mut scram = None;
        loop {
            match self.message()? {
                Message::AuthenticationCleartextPassword => {
                    let password = password()?;
                    self.send(|bytes| frontend::password_message(password, bytes))?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(parts.user.as_bytes(), password()?, body.salt());
                    self.send(|bytes| frontend::password_message(hash.as_bytes(), bytes))?;
                }
                Message::AuthenticationSasl(_) => {
                    let begun = ScramSha256::new(password()?, ChannelBinding::unsupported());
                    let first = begun.message();
                    self.send(|bytes| frontend::sasl_initial_response(SCRAM_SHA_256, first, bytes))?;
                    scram = Some(begun);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = scram.as_mut().ok_or("it continues what was not begun")?;
                    scram.update(body.data()).map_err(|error| error.to_string())?;
                    self.send(|bytes| frontend::sasl_response(scram.message(), bytes))?;
                }
                Message::ErrorResponse(body) => return Err(said(&body)),
                Message::ReadyForQuery(_) => return Ok(()),
                _ => {}
            }
        }
    }

    fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>) -> Result<(), String> {
        let mut bytes = BytesMut::new();
        let sent = write(&mut bytes).and_then(|()| self.stream.write_all(&bytes));
        sent.map_err(|error| format!("failed to ask PostgreSQL: {error}"))
    }

    fn message(&mut self) -> Result<Message, String> {
        let mut chunk = [0; 8192];
        loop {
            match Message::parse(&mut self.received) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) => return Err(format!("PostgreSQL said no message: {error}")),
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("PostgreSQL closed the connection".into()),
                Ok(read) => self.received.extend_from_slice(&chunk[..read]),
                Err(error) => return Err(format!("failed to read from PostgreSQL: {error}")),
            }
        }
    }
}

/// Splits a URL; a password is taken as it stands.
fn parts(url: &str) -> Option<Address<'_>> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let (named, rest) = rest.rsplit_once('@')?;
    let (to, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, password) = named.split_once(':').map_or((named, None), |(user, word)| (user, Some(word)));
    let name = if name.is_empty() { user } else { name };
    Some(Address { user, password, to: to.parse().ok()?, name })
}

fn row(body: &DataRowBody) -> Option<Row> {
    let bytes = body.buffer();
    let text = |range: std::ops::Range<usize>| Some(String::from_utf8_lossy(bytes.get(range)?).into_owned());
    body.ranges().map(|range| Ok(range.and_then(text))).collect().ok()
}

fn said(body: &ErrorResponseBody) -> String {
    let field = |kind: u8| {
        let found = body.fields().find(|field| Ok(field.type_() == kind)).ok().flatten();
        found.map(|field| String::from_utf8_lossy(field.value_bytes()).into_owned()).unwrap_or_default()
    };
    format!("PostgreSQL says {}: {}", field(b'C'), field(b'M'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_a_role_a_password_an_address_and_a_database() {
        let parts = parts("postgres://lab:word@127.0.0.1:5433/work").unwrap();
        assert_eq!((parts.user, parts.password, parts.name), ("lab", Some("word"), "work"));
        assert_eq!(parts.to, SocketAddr::from(([127, 0, 0, 1], 5433)));
        assert!(super::parts("postgres://lab@here/work").is_none() && super::parts("lab").is_none());
    }
}
