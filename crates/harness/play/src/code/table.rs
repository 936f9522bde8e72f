//! The functions of each source, by the styles that they belong to.

/// Servers with the same sources.
pub(super) struct Server {
    pub(super) names: &'static [&'static str],
    pub(super) files: &'static [File],
    pub(super) parts: &'static [Part],
}

/// A source, as it was when the lab was built.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

/// A function that decides in some styles.
pub(super) struct Part {
    pub(super) styles: &'static [&'static str],
    /// True for one that hears of a client that disconnects.
    pub(super) on_disconnect: bool,
    /// The end of its file's path.
    pub(super) file: &'static str,
    pub(super) function: &'static str,
    /// Texts of which a line that decides holds one.
    pub(super) marks: &'static [&'static str],
}

/// A source by its path from the root of the repository.
macro_rules! file {
    ($path:literal) => {
        File { path: $path, text: include_str!(concat!("../../../../../", $path)) }
    };
}

const fn part(
    styles: &'static [&'static str],
    file: &'static str,
    function: &'static str,
    marks: &'static [&'static str],
) -> Part {
    Part { styles, on_disconnect: false, file, function, marks }
}

const fn on_disconnect(file: &'static str, function: &'static str, marks: &'static [&'static str]) -> Part {
    Part { styles: &[], on_disconnect: true, file, function, marks }
}

/// Every server whose sources are in the repository.
pub(super) const SERVERS: &[Server] = &[
    Server {
        names: &["tokio"],
        files: &[
            file!("crates/server-tokio/src/work.rs"),
            file!("crates/server-tokio/src/outside.rs"),
            file!("crates/server-tokio/src/connection.rs"),
        ],
        parts: SIBLING,
    },
    Server {
        names: &["async-std"],
        files: &[
            file!("crates/server-async-std/src/work.rs"),
            file!("crates/server-async-std/src/outside.rs"),
            file!("crates/server-async-std/src/hangup.rs"),
        ],
        parts: SIBLING,
    },
    Server {
        names: &["smol"],
        files: &[
            file!("crates/server-smol/src/work.rs"),
            file!("crates/server-smol/src/outside.rs"),
            file!("crates/server-smol/src/hangup.rs"),
        ],
        parts: SIBLING,
    },
    Server {
        names: &["threads"],
        files: &[
            file!("crates/server-threads/src/work.rs"),
            file!("crates/server-threads/src/outside.rs"),
            file!("crates/server-threads/src/hangup.rs"),
        ],
        parts: SIBLING,
    },
    Server {
        names: &["go-context", "go-timeouthandler", "go-writetimeout"],
        files: &[
            file!("peers/go/nethttp/work.go"),
            file!("peers/go/nethttp/outside.go"),
            file!("peers/go/nethttp/database.go"),
        ],
        parts: GO,
    },
    Server {
        names: &["python-threading"],
        files: &[file!("peers/python/threading/server.py"), file!("peers/python/threading/database.py")],
        parts: PYTHON_THREADING,
    },
    Server {
        names: &["python-asyncio"],
        files: &[
            file!("peers/python/asyncio/endpoints.py"),
            file!("peers/python/asyncio/server.py"),
            file!("peers/python/asyncio/database.py"),
        ],
        parts: PYTHON_ASYNCIO,
    },
    Server {
        names: &["axum"],
        files: &[file!("peers/rust/axum/src/work.rs"), file!("peers/rust/axum/src/deadline.rs")],
        parts: FRAMEWORK,
    },
    Server {
        names: &["actix", "actix-no-half-closed"],
        files: &[file!("peers/rust/actix/src/work.rs"), file!("peers/rust/actix/src/main.rs")],
        parts: FRAMEWORK,
    },
    Server {
        names: &["plain-hyper"],
        files: &[file!("peers/rust/plain-hyper/src/main.rs")],
        parts: &[
            part(&["context", "drop"], "main.rs", "handle", &["timeout(patience"]),
            part(&["context", "drop"], "main.rs", "slow", &["sleep_until("]),
        ],
    },
];

/// The siblings: the same functions in each, and each with lines of its own.
const SIBLING: &[Part] = &[
    part(
        &["context", "permit"],
        "work.rs",
        "context",
        &["ctx.done(", "done.as_mut()", "wait_until(", "::why(ctx)"],
    ),
    part(&["drop", "detached"], "work.rs", "unaware", &["until(end)"]),
    part(&["detached"], "work.rs", "detached", &["spawn("]),
    part(
        &["blocking"],
        "work.rs",
        "blocking",
        &["spawn_blocking(", "unblock(", "thread::sleep(", "unaware("],
    ),
    part(&["polling"], "work.rs", "polling", &["outcome::live("]),
    part(&["spin"], "work.rs", "spin", &["Instant::now() < end", "spin_loop("]),
    part(
        &["drop", "detached", "blocking"],
        "work.rs",
        "race",
        &["ctx.done(", "threads::spawn(", "ended.wait()"],
    ),
    part(&["permit"], "outside.rs", "permit", &["ctx.done(", "acquire(", "permits.wait("]),
    part(&["process", "process-unkilled"], "outside.rs", "process", &["race("]),
    part(&["process", "process-unkilled"], "outside.rs", "start", &["kill_on_drop("]),
    part(&["process", "process-unkilled"], "outside.rs", "drop", &["child.kill()", "if !self.kills"]),
    part(&["upstream"], "outside.rs", "called", &["race("]),
    part(&["upstream"], "outside.rs", "call", &["upstream::due("]),
    on_disconnect("connection.rs", "gone", &["Interest::PRIORITY"]),
    on_disconnect("hangup.rs", "add", &["EventFlags::RDHUP"]),
    on_disconnect("hangup.rs", "cancel_reported", &["Reason::Disconnect"]),
    on_disconnect("hangup.rs", "watch", &["Reason::Disconnect"]),
];

