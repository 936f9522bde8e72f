//! Starts child processes that cannot outlive this one.
//!
//! Four nets, each for the hole in the one before:
//!
//! 1. [`Child`] kills its process group and reaps it when it is dropped: early returns, panics.
//! 2. [`kill_on_signals`] kills every live group before Ctrl-C or SIGTERM ends this process.
//! 3. The kernel kills the child when this process dies in any other way. A child asks for that itself: it
//!    is started through our own executable, which sets its parent-death signal and then becomes the command.
//! 4. A process that left its group, as a server that goes into the background does, becomes a child of this process when its
//!    parent ends, and is killed with the child that it comes from.
//!
//! The parent-death signal fires when the *thread* that started the child ends, so every child is started by
//! one thread that never ends.
//!
//! A program that starts processes of its own, perhaps in groups of their own, is started under a `keeper` instead: see
//! [`Launch::keeps`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock, mpsc};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::process::{Pid, Resource, Rlimit, Signal, Uid, WaitOptions};

mod keeper;
mod strays;

/// The first argument that turns our executable into a guard.
const GUARD: &str = "__guard";

/// A command to start under the guard.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// Where it runs; `None` is here.
    pub folder: Option<PathBuf>,
    /// Environment variables on top of ours, without our own that begin with `LAB_`.
    pub env: Vec<(OsString, OsString)>,
    /// The most descriptors it may have open (`RLIMIT_NOFILE`); `None` is as many as the system allows.
    pub descriptors: Option<u64>,
    /// The most threads it may have (`RLIMIT_NPROC`); `None` is as many as the system allows. The system counts the threads
    /// of an account and none of root's, so the process gets an account of its own, which takes root to do.
    pub threads: Option<u64>,
    /// For a program with processes of its own: a folder that is removed when the last of them is gone. They are ended
    /// whatever their process group, and whatever ends this process.
    pub keeps: Option<PathBuf>,
    /// The destination of its standard error.
    pub stderr: Stderr,
}

/// The destination of a process's standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, strum::Display)]
pub enum Stderr {
    /// A pipe that is read.
    #[default]
    #[strum(to_string = "a standard error that is read")]
    Read,
    /// A pipe that is not read.
    #[strum(to_string = "a standard error that is not read")]
    Unread,
    /// A pipe whose other end is closed.
    #[strum(to_string = "a standard error that is closed")]
    Closed,
    /// A full device, to which every write fails.
    #[strum(to_string = "a standard error that is full")]
    Full,
}

/// Becomes the guarded command if this process was started to be one; returns at once otherwise.
///
/// Call it first in `main` of every program that starts servers.
pub fn exec_if_asked() {
    let mut args = std::env::args_os().skip(1);
    let Err(error) = match args.next() {
        Some(arg) if arg == GUARD => become_command(args),
        Some(arg) if arg == keeper::KEEPER => Err(keeper::keep(args)),
        _ => return,
    };
    eprintln!("failed to start: {error}");
    std::process::exit(127);
}

/// Sets the death signal and the limits, and replaces this process; returns only an error.
fn become_command(mut args: impl Iterator<Item = OsString>) -> io::Result<Infallible> {
    let mut number = || args.next()?.to_str()?.parse::<u64>().ok();
    let (Some(parent), Some(descriptors), Some(threads)) = (number(), number(), number()) else {
        return Err(io::Error::other("the guard takes a parent, two limits and a command"));
    };
    // A change of account clears the death signal, so it comes first.
    if threads > 0 {
        limit_threads(threads)?;
    }
    die_with(parent, Signal::KILL)?;
    limit_descriptors((descriptors > 0).then_some(descriptors))?;
    let program = args.next().ok_or_else(|| io::Error::other("no command"))?;
    let error = Command::new(&program).args(args).exec();
    Err(io::Error::new(error.kind(), format!("`{}`: {error}", program.display())))
}

/// Has the kernel send this process `signal` when `parent` dies; ends it at once if that has happened.
fn die_with(parent: u64, signal: Signal) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(signal))?;
    // The parent may have died before the signal was armed; then nobody would ever send it.
    let alive = rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get() as u64 == parent);
    if !alive {
        std::process::exit(0);
    }
    Ok(())
}

