//! Redis dies, comes back, or stands still.

use std::time::Duration;

use testbed::RedisServer;
use tokio::time::sleep;

use crate::{fleet::Fleet, trial::Trial};

/// Redis is away for so long, longer than anything is waited for.
const OUTAGE_DURATION: Duration = Duration::from_millis(700);

async fn kill_and_restart(fault: &'static str, redis: RedisServer) {
    let mut trial = Trial::begin(fault, Fleet::start_on(redis).await).await;
    trial.begin_fault();
    trial.fleet.redis.kill();
    trial.wait_until_degraded("no connection to the store").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("port", "cannot connect to port").await;
    sleep(OUTAGE_DURATION).await;
    trial.fleet.redis.restart().await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_back_with_its_data() {
    let redis = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    kill_and_restart("kill -9 of Redis, back with its data", redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_back_empty() {
    kill_and_restart("kill -9 of Redis, back empty", RedisServer::start().await).await;
}

/// SIGSTOP: as long as `doctor` needs to find it, or as `SWITCHBOARD_TEST_PAUSE` says in seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stands_still() {
    let seconds = std::env::var("SWITCHBOARD_TEST_PAUSE").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(0));
    let mut trial = Trial::begin("SIGSTOP of Redis", Fleet::start().await).await;
    trial.begin_fault();
    trial.fleet.redis.pause();
    let found = async {
        trial.wait_until_degraded("the store did not answer").await;
        trial.wait_until_each_has_opened().await;
        trial.assert_doctor_finds("server", "there is no response within 3 s").await;
    };
    tokio::join!(sleep(length), found);
    trial.fleet.redis.resume();
    trial.end_fault();
    trial.assert_recovered(1).await;
}
