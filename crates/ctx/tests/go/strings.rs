//! Debug strings.

use std::time::Duration;

use ctx::{Context, ManualClock};

#[test]
fn c102_debug_strings_show_the_layers_and_never_a_payload() {
    struct Password(#[expect(dead_code, reason = "nobody may read it: that is the point")] &'static str);
    let clock = ManualClock::new();
    let root = Context::background().with_value(Password("hunter2"));
    let (timed, _t) = clock.attach(&root).with_timeout(Duration::from_millis(1500));
    let (ctx, _c) = timed.with_cancel();
    let text = format!("{:?}", ctx.without_cancel());
    let shown = text.replace(std::any::type_name::<Password>(), "Password");
    assert_eq!(
        shown,
        "context.Background.WithValue(Password).WithClock.WithDeadline([1.5s]).WithCancel.WithoutCancel"
    );
    clock.advance(Duration::from_secs(2));
    assert!(format!("{timed:?}").ends_with(".WithDeadline([-500ms])"));
}
