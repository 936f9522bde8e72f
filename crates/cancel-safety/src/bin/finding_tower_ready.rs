//! A place goes to a clone of the service whose `ready` was dropped.

use std::convert::Infallible;
use std::error::Error;

use futures::FutureExt;
use tower::limit::ConcurrencyLimit;
use tower::{Service, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let inner = service_fn(async |()| Ok::<_, Infallible>(()));
    let mut busy = ConcurrencyLimit::new(inner, 1);
    let (mut first, mut second) = (busy.clone(), busy.clone());

    // The only place is taken; the first clone waits for it, and gives up.
    let request = busy.ready().await?.call(());
    println!("the first clone is ready: {}", first.ready().now_or_never().is_some());
    // The request ends, so the place is free.
    request.await?;
    println!("the second clone is ready: {}", second.ready().now_or_never().is_some());
    drop(first);
    println!("when the first clone is dropped too: {}", second.ready().now_or_never().is_some());
    Ok(())
}
