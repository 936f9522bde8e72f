//! The world of one run: its tasks, clients, ticks and time, and the seed's choices among what can happen next.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Polled, Poll, Waker};
use std::time::{Duration, Instant};

use ctx::{Cancel, Context, ManualClock};
use fastrand::Rng;

use crate::client::Client;
use crate::executor::Task;
use crate::fault::Fault;
use crate::permits::Permits;
use crate::server::{self, Id};
use crate::socket::Socket;
use crate::ticks::Ticks;
use crate::trace::Trace;
use crate::verdict::{Ends, Run, Violation};

/// More steps than any run takes that ends.
const MOST_STEPS: usize = 20_000;

/// The state that the tasks of a run share.
pub(crate) struct World {
    pub(crate) fault: Option<Fault>,
    /// The server's context, the parent of every connection's.
    pub(crate) base: Context,
    pub(crate) permits: Permits,
    /// The request that was seen last; only a fault relies on it.
    pub(crate) seen: Cell<u32>,
    /// Contexts that are kept for ever; only a fault does that.
    pub(crate) kept: RefCell<Vec<Context>>,
    clock: ManualClock,
    stop: RefCell<Option<Cancel>>,
    ticks: Ticks,
    timers: RefCell<Vec<(Instant, Waker)>>,
    spawned: RefCell<Vec<Task>>,
    /// The contexts of work under way, each with the number of its request.
    working: RefCell<Vec<Option<(Context, u32)>>>,
    callbacks: RefCell<Vec<Callback>>,
    ends: Cell<Ends>,
    violation: RefCell<Option<Violation>>,
}

struct Callback {
    id: u32,
    ran: Arc<AtomicUsize>,
    stopped: Rc<Cell<bool>>,
}

/// Says that work is under way until this is dropped.
pub(crate) struct Guard<'a> {
    world: &'a World,
    place: usize,
}

impl World {
    fn new(fault: Option<Fault>) -> Rc<Self> {
        let clock = ManualClock::new();
        let (base, stop) = clock.attach(&Context::background()).with_cancel();
        Rc::new(Self {
            fault,
            base,
            permits: Permits::new(fault == Some(Fault::LostPermit)),
            seen: Cell::new(0),
            kept: RefCell::default(),
            clock,
            stop: RefCell::new(Some(stop)),
            ticks: Ticks::default(),
            timers: RefCell::default(),
            spawned: RefCell::default(),
            working: RefCell::default(),
            callbacks: RefCell::default(),
            ends: Cell::default(),
            violation: RefCell::default(),
        })
    }

