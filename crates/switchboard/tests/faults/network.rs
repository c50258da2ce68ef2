//! What breaks between the instances and Redis.

use std::time::Duration;

use testbed::{Proxy, RedisServer};
use tokio::time::sleep;

use crate::{fleet::Fleet, trial::Trial};

async fn begin_trial(fault: &'static str) -> (Proxy, Trial) {
    let redis = RedisServer::start().await;
    let wire = Proxy::to_port(redis.port()).await;
    let fleet = Fleet::start_behind(&wire, redis).await;
    (wire, Trial::begin(fault, fleet).await)
}

/// Connections that look alive and are dead, found by keep-alives alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open() {
    let (wire, mut trial) = begin_trial("connections to Redis half-open").await;
    trial.begin_fault();
    wire.blackhole();
    trial.wait_until_degraded("the store did not answer").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("server", "there is no response within 3 s").await;
    // What was sent into the silence never arrives: the other end has gone.
    wire.reset_connections();
    wire.restore().await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused() {
    let (wire, mut trial) = begin_trial("connections to Redis refused").await;
    trial.begin_fault();
    wire.refuse_connections().await;
    trial.wait_until_degraded("no connection to the store").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("port", "cannot connect to port").await;
    sleep(Duration::from_secs(1)).await;
    wire.restore().await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

/// Each loss is said once, and each return.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_and_reset_again_and_again() {
    let (wire, mut trial) = begin_trial("connections to Redis cut or reset every 300 ms").await;
    trial.begin_fault();
    for end in [
        Proxy::close_connections,
        Proxy::reset_connections,
        Proxy::close_connections,
        Proxy::reset_connections,
        Proxy::close_connections,
    ] {
        end(&wire);
        sleep(Duration::from_millis(300)).await;
    }
    trial.end_fault();
    trial.assert_recovered(5).await;
}

/// Far too slow to be waited for, though everything is answered in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow() {
    let (wire, mut trial) = begin_trial("Redis answers after 120 ms").await;
    trial.begin_fault();
    wire.delay(Duration::from_millis(60));
    trial.wait_until_degraded("the store did not answer within 80 ms").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("server", "but responses take").await;
    sleep(Duration::from_secs(1)).await;
    wire.restore().await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

/// Slow, but not too slow: nothing is degraded, and nobody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_little_slow() {
    let (wire, mut trial) = begin_trial("Redis answers after 20 ms").await;
    trial.begin_fault();
    wire.delay(Duration::from_millis(10));
    trial.fleet.wait_until_open(1).await;
    sleep(Duration::from_secs(1)).await;
    wire.restore().await;
    trial.end_fault();
    trial.assert_recovered(0).await;
}

/// Writes that were done and whose answers are lost are not done again (B11).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_lost() {
    let (wire, mut trial) = begin_trial("Redis' answers lost, then the connections").await;
    trial.begin_fault();
    wire.block_responses();
    trial.wait_until_degraded("").await;
    trial.wait_until_each_has_opened().await;
    wire.reset_connections();
    wire.restore().await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}
