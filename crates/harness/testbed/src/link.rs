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

mod lossy;

pub use lossy::Quality;
use lossy::Relay;

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
    /// The relay that carries its packets, when it is slow and lossy.
    _relay: Option<Relay>,
}

impl Link {
    /// Makes a namespace and the link to it.
    ///
    /// # Errors
    /// A sentence that says what this machine does not allow.
    pub fn open() -> Result<Self, String> {
        let far = namespace_of_its_own()?;
        let (near, ()) = numbered(|number| join(far.id(), number))?;
        Ok(Self { far, near, _relay: None })
    }

    /// Makes a namespace and a link of this quality to it.
    ///
    /// # Errors
    /// A sentence that says what this machine does not allow.
    pub fn lossy(quality: Quality) -> Result<Self, String> {
        let far = namespace_of_its_own()?;
        let (near, relay) = numbered(|number| bridge(far.id(), number, quality))?;
        Ok(Self { far, near, _relay: Some(relay) })
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
        let to = SocketAddr::from((self.near, port));
        inside(self.far.id(), || TcpStream::connect_timeout(&to, within))
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

/// Starts a process in a network namespace of its own.
fn namespace_of_its_own() -> Result<Child, String> {
    let words = ["unshare", "--net", "sleep", "infinity"].map(OsString::from).to_vec();
    let far = Child::start(Launch { words, ..Launch::default() });
    let far = far.map_err(|error| format!("failed to start `unshare --net`: {error}"))?;
    if has_own_namespace(&far) {
        Ok(far)
    } else {
        Err("no network namespace of its own, which takes root: `unshare --net` failed".to_owned())
    }
}

/// Makes a link of a number that is free; gives the address of this end, and what came of it.
fn numbered<T>(make: impl Fn(u32) -> Result<T, String>) -> Result<(Ipv4Addr, T), String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side begin far apart.
    let begin = std::process::id().wrapping_mul(7919);
    let mut last = String::new();
    for _ in 0..TRIES {
        let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % LINKS;
        // Two processes that take the same number would have the same device, which is refused.
        match make(number) {
            Ok(made) => return Ok((ends(number)[0], made)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The addresses of the two ends of a link: this one, and the far one.
fn ends(number: u32) -> [Ipv4Addr; 2] {
    [1, 2].map(|end| Ipv4Addr::from(RANGE + 4 * number + end))
}

/// Joins the namespace of the process to this one.
fn join(far: u32, number: u32) -> Result<(), String> {
    let ([near, other], device) = (ends(number), format!("lab{number}"));
    ip(&["link", "add", &device, "type", "veth", "peer", "name", "lab", "netns", &far.to_string()])?;
    ip(&["addr", "add", &format!("{near}/30"), "dev", &device])?;
    ip(&["link", "set", "dev", &device, "up"])?;
    far_ip(far, &["addr", "add", &format!("{other}/30"), "dev", "lab"])?;
    far_ip(far, &["link", "set", "lab", "up"])
}

/// Joins the namespace of the process to this one by devices in user space.
fn bridge(far: u32, number: u32, quality: Quality) -> Result<Relay, String> {
    let [near, other] = ends(number);
    let device = lossy::device(&format!("lab{number}"), near);
    let other = inside(far, || lossy::device("lab", other));
    let both = device.and_then(|device| Ok((device, other?)));
    let relay = both.and_then(|(device, other)| lossy::relay(device, other, quality));
    relay.map_err(|error| format!("no network device of its own (/dev/net/tun, which takes root): {error}"))
}

/// Does something in the network namespace of the process, on a thread of its own: one that enters a namespace stays in it.
fn inside<T: Send>(far: u32, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = File::open(namespace(far))?;
    let act = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        act()
    };
    std::thread::scope(|scope| scope.spawn(act).join())
        .unwrap_or_else(|_| Err(io::Error::other("a thread in another namespace has panicked")))
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