/// Limits this process to `most` descriptors, or lifts the limit as far as the system allows.
///
/// # Errors
/// When the system refuses the limit.
fn limit_descriptors(most: Option<u64>) -> io::Result<()> {
    let now = rustix::process::getrlimit(Resource::Nofile);
    let limit = match most {
        Some(most) => Rlimit { current: Some(most), maximum: now.maximum },
        None => Rlimit { current: now.maximum, maximum: now.maximum },
    };
    Ok(rustix::process::setrlimit(Resource::Nofile, limit)?)
}

/// Lifts the limit of descriptors as far as the system allows.
///
/// # Errors
/// When the system refuses.
pub fn raise_descriptors() -> Result<(), String> {
    limit_descriptors(None).map_err(|error| format!("failed to raise the limit of descriptors: {error}"))
}

/// Gives this process an account of its own, which may have `most` threads.
fn limit_threads(most: u64) -> io::Result<()> {
    // As far from the accounts that people have as a number can be.
    let account = (u32::MAX / 2).saturating_sub(std::process::id());
    rustix::process::setrlimit(Resource::Nproc, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(rustix::thread::set_thread_uid(Uid::from_raw(account))?)
}

/// A running child in a process group of its own; dropping it kills the group and reaps the child.
#[derive(Debug)]
pub struct Child {
    child: std::process::Child,
    group: Pid,
    keeps: Option<PathBuf>,
    mark: String,
    status: Option<ExitStatus>,
    stderr: Stderr,
}

/// The time in which a keeper must end its processes before its group is killed.
const ENDING: Duration = Duration::from_secs(5);

/// The longest time for the ends of children that were killed; a keeper may take longer, and ends by itself.
const REAPING: Duration = Duration::from_millis(500);

impl Child {
    /// Starts `launch` with stdout piped and stdin empty.
    ///
    /// # Errors
    /// When the process cannot be created. A program that does not exist shows as exit status 127 with the
    /// reason on stderr.
    pub fn start(mut launch: Launch) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        strays::adopt()?;
        // Ends in a letter: no mark is the beginning of another.
        let mark = format!("{}-{}c", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        launch.env.push((strays::MARK.into(), mark.clone().into()));
        let (answer, started) = mpsc::channel();
        let (stderr, keeps) = (launch.stderr, launch.keeps.clone());
        spawner().send((launch, answer)).map_err(|_| io::Error::other("the spawner thread is gone"))?;
        let child = started.recv().map_err(|_| io::Error::other("the spawner thread is gone"))??;
        let group = Pid::from_child(&child);
        live().insert(group, Alive { mark: mark.clone(), kept: keeps.is_some() });
        Ok(Self { child, group, keeps, mark, status: None, stderr })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the pipes for stdout and, where it is read, stderr, once.
    pub fn pipes(&mut self) -> Option<(std::process::ChildStdout, Option<std::process::ChildStderr>)> {
        let stderr = if self.stderr == Stderr::Read { self.child.stderr.take() } else { None };
        Some((self.child.stdout.take()?, stderr))
    }

    /// Sends `signal` to the process alone, if it still runs.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // ESRCH means that it ended by itself, which is what the caller learns from `ended`.
            let _ = rustix::process::kill_process(self.group, signal);
        }
    }

    /// The exit status, if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Waits for the end, at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end_at = Instant::now() + limit;
        while self.ended().is_none() && Instant::now() < end_at {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.status
    }

    /// Counts the processes that it has left behind and that are no longer below it: more than none means that it went into the
    /// background.
    pub fn left_behind(&self) -> usize {
        strays::of(&self.mark, None, Some(self.group)).len()
    }

    /// Kills the whole group and what left it, and reaps the child.
    pub fn kill(&mut self) {
        // Once only: a later group of the same number would be a stranger's.
        if live().remove(&self.group).is_none() {
            return;
        }
        if self.keeps.is_some() {
            self.signal(keeper::END);
            self.wait(ENDING);
        }
        // The group may hold grandchildren even after the child has ended.
        let _ = rustix::process::kill_process_group(self.group, Signal::KILL);
        if self.status.is_none() {
            self.status = self.child.wait().ok();
        }
        // A keeper that was ended before it listened for the signal has started nothing, and removed nothing.
        if let Some(folder) = self.keeps.take() {
            let _ = std::fs::remove_dir_all(folder);
        }
        strays::end(&self.mark, Some(self.group), Some(self.group));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills every child when SIGINT or SIGTERM arrives, then ends this process with 130 or 143.
///
/// # Errors
/// When the signals cannot be caught.
pub fn kill_on_signals() -> Result<(), String> {
    on_signals(|_| {})
}

/// The same, but runs `last` before the children are killed, with the signal's number. A second signal does not wait for it.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_signals(last: impl FnOnce(i32) + Send + 'static) -> Result<(), String> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let failed = |error: io::Error| format!("failed to catch signals: {error}");
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let end = |signal: i32| {
        kill_all();
        reap();
        std::process::exit(128 + signal);
    };
    let listen = move || {
        let mut last = Some(last);
        for signal in signals.forever() {
            let Some(last) = last.take() else { end(signal) };
            let run = move || {
                last(signal);
                end(signal);
            };
            if std::thread::Builder::new().name("last".into()).spawn(run).is_err() {
                end(signal);
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map(drop).map_err(failed)
}

/// Kills every live group, and what left it; their owners may still reap the children.
pub fn kill_all() {
    let live = live();
    for (group, alive) in live.iter() {
        // A keeper ends its processes by itself, also when this process is gone by then.
        let _ = match alive.kept {
            true => rustix::process::kill_process(*group, keeper::END),
            false => rustix::process::kill_process_group(*group, Signal::KILL),
        };
    }
    for (group, alive) in live.iter().filter(|(_, alive)| !alive.kept) {
        strays::end(&alive.mark, None, Some(*group));
    }
}

/// Takes the ends of the children that were killed, so that no entry of theirs stays in the table of processes for an init that
/// may not look. The process is about to end: their owners ask no more.
fn reap() {
    let until = Instant::now() + REAPING;
    // An error means that there is no child.
    while let Ok(ended) = rustix::process::wait(WaitOptions::NOHANG) {
        if ended.is_none() {
            if Instant::now() >= until {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A process group that runs now.
#[derive(Debug)]
struct Alive {
    /// The mark of its processes.
    mark: String,
    /// True when it is a keeper's.
    kept: bool,
}

/// The process groups that run now.
fn live() -> MutexGuard<'static, HashMap<Pid, Alive>> {
    static LIVE: LazyLock<Mutex<HashMap<Pid, Alive>>> = LazyLock::new(Mutex::default);
    LIVE.lock()
}

type Job = (Launch, mpsc::Sender<io::Result<std::process::Child>>);

/// The one thread that starts children; it lives as long as this process.
fn spawner() -> mpsc::Sender<Job> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    SPAWNER
        .get_or_init(|| {
            let (jobs, inbox) = mpsc::channel::<Job>();
            // Without the thread the channel is closed, and `Child::start` reports that.
            let _ = std::thread::Builder::new().name("spawner".into()).spawn(move || {
                for (launch, answer) in inbox {
                    let _ = answer.send(spawn(&launch));
                }
            });
            jobs
        })
        .clone()
}

/// Starts our own executable as the guard of `launch`.
fn spawn(launch: &Launch) -> io::Result<std::process::Child> {
    // By this name the executable is found even after a new build has replaced its file.
    let mut command = Command::new("/proc/self/exe");
    command.arg(if launch.keeps.is_some() { keeper::KEEPER } else { GUARD });
    command.arg(std::process::id().to_string());
    let limits = [launch.descriptors, launch.threads].map(|most| most.unwrap_or(0).to_string());
    command.args(limits).args(&launch.keeps).args(&launch.words);
    // The harness's own settings are no flags of a server.
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.as_bytes().starts_with(b"LAB_")) {
        command.env_remove(name);
    }
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &launch.folder {
        command.current_dir(folder);
    }
    let stderr = match launch.stderr {
        Stderr::Read | Stderr::Unread => Stdio::piped(),
        Stderr::Closed => io::pipe()?.1.into(),
        Stderr::Full => File::options().write(true).open("/dev/full")?.into(),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).process_group(0).spawn()
}
