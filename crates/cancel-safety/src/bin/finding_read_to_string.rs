//! `read_to_string` and `read_line` lose what they read, and `read_to_string` empties the string it was given.

use std::error::Error;

use futures::FutureExt;
use futures::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::io::{AsyncWriteExt, duplex};
use tokio_util::compat::TokioAsyncReadCompatExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (near, mut far) = duplex(64);
    let mut near = BufReader::new(near.compat());

    let mut text = "before, ".to_owned();
    far.write_all(b"half a line").await?;
    let read = near.read_line(&mut text).now_or_never();
    println!("`read_line` completed: {}, the string holds {text:?}", read.is_some());

    far.write_all(b", and the rest\n").await?;
    near.read_line(&mut text).await?;
    println!("called again, it holds {text:?}");

    let read = near.read_to_string(&mut text).now_or_never();
    println!("`read_to_string` completed: {}, the string holds {text:?}", read.is_some());
    Ok(())
}
