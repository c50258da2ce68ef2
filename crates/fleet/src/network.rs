//! One Redis, and each instance's way to it.
//!
//! What the store does is [`circuits::MemoryStore`]'s; here is what lies in between. A message takes its time or is lost;
//! a lost reply leaves the write done. Commands and their answers keep their order, as they do on one connection.

use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use breaker::{ModelKey, Transition};
use circuits::{
    Change, Changes, Listing, Loaded, MemoryStore, Place, Store, StoreError, Swap, Value, WallClock as _,
    Write,
};
use futures_util::future::{BoxFuture, FutureExt as _, pending};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    costs::Costs,
    dice::{Dice, VirtualClock},
};

/// What messages meet with. Times are ms.
#[derive(Debug, Clone, PartialEq)]
pub struct Weather {
    /// How long a command, its answer or a push is under way.
    pub delay: RangeInclusive<u64>,
    /// This share of commands never arrives.
    pub lost_requests: f64,
    /// This share of answers never arrives: what was asked for is done.
    pub lost_replies: f64,
    /// This share of pushes never arrives.
    pub lost_pushes: f64,
}

impl Weather {
    /// A network in which nothing is lost, and a message takes up to 2 ms.
    #[must_use]
    pub const fn fine() -> Self {
        Self { delay: 0..=2, lost_requests: 0.0, lost_replies: 0.0, lost_pushes: 0.0 }
    }

    fn is_fine(&self) -> bool {
        *self.delay.end() <= 5 && self.lost_requests + self.lost_replies + self.lost_pushes <= f64::EPSILON
    }
}

/// How Redis, or the way to it, is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// Connections are closed and refused.
    Refusing,
    /// Nothing is answered; it is found out by a sign of life that does not come.
    Silent,
    /// It is there, and refuses writes: it is full, or a replica.
    ReadOnly,
}

/// Sees every write that was done, in the step that does it.
pub trait Watch: Send + Sync {
    /// This instance's write was done.
    fn written(&self, by: usize, key: &ModelKey, write: &Write);
}

/// The one Redis of a fleet.
pub struct Server {
    store: MemoryStore,
    clock: VirtualClock,
    dice: Arc<Dice>,
    watch: Option<Arc<dyn Watch>>,
    state: Mutex<ServerState>,
}

struct ServerState {
    weather: Weather,
    away: Option<Away>,
    costs: Costs,
    /// Of the living instances.
    lines: Vec<Weak<Line>>,
    /// Since when messages have met with nothing that could keep an instance from knowing.
    fine_since: Instant,
}

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

/// What a lost message, or one that was late, may cost: the store is found away, tried again and told all. A full read
/// without an answer is given up after 5 s, and tried again.
const HEALING: Duration = Duration::from_millis(5_500);

/// What a missed push may cost: one slow read and a little.
const SLOW_HEALING: Duration = Duration::from_secs(20);

impl Server {
    /// An empty Redis, by this clock.
    #[must_use]
    pub fn start(clock: &VirtualClock, dice: &Dice, watch: Option<Arc<dyn Watch>>) -> Arc<Self> {
        let server = Arc::new(Self {
            store: MemoryStore::with_clock(Arc::new(clock.clone())),
            clock: clock.clone(),
            dice: dice.fork(),
            watch,
            state: Mutex::new(ServerState {
                weather: Weather::fine(),
                away: None,
                costs: Costs::default(),
                lines: Vec::new(),
                fine_since: Instant::now(),
            }),
        });
        tokio::spawn(Arc::clone(&server).push_all(server.store.changes()));
        server
    }

    /// A new instance's connection.
    #[must_use]
    pub fn connect(self: &Arc<Self>, number: usize) -> Arc<Line> {
        let now = Instant::now();
        let line = Arc::new(Line {
            number,
            server: Arc::clone(self),
            feed: Changes::default(),
            state: Mutex::new(LineState {
                is_dead: false,
                away: None,
                fate: 0,
                last_request: now,
                last_reply: now,
                trusted_from: now,
            }),
        });
        self.state().lines.push(Arc::downgrade(&line));
        match self.state().away {
            Some(Away::Refusing | Away::Silent) => line.lose(Away::Refusing),
            _ => line.feed.tell(Change::Everything),
        }
        line
    }

    /// The store itself, for who looks at it or writes to it without a network in between.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Changes what messages meet with.
    pub fn set_weather(&self, weather: Weather) {
        let mut state = self.state();
        state.weather = weather;
        state.fine_since = Instant::now() + HEALING;
    }

    /// Goes away for all, or comes back (`None`).
    pub fn set_away(&self, away: Option<Away>) {
        let lines = {
            let mut state = self.state();
            state.fine_since = Instant::now() + HEALING;
            state.away = away;
            state.lines.clone()
        };
        for line in lines.iter().filter_map(Weak::upgrade) {
            match away {
                Some(Away::ReadOnly) => {}
                Some(how) => line.lose(how),
                None => line.restore(),
            }
        }
    }

    /// Whether the store answers, and writes.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state().away.is_none()
    }

    /// Since when messages have met with nothing that could keep an instance from knowing.
    #[must_use]
    pub fn fine_since(&self) -> Instant {
        let state = self.state();
        if state.away.is_some() || !state.weather.is_fine() {
            return Instant::now() + HEALING;
        }
        state.fine_since
    }

    /// What it has cost so far.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.state().costs
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn push_all(self: Arc<Self>, changes: Changes) {
        loop {
            let change = changes.next().await;
            self.push(&change);
        }
    }

    /// Sends word of a change on all lines. Those that arrive in the same millisecond are sent together.
    fn push(&self, change: &Change) {
        let mut arrivals: Vec<(u64, Vec<Arc<Line>>)> = Vec::new();
        {
            let mut state = self.state();
            let ServerState { weather, lines, costs, .. } = &mut *state;
            for line in lines.iter().filter_map(Weak::upgrade) {
                if let Change::Key(key) = change {
                    costs.push(key.as_str());
                }
                if self.dice.happens(weather.lost_pushes) {
                    line.distrust(SLOW_HEALING);
                    continue;
                }
                let delay = self.dice.number(weather.delay.clone());
                match arrivals.iter_mut().find(|(at, _)| *at == delay) {
                    Some((_, lines)) => lines.push(line),
                    None => arrivals.push((delay, vec![line])),
                }
            }
        }
        for (delay, lines) in arrivals {
            let change = change.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                lines.iter().for_each(|line| line.hear(change.clone()));
            });
        }
    }
}

/// What becomes of one command.
struct Passage {
    arrives: Instant,
    is_lost: bool,
    reply_is_lost: bool,
    reply_delay: Duration,
}

impl Line {
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

    fn hear(&self, change: Change) {
        let state = self.state();
        if state.away.is_none() && !state.is_dead {
            drop(state);
            self.feed.tell(change);
        }
    }

    fn distrust(&self, healing: Duration) {
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

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}

/// The text under a key, as it stands in the store.
#[must_use]
pub fn stored(server: &Server, key: &ModelKey) -> Value {
    server.store.get(key).map_or(Value::Absent, Value::Text)
}
