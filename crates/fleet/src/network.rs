//! One Redis, and each instance's way to it.
//!
//! What the store does is [`circuits::MemoryStore`]'s; here is what lies in between. A message takes its time or is lost;
//! a lost reply leaves the write done. Commands and their answers keep their order, as they do on one connection.

mod line;

use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use breaker::ModelKey;
use circuits::{Change, Changes, MemoryStore, Store as _, Value, WallClock as _, Write};
use tokio::time::{Instant, sleep};

pub use line::Line;

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
        let line = Arc::new(Line::new(number, Arc::clone(self)));
        self.state().lines.push(Arc::downgrade(&line));
        match self.state().away {
            Some(Away::Refusing | Away::Silent) => line.lose(Away::Refusing),
            _ => line.read_again(),
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