    pub(crate) fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Task::new(name, Box::pin(future)));
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.borrow().is_none()
    }

    /// Waits for a tick.
    pub(crate) async fn tick(&self) {
        let waiting = self.ticks.wait(self.fault == Some(Fault::StaleWaker));
        poll_fn(|cx| waiting.poll(cx)).await;
    }

    /// Waits until the clock shows `at`.
    pub(crate) async fn sleep(&self, at: Instant) {
        let early =
            if self.fault == Some(Fault::EarlyTimer) { Duration::from_millis(1) } else { Duration::ZERO };
        let at = at - early;
        poll_fn(|cx: &mut Polled<'_>| {
            if self.clock.now() >= at {
                return Poll::Ready(());
            }
            self.timers.borrow_mut().push((at, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Notes that work is under way for `ctx`.
    pub(crate) fn guard(&self, ctx: &Context) -> Guard<'_> {
        let id = ctx.value().map_or(0, |Id(id)| *id);
        let mut working = self.working.borrow_mut();
        let place = working.iter().position(Option::is_none).unwrap_or(working.len());
        if place == working.len() {
            working.push(None);
        }
        working[place] = Some((ctx.clone(), id));
        Guard { world: self, place }
    }

    /// Notes a callback, and returns where to say that it was taken back.
    pub(crate) fn callback(&self, ctx: &Context, ran: Arc<AtomicUsize>) -> Rc<Cell<bool>> {
        let stopped = Rc::new(Cell::new(false));
        let id = ctx.value().map_or(0, |Id(id)| *id);
        self.callbacks.borrow_mut().push(Callback { id, ran, stopped: stopped.clone() });
        stopped
    }

    /// Counts a request as dropped until it is answered.
    pub(crate) fn begin(&self) {
        self.count(|ends| ends.dropped += 1);
    }

    fn count(&self, count: impl FnOnce(&mut Ends)) {
        let mut ends = self.ends.get();
        count(&mut ends);
        self.ends.set(ends);
    }

    /// Judges the status of an answer by the clock.
    pub(crate) fn judge(&self, id: u32, ctx: &Context, status: u16) {
        self.count(|ends| {
            ends.dropped -= 1;
            *match status {
                200 => &mut ends.succeeded,
                408 | 504 => &mut ends.timed_out,
                503 => &mut ends.stopped,
                _ => &mut ends.failed,
            } += 1;
        });
        let over = ctx.deadline().is_some_and(|deadline| deadline <= self.clock.now());
        match status {
            200 | 502 if over => self.broken(Violation::LateSuccess(id)),
            504 | 408 if !over => self.broken(Violation::EarlyTimeout(id)),
            503 if !self.is_stopped() => self.broken(Violation::NeverStopped(id)),
            _ => {}
        }
        if ctx.value().is_none_or(|Id(own)| *own != id) {
            self.broken(Violation::WrongValue(id));
        }
    }

    fn broken(&self, violation: Violation) {
        self.violation.borrow_mut().get_or_insert(violation);
    }

    /// Moves the clock by `by`, and wakes what is due.
    fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let now = self.clock.now();
        let due: Vec<_> = self.timers.borrow_mut().extract_if(.., |(at, _)| *at <= now).collect();
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Returns how long it is until something is due.
    fn until_next(&self) -> Option<Duration> {
        let timers = self.timers.borrow();
        let next = timers.iter().map(|(at, _)| *at).chain(self.clock.next_deadline()).min();
        next.map(|at| at.saturating_duration_since(self.clock.now()))
    }

    /// Checks what holds whenever no task can go on by itself.
    fn check_at_rest(&self, tasks: &[Task]) {
        if self.ticks.has_unheard() {
            self.broken(Violation::LostWake);
        }
        if tasks.is_empty() && self.base.descendants() > 0 {
            self.broken(Violation::ContextsAtRest(self.base.descendants()));
        }
        for (ctx, id) in self.working.borrow().iter().flatten() {
            if ctx.err().is_some() {
                self.broken(Violation::WorkGoesOn(*id));
            }
        }
    }

    /// Checks what holds when nothing is left to happen.
    fn check_at_end(&self, tasks: &[Task], clients: &[Client]) {
        if let Some(task) = tasks.first() {
            self.broken(Violation::WaitsForEver(task.name));
        }
        for client in clients {
            client.finish(self.is_stopped()).unwrap_or_else(|violation| self.broken(violation));
        }
        if self.permits.free() != Permits::ALL {
            self.broken(Violation::PermitsFree(self.permits.free()));
        }
        let (waiters, registered) = (self.base.waiters(), self.base.registered());
        let descendants = self.base.descendants();
        if waiters + registered + descendants > 0 {
            self.broken(Violation::ContextLeft(waiters, registered, descendants));
        }
        for callback in self.callbacks.borrow().iter() {
            let (ran, stopped) = (callback.ran.load(Ordering::Relaxed), callback.stopped.get());
            if ran + usize::from(stopped) != 1 {
                self.broken(Violation::Callback(callback.id, ran, stopped));
            }
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.world.working.borrow_mut()[self.place] = None;
    }
}

/// Something other than a poll that can happen next.
#[derive(Clone, Copy)]
enum Event {
    Send(usize),
    End(usize),
    Take(usize),
    Tick(usize),
    Time,
    Stop,
}

/// The state of one run that only its schedule sees.
struct Schedule {
    rng: Rng,
    world: Rc<World>,
    tasks: Vec<Task>,
    clients: Vec<Client>,
    may_stop: bool,
    trace: Trace,
    // Kept between steps, so that a step allocates nothing.
    ready: Vec<usize>,
    events: Vec<Event>,
}

/// Runs a seed to its end, with or without a fault, and keeps its steps as lines if told so.
#[must_use]
pub fn run(seed: u64, fault: Option<Fault>, keep_lines: bool) -> Run {
    let mut rng = Rng::with_seed(seed);
    let world = World::new(fault);
    let half_close = rng.bool();
    let clients: Vec<Client> =
        (0..rng.u32(1..=4)).map(|client| Client::new(&mut rng, 10 * client + 1, half_close)).collect();
    for client in &clients {
        let socket = Socket { wire: client.wire.clone(), fault };
        world.spawn("connection", server::connection(world.clone(), socket, half_close));
    }
    let may_stop = rng.u8(..4) == 0;
    let mut schedule = Schedule {
        rng,
        world,
        tasks: Vec::new(),
        clients,
        may_stop,
        trace: Trace::new(keep_lines),
        ready: Vec::new(),
        events: Vec::new(),
    };
    while schedule.step() {}
    schedule.finish(seed)
}

impl Schedule {
    /// Takes a step, and reports whether another one can follow.
    fn step(&mut self) -> bool {
        self.tasks.append(&mut self.world.spawned.borrow_mut());
        self.ready.clear();
        self.ready.extend((0..self.tasks.len()).filter(|task| self.tasks[*task].is_ready()));
        if self.ready.is_empty() {
            self.world.check_at_rest(&self.tasks);
        }
        self.list_events();
        if self.world.violation.borrow().is_some() {
            return false;
        }
        if self.trace.steps() >= MOST_STEPS {
            self.world.broken(Violation::DoesNotEnd);
            return false;
        }
        let choice = self.rng.u8(..);
        if !self.ready.is_empty() && (self.events.is_empty() || choice < 150) {
            let task = self.ready[self.rng.usize(..self.ready.len())];
            self.poll("poll", task);
        } else if self.events.is_empty() {
            return false;
        } else if choice > 245 && !self.tasks.is_empty() {
            let task = self.rng.usize(..self.tasks.len());
            self.poll("poll unasked", task);
        } else {
            let event = self.events[self.rng.usize(..self.events.len())];
            self.happen(event);
        }
        true
    }

    fn list_events(&mut self) {
        let events = &mut self.events;
        events.clear();
        for (number, client) in self.clients.iter().enumerate() {
            events.extend(client.can_send().then_some(Event::Send(number)));
            events.extend(client.can_end().then_some(Event::End(number)));
            events.extend(client.can_take().then_some(Event::Take(number)));
        }
        events.extend((0..self.world.ticks.waiters()).map(Event::Tick));
        events.extend(self.world.until_next().map(|_| Event::Time));
        events.extend(self.may_stop.then_some(Event::Stop));
    }

    fn poll(&mut self, kind: &'static str, task: usize) {
        self.trace.step(kind, task);
        self.trace.remark(self.tasks[task].name);
        if self.tasks[task].poll() {
            // The others keep their order, so that a number in the trace stays comparable.
            drop(self.tasks.remove(task));
        }
    }

    fn happen(&mut self, event: Event) {
        let most = if self.rng.bool() { self.rng.usize(1..=16) } else { usize::MAX >> 1 };
        match event {
            Event::Send(client) => {
                self.trace.step("send", client);
                self.clients[client].send(most);
            }
            Event::End(client) => {
                self.trace.step("end", client);
                self.clients[client].end();
            }
            Event::Take(client) => {
                self.trace.step("take", client);
                let taken = self.clients[client].take(most);
                taken.unwrap_or_else(|violation| self.world.broken(violation));
            }
            Event::Tick(place) => {
                self.trace.step("tick", place);
                self.world.ticks.tick(place);
            }
            Event::Time => self.pass_time(),
            Event::Stop => {
                self.trace.step("stop", 0);
                self.may_stop = false;
                let stop = self.world.stop.take();
                drop(stop);
            }
        }
    }

    /// Moves the clock to what is due next, or a little.
    fn pass_time(&mut self) {
        let next = self.world.until_next().unwrap_or_default();
        let by = if self.rng.bool() { next } else { next.min(Duration::from_millis(self.rng.u64(..3))) };
        self.trace.step("time", usize::try_from(by.as_micros()).unwrap_or(usize::MAX));
        self.world.advance(by);
    }

    fn finish(self, seed: u64) -> Run {
        let Self { world, tasks, clients, trace, .. } = self;
        if world.violation.borrow().is_none() {
            world.check_at_end(&tasks, &clients);
        }
        // What is left refers to the world, and the world to what was spawned last.
        drop(tasks);
        world.spawned.take();
        world.kept.take();
        let (violation, ends) = (world.violation.take(), world.ends.get());
        Run { seed, steps: trace.steps(), hash: trace.hash(), ends, violation, lines: trace.into_lines() }
    }
}
