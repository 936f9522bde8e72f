//! A link with delay and loss: two network devices in user space, and a relay between them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::{DeviceBuilder, SyncDevice};

/// The largest packet of a device.
const PACKET: usize = 2048;
/// From one look at the end of a link to the next.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The quality of a link, the same in both directions.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// From one end to the other.
    pub delay: Duration,
    /// The share of packets that are lost, 0 to 1.
    pub loss: f64,
    /// Chooses which.
    pub seed: u64,
}

/// The relay of a link; its threads end when it is dropped, and the devices go with them.
#[derive(Debug)]
pub(super) struct Relay(Arc<AtomicBool>);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens a device in the network namespace of this thread.
pub(super) fn device(name: &str, address: Ipv4Addr) -> std::io::Result<SyncDevice> {
    let device = DeviceBuilder::new().name(name).ipv4(address, 30, None).build_sync()?;
    device.set_nonblocking(true)?;
    Ok(device)
}

/// Relays packets between two devices, late and not all of them.
pub(super) fn relay(near: SyncDevice, far: SyncDevice, quality: Quality) -> std::io::Result<Relay> {
    let (near, far) = (Arc::new(near), Arc::new(far));
    let stop = Arc::new(AtomicBool::new(false));
    for (number, (from, to)) in [(&near, &far), (&far, &near)].into_iter().enumerate() {
        let (from, to, stop) = (Arc::clone(from), Arc::clone(to), Arc::clone(&stop));
        let (send, due) = mpsc::channel();
        let lost = fastrand::Rng::with_seed(quality.seed.wrapping_add(number as u64));
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        named("link in").spawn(move || take(&from, &stop, quality, lost, &send))?;
        named("link out").spawn(move || give(&to, &due))?;
    }
    Ok(Relay(stop))
}

/// A packet, and when it arrives at the other end.
type Due = (Instant, Vec<u8>);

/// Takes packets from a device until the link ends.
fn take(from: &SyncDevice, stop: &AtomicBool, quality: Quality, mut lost: fastrand::Rng, send: &Sender<Due>) {
    let mut packet = [0; PACKET];
    while !stop.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(from, PollFlags::IN)];
        if poll(&mut ready, Some(&LOOK)).is_err() {
            continue;
        }
        while let Ok(length) = from.recv(&mut packet) {
            if lost.f64() >= quality.loss
                && send.send((Instant::now() + quality.delay, packet[..length].to_vec())).is_err()
            {
                return;
            }
        }
    }
}

/// Gives packets to a device, each when it is due; the delay is the same for all, so they are in order.
fn give(to: &SyncDevice, due: &Receiver<Due>) {
    while let Ok((at, packet)) = due.recv() {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        // A device that takes no more has lost a packet, as links do.
        let _ = to.send(&packet);
    }
}
