//! What goes wrong with one instance of three.

use std::{process::Command, time::Duration};

use serde_json::Value;
use simulator::{Fault, Simulator};
use testbed::{Proxy, RedisServer};
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{FAILING_MODEL, Fleet, HEALTHY_MODEL, ROUTE},
    load::{CallOrigin, Load},
    trial::{Trial, assert_is_consistent},
};

/// The lease of a probe, as the fleet has it, and what is waited beyond its end (B2).
const PROBE_LEASE: Duration = Duration::from_millis(1_200);

/// Longer than anything takes on a busy machine.
const MAX_MACHINE_DELAY: Duration = Duration::from_secs(2);

/// A prober killed with `kill -9` frees its place when its lease ends, while the others' traffic goes on (B3).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prober_killed() {
    let mut fleet = Fleet::start().await;
    for instance in &fleet.instances {
        assert_eq!(instance.chat(ROUTE).await.0, 200);
    }
    let load =
        Load::start(fleet.instances.iter().map(|one| (CallOrigin::Fleet, one)), &[HEALTHY_MODEL, ROUTE]);
    let began = Instant::now();
    sleep(Duration::from_millis(500)).await;
    fleet.fail_model();
    fleet.wait_until_open(1).await;
    fleet.simulator.script("sick", Fault::Hang);
    let prober = loop {
        let (circuit, _) = fleet.stored_circuit(FAILING_MODEL).await;
        if let Some(prober) = circuit["probe"][0]["instance"].as_str() {
            break prober.to_owned();
        }
    };
    let mut at = 0;
    while fleet.instances[at].health().await["instance"] != prober.as_str() {
        at += 1;
    }
    fleet.instances.remove(at).program.kill();
    let killed = Instant::now();
    let asked = fleet.simulator.traffic().calls("sick");
    fleet.recover_model();
    fleet.wait_until_open(0).await;
    let freed = killed.elapsed();
    sleep(Duration::from_millis(500)).await;

    let calls = load.calls_between(began, Instant::now());
    let others: Vec<_> = calls.iter().filter(|call| call.instance != at).collect();
    let lost = others.iter().filter(|call| call.status != 200).count();
    println!(
        "| prober killed with kill -9 | {} calls | {lost} lost | place free after {} ms (lease 1,000) |",
        others.len(),
        freed.as_millis()
    );
    assert_eq!(lost, 0, "{others:?}");
    assert!(freed < PROBE_LEASE + MAX_MACHINE_DELAY, "{freed:?}");
    let history = fleet.history(FAILING_MODEL).await;
    assert_is_consistent(&history);
    // Nobody else probed while the dead one's lease lived.
    let half_open = history.iter().rposition(|entry| entry["to"] == "HALF_OPEN").unwrap();
    let times: Vec<u64> = history[half_open..].iter().map(|entry| entry["at"].as_u64().unwrap()).collect();
    assert_eq!(history.last().unwrap()["to"], "CLOSED", "{history:#?}");
    assert!(times[1] - times[0] >= 1_000, "{history:#?}");
    assert!(fleet.simulator.traffic().calls("sick") > asked);
}