const GO: &[Part] = &[
    part(&["context"], "work.go", "cooperate", &["ctx.Done()"]),
    part(&["drop", "detached"], "work.go", "sleep", &["time.Sleep("]),
    part(&["blocking"], "work.go", "block", &["syscall.Nanosleep("]),
    part(&["polling"], "work.go", "poll", &["ctx.Err()"]),
    part(&["spin"], "work.go", "spin", &["Before(end)"]),
    part(&["process"], "outside.go", "process", &["exec.CommandContext("]),
    part(&["query"], "database.go", "query", &["carries := ctx", "p.sleepThere(carries"]),
    part(&["query", "query-dropped"], "database.go", "sleepThere", &["ExecContext("]),
    part(&["query-dropped"], "work.go", "abandon", &["go func()", "ctx.Done()"]),
    part(&["upstream"], "outside.go", "upstream", &["p.ask(ctx", "calls.Do("]),
    part(
        &["drop", "detached", "blocking", "polling", "spin"],
        "work.go",
        "abandon",
        &["go func()", "ctx.Done()"],
    ),
];

const PYTHON_THREADING: &[Part] = &[
    part(&["context"], "server.py", "run", &["stop.wait("]),
    part(&["drop", "detached", "blocking"], "server.py", "run", &["time.sleep("]),
    part(&["polling"], "server.py", "run", &["stop.is_set("]),
    part(&["spin"], "server.py", "run", &["while style == \"spin\""]),
    part(&["process"], "server.py", "process", &["subprocess.run("]),
    part(&["query"], "server.py", "query", &["connection.run("]),
    part(&["query-dropped"], "server.py", "query_dropped", &["cancels=False"]),
    part(&["query"], "database.py", "run", &["threading.Timer(", "inner.execute("]),
    part(&["upstream"], "server.py", "call", &["answer(asked"]),
    part(
        &["context", "drop", "detached", "blocking", "polling", "spin"],
        "server.py",
        "slow",
        &["threading.Thread(", "results.get(timeout", "stop.set()"],
    ),
];

const PYTHON_ASYNCIO: &[Part] = &[
    part(&["context", "drop"], "endpoints.py", "awaiting", &["asyncio.sleep("]),
    part(&["detached"], "endpoints.py", "slow", &["create_task(", "asyncio.shield("]),
    part(&["blocking"], "endpoints.py", "slow", &["asyncio.to_thread("]),
    part(&["polling"], "endpoints.py", "slow", &["asyncio.to_thread(", "stop.set()"]),
    part(&["polling"], "endpoints.py", "sleeping", &["stop.is_set()"]),
    part(&["blocking"], "endpoints.py", "sleeping", &["time.sleep("]),
    part(&["spin"], "endpoints.py", "sleeping", &["while spin"]),
    part(&["process"], "endpoints.py", "process", &["child.kill()"]),
    part(&["query"], "database.py", "run", &["connection.execute("]),
    part(&["query-dropped"], "database.py", "dropped", &["connection.terminate()"]),
    part(&["upstream"], "endpoints.py", "call", &["await answer(asked)"]),
    part(
        &["context", "drop", "detached", "blocking", "polling", "spin"],
        "server.py",
        "handle",
        &["asyncio.timeout_at("],
    ),
];

/// axum and actix-web: the work is told by a context, and the framework drops the handler.
const FRAMEWORK: &[Part] = &[
    part(&["context"], "work.rs", "context", &["ctx.done("]),
    part(&["drop", "detached"], "work.rs", "unaware", &["sleep_until(", "sleep(", "until("]),
    part(&["detached"], "work.rs", "run", &["spawn(unaware("]),
    part(&["blocking"], "work.rs", "run", &["sleeping(&Context::background()"]),
    part(&["blocking"], "work.rs", "sleeping", &["thread::sleep("]),
    part(&["polling"], "work.rs", "sleeping", &["ctx.err()"]),
    part(&["spin"], "work.rs", "spin", &["Instant::now() < end", "spin_loop("]),
    part(&["context", "drop"], "deadline.rs", "limited", &["Timeout::with_status_code("]),
    part(&["context", "drop"], "main.rs", "limited", &["timeout(timeout"]),
];
