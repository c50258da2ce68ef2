//! What breaks between the instances and Redis.

use std::time::Duration;

use testbed::{Proxy, RedisServer};
use tokio::time::sleep;

use crate::{fleet::Fleet, trial::Trial};

async fn begin(fault: &'static str) -> (Proxy, Trial) {
    let redis = RedisServer::start().await;
    let wire = Proxy::to(redis.port()).await;
    let fleet = Fleet::behind(&wire, redis).await;
    (wire, Trial::begin(fault, fleet).await)
}

/// Connections that look alive and are dead, found by keep-alives alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open() {
    let (wire, mut trial) = begin("connections to Redis half-open").await;
    trial.strikes();
    wire.fall_silent();
    trial.until_degraded("the store did not answer").await;
    trial.until_each_has_opened().await;
    trial.doctor_says("server", "nothing answers within 3 s").await;
    // What was sent into the silence never arrives: the other end has gone.
    wire.reset();
    wire.heal().await;
    trial.heals();
    trial.all_is_well(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused() {
    let (wire, mut trial) = begin("connections to Redis refused").await;
    trial.strikes();
    wire.refuse().await;
    trial.until_degraded("no connection to the store").await;
    trial.until_each_has_opened().await;
    trial.doctor_says("port", "nothing listens").await;
    sleep(Duration::from_secs(1)).await;
    wire.heal().await;
    trial.heals();
    trial.all_is_well(1).await;
}

/// Each loss is said once, and each return.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_and_reset_again_and_again() {
    let (wire, mut trial) = begin("connections to Redis cut or reset every 300 ms").await;
    trial.strikes();
    for end in [Proxy::cut, Proxy::reset, Proxy::cut, Proxy::reset, Proxy::cut] {
        end(&wire);
        sleep(Duration::from_millis(300)).await;
    }
    trial.heals();
    trial.all_is_well(5).await;
}

/// Far too slow to be waited for, though everything is answered in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow() {
    let (wire, mut trial) = begin("Redis answers after 120 ms").await;
    trial.strikes();
    wire.delay(Duration::from_millis(60));
    trial.until_degraded("the store did not answer within 80 ms").await;
    trial.until_each_has_opened().await;
    trial.doctor_says("server", "but its answers take").await;
    sleep(Duration::from_secs(1)).await;
    wire.heal().await;
    trial.heals();
    trial.all_is_well(1).await;
}

/// Slow, but not too slow: nothing is degraded, and nobody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_little_slow() {
    let (wire, mut trial) = begin("Redis answers after 20 ms").await;
    trial.strikes();
    wire.delay(Duration::from_millis(10));
    trial.fleet.until_open(1).await;
    sleep(Duration::from_secs(1)).await;
    wire.heal().await;
    trial.heals();
    trial.all_is_well(0).await;
}

/// Writes that were done and whose answers are lost are not done again (B11).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_lost() {
    let (wire, mut trial) = begin("Redis' answers lost, then the connections").await;
    trial.strikes();
    wire.hold_answers();
    trial.until_degraded("").await;
    trial.until_each_has_opened().await;
    wire.reset();
    wire.heal().await;
    trial.heals();
    trial.all_is_well(1).await;
}
