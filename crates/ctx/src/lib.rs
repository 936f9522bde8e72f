use std::{any::Any, fmt, sync::*, time::*, future::Future};
use event_listener::{Event, Listener};
#[derive(Clone, Copy, Debug, PartialEq, Eq)] pub enum Error { Canceled, DeadlineExceeded }
impl fmt::Display for Error { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(match self { Error::Canceled => "context canceled", _ => "context deadline exceeded" }) } }
impl std::error::Error for Error {}
#[derive(Clone, Debug)] pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);
impl Cause { pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> { self.0.downcast_ref() } }
#[derive(Clone)] pub struct Context(Arc<Node>);
struct Node { parent: Option<Context>, deadline: Option<Instant>, state: Mutex<Option<(Error, Cause)>>, kids: Mutex<Vec<Weak<Node>>>, ev: Event, value: Option<Box<dyn Any + Send + Sync>> , transparent: bool }
pub struct Cancel(Context);
impl fmt::Debug for Context { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("ctx") } }
impl fmt::Debug for Cancel { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("cancel") } }
impl Node { fn end(&self, e: Error, c: Cause) { { let mut s = self.state.lock().unwrap(); if s.is_some() { return } *s = Some((e, c.clone())); } self.ev.notify(usize::MAX); let kids = std::mem::take(&mut *self.kids.lock().unwrap()); for k in kids { if let Some(k) = k.upgrade() { k.end(e, c.clone()) } } } }
impl Context {
  fn child(&self, deadline: Option<Instant>, value: Option<Box<dyn Any + Send + Sync>>) -> Context { let d = match (self.0.deadline, deadline) { (Some(a), Some(b)) => Some(a.min(b)), (a, b) => a.or(b) }; let c = Context(Arc::new(Node { parent: Some(self.clone()), deadline: d, state: Mutex::new(None), kids: Mutex::default(), ev: Event::new(), transparent: value.is_some(), value })); { let s = self.0.state.lock().unwrap(); if let Some((e, k)) = &*s { c.0.end(*e, k.clone()); } else { let mut kids = self.0.kids.lock().unwrap(); kids.retain(|k| k.strong_count() > 0); kids.push(Arc::downgrade(&c.0)); } } c }
  pub fn background() -> Self { Context(Arc::new(Node { parent: None, deadline: None, state: Mutex::new(None), kids: Mutex::default(), ev: Event::new(), value: None, transparent: false })) }
  pub fn with_cancel(&self) -> (Context, Cancel) { let c = self.child(None, None); (c.clone(), Cancel(c)) }
  pub fn with_deadline(&self, d: Instant) -> (Context, Cancel) { let c = self.child(Some(d), None); (c.clone(), Cancel(c)) }
  pub fn with_timeout(&self, d: Duration) -> (Context, Cancel) { match Instant::now().checked_add(d) { Some(d) => self.with_deadline(d), None => self.with_cancel() } }
  pub fn with_value<T: Send + Sync + 'static>(&self, v: T) -> Context { self.child(None, Some(Box::new(v))) }
  pub fn value<T: 'static>(&self) -> Option<&T> { let mut n = Some(self); while let Some(c) = n { if let Some(v) = c.0.value.as_ref().and_then(|v| v.downcast_ref()) { return Some(v) } n = c.0.parent.as_ref(); } None }
  pub fn deadline(&self) -> Option<Instant> { self.0.deadline }
  pub fn err(&self) -> Option<Error> { if let Some((e, _)) = &*self.0.state.lock().unwrap() { return Some(*e) } if self.0.deadline.is_some_and(|d| d <= Instant::now()) { self.0.end(Error::DeadlineExceeded, Cause(Arc::new(Error::DeadlineExceeded))); return Some(Error::DeadlineExceeded) } None }
  pub fn cause(&self) -> Option<Cause> { self.err()?; self.0.state.lock().unwrap().as_ref().map(|s| s.1.clone()) }
  pub async fn done<S, F>(&self, sleep: S) -> Error where S: FnOnce(Instant) -> F, F: Future { let l = self.0.ev.listen(); if let Some(e) = self.err() { return e } match self.0.deadline { None => { l.await; } Some(d) => { futures_lite::future::or(l, async { sleep(d).await; }).await } } self.err().unwrap() }
  pub fn wait(&self) -> Error { loop { let l = self.0.ev.listen(); if let Some(e) = self.err() { return e } match self.0.deadline { Some(d) => { l.wait_deadline(d); } None => l.wait() } } }
  pub fn wait_until(&self, at: Instant) -> Option<Error> { loop { let l = self.0.ev.listen(); if let Some(e) = self.err() { return Some(e) } if Instant::now() >= at { return None } let d = self.0.deadline.map_or(at, |d| d.min(at)); l.wait_deadline(d); } }
  pub fn wait_timeout(&self, d: Duration) -> Option<Error> { self.wait_until(Instant::now() + d) }
}
impl Cancel { pub fn cancel(&self) { self.0.0.end(Error::Canceled, Cause(Arc::new(Error::Canceled))) } pub fn cancel_cause<E: std::error::Error + Send + Sync + 'static>(&self, e: E) { self.0.0.end(Error::Canceled, Cause(Arc::new(e))) } }
impl Drop for Cancel { fn drop(&mut self) { self.cancel() } }