/// One instance of three is cut off from the provider, but not from Redis: it takes no model from the others (F7).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_from_the_provider() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    let wire = Proxy::to_port(simulator.address().port()).await;
    let by_wire = format!("http://127.0.0.1:{}/v1", wire.port());
    let url = redis.url();
    let fleet =
        Fleet::start_before(simulator, redis, url, &[&[("OPENAI_BASE_URL", &by_wire)], &[], &[]]).await;
    for instance in &fleet.instances {
        assert_eq!(instance.chat(ROUTE).await.0, 200);
    }
    let load = Load::start(fleet.instances.iter().map(|one| (CallOrigin::Fleet, one)), &[ROUTE]);
    let steady =
        Load::start(fleet.instances[1..].iter().map(|one| (CallOrigin::Fleet, one)), &[HEALTHY_MODEL]);
    sleep(Duration::from_millis(500)).await;
    wire.refuse_connections().await;
    let cut = Instant::now();
    sleep(Duration::from_secs(3)).await;
    let during = load.calls_between(cut, Instant::now());
    wire.restore().await;
    let healed = Instant::now();
    while fleet.instances[0].chat(ROUTE).await.1.as_deref() != Some(FAILING_MODEL) {
        assert!(healed.elapsed() < Duration::from_secs(10), "it does not call the model again");
        sleep(Duration::from_millis(10)).await;
    }
    let back = healed.elapsed();
    fleet.wait_until_open(0).await;

    let share = |at: &dyn Fn(usize) -> bool| {
        let all: Vec<_> = during.iter().filter(|call| at(call.instance)).collect();
        let by_first = all.iter().filter(|call| call.answered_by.as_deref() == Some(FAILING_MODEL)).count();
        (100 * by_first / all.len().max(1), all.len())
    };
    let (others, of) = share(&|at| at != 0);
    let (own, _) = share(&|at| at == 0);
    let calls = [load.calls_between(cut, Instant::now()), steady.calls_between(cut, Instant::now())].concat();
    let lost = calls.iter().filter(|call| call.status != 200).count();
    println!(
        "| one of three cut off from the provider | {} calls | {lost} lost | the others' calls to the model: {others} % of {of}, \
         its own: {own} % | back after {} ms |",
        calls.len(),
        back.as_millis()
    );
    assert_eq!(lost, 0, "{calls:?}");
    assert!(own < 10, "{own} % of its calls reached a provider that it cannot reach");
    assert!(others >= 90, "the model was taken from the others: {others} %");
}

/// Instances whose clocks are an hour off behave like all others (B7).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_an_hour_off() {
    let preload = faketime_preload();
    let off =
        |by| [("LD_PRELOAD", preload.as_str()), ("FAKETIME", by), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let (ahead, behind) = (off("+1h"), off("-1h"));
    let redis = RedisServer::start().await;
    let url = redis.url();
    let fleet = Fleet::start_with(redis, url, &[&[], &ahead, &behind]).await;
    let doctor = fleet.run_with(&["doctor", "--json"], &ahead).await.json();
    let clock = doctor["checks"].as_array().unwrap().iter().find(|check| check["check"] == "clock").unwrap();
    assert!(clock["found"].as_str().unwrap().contains("ahead of Redis;"), "the clock is not off: {clock}");

    // Each of them opens the circuit once, by Redis' time, and for all.
    for instance in &fleet.instances {
        fleet.fail_model();
        instance.call_until_refused(FAILING_MODEL, true).await;
        let (circuit, now) = fleet.stored_circuit(FAILING_MODEL).await;
        for (field, most) in
            [("openedAt", 3_000), ("lastFailureTime", 3_000), ("updatedAt", 3_000), ("retryAt", 3_000)]
        {
            let off = circuit[field].as_u64().unwrap().abs_diff(now);
            assert!(off <= most, "{field} is {off} ms off: {circuit}");
        }
        assert_eq!(circuit["updatedBy"], instance.health().await["instance"], "{circuit}");
        for other in &fleet.instances {
            other.call_until_refused(FAILING_MODEL, true).await;
        }
        fleet.recover_model();
        for other in &fleet.instances {
            other.call_until_refused(FAILING_MODEL, false).await;
        }
    }
    let mut trial = Trial::begin("clocks an hour ahead and behind", fleet).await;
    trial.begin_fault();
    trial.fleet.wait_until_open(1).await;
    sleep(Duration::from_millis(1_500)).await;
    trial.end_fault();
    let fleet = trial.assert_recovered(0).await;
    let times: Vec<u64> =
        fleet.history(FAILING_MODEL).await.iter().filter_map(|entry: &Value| entry["at"].as_u64()).collect();
    // Each entry is written within 100 ms of Redis' time, so no two are further out of order.
    assert!(times.windows(2).all(|pair| pair[0] < pair[1] + 100), "{times:?}");
}

/// The library that `faketime` puts before a program's own.
fn faketime_preload() -> String {
    let output = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let output = output.expect("faketime is not installed: run ./test, which installs it");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
