//! An item of the stream is lost when `send_all` is dropped.

use futures::channel::mpsc;
use futures::{FutureExt, SinkExt, StreamExt, stream};

fn main() {
    let (mut sender, receiver) = mpsc::channel(0);
    let mut items = stream::iter(0..4).map(Ok);

    // The channel has room for one item. `send_all` has taken the next one, waits, and is dropped.
    let sent = sender.send_all(&mut items).now_or_never();
    println!("`send_all` completed: {}", sent.is_some());
    println!(
        "left in the stream: {:?}",
        items.filter_map(async |item| item.ok()).collect::<Vec<u32>>().now_or_never()
    );
    drop(sender);
    println!("in the channel: {:?}", receiver.collect::<Vec<u32>>().now_or_never());
}
