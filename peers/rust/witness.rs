//! Reads what the lab asks of `/slow`, and tells it what becomes of the work. Copy this file beside your server.
//!
//! ```ignore
//! let mut work = Work::new(query, |name| header(name))?; // an error is a 400
//! while work.more() {                                    // says `start`, and `beat N` after each unit
//!     sleep(work.pause()).await;
//! }                                                      // dropping it says `end completed|canceled|panicked`
//! ```

use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// The work of one request.
pub struct Work {
    /// The time for which the client still waits; without its word two seconds.
    pub timeout: Duration,
    /// True when the body is to be read before the work begins.
    pub reads: bool,
    id: Option<String>,
    tick: Duration,
    units: u32,
    /// Units that have begun; one more than have ended, until all have.
    begun: u32,
    began_at: Instant,
    lab: Option<(UdpSocket, String)>,
}

impl Work {
    /// Reads the parameters and the headers of a request; the error names what cannot be understood.
    pub fn new<'a>(query: &str, header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let given = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.split_once('=').filter(|pair| pair.0 == name))
                .map(|pair| pair.1)
        };
        let duration = |name, preset| {
            let wrong = || format!("parameter `{name}` takes a duration such as 250ms or 2s");
            length(given(name).unwrap_or(preset), &UNITS).filter(|found| !found.is_zero()).ok_or_else(wrong)
        };
        let (tick, length_of_all) = (duration("tick", "10ms")?, duration("work", "5s")?);
        let reads = match given("body").unwrap_or("read") {
            "read" => true,
            "ignore" | "drop" => false,
            _ => return Err("parameter `body` takes read, ignore, drop".into()),
        };
        if given("style").unwrap_or("context") != "context" {
            return Err("parameter `style` takes context".into());
        }
        let timeout = header("grpc-timeout").and_then(|text| length(text, &BUDGET_UNITS));
        let address = std::env::var("LAB_WITNESS").ok();
        let lab = address.and_then(|address| Some((UdpSocket::bind("127.0.0.1:0").ok()?, address)));
        Ok(Self {
            timeout: timeout.unwrap_or(Duration::from_secs(2)),
            reads,
            id: header("x-request-id").map(str::to_owned),
            tick,
            units: (length_of_all.as_nanos() / tick.as_nanos()) as u32,
            begun: 0,
            began_at: Instant::now(),
            lab,
        })
    }

    /// Says that a unit has ended, and tells whether there is another.
    pub fn more(&mut self) -> bool {
        if self.begun == 0 {
            self.began_at = Instant::now();
            self.say("start");
        } else {
            self.say(&format!("beat {}", self.begun));
        }
        self.begun += 1;
        self.begun <= self.units
    }

    /// The time left to the end of the unit.
    pub fn pause(&self) -> Duration {
        (self.began_at + self.tick * self.begun).saturating_duration_since(Instant::now())
    }

    fn say(&self, word: &str) {
        if let (Some((socket, address)), Some(id)) = (&self.lab, &self.id) {
            // The lab may be gone, and with it the reason to tell it anything.
            let _ = socket.send_to(format!("{id} {word}").as_bytes(), address);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.begun > self.units {
            self.say("end completed");
        } else if self.begun > 0 {
            self.say(if std::thread::panicking() { "end panicked" } else { "end canceled" });
        }
    }
}

const UNITS: [(&str, f64); 4] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
const BUDGET_UNITS: [(&str, f64); 6] =
    [("H", 3600.0), ("M", 60.0), ("S", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9)];

/// A number of at most eight digits and a unit.
fn length(text: &str, units: &[(&str, f64)]) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).filter(|digits| (1..=8).contains(digits))?;
    let unit = units.iter().find(|unit| unit.0 == &text[split..])?.1;
    Some(Duration::from_secs_f64(text[..split].parse::<f64>().ok()? * unit))
}
