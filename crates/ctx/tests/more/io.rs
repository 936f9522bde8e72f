//! An ended context inside std's I/O: every loop of std stops at the first such error.

use std::io::{self, BufRead, BufReader, Read, Write};

use ctx::{Context, Error};

/// A stream that says how its context ended, and counts how often it is asked.
struct Stopped {
    ctx: Context,
    asked: usize,
}

impl Stopped {
    fn stop(&mut self) -> io::Error {
        self.asked += 1;
        assert!(self.asked < 100, "std tries again and again");
        self.ctx.err().expect("it has ended").into()
    }
}

impl Read for Stopped {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.stop())
    }
}

impl Write for Stopped {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.stop())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.stop())
    }
}

type Use = fn(&mut Stopped) -> io::Result<()>;

/// The functions of std that try again when a call was interrupted.
const LOOPS: [(&str, Use); 9] = [
    ("copy from", |from| io::copy(from, &mut io::sink()).map(drop)),
    ("copy to", |to| io::copy(&mut &b"text"[..], to).map(drop)),
    ("read_to_end", |from| from.read_to_end(&mut Vec::new()).map(drop)),
    ("read_to_string", |from| from.read_to_string(&mut String::new()).map(drop)),
    ("read_exact", |from| from.read_exact(&mut [0; 4])),
    ("read_until", |from| BufReader::new(from).read_until(b'\n', &mut Vec::new()).map(drop)),
    ("bytes", |from| BufReader::new(from).bytes().next().expect("no end").map(drop)),
    ("write_all", |to| to.write_all(b"text")),
    ("write_fmt", |to| write!(to, "{}", 7)),
];

#[test]
fn std_does_not_try_again_what_a_context_ended() {
    let (canceled, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let (expired, _e) = Context::background().with_timeout(std::time::Duration::ZERO);
    for ctx in [canceled, expired] {
        for (name, run) in LOOPS {
            let mut stopped = Stopped { ctx: ctx.clone(), asked: 0 };
            let error = run(&mut stopped).expect_err(name);
            assert_eq!(error.get_ref().and_then(|inner| inner.downcast_ref()), ctx.err().as_ref(), "{name}");
            assert_eq!(stopped.asked, 1, "{name}");
        }
    }
}

#[test]
fn a_timeout_keeps_its_kind_and_a_cancel_has_one_that_std_does_not_retry() {
    assert_eq!(io::Error::from(Error::DeadlineExceeded).kind(), io::ErrorKind::TimedOut);
    assert_eq!(io::Error::from(Error::Canceled).kind(), io::ErrorKind::Other);
    assert_eq!(io::Error::from(Error::Canceled).downcast::<Error>().ok(), Some(Error::Canceled));
}
