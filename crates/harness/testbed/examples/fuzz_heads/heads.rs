//! Heads from a random number: well-formed ones, mutated, and plain noise.

use fastrand::Rng;

/// The head of that number; the same seed and number give the same bytes.
pub(crate) fn head(seed: u64, number: u64) -> Vec<u8> {
    // Neighboring seeds of the generator give unrelated streams.
    let mut random = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
    if random.u8(..) < 12 {
        return noise(&mut random);
    }
    let mut bytes = well_formed(&mut random);
    for _ in 0..MUTATIONS[random.usize(..MUTATIONS.len())] {
        mutate(&mut random, &mut bytes);
    }
    if random.u8(..) < 230 {
        // Most heads get an end, so that most of them are judged and not waited for.
        bytes.extend_from_slice(b"\r\n\r\n");
    }
    bytes
}

/// The number of mutations of a head: mostly one, because two faults may hide one another.
const MUTATIONS: &[usize] = &[0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 6];

const METHODS: &[&str] =
    &["GET", "GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE"];

const TARGETS: &[&str] = &[
    "/fast",
    "/fast",
    "/fast",
    "/slow?work=2ms",
    "/slow?work=1ms&style=polling",
    "/values",
    "/upload",
    "/stream?chunks=2&every=1ms",
    "/fanout?width=2&work=1ms",
    "/",
    "*",
    "http://lab/fast",
    "/nowhere",
];

const FIELDS: &[&str] = &[
    "X-Request-Id: fuzz-1",
    "X-Subject: ann",
    "grpc-timeout: 200m",
    "grpc-timeout: 0m",
    "x-envoy-expected-rq-timeout-ms: 100",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Connection: keep-alive",
    "Expect: 100-continue",
    "Accept: */*",
    "User-Agent: fuzz",
    "Cookie: a=b; c=d",
    "Upgrade: h2c",
];

/// The words that mutations put in: those that parsers trip over.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"%00",
    b"%",
    b"#",
    b"?",
    b"&",
    b"//",
    b"\xff",
    b"\xc3\xa9",
    b"\x7f",
    b"\x0b",
    b" HTTP/1.0",
    b" HTTP/1.1",
    b" HTTP/2.0",
    b" HTTP/1.10",
    b"\r\n\r\n",
    b"\r\n ",
    b"Host: other\r\n",
    b"Content-Length: 6\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"grpc-timeout: 99999999H\r\n",
    b"grpc-timeout: -1m\r\n",
    b"X-Request-Id: \r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
];

fn pick<'a, T: ?Sized>(random: &mut Rng, list: &[&'a T]) -> &'a T {
    list[random.usize(..list.len())]
}

fn well_formed(random: &mut Rng) -> Vec<u8> {
    let version = if random.u8(..) < 16 { "HTTP/1.0" } else { "HTTP/1.1" };
    let (method, target) = (pick(random, METHODS), pick(random, TARGETS));
    let mut text = format!("{method} {target} {version}\r\nHost: lab\r\n");
    for _ in 0..random.usize(..5) {
        text.push_str(pick(random, FIELDS));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn noise(random: &mut Rng) -> Vec<u8> {
    let length = 1 << random.usize(..12);
    let printable = random.bool();
    let byte = |random: &mut Rng| if printable { random.u8(32..127) } else { random.u8(..) };
    let mut bytes: Vec<u8> = (0..length).map(|_| byte(random)).collect();
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}

fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    let at = random.usize(..=bytes.len());
    let end = (at + random.usize(1..12)).min(bytes.len());
    match random.u8(..11) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 => bytes.insert(at, random.u8(..)),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let slice = bytes[at..end].to_vec();
            bytes.splice(at..at, slice);
        }
        5 => bytes.truncate(at),
        6 => {
            let byte = *bytes.get(at).unwrap_or(&b'x');
            let run = vec![byte; 1 << random.usize(1..16)];
            bytes.splice(at..at, run);
        }
        7 => {
            // One field again and again: the limit on their number, and duplicates.
            let line = format!("{}\r\n", pick(random, FIELDS));
            bytes.extend_from_slice(line.repeat(1 << random.usize(..8)).as_bytes());
        }
        _ => {
            let word = pick(random, WORDS);
            let until = if random.bool() { at } else { end };
            bytes.splice(at..until, word.iter().copied());
        }
    }
}
