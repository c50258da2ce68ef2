//! Three instances on one Redis, and one beside them that knows none.

use std::time::Duration;

use serde_json::Value;
use simulator::{Behaviour, Simulator};
use testbed::{Proxy, RedisServer};
use tokio::time::{Instant, sleep};

use crate::{
    program::{ProgramOutput, TempDir},
    support::{ConfigFile, Instance},
};

/// A model that is well throughout: its circuit is closed.
pub(crate) const HEALTHY_MODEL: &str = "openai:steady";
/// A route whose first model falls sick, and whose second is well: it never need fail.
pub(crate) const ROUTE: &str = "chain";
/// The chain's first model.
pub(crate) const FAILING_MODEL: &str = "openai:sick";
/// A model that nobody calls but to see whether word of changes arrives.
const CANARY_MODEL: &str = "openai:canary";

/// Three failures trip however fast they come, and open periods are short enough that probes come and go.
const BREAKER_CONFIG: &str = "[breaker]\nmin_failure_span = '0ms'\nopen_duration = '400ms'\nmax_open_duration = '400ms'\nprobe_lease = '1s'\n\
    [retry]\nmax_attempts = 1\nmax_retry_after = '0s'\n\
    [providers.backup]\nkind = 'openai'\napi_key = 'backup-key'\nbase_url = '${BACKUP_URL}'\n\
    [routes.chain]\nmodels = ['openai:sick', 'backup:well']\n";

/// What has to happen soon, but is not measured here.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Far less than until a slow read, which would hide that word of changes does not come.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Tries that a bound of time has on a busy machine. The first that keeps it is the last.
const MAX_ATTEMPTS: usize = 10;

pub(crate) struct Fleet {
    pub(crate) redis: RedisServer,
    pub(crate) simulator: Simulator,
    pub(crate) instances: Vec<Instance>,
    /// It keeps its circuits for itself.
    pub(crate) control: Instance,
    config: ConfigFile,
    /// What a user sets to reach the Redis of the instances.
    url: String,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        Self::start_on(RedisServer::start().await).await
    }

    /// On this Redis.
    pub(crate) async fn start_on(redis: RedisServer) -> Self {
        let url = redis.url();
        Self::start_with(redis, url, &[&[], &[], &[]]).await
    }

    /// On a Redis behind this network.
    pub(crate) async fn start_behind(wire: &Proxy, redis: RedisServer) -> Self {
        Self::start_with(redis, format!("redis://127.0.0.1:{}", wire.port()), &[&[], &[], &[]]).await
    }

    /// On this Redis, reached by this address, each instance with variables of its own.
    pub(crate) async fn start_with(redis: RedisServer, url: String, variables: &[&[(&str, &str)]]) -> Self {
        Self::start_before(Simulator::start().await.unwrap(), redis, url, variables).await
    }

    /// The same, before this provider.
    pub(crate) async fn start_before(
        simulator: Simulator,
        redis: RedisServer,
        url: String,
        variables: &[&[(&str, &str)]],
    ) -> Self {
        let config = ConfigFile::new(BREAKER_CONFIG);
        let backup = simulator.openai_base_url();
        let common = [("SWITCHBOARD_CONFIG", config.path()), ("BACKUP_URL", backup.as_str())];
        let mut instances = Vec::new();
        for own in variables {
            let all = [common.as_slice(), own].concat();
            instances.push(Instance::start_with(Some(&url), &simulator, &all).await);
        }
        let control = Instance::start_with(Some("memory:"), &simulator, &common).await;
        Self { redis, simulator, instances, control, config, url }
    }

    /// One more instance, as after a restart.
    pub(crate) async fn start_another(&self) -> Instance {
        let backup = self.simulator.openai_base_url();
        let variables = [("SWITCHBOARD_CONFIG", self.config.path()), ("BACKUP_URL", backup.as_str())];
        Instance::start_with(Some(&self.url), &self.simulator, &variables).await
    }

    pub(crate) fn fail_model(&self) {
        self.simulator.script("sick", Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    }

    pub(crate) fn recover_model(&self) {
        self.simulator.script("sick", Behaviour::ok());
    }

    pub(crate) async fn wait_until_all_are(&self, state: &str) {
        for instance in &self.instances {
            instance.wait_until_store_is(state).await;
        }
    }

    /// Waits until every instance counts just so many open circuits, and none half-open.
    pub(crate) async fn wait_until_open(&self, circuits: u64) {
        for instance in &self.instances {
            let began = Instant::now();
            loop {
                let counts = instance.health().await["circuits"].clone();
                if counts["open"] == circuits && counts["halfOpen"] == 0 {
                    break;
                }
                assert!(began.elapsed() < WAIT_TIMEOUT, "{circuits} open circuits expected: {counts}");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// What a foreign hand writes reaches every instance in time; how long the last took.
    pub(crate) async fn assert_notified(&self) -> Duration {
        let mut shortest = Duration::MAX;
        for _ in 0..MAX_ATTEMPTS {
            shortest = shortest.min(self.notify_once().await);
            if shortest < NOTIFICATION_TIMEOUT {
                return shortest;
            }
        }
        panic!("word of a change took {shortest:?}");
    }

    async fn notify_once(&self) -> Duration {
        for instance in &self.instances {
            instance.call_until_refused(CANARY_MODEL, false).await;
        }
        self.redis.cli(&["SET", "circuit_breaker:openai:canary", r#"{"state":"OPEN"}"#]).await;
        let written = Instant::now();
        for instance in &self.instances {
            instance.call_until_refused(CANARY_MODEL, true).await;
        }
        let took = written.elapsed();
        self.redis.cli(&["DEL", "circuit_breaker:openai:canary"]).await;
        took
    }

    /// `switchboard doctor --json`, as a user of the instances would run it.
    pub(crate) async fn doctor(&self) -> ProgramOutput {
        self.run(&["doctor", "--json"]).await
    }

    /// The program with the environment of the instances.
    pub(crate) async fn run(&self, arguments: &[&str]) -> ProgramOutput {
        self.run_with(arguments, &[]).await
    }

    /// The same with these variables, too.
    pub(crate) async fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> ProgramOutput {
        let own = self.variables();
        let mut all: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend_from_slice(variables);
        TempDir::new().run(arguments, &all).await
    }

    /// What a user of the instances has set.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("REDIS_URL", self.url.clone()),
            ("SWITCHBOARD_CONFIG", self.config.path().to_owned()),
            ("OPENAI_API_KEY", "openai-key".to_owned()),
            ("BACKUP_URL", self.simulator.openai_base_url()),
        ]
    }

    /// The circuit as it stands in Redis, and its time there.
    pub(crate) async fn stored_circuit(&self, key: &str) -> (Value, u64) {
        let text = self.redis.cli(&["GET", &format!("circuit_breaker:{key}")]).await;
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        let time = self.redis.cli(&["TIME"]).await;
        let seconds: u64 = time.lines().next().unwrap().trim().parse().unwrap();
        (value, seconds * 1_000)
    }

    /// The circuits as `switchboard circuits list` shows them.
    pub(crate) async fn circuits(&self) -> Vec<Value> {
        let ended = self.run(&["circuits", "list", "--json"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.json().as_array().unwrap().clone()
    }

    /// A circuit's history, oldest first.
    pub(crate) async fn history(&self, key: &str) -> Vec<Value> {
        let ended = self.run(&["circuits", "history", key, "--json"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let mut entries = ended.json().as_array().unwrap().clone();
        entries.reverse();
        entries
    }
}
