//! A subscriber of tracing-subscriber is told number, kind and cause.

use std::io;
use std::sync::{Arc, Mutex};

use ctx::{Cause, Context};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_end_of_a_context_is_told_with_its_number_kind_and_cause() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let (ctx, cancel) = Context::background().with_id().with_cancel();
    tracing::subscriber::with_default(subscriber, || {
        let traced = ctx_tracing::trace(&ctx);
        traced.span().in_scope(|| tracing::info!("work begins"));
        cancel.cancel_cause(Cause::msg("signal 15"));
        drop(traced);
        drop(ctx_tracing::trace(&Context::background()));
    });
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let id = ctx.id().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains(&format!("context{{id={id}}}")) && lines[0].ends_with("work begins"), "{text}");
    assert!(lines[1].contains("context ended"), "{text}");
    assert!(lines[1].contains(&format!("id={id} kind=context canceled cause=signal 15")), "{text}");
    assert!(lines[2].ends_with("context lives on"), "{text}");
}
