//! Fields as bytes and back (HPACK, RFC 7541).
//!
//! The way out is written here, because a misbehaving client needs every representation, and uses the dynamic table only when
//! it means to: [`block`] writes literals alone, so that nothing has to be kept in step with the peer. The way in reads all
//! that a peer may send, by a library.

use std::fmt;

use derive_more::{Display, Error};
use loona_hpack::decoder::DecoderError;

/// A field: its name and its value.
pub type Field = (Vec<u8>, Vec<u8>);

/// The index of the newest entry of the dynamic table; the static table is before it.
pub const NEWEST: usize = 62;

/// The representation of a field that is spelled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal {
    /// It is added to the dynamic table.
    Indexed,
    /// It is not.
    Plain,
    /// It is not, and must not be by any proxy on the way.
    Never,
}

/// Writes fields as literals that leave the dynamic table alone.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        literal(&mut out, Literal::Plain, name.as_ref(), value.as_ref());
    }
    out
}

/// Appends a field that is spelled out, without Huffman coding.
pub fn literal(out: &mut Vec<u8>, kind: Literal, name: &[u8], value: &[u8]) {
    out.push(match kind {
        Literal::Indexed => 0x40,
        Literal::Plain => 0x00,
        Literal::Never => 0x10,
    });
    string(out, name);
    string(out, value);
}

/// Appends a field that stands in a table, there or not.
pub fn indexed(out: &mut Vec<u8>, index: usize) {
    integer(out, 0x80, 7, index);
}

/// Appends a new size of the dynamic table.
pub fn table_size(out: &mut Vec<u8>, size: usize) {
    integer(out, 0x20, 5, size);
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    integer(out, 0x00, 7, text.len());
    out.extend_from_slice(text);
}

/// Appends an integer behind the bits of `pattern`, with `prefix` bits in the first byte (section 5.1).
pub fn integer(out: &mut Vec<u8>, pattern: u8, prefix: u8, value: usize) {
    let most = (1 << prefix) - 1;
    if value < most {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Display, Error)]
