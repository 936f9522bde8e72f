//! A PostgreSQL for scenarios: one of the harness's own, or the one that `LAB_TEST_DATABASE` names.
//!
//! The own one is made once a process: `initdb` into a temporary folder, on loopback and a Unix socket there, and gone with
//! this process. No other is ever touched. PostgreSQL refuses to run as root, so root runs it as a user of its own.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::guard::{Child, Launch};
use crate::port;

mod client;

pub use client::Client;

/// The variable that names a PostgreSQL that runs.
pub const VARIABLE: &str = "LAB_TEST_DATABASE";
/// The role whose password the own one asks for.
const GUARDED: &str = "guarded";
/// The password of that role.
const PASSWORD: &str = "open sesame";
/// The beginning of its folder's name, behind which stands the id of the process that made it.
const FOLDER: &str = "lab-postgres-";
/// The name of its log.
const LOG: &str = "postgres.log";
/// The time that the own one may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// From one look at whether it is ready to the next.
const LOOK: Duration = Duration::from_millis(20);
/// Where Debian installs the programs, a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The accounts that root runs it as, in order: PostgreSQL's own, or the one that owns nothing.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// A PostgreSQL that runs.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    /// The process, where it is the harness's own.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    port: u16,
    folder: PathBuf,
    _child: Child,
}

/// Returns the PostgreSQL of this process, which the first call starts.
///
/// # Errors
/// A sentence that says what is missing and how to install it, or what went wrong.
pub fn shared() -> Result<&'static Postgres, String> {
    static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
    let open = || match std::env::var(VARIABLE) {
        Ok(url) => Postgres::at(url),
        Err(_) => Postgres::start(),
    };
    SHARED.get_or_init(open).as_ref().map_err(Clone::clone)
}

impl Postgres {
    /// The one that runs at `url`.
    fn at(url: String) -> Result<Self, String> {
        let postgres = Self { url, own: None };
        postgres.connect().map_err(|error| format!("{VARIABLE}: {error}"))?;
        Ok(postgres)
    }

    /// Starts one of our own.
    fn start() -> Result<Self, String> {
        let programs = programs().ok_or_else(|| {
            format!(
                "no PostgreSQL: install Debian's `postgresql`, or set {VARIABLE} to the URL of one that runs"
            )
        })?;
        let failed =
            |what: &str, error: &dyn std::fmt::Display| format!("PostgreSQL: failed to {what}: {error}");
        let account = account().map_err(|error| failed("find a user for it", &error))?;
        sweep(&std::env::temp_dir());
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        make_folder(&folder, account.as_ref()).map_err(|error| failed("make a folder", &error))?;
        let port = port::free().map_err(|error| failed("find a free port", &error))?;
        initialize(&programs, account.as_ref(), &folder)
            .inspect_err(|_| drop(std::fs::remove_dir_all(&folder)))?;
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", folder.display()),
            // Nothing here outlives this process.
            "fsync=off".to_owned(),
            "autovacuum=off".to_owned(),
            "max_wal_senders=0".to_owned(),
            // Two dozen servers at once may have eight each.
            "max_connections=400".to_owned(),
            // A line for every cancel: a pipe that nobody reads would fill up, and stop whoever writes to it.
            "logging_collector=on".to_owned(),
            format!("log_filename={LOG}"),
            "log_min_error_statement=panic".to_owned(),
            "shared_buffers=16MB".to_owned(),
        ];
        let mut words = as_account(account.as_ref(), &programs.join("postgres"));
        words.extend(["-D".into(), folder.join("data").into()]);
        words.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
        let launch = Launch { words, keeps: Some(folder.clone()), ..Launch::default() };
        let child = Child::start(launch).map_err(|error| failed("start", &error))?;
        let url = format!("postgres://lab@127.0.0.1:{port}/postgres");
        let postgres = Self { url, own: Some(Own { port, folder, _child: child }) };
        let role = format!("CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'");
        postgres
            .ready()
            .and_then(|mut client| client.rows(&role))
            .map_err(|error| failed("start", &error))?;
        Ok(postgres)
    }

    /// Waits until it takes connections.
    fn ready(&self) -> Result<Client, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.connect() {
                Ok(client) => return Ok(client),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }

    /// The URL that servers are given, over TCP.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL over the Unix socket, where it is the harness's own.
    pub fn socket_url(&self) -> Option<String> {
        let Own { port, folder, .. } = self.own.as_ref()?;
        Some(format!("postgres://lab@localhost:{port}/postgres?host={}", folder.display()))
    }

    /// The URLs of a role of which a password is asked, with the right one and with a wrong one; only where it is the
    /// harness's own.
    pub fn guarded_urls(&self) -> Option<[String; 2]> {
        let port = self.own.as_ref()?.port;
        let url = |password: &str| {
            format!("postgres://{GUARDED}:{}@127.0.0.1:{port}/postgres", password.replace(' ', "%20"))
        };
        Some([url(PASSWORD), url("open barley")])
    }

    /// Returns what it has logged so far; only where it is the harness's own.
    pub fn log(&self) -> Option<String> {
        let file = self.own.as_ref()?.folder.join("data/log").join(LOG);
        std::fs::read(file).ok().map(|log| String::from_utf8_lossy(&log).into_owned())
    }

    /// Opens a connection of the harness's own.
    ///
    /// # Errors
    /// A sentence that says what was wrong.
    pub fn connect(&self) -> Result<Client, String> {
        Client::connect(&self.url)
    }
}

