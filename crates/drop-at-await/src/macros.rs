//! The macro that writes a test.

/// Writes a test that drops a future at every await and asserts that nothing is lost.
///
/// - `state` makes everything anew for each run.
/// - `future` is the future under test. A `retry` future is made again after it was dropped, as a `select!` in a loop
///   does.
/// - `peer`, which may be left out, acts while the future waits; it gets the number of its steps so far and returns
///   whether it took one. See [`Run::drive_beside`](crate::Run::drive_beside).
/// - `check` gets the [`Outcome`](crate::Outcome) and says what was lost: `()` or a `Result<(), E>`.
///
/// All four see the same variables. An `async fn` is checked inside a task: give it the attribute of its runtime,
/// such as `#[tokio::test]`.
///
/// ```
/// drop_at_await::cancel_safe! {
///     /// An item is received or still in the channel.
///     fn a_receive_keeps_the_item() {
///         state { let (sender, receiver) = async_channel::bounded(1); }
///         retry { receiver.recv() }
///         peer |step| { step == 0 && sender.try_send(7).is_ok() }
///         check |outcome| { if outcome.completed() == Some(Ok(7)) { Ok(()) } else { Err("the item") } }
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! cancel_safe {
    () => {};
    (
        $(#[$attribute:meta])*
        fn $name:ident() {
            state { $($state:tt)* }
            $how:ident { $future:expr }
            $(peer |$step:pat_param| $peer:block)?
            check |$outcome:pat_param| $check:block
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[test]
        fn $name() {
            let report = $crate::Checker::new().check(|run| {
                $($state)*
                let $outcome = $crate::cancel_safe!(@drive run, $how, $future, $(|$step| $peer)?);
                $check
            });
            report.assert_safe();
        }
        $crate::cancel_safe! { $($rest)* }
    };
    (
        $(#[$attribute:meta])*
        async fn $name:ident() {
            state { $($state:tt)* }
            $how:ident { $future:expr }
            $(peer |$step:pat_param| $peer:block)?
            check |$outcome:pat_param| $check:block
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        async fn $name() {
            let check = $crate::Checker::new().check_in_task(async |run| {
                $($state)*
                let $outcome = $crate::cancel_safe!(@drive run, $how, $future, $(|$step| $peer)?).await;
                $check
            });
            check.await.assert_safe();
        }
        $crate::cancel_safe! { $($rest)* }
    };
    (@drive $run:ident, future, $future:expr, ) => {
        $run.drive($future)
    };
    (@drive $run:ident, future, $future:expr, |$step:pat_param| $peer:block) => {
        $run.drive_beside($future, |$step: usize| $peer)
    };
    (@drive $run:ident, retry, $future:expr, ) => {
        $run.retry(async || $future.await, |_| false)
    };
    (@drive $run:ident, retry, $future:expr, |$step:pat_param| $peer:block) => {
        $run.retry(async || $future.await, |$step: usize| $peer)
    };
}
