//! Open SWE's own algorithm, in a process of its own, on the same Redis through a full outage.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use simulator::Behaviour;
use testbed::Program;
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{FAILING_MODEL, Fleet, ROUTE, WAIT_TIMEOUT},
    load::{CallOrigin, Load},
    trial::assert_is_consistent,
};

/// It takes a model out of use for so long (180 s in the original).
const OPEN_SWE_TIMEOUT_MS: &str = "2000";

/// A call that was admitted before a change may reach the provider so long after it, in ms; on a busy machine as long
/// as the longest call took.
const MAX_IN_FLIGHT_MS: u64 = 150;

/// The shortest open period and a probe's lease, in ms, as the fleet has them.
const OPEN_DURATION_MS: u64 = 400;
const PROBE_LEASE_MS: u64 = 1_000;

/// One turn of the Open SWE process.
struct LogEntry {
    at: u64,
    what: String,
}

fn start_open_swe(fleet: &Fleet) -> Program {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/open_swe/open_swe.py");
    let (port, base_url) = (fleet.redis.port().to_string(), fleet.simulator.openai_base_url());
    let arguments = [
        script.to_str().unwrap(),
        "--redis-port",
        &port,
        "--base-url",
        &base_url,
        "--model",
        FAILING_MODEL,
        "--timeout-ms",
        OPEN_SWE_TIMEOUT_MS,
        "--pace-ms",
        "40",
    ];
    Program::start("python3", &arguments, [("PATH", "/usr/local/bin:/usr/bin:/bin")])
}

fn log_entries(program: &Program) -> Vec<LogEntry> {
    let turns = program.lines().into_iter().map(|line| {
        let turn: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        LogEntry { at: turn["at"].as_u64().unwrap(), what: turn["turn"].as_str().unwrap().to_owned() }
    });
    turns.collect()
}

async fn wait_for_entry(program: &Program, what: &str, since: u64) -> u64 {
    let began = Instant::now();
    loop {
        if let Some(turn) = log_entries(program).iter().find(|turn| turn.at >= since && turn.what == what) {
            return turn.at;
        }
        assert!(
            began.elapsed() < WAIT_TIMEOUT,
            "it never said {what:?} again:\n{}",
            program.lines().join("\n")
        );
        sleep(Duration::from_millis(10)).await;
    }
}

fn unix_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn dead() -> Behaviour {
    Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE).latency(Duration::from_millis(20))
}

fn is_foreign(entry: &Value) -> bool {
    entry["reason"]["kind"] == "foreign"
}

/// Only Open SWE calls the model while it is down: what it opens, every instance refuses.
async fn outage_that_open_swe_finds(fleet: &Fleet, swe: &Program) {
    fleet.simulator.script("sick", dead());
    wait_for_entry(swe, "refused", 0).await;
    for instance in &fleet.instances {
        instance.call_until_refused(FAILING_MODEL, true).await;
    }
    let healed = unix_ms();
    fleet.recover_model();
    wait_for_entry(swe, "ok", healed).await;
    for instance in &fleet.instances {
        instance.call_until_refused(FAILING_MODEL, false).await;
    }
    let history = fleet.history(FAILING_MODEL).await;
    assert!(history.iter().any(is_foreign), "what Open SWE opened is in no history: {history:#?}");
}

/// Two outages: neither gets stuck, both recover, and Switchboard's rules hold for its own calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_a_redis_through_full_outages() {
    let fleet = Fleet::start().await;
    let (zero, zero_unix) = (Instant::now(), unix_ms());
    for instance in &fleet.instances {
        assert_eq!(instance.chat(ROUTE).await.0, 200);
    }
    let swe = start_open_swe(&fleet);
    wait_for_entry(&swe, "ok", 0).await;
    outage_that_open_swe_finds(&fleet, &swe).await;
    let load = Load::start(fleet.instances.iter().map(|one| (CallOrigin::Fleet, one)), &[ROUTE]);
    sleep(Duration::from_millis(500)).await;
    let (mut recovered, mut its_recovery) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let died = unix_ms();
        fleet.simulator.script("sick", dead());
        wait_for_entry(&swe, "refused", died).await;
        for instance in &fleet.instances {
            instance.call_until_refused(FAILING_MODEL, true).await;
        }
        sleep(Duration::from_millis(1_500)).await;
        let healed = unix_ms();
        fleet.recover_model();
        let its = wait_for_entry(&swe, "ok", healed).await;
        for instance in &fleet.instances {
            instance.call_until_refused(FAILING_MODEL, false).await;
        }
        recovered.push(unix_ms() - healed);
        its_recovery.push(its - healed);
        sleep(Duration::from_millis(300)).await;
    }
    fleet.wait_until_open(0).await;
    let (circuit, _) = fleet.stored_circuit(FAILING_MODEL).await;
    let history = fleet.history(FAILING_MODEL).await;
    let calls = load.calls_between(zero, Instant::now());
    let lost = calls.iter().filter(|call| call.status != 200).count();
    let foreign = history.iter().filter(|entry| is_foreign(entry)).count();
    println!(
        "| Open SWE beside it, two outages | {} calls | {lost} lost | {} transitions, {foreign} of them foreign | recovered after \
         {recovered:?} ms, Open SWE after {its_recovery:?} ms |",
        calls.len(),
        history.len()
    );
    assert_eq!(lost, 0, "{calls:?}");
    assert_eq!(circuit["state"], "CLOSED", "{circuit}");
    assert_is_consistent(&history);

    let own: Vec<u64> = fleet
        .simulator
        .traffic()
        .received_for("sick")
        .filter(|call| call.headers.get("user-agent").is_none_or(|agent| agent != "open-swe"))
        .map(|call| zero_unix + u64::try_from(call.at.saturating_duration_since(zero).as_millis()).unwrap())
        .collect();
    let longest = calls.iter().map(|call| call.took.as_millis()).max().unwrap_or_default();
    let in_flight = MAX_IN_FLIGHT_MS.max(u64::try_from(longest).unwrap());
    assert_own_calls_keep_the_rules(&own, &history, in_flight);
}

/// B1, B2: none of our calls while it is open, one at a time in each half-open.
fn assert_own_calls_keep_the_rules(own: &[u64], history: &[Value], in_flight: u64) {
    for pair in history.windows(2) {
        let [began, ended] = [&pair[0], &pair[1]].map(|entry| entry["at"].as_u64().unwrap());
        let within = |from, to| own.iter().filter(|at| (from..to).contains(*at)).count();
        match pair[0]["to"].as_str().unwrap() {
            "OPEN" => {
                let calls = within(began + in_flight, ended.saturating_sub(5));
                assert_eq!(calls, 0, "calls while it was open: {pair:#?}");
            }
            // Where the machine is slower than this, calls from before it was open come as late as that.
            "HALF_OPEN" if in_flight < OPEN_DURATION_MS => {
                // Who does not answer within its lease has lost its place (B3).
                let most = 1 + usize::try_from((ended - began) / PROBE_LEASE_MS).unwrap();
                // The two clocks are read a millisecond apart, and a call may follow in the one in which the circuit closes.
                let calls = within(began, ended.saturating_sub(1));
                assert!(calls <= most, "{calls} probes at once: {pair:#?}");
            }
            _ => {}
        }
    }
}
