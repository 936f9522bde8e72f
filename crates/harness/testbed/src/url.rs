//! Addresses as people write them: `http://HOST:PORT`.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The time in which one address of a name must accept.
const CONNECT: Duration = Duration::from_secs(2);

/// A server's address, and the name by which it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Host and port as written (`localhost:8080`): what `Host` says in requests.
    pub authority: String,
    /// Path and query (`/fast`), or `/`.
    pub target: String,
    /// Every address of the host, in the order of the resolver; at least one.
    pub addresses: Vec<SocketAddr>,
}

impl Url {
    /// Parses `http://HOST:PORT[/PATH]` (the scheme may be missing) and resolves the host.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it and what to write instead.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.starts_with("https://") {
            return Err(format!(
                "`{url}`: TLS is not spoken here; give the server's plain `http://HOST:PORT`"
            ));
        }
        let rest = url.strip_prefix("http://").unwrap_or(url);
        if let Some((scheme, _)) = rest.split_once("://") {
            return Err(format!("`{url}`: `{scheme}` is not spoken here; give `http://HOST:PORT`"));
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let port = authority.rsplit_once(':').map(|(_, port)| port);
        // The colons inside `[::1]` are not the one before a port.
        match port {
            Some(port) if !port.ends_with(']') => {
                port.parse::<u16>()
                    .map_err(|_| format!("`{url}`: the port `{port}` is no number up to 65535"))?;
            }
            _ => return Err(format!("`{url}` names no port; give `http://{authority}:PORT`")),
        }
        let found = authority
            .to_socket_addrs()
            .map_err(|error| format!("`{url}`: failed to resolve `{authority}`: {error}"))?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(format!("`{url}`: `{authority}` has no address"));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { authority: authority.to_owned(), target, addresses })
    }

    /// Parses a URL that names a server and no path.
    ///
    /// # Errors
    /// As [`Url::parse`], and when there is a path.
    pub fn server(url: &str) -> Result<Self, String> {
        let parsed = Self::parse(url)?;
        if parsed.target == "/" {
            return Ok(parsed);
        }
        let (authority, target) = (&parsed.authority, &parsed.target);
        Err(format!("`{url}` has a path: give `http://{authority}` without `{target}`"))
    }

    /// The first address.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The first address that accepts a connection, or the first of all when none does: `localhost` often has one of IPv6
    /// and one of IPv4, and a server listens on one of them.
    pub fn reachable(&self) -> SocketAddr {
        let accepts = |address: &&SocketAddr| TcpStream::connect_timeout(address, CONNECT).is_ok();
        self.addresses.iter().find(accepts).copied().unwrap_or_else(|| self.address())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::port::Refusing;

    #[test]
    fn an_address_is_read_with_or_without_its_scheme() {
        for url in ["http://127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080/"] {
            let parsed = Url::server(url).unwrap();
            assert_eq!(
                (parsed.address(), parsed.authority.as_str()),
                ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:8080")
            );
        }
        assert_eq!(Url::server("http://[::1]:80").unwrap().address(), "[::1]:80".parse().unwrap());
        assert_eq!(Url::parse("http://127.0.0.1:80?a=b").unwrap().target, "/?a=b");
        assert_eq!(Url::parse("127.0.0.1:80/fast").unwrap().target, "/fast");
    }

    #[test]
    fn what_is_no_address_is_told_with_what_to_write_instead() {
        for (url, says) in [
            ("https://127.0.0.1:8443", "TLS is not spoken"),
            ("ftp://127.0.0.1:21", "`ftp` is not spoken"),
            ("http://127.0.0.1", "names no port; give `http://127.0.0.1:PORT`"),
            ("http://[::1]", "names no port"),
            ("http://127.0.0.1:99999", "the port `99999` is no number"),
            ("http://127.0.0.1:", "the port `` is no number"),
            ("", "names no port"),
            ("http://127.0.0.1:80/fast", "give `http://127.0.0.1:80` without `/fast`"),
        ] {
            let error = Url::server(url).expect_err(url);
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_address_that_accepts_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let refusing = Refusing::hold().unwrap();
        let open = listener.local_addr().unwrap();
        let addresses = vec![refusing.address(), open];
        let url = Url { authority: "here:1".into(), target: "/".into(), addresses };
        assert_eq!(url.reachable(), open);
    }
}
