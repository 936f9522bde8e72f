//! One connection to PostgreSQL, as bytes: its start-up, one query after another, and the request that cancels one.

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message};
use postgres_protocol::message::frontend;

use super::Database;
use crate::Failure;

/// The largest message that is read, in bytes: no answer to a query of the lab's is longer.
const MESSAGE: usize = 64 * 1024;
/// The code of the error of a query that was canceled.
const CANCELED: &[u8] = b"57014";

/// A connection, from its start-up on.
///
/// Between two messages it is in one of three phases: it starts, it is ready for a query, or a query was sent and is not
/// answered yet. Only [`Step::Ready`] makes it ready.
pub struct Session {
    database: Database,
    received: BytesMut,
    /// Set while the server has not proved that it knows the password.
    scram: Option<ScramSha256>,
    /// The process and its secret, which a cancel names.
    key: Option<(i32, i32)>,
    phase: Phase,
    /// Set from a query's error to its end.
    error: Option<Ended>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Asked,
}

/// The next step on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Read, and hand over what came.
    Read,
    /// Send these bytes.
    Send(Bytes),
    /// The connection is ready for a query; the last one ended so.
    Ready(Ended),
}

/// The end of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It came to its natural end, or there was none.
    Completed,
    /// It was canceled.
    Canceled,
    /// The server refused it.
    Failed,
}

impl Session {
    /// Begins a connection to `database`; returns it and the bytes to send first.
    ///
    /// # Errors
    /// A string that the protocol cannot carry is the database's failure.
    pub fn start(database: &Database) -> Result<(Self, Bytes), Failure> {
        let parameters = [
            ("user", database.user.as_str()),
            ("database", database.name.as_str()),
            ("application_name", "deadline-lab"),
        ];
        let first = message(|bytes| frontend::startup_message(parameters, bytes))?;
        let (received, phase) = (BytesMut::new(), Phase::Starting);
        let database = database.clone();
        Ok((Self { database, received, scram: None, key: None, phase, error: None }, first))
    }

    /// Hands over bytes that came from the server.
    pub fn received(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Returns what is to be done next, as far as it follows from what was received.
    ///
    /// # Errors
    /// A server that refuses the start-up, or says what is no message of the protocol.
    pub fn step(&mut self) -> Result<Step, Failure> {
        loop {
            let header = Header::parse(&self.received).map_err(|_| Failure::Database)?;
            // The parser makes room for as much as a message says that it is long.
            if header.is_some_and(|header| usize::try_from(header.len()).is_ok_and(|len| len > MESSAGE)) {
                return Err(Failure::Database);
            }
            match Message::parse(&mut self.received).map_err(|_| Failure::Database)? {
                None => return Ok(Step::Read),
                Some(message) => match self.take(message)? {
                    None => {}
                    Some(step) => return Ok(step),
                },
            }
        }
    }

    /// Sends `query`: returns its bytes. To be called on a connection that is ready.
    ///
    /// # Errors
    /// A connection that is not ready, or a query that the protocol cannot carry.
    pub fn ask(&mut self, query: &str) -> Result<Bytes, Failure> {
        if self.phase != Phase::Ready {
            return Err(Failure::Database);
        }
        let bytes = message(|bytes| frontend::query(query, bytes))?;
        self.phase = Phase::Asked;
        Ok(bytes)
    }

    /// Returns the bytes that cancel whatever runs on this connection, to be sent on another; `None` when the server has named
    /// no key.
    #[must_use]
    pub fn cancel(&self) -> Option<Bytes> {
        let (process, secret) = self.key?;
        let mut bytes = BytesMut::new();
        frontend::cancel_request(process, secret, &mut bytes);
        Some(bytes.freeze())
    }

    /// Takes one message; returns the step that it asks for.
    fn take(&mut self, message: Message) -> Result<Option<Step>, Failure> {
        match message {
            Message::ReadyForQuery(_) if self.scram.is_none() => {
                self.phase = Phase::Ready;
                return Ok(Some(Step::Ready(self.error.take().unwrap_or(Ended::Completed))));
            }
            Message::ErrorResponse(error) if self.phase == Phase::Asked => self.error = Some(ended(&error)),
            Message::ErrorResponse(_) | Message::ReadyForQuery(_) => return Err(Failure::Database),
            Message::BackendKeyData(key) => self.key = Some((key.process_id(), key.secret_key())),
            message if self.phase == Phase::Starting => return self.log_in(message),
            _ => {}
        }
        Ok(None)
    }

    /// Takes one message of the log-in.
    fn log_in(&mut self, message: Message) -> Result<Option<Step>, Failure> {
        let password = || self.database.password.as_deref().ok_or(Failure::Database);
        let sent = match message {
            Message::AuthenticationCleartextPassword => password_message(password()?.as_bytes())?,
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(self.database.user.as_bytes(), password()?.as_bytes(), body.salt());
                password_message(hash.as_bytes())?
            }
            Message::AuthenticationSasl(body) => {
                let known = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256));
                if !known.unwrap_or(false) {
                    return Err(Failure::Database);
                }
                let scram = ScramSha256::new(password()?.as_bytes(), ChannelBinding::unsupported());
                let first = self::message(|bytes| {
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), bytes)
                })?;
                self.scram = Some(scram);
                first
            }
            Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram.as_mut().ok_or(Failure::Database)?;
                scram.update(body.data()).map_err(|_| Failure::Database)?;
                self::message(|bytes| frontend::sasl_response(scram.message(), bytes))?
            }
            Message::AuthenticationSaslFinal(body) => {
                let mut scram = self.scram.take().ok_or(Failure::Database)?;
                scram.finish(body.data()).map_err(|_| Failure::Database)?;
                return Ok(None);
            }
            Message::AuthenticationOk if self.scram.is_none() => return Ok(None),
            Message::ParameterStatus(_) | Message::NoticeResponse(_) => return Ok(None),
            // Another way to log in, or a server that has not proved that it knows the password.
            _ => return Err(Failure::Database),
        };
        Ok(Some(Step::Send(sent)))
    }
}

