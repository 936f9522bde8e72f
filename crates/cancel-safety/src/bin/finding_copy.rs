//! Bytes that `copy` has read and not yet written are lost when it is dropped; a number that `write_u64` has begun is
//! sent twice.

use std::error::Error;

use futures::FutureExt;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt, duplex};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let ((mut source, mut reader), (mut writer, mut sink)) = (duplex(64), duplex(4));
    source.write_all(b"0123456789").await?;
    let copied = io::copy(&mut reader, &mut writer).now_or_never();
    println!("`copy` completed: {}", copied.is_some());
    // The next call goes on behind what the first one has read.
    source.write_all(b"abc").await?;
    drop(source);
    let copier = tokio::spawn(async move { io::copy(&mut reader, &mut writer).await });
    let mut arrived = String::new();
    sink.read_to_string(&mut arrived).await?;
    copier.await??;
    println!("arrived: {arrived:?}");

    let (mut writer, mut sink) = duplex(4);
    let written = writer.write_u64(0x0123_4567_89ab_cdef).now_or_never();
    println!("`write_u64` completed: {}", written.is_some());
    let again = tokio::spawn(async move { writer.write_u64(0x0123_4567_89ab_cdef).await });
    let mut arrived = Vec::new();
    sink.read_to_end(&mut arrived).await?;
    again.await??;
    println!("arrived: {arrived:02x?}");
    Ok(())
}