/// Makes the folder of the cluster and the file that says who must give a password.
fn initialize(programs: &Path, account: Option<&Account>, folder: &Path) -> Result<(), String> {
    let data = folder.join("data");
    let words = as_account(account, &programs.join("initdb"));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("-D").arg(&data);
    command.args(["-U", "lab", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--wal-segsize=1"]);
    let output = command.current_dir(folder).output();
    let output = output.map_err(|error| format!("PostgreSQL: failed to run initdb: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("PostgreSQL: initdb failed ({}): {}", output.status, said.trim()));
    }
    let rules =
        format!("host all {GUARDED} all scram-sha-256\nhost all lab all trust\nlocal all lab trust\n");
    std::fs::write(data.join("pg_hba.conf"), rules)
        .map_err(|error| format!("PostgreSQL: failed to write pg_hba.conf: {error}"))
}

/// Removes the folders of processes that were killed and could not: each took its PostgreSQL with it.
fn sweep(temporary: &Path) {
    let is_left = |name: &str| {
        let made_by = name.strip_prefix(FOLDER).and_then(|pid| pid.parse::<u32>().ok());
        made_by.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
    };
    let entries = std::fs::read_dir(temporary).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left)) {
        // Another user's is left to that user.
        let _ = std::fs::remove_dir_all(entry.path());
    }
}

/// The folder of PostgreSQL's programs: on the PATH, or the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(|folder| has_both(folder)) {
        return Some(folder);
    }
    let versions = std::fs::read_dir(DEBIAN).ok()?.flatten();
    let found = versions.filter_map(|entry| {
        let version: f64 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin"))).filter(|(_, folder)| has_both(folder))
    });
    found.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, folder)| folder)
}

/// A user of the system.
#[derive(Debug)]
struct Account {
    user: u32,
    group: u32,
}

/// Returns the user that root runs it as; `None` when this process is not root's.
fn account() -> Result<Option<Account>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let found = ACCOUNTS.iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Account { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    });
    found.map(Some).ok_or_else(|| format!("none of {}", ACCOUNTS.join(", ")))
}

/// The words that run `program` as `account`.
fn as_account(account: Option<&Account>, program: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(Account { user, group }) = account {
        let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
        // The change of user clears the signal that the guard has asked for.
        let setpriv = ["setpriv", &user, &group, "--clear-groups", "--pdeathsig=KILL", "--"];
        words.extend(setpriv.map(OsString::from));
    }
    words.push(program.into());
    words
}

/// Makes a folder that is `account`'s alone.
fn make_folder(folder: &Path, account: Option<&Account>) -> std::io::Result<()> {
    std::fs::create_dir(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    match account {
        Some(Account { user, group }) => std::os::unix::fs::chown(folder, Some(*user), Some(*group)),
        None => Ok(()),
    }
}

/// An address on which nothing listens.
///
/// # Errors
/// When no port is free.
pub fn closed() -> std::io::Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, port::free()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_dead_processes_are_removed_and_no_other() {
        let temporary = std::env::temp_dir().join(format!("lab-sweep-{}", std::process::id()));
        // No process has an id above 4 million.
        let dead = temporary.join(format!("{FOLDER}4999999"));
        let kept =
            [format!("{FOLDER}{}", std::process::id()), format!("{FOLDER}x"), "other-4999999".to_owned()];
        for folder in kept.iter().map(|name| temporary.join(name)).chain([dead.join("data")]) {
            std::fs::create_dir_all(folder).unwrap();
        }
        sweep(&temporary);
        assert!(!dead.exists() && kept.iter().all(|name| temporary.join(name).is_dir()));
        std::fs::remove_dir_all(temporary).unwrap();
    }
}
