//! One instance's way to the store, and what befalls it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{ModelKey, Transition};
use circuits::{Change, Changes, Listing, Loaded, Place, Store, StoreError, Swap, Write};
use futures_util::future::{BoxFuture, FutureExt as _, pending};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Away, HEALING, Server, Weather};

/// One instance's way to the store.
pub struct Line {
    number: usize,
    server: Arc<Server>,
    feed: Changes,
    state: Mutex<LineState>,
}

struct LineState {
    is_dead: bool,
    away: Option<Away>,
    /// Counts what befell the connection, so that a connection that was made in vain is told.
    fate: u64,
    last_request: Instant,
    last_reply: Instant,
    /// From when on this instance must know what the store holds.
    trusted_from: Instant,
}

/// What becomes of one command.
struct Passage {
    arrives: Instant,
    is_lost: bool,
    reply_is_lost: bool,
    reply_delay: Duration,
}

impl Line {
    pub(super) fn new(number: usize, server: Arc<Server>) -> Self {
        let now = Instant::now();
        Self {
            number,
            server,
            feed: Changes::default(),
            state: Mutex::new(LineState {
                is_dead: false,
                away: None,
                fate: 0,
                last_request: now,
                last_reply: now,
                trusted_from: now,
            }),
        }
    }

    /// The instance dies: nothing of it arrives any more.
    pub fn die(self: &Arc<Self>) {
        self.state().is_dead = true;
        self.server.state().lines.retain(|line| !std::ptr::eq(line.as_ptr(), Arc::as_ptr(self)));
    }

    /// The connection is lost, or stops answering.
    pub fn lose(self: &Arc<Self>, how: Away) {
        let fate = {
            let mut state = self.state();
            state.away = Some(how);
            state.fate += 1;
            state.trusted_from = Instant::now() + HEALING;
            state.fate
        };
        let found = match how {
            Away::Silent => self.server.dice.millis(1_000..=2_000),
            _ => self.server.dice.millis(0..=2),
        };
        self.later(fate, found, |line| line.feed.tell(Change::Lost(unreachable())));
    }

    /// A connection can be made again; it takes a moment until it is tried.
    pub fn restore(self: &Arc<Self>) {
        let fate = {
            let mut state = self.state();
            state.fate += 1;
            state.fate
        };
        self.later(fate, self.server.dice.millis(100..=2_000), |line| {
            let mut state = line.state();
            state.away = None;
            state.trusted_from = Instant::now() + HEALING;
            drop(state);
            line.feed.tell(Change::Everything);
        });
    }

    fn later(self: &Arc<Self>, fate: u64, delay: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        let line = Arc::clone(self);
        tokio::spawn(async move {
            sleep(delay).await;
            if line.state().fate == fate {
                act(&line);
            }
        });
    }

    /// Whether this way is broken.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.state().away.is_some()
    }

    /// Whether nothing has happened to its messages that could keep the instance from knowing what the store holds,
    /// for so long.
    #[must_use]
    pub fn is_trusted(&self, length: Duration) -> bool {
        let from = {
            let state = self.state();
            if state.away.is_some() {
                return false;
            }
            state.trusted_from
        };
        from.max(self.server.fine_since()) + length <= Instant::now()
    }

    /// Lets the instance read everything again.
    pub fn read_again(&self) {
        self.feed.tell(Change::Everything);
    }

    pub(super) fn hear(&self, change: Change) {
        let state = self.state();
        if state.away.is_none() && !state.is_dead {
            drop(state);
            self.feed.tell(change);
        }
    }

    pub(super) fn distrust(&self, healing: Duration) {
        let mut state = self.state();
        state.trusted_from = state.trusted_from.max(Instant::now() + healing);
    }

    fn state(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passage(&self) -> Passage {
        let Weather { delay, lost_requests, lost_replies, .. } = self.server.state().weather.clone();
        let dice = &self.server.dice;
        let mut state = self.state();
        let arrives = state.last_request.max(Instant::now() + dice.millis(delay.clone()));
        state.last_request = arrives;
        Passage {
            arrives,
            is_lost: dice.happens(lost_requests),
            reply_is_lost: dice.happens(lost_replies),
            reply_delay: dice.millis(delay),
        }
    }

    /// Waits for ever, or fails, where the way is broken or the instance is dead.
    async fn pass(&self) -> Result<(), StoreError> {
        let obstacle = {
            let state = self.state();
            if state.is_dead { Some(Away::Silent) } else { state.away }
        };
        match obstacle {
            Some(Away::Silent) => pending().await,
            Some(Away::Refusing) => Err(unreachable()),
            Some(Away::ReadOnly) | None => Ok(()),
        }
    }

    async fn carry<'a, T>(
        &'a self,
        work: impl FnOnce(&'a Self) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.pass().await?;
        let passage = self.passage();
        until(passage.arrives).await;
        self.pass().await?;
        if passage.is_lost {
            self.distrust(HEALING);
            return pending().await;
        }
        let answer = work(self).await;
        if passage.reply_is_lost {
            self.distrust(HEALING);
            return pending().await;
        }
        let arrives = {
            let mut state = self.state();
            let arrives = state.last_reply.max(Instant::now() + passage.reply_delay);
            state.last_reply = arrives;
            arrives
        };
        until(arrives).await;
        self.pass().await?;
        answer
    }

    async fn swap(&self, key: &ModelKey, write: &Write) -> Result<Swap, StoreError> {
        if self.server.state().away == Some(Away::ReadOnly) {
            return Err(StoreError::Refused(
                "READONLY You can't write against a read only replica".to_owned(),
            ));
        }
        let swap = self.server.store.compare_and_set(key, write).await?;
        self.server.state().costs.swap(write, &swap);
        if let (Swap::Done { .. }, Some(watch)) = (&swap, &self.server.watch) {
            watch.written(self.number, key, write);
        }
        Ok(swap)
    }
}

/// A message that takes no time lets nothing else go first.
async fn until(arrives: Instant) {
    if arrives > Instant::now() {
        sleep_until(arrives).await;
    }
}

fn unreachable() -> StoreError {
    StoreError::Unreachable("the network is broken".to_owned())
}

impl Store for Line {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.carry(move |line| {
            async move {
                let loaded = line.server.store.load(key).await?;
                line.server.state().costs.load(&loaded);
                Ok(loaded)
            }
            .boxed()
        })
        .boxed()
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.carry(move |line| {
            async move {
                let listing = line.server.store.load_all(known, discover).await?;
                line.server.state().costs.listing(&listing.values, discover);
                Ok(listing)
            }
            .boxed()
        })
        .boxed()
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        self.carry(move |line| line.swap(key, write).boxed()).boxed()
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        self.carry(move |line| line.server.store.history(key, most)).boxed()
    }

    fn changes(&self) -> Changes {
        self.feed.clone()
    }

    fn place(&self) -> Place {
        Place { kind: "simulated", address: format!("line {}", self.number) }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("number", &self.number).finish_non_exhaustive()
    }
}
