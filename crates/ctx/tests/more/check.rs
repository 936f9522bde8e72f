//! `check` and the error it gives: into the errors of others by `?`, and back.

use std::error::Error as StdError;
use std::io;

use super::{HOUR, clocked};
use ctx::{Cancel, Cause, Context, Ended, Error, Group};

fn canceled_because(text: &str) -> (Context, Cancel) {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg(text));
    (ctx, cancel)
}

#[test]
fn check_fails_once_the_context_has_ended_with_its_kind_and_cause() {
    let (clock, root) = clocked();
    let (ctx, _cancel) = root.with_timeout_cause(HOUR, Cause::msg("too slow"));
    assert!(ctx.check().is_ok());
    assert!(ctx.ended().is_none());
    clock.advance(HOUR);
    let ended = ctx.check().unwrap_err();
    assert_eq!((ended.kind(), ended.is_timeout()), (Error::DeadlineExceeded, true));
    assert_eq!(ended.to_string(), "context deadline exceeded");
    assert_eq!(ended.source().map(ToString::to_string).as_deref(), Some("too slow"));
    assert_eq!(ended.cause().to_string(), ctx.cause().unwrap().to_string());
}

#[test]
fn an_end_without_a_cause_has_no_source_and_is_its_own_cause() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let ended = ctx.check().unwrap_err();
    assert!(ended.source().is_none());
    assert_eq!(ended.cause().downcast_ref(), Some(&Error::Canceled));
    assert_eq!(Error::from(ended), Error::Canceled);
}

#[test]
fn an_end_goes_by_question_mark_into_a_box_and_back() {
    fn step(ctx: &Context) -> Result<(), Box<dyn StdError + Send + Sync>> {
        ctx.check()?;
        Ok(())
    }
    let (ctx, _cancel) = canceled_because("signal 15");
    let error = step(&ctx).unwrap_err();
    assert_eq!(error.downcast_ref::<Ended>().unwrap().kind(), Error::Canceled);
    assert_eq!(Ended::find(&*error).unwrap().cause().to_string(), "signal 15");
}

#[test]
fn an_end_goes_by_question_mark_into_anyhow_and_back_below_a_note() {
    fn step(ctx: &Context) -> anyhow::Result<()> {
        use anyhow::Context as _;
        ctx.check().context("failed to copy rows")?;
        Ok(())
    }
    let (ctx, _cancel) = canceled_because("signal 15");
    let error = step(&ctx).unwrap_err();
    assert_eq!(format!("{error:#}"), "failed to copy rows: context canceled: signal 15");
    assert_eq!(Ended::find(error.as_ref()).unwrap().cause().to_string(), "signal 15");
}

#[test]
fn an_end_goes_by_question_mark_into_an_io_error_that_std_does_not_retry_and_back() {
    fn step(ctx: &Context) -> io::Result<()> {
        ctx.check()?;
        Ok(())
    }
    let (ctx, _cancel) = canceled_because("signal 15");
    let error = step(&ctx).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert_eq!(Ended::find(&error).unwrap().cause().to_string(), "signal 15");
    let (late, _cancel) = Context::background().with_timeout(std::time::Duration::ZERO);
    assert_eq!(step(&late).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn an_end_is_found_inside_errors_that_wrap_each_other() {
    let (ctx, _cancel) = canceled_because("signal 15");
    let inner = io::Error::from(ctx.check().unwrap_err());
    let outer = io::Error::other(inner);
    assert_eq!(Ended::find(&outer).unwrap().cause().to_string(), "signal 15");
    assert_eq!(Ended::find(&io::Error::from(Error::Canceled)).unwrap().kind(), Error::Canceled);
    assert!(Ended::find(&io::Error::other("disk on fire")).is_none());
    assert!(Ended::find(&io::Error::from(io::ErrorKind::TimedOut)).is_none());
}

#[test]
fn an_end_given_as_cause_keeps_its_own_cause() {
    let (ctx, _cancel) = canceled_because("signal 15");
    let (other, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(ctx.check().unwrap_err());
    assert_eq!(other.cause().unwrap().to_string(), "signal 15");
    let group = Group::new(&ctx);
    group.job(|ctx| Ok(ctx.check()?))();
    assert_eq!(group.wait().unwrap_err().to_string(), "signal 15");
}