/// Returns how a query ended that came to this error.
fn ended(error: &ErrorResponseBody) -> Ended {
    let code = error.fields().find(|field| Ok(field.type_() == b'C'));
    match code {
        Ok(Some(code)) if code.value_bytes() == CANCELED => Ended::Canceled,
        _ => Ended::Failed,
    }
}

fn password_message(password: &[u8]) -> Result<Bytes, Failure> {
    message(|bytes| frontend::password_message(password, bytes))
}

/// Writes one message.
fn message(write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    write(&mut bytes).map_err(|_| Failure::Database)?;
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHENTICATION_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const KEY: &[u8] = b"K\0\0\0\x0c\0\0\0\x07\0\0\0\x09";
    const READY: &[u8] = b"Z\0\0\0\x05I";
    const COMPLETE: &[u8] = b"C\0\0\0\x0dSELECT 1\0";
    const SASL: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";

    fn session(url: &str) -> Session {
        let database: Database = url.parse().expect("the test's own URL is one");
        Session::start(&database).expect("its names have no zero").0
    }

    fn ready() -> Session {
        let mut session = session("postgres://lab@localhost");
        session.received(&[AUTHENTICATION_OK, KEY, READY].concat());
        assert_eq!(session.step(), Ok(Step::Ready(Ended::Completed)));
        session
    }

    fn error(code: &str) -> Vec<u8> {
        let fields = format!("SERROR\0C{code}\0Mwrong\0\0");
        [b"E", &(fields.len() as u32 + 4).to_be_bytes()[..], fields.as_bytes()].concat()
    }

    #[test]
    fn a_server_that_trusts_makes_the_connection_ready_however_its_bytes_are_split() {
        let mut session = session("postgres://lab@localhost");
        let bytes = [AUTHENTICATION_OK, KEY, READY].concat();
        let (last, rest) = bytes.split_last().expect("there are some");
        for byte in rest {
            session.received(&[*byte]);
            assert_eq!(session.step(), Ok(Step::Read));
        }
        session.received(&[*last]);
        assert_eq!(session.step(), Ok(Step::Ready(Ended::Completed)));
    }

    #[test]
    fn a_query_is_sent_on_a_ready_connection_and_no_second_one_before_it_has_ended() {
        let mut session = ready();
        assert!(session.ask("SELECT 1").is_ok());
        assert_eq!(session.ask("SELECT 2"), Err(Failure::Database));
        session.received(COMPLETE);
        assert_eq!(session.step(), Ok(Step::Read));
        assert_eq!(session.ask("SELECT 2"), Err(Failure::Database));
        session.received(READY);
        assert_eq!(session.step(), Ok(Step::Ready(Ended::Completed)));
        assert!(session.ask("SELECT 2").is_ok());
    }

    #[test]
    fn an_error_is_told_with_the_end_of_its_query_and_not_with_the_next() {
        for (code, how) in [("57014", Ended::Canceled), ("42601", Ended::Failed)] {
            let mut session = ready();
            assert!(session.ask("SELECT 1").is_ok());
            session.received(&error(code));
            assert_eq!(session.step(), Ok(Step::Read), "{code}");
            session.received(READY);
            assert_eq!(session.step(), Ok(Step::Ready(how)), "{code}");
            assert!(session.ask("SELECT 2").is_ok());
            session.received(&[COMPLETE, READY].concat());
            assert_eq!(session.step(), Ok(Step::Ready(Ended::Completed)), "{code}");
        }
    }

    #[test]
    fn a_cancel_names_the_process_and_its_secret_once_they_are_known() {
        assert_eq!(session("postgres://lab@localhost").cancel(), None);
        let cancel = ready().cancel().expect("the key was named");
        assert_eq!(&cancel[..], b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\0\0\0\x09");
    }

    #[test]
    fn a_server_that_refuses_or_asks_for_what_is_not_there_is_the_database_s_failure() {
        for first in [
            &error("28P01")[..],
            SASL,
            b"R\0\0\0\x08\0\0\0\x07",
            b"SSH-2.0-OpenSSH\r\n",
            b"Z\xff\xff\xff\xff",
        ] {
            let mut session = session("postgres://lab@localhost");
            session.received(first);
            assert_eq!(session.step(), Err(Failure::Database), "{first:?}");
        }
    }

    #[test]
    fn a_server_that_proves_nothing_is_not_believed_that_it_knows_the_password() {
        for rest in [AUTHENTICATION_OK, READY] {
            let mut session = session("postgres://lab:secret@localhost");
            session.received(SASL);
            let Ok(Step::Send(sent)) = session.step() else { panic!("it answers") };
            assert!(sent.starts_with(b"p") && sent.windows(13).any(|part| part == b"SCRAM-SHA-256"));
            session.received(rest);
            assert_eq!(session.step(), Err(Failure::Database));
        }
    }
}