pub enum Malformed {
    /// It is no HPACK; the tables of the two sides may differ from here on.
    #[display("malformed HPACK: {_0}")]
    Block(DecoderError),
    /// Its fields are larger than the reader takes, in bytes.
    #[display("fields of more than {_0} bytes")]
    TooLarge(#[error(not(source))] usize),
}

/// Reads the blocks of one direction of a connection, in their order.
pub struct Decoder(loona_hpack::Decoder<'static>);

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder whose dynamic table has `table` bytes and never more.
    pub fn new(table: u32) -> Self {
        let mut decoder = loona_hpack::Decoder::new();
        decoder.set_max_table_size(table as usize);
        decoder.set_max_allowed_table_size(table as usize);
        Self(decoder)
    }

    /// Reads a whole block of fields of at most `most` bytes, counted as the RFC does: 32 more a field.
    ///
    /// # Errors
    /// When it is no HPACK, or its fields are larger. What is too large is read to its end, so that the next block can be read.
    pub fn decode(&mut self, block: &[u8], most: usize) -> Result<Vec<Field>, Malformed> {
        let (mut fields, mut size) = (Vec::new(), 0_usize);
        let read = self.0.decode_with_cb(block, |name, value| {
            size = size.saturating_add(name.len() + value.len() + 32);
            if size <= most {
                fields.push((name.into_owned(), value.into_owned()));
            }
        });
        read.map_err(Malformed::Block)?;
        if size > most { Err(Malformed::TooLarge(most)) } else { Ok(fields) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 1 << 20;

    /// Bytes from the RFC's notation.
    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// Decodes the blocks one after the other, each to `name: value` lines.
    fn lines(table: u32, blocks: &[&str]) -> Vec<Vec<String>> {
        let mut decoder = Decoder::new(table);
        let line = |(name, value): Field| {
            format!("{}: {}", String::from_utf8(name).unwrap(), String::from_utf8(value).unwrap())
        };
        let mut block =
            |text: &&str| decoder.decode(&hex(text), MOST).unwrap().into_iter().map(line).collect::<Vec<_>>();
        blocks.iter().map(&mut block).collect()
    }

    #[test]
    fn integers_are_written_as_in_appendix_c_1() {
        let written = |prefix, value| {
            let mut out = Vec::new();
            integer(&mut out, 0, prefix, value);
            out
        };
        assert_eq!(written(5, 10), [0b01010]);
        assert_eq!(written(5, 1337), [0b11111, 0b1001_1010, 0b0000_1010]);
        assert_eq!(written(8, 42), [42]);
        assert_eq!(written(7, 127), [127, 0], "the largest prefix needs another byte");
    }

    #[test]
    fn representations_are_those_of_appendix_c_2() {
        let mut out = Vec::new();
        literal(&mut out, Literal::Indexed, b"custom-key", b"custom-header");
        assert_eq!(out, hex("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"));
        out.clear();
        literal(&mut out, Literal::Never, b"password", b"secret");
        assert_eq!(out, hex("1008 7061 7373 776f 7264 0673 6563 7265 74"));
        out.clear();
        indexed(&mut out, 2);
        assert_eq!(out, hex("82"));
        assert_eq!(lines(4096, &["040c 2f73 616d 706c 652f 7061 7468"]), [[":path: /sample/path"]]);
    }

    /// Requests of appendix C.3 and C.4, which are the same.
    const REQUESTS: [&[&str]; 3] = [
        &[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
        &[
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
            "cache-control: no-cache",
        ],
        &[
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ],
    ];

    #[test]
    fn requests_of_appendix_c_3_are_read_without_huffman() {
        let blocks = [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ];
        assert_eq!(lines(4096, &blocks), REQUESTS);
    }

    #[test]
    fn requests_of_appendix_c_4_are_read_with_huffman() {
        let blocks = [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ];
        assert_eq!(lines(4096, &blocks), REQUESTS);
    }

    /// Responses of appendix C.5 and C.6: a table of 256 bytes, so that entries are evicted.
    const RESPONSES: [&[&str]; 3] = [
        &[
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        &[
            ":status: 307",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        &[
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ],
    ];

    #[test]
    fn responses_of_appendix_c_5_are_read_and_entries_evicted() {
        let blocks = [
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
             2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
             6c65 2e63 6f6d",
            "4803 3330 37c1 c0bf",
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
             54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
             5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
             3d31",
        ];
        assert_eq!(lines(256, &blocks), RESPONSES);
    }

    #[test]
    fn responses_of_appendix_c_6_are_read_with_huffman_and_evictions() {
        let blocks = [
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
             2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
             77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
             9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        ];
        assert_eq!(lines(256, &blocks), RESPONSES);
    }

    #[test]
    fn what_is_no_hpack_is_refused() {
        let refused = |block: &[u8]| Decoder::new(4096).decode(block, MOST).is_err();
        assert!(refused(&[0x80]), "index 0");
        assert!(refused(&[0xbe]), "an index past the tables");
        assert!(refused(&[0x40, 0x05, b'a']), "a string cut short");
        assert!(refused(&[0x40]), "a field without its name");
        assert!(refused(&[0x3f, 0xe2, 0x1f]), "a table of 4,097 bytes");
        assert!(refused(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), "an integer without end");
        assert!(refused(&[0x00, 0x81, 0x00, 0x00]), "Huffman padding of zeros");
    }

    #[test]
    fn fields_over_the_limit_are_refused_and_the_table_stays_in_step() {
        let mut first = Vec::new();
        literal(&mut first, Literal::Indexed, b"name", &[b'x'; 100]);
        for _ in 0..50 {
            indexed(&mut first, NEWEST);
        }
        let mut decoder = Decoder::new(4096);
        assert_eq!(decoder.decode(&first, 1_000), Err(Malformed::TooLarge(1_000)));
        let mut second = Vec::new();
        indexed(&mut second, NEWEST);
        assert_eq!(decoder.decode(&second, 136).unwrap()[0].0, b"name");
        assert_eq!(decoder.decode(&second, 135), Err(Malformed::TooLarge(135)));
        assert_eq!(Malformed::TooLarge(135).to_string(), "fields of more than 135 bytes");
    }

    #[test]
    fn a_smaller_table_is_taken_and_its_entries_are_gone() {
        let mut decoder = Decoder::new(4096);
        let mut out = Vec::new();
        literal(&mut out, Literal::Indexed, b"a", b"b");
        decoder.decode(&out, MOST).unwrap();
        out.clear();
        table_size(&mut out, 0);
        indexed(&mut out, NEWEST);
        assert!(decoder.decode(&out, MOST).is_err());
    }

    proptest! {
        #[test]
        fn fields_come_back_as_they_were_written(
            fields in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
            kinds in prop::collection::vec(0_usize..3, 20),
        ) {
            let kinds = kinds.into_iter().map(|kind| [Literal::Indexed, Literal::Plain, Literal::Never][kind]);
            let mut out = Vec::new();
            for ((name, value), kind) in fields.iter().zip(kinds) {
                literal(&mut out, kind, name, value);
            }
            prop_assert_eq!(Decoder::new(4096).decode(&out, MOST).unwrap(), fields);
        }

        #[test]
        fn integers_come_back_as_table_sizes(size in 0_usize..1 << 28) {
            let mut out = Vec::new();
            table_size(&mut out, size);
            indexed(&mut out, 2);
            let read = Decoder::new(size as u32).decode(&out, MOST);
            prop_assert!(read.is_ok());
            if let Some(less) = size.checked_sub(1) {
                prop_assert!(Decoder::new(less as u32).decode(&out, MOST).is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(blocks in prop::collection::vec(any::<Vec<u8>>(), 1..4)) {
            let mut decoder = Decoder::new(128);
            for block in blocks {
                let _ = decoder.decode(&block, 1_000);
            }
        }
    }
}
