//! A network link that can be cut: a client behind it vanishes, without a FIN and without a RST.
//!
//! The far end is a network namespace of its own, joined to this one by a pair of `veth` devices. The namespace belongs to a
//! child process, so that the kernel removes it, and both devices with it, whatever ends the harness. Only root can make one.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::guard::{Child, Launch};

/// The first address of the range that RFC 2544 keeps for tests of networks, 198.18.0.0/15: a link takes four.
const RANGE: u32 = 0xC612_0000;
/// The links that fit into the range.
const LINKS: u32 = (1 << 17) / 4;
/// The most links of the range that are tried, when one is taken.
const TRIES: usize = 8;
/// The time in which the child must have its namespace.
const PATIENCE: Duration = Duration::from_secs(5);

/// A link to a namespace that the harness made.
#[derive(Debug)]
pub struct Link {
    far: Child,
    near: Ipv4Addr,
}

impl Link {
    /// Makes a namespace and the link to it.
    ///
    /// # Errors
    /// A sentence that says what this machine does not allow.
    pub fn open() -> Result<Self, String> {
        let words = ["unshare", "--net", "sleep", "infinity"].map(OsString::from).to_vec();
        let far = Child::start(Launch { words, ..Launch::default() });
        let far = far.map_err(|error| format!("failed to start `unshare --net`: {error}"))?;
        if !has_own_namespace(&far) {
            return Err(
                "no network namespace of its own, which takes root: `unshare --net` failed".to_owned()
            );
        }
        let mut last = String::new();
        for _ in 0..TRIES {
            match join(far.id()) {
                Ok(near) => return Ok(Self { far, near }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The address of this end: a server that listens on every address is reached by it.
    pub fn near(&self) -> Ipv4Addr {
        self.near
    }

    /// Connects from the far end.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or nothing listens there.
    pub fn connect(&self, port: u16, within: Duration) -> io::Result<TcpStream> {
        let namespace = File::open(namespace(self.far.id()))?;
        let to = SocketAddr::from((self.near, port));
        let connect = || {
            // A thread that enters a namespace stays in it, so it is one that ends here.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpStream::connect_timeout(&to, within)
        };
        std::thread::scope(|scope| scope.spawn(connect).join())
            .unwrap_or_else(|_| Err(io::Error::other("the thread that connects has panicked")))
    }

    /// Cuts the link at its far end: what either end sends is lost from now on, and the near end goes on sending. Gives the
    /// moment before.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn cut(&self) -> Result<Instant, String> {
        let cut_at = Instant::now();
        far_ip(self.far.id(), &["link", "set", "lab", "down"]).map(|()| cut_at)
    }

    /// Mends it.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn mend(&self) -> Result<(), String> {
        far_ip(self.far.id(), &["link", "set", "lab", "up"])
    }
}

/// Joins the namespace of the process to this one; gives the address of this end.
fn join(far: u32) -> Result<Ipv4Addr, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side begin far apart.
    let begin = std::process::id().wrapping_mul(7919);
    let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % LINKS;
    let [near, other] = [1, 2].map(|end| Ipv4Addr::from(RANGE + 4 * number + end));
    let device = format!("lab{number}");
    // Two processes that take the same number would have the same device, which is refused.
    ip(&["link", "add", &device, "type", "veth", "peer", "name", "lab", "netns", &far.to_string()])?;
    ip(&["addr", "add", &format!("{near}/30"), "dev", &device])?;
    ip(&["link", "set", "dev", &device, "up"])?;
    far_ip(far, &["addr", "add", &format!("{other}/30"), "dev", "lab"])?;
    far_ip(far, &["link", "set", "lab", "up"])?;
    Ok(near)
}

/// Runs `ip` in the namespace of the process.
fn far_ip(far: u32, words: &[&str]) -> Result<(), String> {
    run("nsenter", &[&[&format!("--net={}", namespace(far)), "ip"], words].concat())
}

fn namespace(process: impl std::fmt::Display) -> String {
    format!("/proc/{process}/ns/net")
}

/// Waits until the child is in another namespace than this process, and has become `sleep`.
fn has_own_namespace(far: &Child) -> bool {
    let own = std::fs::read_link(namespace("self")).ok();
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match std::fs::read_link(namespace(far.id())) {
            Ok(theirs) if Some(&theirs) != own.as_ref() => return true,
            Ok(_) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => return false,
        }
    }
    false
}

fn ip(words: &[&str]) -> Result<(), String> {
    run("ip", words)
}

fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let command = format!("{program} {}", words.join(" "));
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| format!("failed to run `{command}`: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("`{command}`: {}", said.trim())) }
}
