//! Tasks on threads.
//!
//! | idea   | here                                                    |
//! | spawn  | `Scope::spawn`; the scope cannot end before its threads  |
//! | timer  | none: `ctx.wait` blocks until the deadline               |
//! | cancel | none: a thread that waits for its context hears of it    |

use std::thread;

use ctx::Context;

use super::census::{self, Alive};
use super::child::{Started, contexts};
use super::{Case, Way};

/// Spawns the threads, inside a thread that holds their scope.
pub(crate) fn start(case: &Case, root: &Context) -> Started {
    assert_eq!(case.way, Way::Listens, "a thread can only be asked");
    let (case, root) = (*case, root.clone());
    let scope = thread::spawn(move || listens(&case, &root));
    Started::keeping(scope)
}

fn listens(case: &Case, root: &Context) {
    thread::scope(|scope| {
        for (ctx, cancel) in contexts(case, root) {
            scope.spawn(move || {
                let alive = Alive::new();
                let error = ctx.wait();
                drop((alive, cancel));
                census::ended(error);
            });
        }
    });
}
