//! PostgreSQL: where it is, and a connection to it as bytes.
//!
//! A query is not ended by the end of who waits for it: PostgreSQL looks at its client's socket when it has something to
//! write. It is ended by a cancel request, which goes over a connection of its own and names the other connection, and not the
//! query on it. A cancel that comes late therefore hits whatever runs there next. So a connection whose query was canceled
//! serves the next one only when two things are known: that the cancel was delivered, which the end of its own connection says,
//! and that the connection is ready for a query, which [`Session`] says.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::{Failure, Identity, Refusal, Slow};

pub use session::{Ended, Session, Step};

mod session;

/// The URLs of a database, for errors.
const TAKES: &str = "takes a URL like postgres://user:password@127.0.0.1:5432/name or postgres://user@localhost/name?host=/run/postgresql";
/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// A database, and who asks it.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    /// The address of its server.
    pub to: Endpoint,
    /// The role that asks.
    pub user: String,
    /// The role's password, where it has one.
    pub password: Option<String>,
    /// The name of the database.
    pub name: String,
}

/// The address of a database's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address on loopback.
    Tcp(SocketAddr),
    /// The file of a socket.
    Unix(PathBuf),
}

impl fmt::Debug for Database {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {} at {:?}", self.name, self.user, self.to)
    }
}

impl FromStr for Database {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).ok_or_else(|| TAKES.into())
    }
}

/// Reads a URL; `None` when it is no database on loopback or on a Unix socket.
fn read(text: &str) -> Option<Database> {
    let uri: Uri = text.parse().ok()?;
    if !matches!(uri.scheme_str(), Some("postgres" | "postgresql")) {
        return None;
    }
    let authority = uri.authority()?.as_str();
    let (user, password) = match authority.rsplit_once('@') {
        None => ("postgres", None),
        Some((named, _)) => named.split_once(':').map_or((named, None), |(user, word)| (user, Some(word))),
    };
    let user = decoded(user).filter(|user| !user.is_empty())?;
    let name = decoded(uri.path().strip_prefix('/').unwrap_or_default())?;
    let port = uri.port_u16().unwrap_or(PORT);
    let to = match uri.query() {
        None => Endpoint::Tcp(SocketAddr::new(loopback(uri.host()?)?, port)),
        Some(query) => {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let folder = pairs.next().filter(|(name, value)| name == "host" && value.starts_with('/'))?.1;
            if pairs.next().is_some() {
                return None;
            }
            Endpoint::Unix(PathBuf::from(folder.into_owned()).join(format!(".s.PGSQL.{port}")))
        }
    };
    let password = password.map(decoded).map_or(Some(None), |word| word.map(Some))?;
    // The protocol ends every string with a zero.
    let strings = [Some(&user), Some(&name), password.as_ref()];
    if strings.into_iter().flatten().any(|text| text.contains('\0')) {
        return None;
    }
    let name = if name.is_empty() { user.clone() } else { name };
    Some(Database { to, user, password, name })
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

fn loopback(host: &str) -> Option<IpAddr> {
    if host == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let address: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    address.is_loopback().then_some(address)
}

/// Returns the query that takes as long as the work of `slow`, under the id of its request.
///
/// The id is in a comment at the start, where `pg_stat_activity` shows it; an asterisk, which could end the comment, is a
/// question mark there.
#[must_use]
pub fn query(identity: &Identity, slow: &Slow) -> String {
    let (id, work) = (identity.request_id.replace('*', "?"), slow.work.as_micros());
    format!("/* {id} */ SELECT pg_sleep({}.{:06})", work / 1_000_000, work % 1_000_000)
}

/// Returns the failure of a query where no database is set: the style is refused by name.
#[must_use]
pub fn unset() -> Failure {
    let problem = "takes `query` of a server that was started with --database".into();
    Refusal::Parameter { name: "style".into(), problem }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BodyUse, Style};

    #[test]
    fn a_url_names_a_server_on_loopback_or_a_socket_a_role_and_a_database() {
        let database: Database =
            "postgres://lab:s%40cret@127.0.0.1:5433/work".parse().expect("it is well formed");
        let to = Endpoint::Tcp(([127, 0, 0, 1], 5433).into());
        let (user, password) = ("lab".into(), Some("s@cret".into()));
        assert_eq!(database, Database { to, user, password, name: "work".into() });
        let database: Database =
            "postgresql://lab@localhost:5433?host=/run/pg".parse().expect("it is well formed");
        let to = Endpoint::Unix("/run/pg/.s.PGSQL.5433".into());
        assert_eq!(database, Database { to, user: "lab".into(), password: None, name: "lab".into() });
        let database: Database = "postgres://localhost".parse().expect("it is well formed");
        assert_eq!((database.user.as_str(), database.name.as_str()), ("postgres", "postgres"));
    }

    #[test]
    fn a_database_elsewhere_and_what_is_no_url_are_refused() {
        for text in [
            "",
            "localhost",
            "mysql://localhost/x",
            "postgres://10.0.0.1/x",
            "postgres://example.com/x",
            "postgres://a%00b@localhost/x",
            "postgres://localhost/x?sslmode=require",
            "postgres://localhost/x?host=/run&port=1",
        ] {
            assert_eq!(text.parse::<Database>(), Err(TAKES.into()), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let database: Database = "postgres://lab:hidden@localhost/x".parse().expect("it is well formed");
        assert!(!format!("{database:?}").contains("hidden"));
    }

    #[test]
    fn a_query_carries_the_id_of_its_request_in_a_comment_that_the_id_cannot_end() {
        let work = std::time::Duration::from_millis(1_250);
        let slow = Slow { work, style: Style::Context, tick: work, body: BodyUse::Read, hops: 1 };
        let query = |id: &str| {
            let identity = Identity { request_id: id.into(), ..Identity::default() };
            query(&identity, &slow)
        };
        assert_eq!(query("r-1"), "/* r-1 */ SELECT pg_sleep(1.250000)");
        assert_eq!(query("*/DROP/*").matches("*/").count(), 1);
        assert_eq!(query("*/DROP/*").matches("/*").count(), 1);
    }
}
