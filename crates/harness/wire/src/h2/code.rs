//! Error codes of RST_STREAM and GOAWAY (RFC 9113, section 7).

use std::fmt;

/// An error code, known or not: a client may send any 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

named! {
    Code {
        /// The end is no error.
        NO_ERROR = 0x0,
        /// The peer broke the protocol.
        PROTOCOL_ERROR = 0x1,
        /// The endpoint itself failed.
        INTERNAL_ERROR = 0x2,
        /// The peer sent more than its flow-control window.
        FLOW_CONTROL_ERROR = 0x3,
        /// The peer did not acknowledge SETTINGS.
        SETTINGS_TIMEOUT = 0x4,
        /// A frame came for a stream that was half-closed.
        STREAM_CLOSED = 0x5,
        /// A frame had a length that its type does not allow.
        FRAME_SIZE_ERROR = 0x6,
        /// The request was not processed at all, so it may be sent again.
        REFUSED_STREAM = 0x7,
        /// The stream is no longer needed.
        CANCEL = 0x8,
        /// The field compression state is lost.
        COMPRESSION_ERROR = 0x9,
        /// The tunnel of a CONNECT was reset.
        CONNECT_ERROR = 0xa,
        /// The peer causes too much load.
        ENHANCE_YOUR_CALM = 0xb,
        /// The transport does not meet the demands on its security.
        INADEQUATE_SECURITY = 0xc,
        /// The request has to be sent over HTTP/1.1.
        HTTP_1_1_REQUIRED = 0xd,
    }
}

impl Code {
    /// Every code of the RFC, in its order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take_while(|code| code.name().is_some())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_and_named_as_in_the_rfc() {
        let named: Vec<u32> = Code::all().map(|code| code.0).collect();
        assert_eq!(named, (0..14).collect::<Vec<_>>());
        assert_eq!((Code::NO_ERROR.0, Code::HTTP_1_1_REQUIRED.0), (0x0, 0xd));
        assert_eq!(Code::CANCEL.to_string(), "CANCEL");
        assert_eq!(Code::HTTP_1_1_REQUIRED.to_string(), "HTTP_1_1_REQUIRED");
        assert_eq!(Code(0xdead_beef).to_string(), "0xdeadbeef");
    }
}
