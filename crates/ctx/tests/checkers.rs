//! The leak check names work that outlived its context, and nothing else.

use std::thread;
use std::time::Duration;

use ctx::Context;
use ctx::testing::{LeakCheck, guard};

#[test]
fn work_that_outlives_its_context_is_named() {
    let leaks = LeakCheck::new();
    let (ctx, cancel) = leaks.attach(&Context::background()).with_cancel();
    let (other, _o) = leaks.attach(&Context::background()).with_cancel();
    let _fine = guard(&other, "still wanted");
    let stray = guard(&ctx, "copy rows");
    cancel.cancel();
    let outlived = leaks.outlived();
    assert_eq!(outlived.iter().map(|leak| leak.site).collect::<Vec<_>>(), ["copy rows"]);
    assert!(outlived[0].location.file().ends_with("checkers.rs"));
    assert!(leaks.settle(Duration::ZERO).is_err());
    thread::scope(|scope| {
        scope.spawn(move || drop(stray));
        leaks.assert_none();
    });
    assert_eq!(leaks.running(), 1);
}

#[test]
fn leak_checks_do_not_see_each_other() {
    let (mine, yours) = (LeakCheck::new(), LeakCheck::new());
    let (ctx, cancel) = mine.attach(&Context::background()).with_cancel();
    let _work = guard(&ctx, "mine");
    let _unchecked = guard(&Context::background(), "nobody's");
    cancel.cancel();
    assert_eq!((mine.outlived().len(), yours.outlived().len()), (1, 0));
}
