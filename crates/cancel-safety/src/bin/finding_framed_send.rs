//! A frame whose send was dropped is sent all the same.

use std::error::Error;

use futures::{FutureExt, SinkExt};
use tokio::io::{AsyncReadExt, duplex};
use tokio_util::codec::{Framed, LinesCodec};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (near, mut far) = duplex(4);
    let mut frames = Framed::new(near, LinesCodec::new());

    // Four bytes have room, the frame has eight: the send waits, and is dropped.
    let sent = frames.send("dropped").now_or_never();
    println!("the send of `dropped` completed: {}", sent.is_some());

    let sender = tokio::spawn(async move { frames.send("kept").await });
    let mut arrived = String::new();
    far.read_to_string(&mut arrived).await?;
    sender.await??;
    println!("arrived: {arrived:?}");
    Ok(())
}
