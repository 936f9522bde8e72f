//! Error codes of RST_STREAM and GOAWAY (RFC 9113, section 7).

use std::fmt;

/// An error code, known or not: a client may send any 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

impl Code {
    /// The end is no error.
    pub const NO_ERROR: Self = Self(0x0);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// The endpoint itself failed.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// The peer sent more than its flow-control window.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// The peer did not acknowledge SETTINGS.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame came for a stream that was half-closed.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame had a length that its type does not allow.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The request was not processed at all, so it may be sent again.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is no longer needed.
    pub const CANCEL: Self = Self(0x8);
    /// The field compression state is lost.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The tunnel of a CONNECT was reset.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer causes too much load.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The transport does not meet the demands on its security.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// The request has to be sent over HTTP/1.1.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// Every code of the RFC, in its order.
    pub const ALL: [Self; 14] = [
        Self::NO_ERROR,
        Self::PROTOCOL_ERROR,
        Self::INTERNAL_ERROR,
        Self::FLOW_CONTROL_ERROR,
        Self::SETTINGS_TIMEOUT,
        Self::STREAM_CLOSED,
        Self::FRAME_SIZE_ERROR,
        Self::REFUSED_STREAM,
        Self::CANCEL,
        Self::COMPRESSION_ERROR,
        Self::CONNECT_ERROR,
        Self::ENHANCE_YOUR_CALM,
        Self::INADEQUATE_SECURITY,
        Self::HTTP_1_1_REQUIRED,
    ];

    /// The name in the RFC.
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        NAMES.get(self.0 as usize).copied()
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
        for (number, code) in (0..).zip(Code::ALL) {
            assert_eq!(code.0, number);
            assert!(code.name().is_some());
        }
        assert_eq!(Code::CANCEL.to_string(), "CANCEL");
        assert_eq!(Code::HTTP_1_1_REQUIRED.to_string(), "HTTP_1_1_REQUIRED");
        assert_eq!(Code(0xdead_beef).to_string(), "0xdeadbeef");
    }
}
