//! Parameters of a connection (RFC 9113, section 6.5).

use std::borrow::Cow;

use super::code::Code;
use super::flow;
use super::frame::{self, Frame};
use super::payload::Wrong;

/// The identifiers.
pub mod id {
    /// The most bytes of the dynamic table that the sender's decoder keeps.
    pub const HEADER_TABLE_SIZE: u16 = 0x1;
    /// 1 when the sender takes pushed requests.
    pub const ENABLE_PUSH: u16 = 0x2;
    /// The most streams that the peer may have open at once.
    pub const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    /// The window that each stream begins with.
    pub const INITIAL_WINDOW_SIZE: u16 = 0x4;
    /// The largest payload of a frame that the sender takes.
    pub const MAX_FRAME_SIZE: u16 = 0x5;
    /// The most bytes of fields that the sender means to take.
    pub const MAX_HEADER_LIST_SIZE: u16 = 0x6;
}

/// The name of a setting, or its number.
pub fn name(id: u16) -> Cow<'static, str> {
    match id {
        id::HEADER_TABLE_SIZE => "HEADER_TABLE_SIZE".into(),
        id::ENABLE_PUSH => "ENABLE_PUSH".into(),
        id::MAX_CONCURRENT_STREAMS => "MAX_CONCURRENT_STREAMS".into(),
        id::INITIAL_WINDOW_SIZE => "INITIAL_WINDOW_SIZE".into(),
        id::MAX_FRAME_SIZE => "MAX_FRAME_SIZE".into(),
        id::MAX_HEADER_LIST_SIZE => "MAX_HEADER_LIST_SIZE".into(),
        _ => format!("{id:#x}").into(),
    }
}

/// The parameters that one side has announced, and the RFC's values for what it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most bytes of the dynamic table.
    pub header_table_size: u32,
    /// True when pushed requests are taken.
    pub enable_push: bool,
    /// The most streams at once; `None` sets no limit.
    pub max_concurrent_streams: Option<u32>,
    /// The window that each stream begins with.
    pub initial_window_size: u32,
    /// The largest payload of a frame.
    pub max_frame_size: u32,
    /// The most bytes of fields; `None` announces no limit.
    pub max_header_list_size: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_table_size: 4_096,
            enable_push: true,
            max_concurrent_streams: None,
            initial_window_size: flow::INITIAL as u32,
            max_frame_size: frame::MAX_PAYLOAD as u32,
            max_header_list_size: None,
        }
    }
}

impl Settings {
    /// Takes over the announced values, in the order in which it stands there; unknown settings change nothing.
    ///
    /// # Errors
    /// When a value is out of its range; those before it are taken over.
    pub fn take(&mut self, announced: &[(u16, u32)]) -> Result<(), Wrong> {
        announced.iter().try_for_each(|(id, value)| self.set(*id, *value))
    }

    fn set(&mut self, id: u16, value: u32) -> Result<(), Wrong> {
        let protocol = |what| Err(Wrong::connection(Code::PROTOCOL_ERROR, what));
        match id {
            id::HEADER_TABLE_SIZE => self.header_table_size = value,
            id::ENABLE_PUSH if value > 1 => return protocol("ENABLE_PUSH is neither 0 nor 1"),
            id::ENABLE_PUSH => self.enable_push = value == 1,
            id::MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = Some(value),
            id::INITIAL_WINDOW_SIZE if i64::from(value) > flow::LARGEST => {
                let what = "INITIAL_WINDOW_SIZE is above 2^31-1";
                return Err(Wrong::connection(Code::FLOW_CONTROL_ERROR, what));
            }
            id::INITIAL_WINDOW_SIZE => self.initial_window_size = value,
            id::MAX_FRAME_SIZE if !(frame::MAX_PAYLOAD..=frame::LARGEST).contains(&(value as usize)) => {
                return protocol("MAX_FRAME_SIZE is not from 2^14 to 2^24-1");
            }
            id::MAX_FRAME_SIZE => self.max_frame_size = value,
            id::MAX_HEADER_LIST_SIZE => self.max_header_list_size = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// Returns the settings that differ from the RFC's values, to be announced.
    pub fn announced(&self) -> Vec<(u16, u32)> {
        let plain = Self::default();
        let mut all = vec![
            (
                id::HEADER_TABLE_SIZE,
                self.header_table_size,
                self.header_table_size != plain.header_table_size,
            ),
            (id::ENABLE_PUSH, u32::from(self.enable_push), self.enable_push != plain.enable_push),
            (
                id::INITIAL_WINDOW_SIZE,
                self.initial_window_size,
                self.initial_window_size != plain.initial_window_size,
            ),
            (id::MAX_FRAME_SIZE, self.max_frame_size, self.max_frame_size != plain.max_frame_size),
        ];
        all.extend(self.max_concurrent_streams.map(|most| (id::MAX_CONCURRENT_STREAMS, most, true)));
        all.extend(self.max_header_list_size.map(|most| (id::MAX_HEADER_LIST_SIZE, most, true)));
        all.into_iter().filter(|(_, _, differs)| *differs).map(|(id, value, _)| (id, value)).collect()
    }

    /// The frame that announces them.
    pub fn frame(&self) -> Frame {
        Frame::settings(&self.announced())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(id: u16, value: u32) -> Option<Code> {
        Settings::default().take(&[(id, value)]).err().map(|wrong| wrong.code)
    }

    #[test]
    fn values_at_their_limits_are_taken_and_past_them_refused() {
        assert_eq!(refused(id::ENABLE_PUSH, 1), None);
        assert_eq!(refused(id::ENABLE_PUSH, 2), Some(Code::PROTOCOL_ERROR));
        assert_eq!(refused(id::INITIAL_WINDOW_SIZE, 0x7fff_ffff), None);
        assert_eq!(refused(id::INITIAL_WINDOW_SIZE, 0x8000_0000), Some(Code::FLOW_CONTROL_ERROR));
        for (value, refusal) in [
            (16_383, Some(Code::PROTOCOL_ERROR)),
            (16_384, None),
            (16_777_215, None),
            (16_777_216, Some(Code::PROTOCOL_ERROR)),
        ] {
            assert_eq!(refused(id::MAX_FRAME_SIZE, value), refusal, "{value}");
        }
        assert_eq!(refused(0xabcd, u32::MAX), None, "an unknown setting is ignored");
    }

    #[test]
    fn the_last_value_of_a_setting_counts() {
        let mut settings = Settings::default();
        settings.take(&[(id::INITIAL_WINDOW_SIZE, 1), (id::INITIAL_WINDOW_SIZE, 2)]).unwrap();
        assert_eq!(settings.initial_window_size, 2);
    }

    #[test]
    fn what_is_announced_is_taken_over_as_it_was() {
        let announced = Settings {
            header_table_size: 0,
            enable_push: false,
            max_concurrent_streams: Some(100),
            initial_window_size: 3,
            max_frame_size: 20_000,
            max_header_list_size: Some(16_384),
        };
        let mut taken = Settings::default();
        taken.take(&announced.announced()).unwrap();
        assert_eq!(taken, announced);
        assert_eq!(Settings::default().announced(), []);
        assert!(Settings::default().frame().payload.is_empty());
    }

    #[test]
    fn settings_are_named() {
        assert_eq!(name(id::MAX_CONCURRENT_STREAMS), "MAX_CONCURRENT_STREAMS");
        assert_eq!(name(0x8), "0x8");
    }
}
