//! An intermediary's process, and the upstream behind it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wire::Wire;
use wire::trace::Trace;

use super::{Proxy, fill, install, words};
use crate::behind::Behind;
use crate::guard::Launch;
use crate::port;
use crate::server::{Server, with_tail};
use crate::upstream::Upstream;

/// The number of tries of a start: another process may take the port between its choice and its use.
const TRIES: usize = 3;
/// From one look at whether it is ready to the next.
const LOOK: Duration = Duration::from_millis(20);
/// The time that one look may take.
const GLANCE: Duration = Duration::from_secs(2);

/// Starts the upstream, and the intermediary in front of it, and waits until a request goes through.
///
/// # Errors
/// A sentence that says what it did instead, with the end of its stderr.
pub fn start(proxy: &Proxy, root: &Path) -> Result<Server, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match try_start(proxy, root) {
            Ok(server) => return Ok(server),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn try_start(proxy: &Proxy, root: &Path) -> Result<Server, String> {
    let failed = |what: &str, error: std::io::Error| format!("{}: failed to {what}: {error}", proxy.name);
    let upstream = Upstream::start().map_err(|error| failed("start the upstream", error))?;
    let port = port::free().map_err(|error| failed("find a free port", error))?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let folder = make_folder(&proxy.name).map_err(|error| failed("make a folder", error))?;
    let mut values = values(proxy, listen, &upstream, &folder, root);
    let launch = launch(proxy, &mut values, &folder, root);
    let launch = launch.inspect_err(|_| drop(std::fs::remove_dir_all(&folder)))?;
    let behind = Behind { upstream, form: proxy.form, stop: proxy.stop };
    let server = Server::intermediary(launch, listen, behind)?;
    wait_ready(&server, proxy.patience).map(|()| server)
}

/// Returns the values of a run for the words of the template.
fn values(
    proxy: &Proxy,
    listen: SocketAddr,
    upstream: &Upstream,
    folder: &Path,
    root: &Path,
) -> Vec<(&'static str, String)> {
    let mut values = install::values(proxy, root);
    values.push(("folder", folder.display().to_string()));
    let [first, second] = upstream.addresses();
    for (word, port, address) in [
        ("listen", "listen_port", listen),
        ("upstream", "upstream_port", first),
        ("second", "second_port", second),
    ] {
        values.push((word, address.to_string()));
        values.push((port, address.port().to_string()));
    }
    values
}

/// The command and its configurations, filled in.
fn launch(
    proxy: &Proxy,
    values: &mut Vec<(&'static str, String)>,
    folder: &Path,
    root: &Path,
) -> Result<Launch, String> {
    for file in &proxy.files {
        let name = file.file_name().ok_or_else(|| format!("`{}` is no file", file.display()))?;
        let into = folder.join(name);
        let text = std::fs::read_to_string(file);
        let written = text.and_then(|text| std::fs::write(&into, fill(&text, values)));
        written.map_err(|error| format!("failed to fill in `{}`: {error}", file.display()))?;
        if !values.iter().any(|(word, _)| *word == "config") {
            values.push(("config", into.display().to_string()));
        }
    }
    let env = proxy.env.iter().map(|(name, value)| (name.into(), fill(value, values).into())).collect();
    let words: Vec<OsString> = words(&proxy.run, values, root)?;
    Ok(Launch {
        words,
        env,
        folder: Some(root.to_path_buf()),
        keeps: Some(folder.to_path_buf()),
        ..Launch::default()
    })
}

/// Makes a folder that workers may use which run as another user.
fn make_folder(name: &str) -> std::io::Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("lab-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
    Ok(folder)
}

/// Waits until a request goes through to the upstream and is answered 200.
fn wait_ready(server: &Server, patience: Duration) -> Result<(), String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let behind = server.behind().ok_or("the server is no intermediary")?;
    let until = Instant::now() + patience;
    let mut last = "nothing listens".to_owned();
    while Instant::now() < until && server.ended().is_none() {
        let id = format!("ready-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let glance = Instant::now() + GLANCE;
        let answer = Wire::connect(server.address(), glance, &Trace::default())
            .and_then(|mut wire| wire.ask(&behind.request("/", &id, false)));
        match answer {
            Ok(answer) if answer.status() == 200 && !behind.upstream.seen(&id).is_empty() => return Ok(()),
            Ok(answer) if answer.status() == 200 => last = "another server listens there".to_owned(),
            Ok(answer) => last = format!("{}: {}", answer.status(), answer.response.text()),
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep(LOOK);
    }
    let told = format!("no request went through it within {patience:?}: {last}");
    Err(with_tail(told, &server.stderr_tail()))
}
