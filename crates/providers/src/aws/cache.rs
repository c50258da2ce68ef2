//! Credentials in use: fetched once, and again before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::chain;
use super::credentials::{Credentials, CredentialsError};
use super::settings::AwsSettings;

/// So long before the end new ones are fetched, while calls go on with the old ones.
const REFRESH_BEFORE: Duration = Duration::from_secs(10 * 60);

/// So long before the end they are no longer used: a request may be on its way for some time.
const EXPIRED_BEFORE: Duration = Duration::from_secs(30);

/// A failure to get credentials is the answer for so long, so that calls do not wait for it one by one. Nor are new ones asked
/// for more often: some services hand out the same until shortly before their end.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Credentials that were accepted once and are refused now are fetched again no more often than this.
const RENEW_INTERVAL: Duration = Duration::from_secs(10);

type Fetched = Result<Arc<Credentials>, CredentialsError>;
type Fetch = Shared<BoxFuture<'static, Fetched>>;

/// The credentials of one account.
#[derive(Clone)]
pub(crate) struct CredentialsCache {
    settings: Arc<AwsSettings>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Credentials>>,
    /// The one that is under way.
    fetch: Option<Fetch>,
    failure: Option<(Instant, CredentialsError)>,
    fetched_at: Option<Instant>,
}

impl CredentialsCache {
    pub(crate) fn new(settings: AwsSettings) -> Self {
        Self { settings: Arc::new(settings), state: Arc::default() }
    }

    /// The region that requests are signed for.
    pub(crate) fn region(&self) -> &str {
        &self.settings.region
    }

    /// The credentials for a request. It waits only while there are none that are valid; one fetch is made at a time, for all
    /// who wait, and it goes on if they leave.
    pub(crate) async fn get(&self) -> Fetched {
        let fetch = {
            let mut state = self.lock();
            let now = SystemTime::now();
            let valid = state.current.clone().filter(|current| current.is_valid_for(EXPIRED_BEFORE, now));
            match valid {
                Some(current) => {
                    if !current.is_valid_for(REFRESH_BEFORE, now) && !state.is_fetched_recently() {
                        // In the background: the old ones are good for this call.
                        drop(self.fetch(&mut state));
                    }
                    return Ok(current);
                }
                None => match state.recent_failure() {
                    Some(error) => return Err(error),
                    None => self.fetch(&mut state),
                },
            }
        };
        fetch.await
    }

    /// The provider refuses these credentials: others are fetched for the next call, if they are not new.
    pub(crate) fn refused(&self, credentials: &Arc<Credentials>) {
        let mut state = self.lock();
        let is_current = state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, credentials));
        if is_current && state.fetched_at.is_some_and(|at| at.elapsed() >= RENEW_INTERVAL) {
            state.current = None;
        }
    }

    /// Starts a fetch, if none is under way. A task of its own, so that it outlives the call that needed it first.
    fn fetch(&self, state: &mut State) -> Fetch {
        if let Some(fetch) = &state.fetch {
            return fetch.clone();
        }
        let cache = self.clone();
        let task = tokio::spawn(async move {
            let result = match chain::load(&cache.settings).await {
                Ok(credentials) if !credentials.is_usable() => Err(CredentialsError::Unusable),
                result => result.map(Arc::new),
            };
            cache.store(&result);
            result
        });
        let cache = self.clone();
        let fetch = async move {
            match task.await {
                Ok(result) => result,
                // The runtime stops, or the fetch panicked.
                Err(_) => {
                    cache.lock().fetch = None;
                    Err(CredentialsError::NotFound { profile: String::new() })
                }
            }
        };
        let fetch = fetch.boxed().shared();
        state.fetch = Some(fetch.clone());
        fetch
    }

    fn store(&self, result: &Fetched) {
        let mut state = self.lock();
        state.fetch = None;
        match result {
            Ok(credentials) => {
                state.current = Some(Arc::clone(credentials));
                state.fetched_at = Some(Instant::now());
                state.failure = None;
            }
            Err(error) => state.failure = Some((Instant::now(), error.clone())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_fetched_recently(&self) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < RETRY_INTERVAL) || self.recent_failure().is_some()
    }

    fn recent_failure(&self) -> Option<CredentialsError> {
        let (at, error) = self.failure.as_ref()?;
        (at.elapsed() < RETRY_INTERVAL).then(|| error.clone())
    }
}

impl Credentials {
    /// Whether they are valid for at least so long.
    fn is_valid_for(&self, duration: Duration, now: SystemTime) -> bool {
        self.expires_at.is_none_or(|end| now + duration < end)
    }
}

impl fmt::Debug for CredentialsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsCache").field("settings", &self.settings).finish_non_exhaustive()
    }
}
