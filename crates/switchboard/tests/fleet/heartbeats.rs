//! Instances that share a Redis know of each other, and whoever is asked says what all of them do.

use serde_json::{Value, json};
use simulator::Simulator;
use testbed::{RedisServer, wait_until};

use crate::support::Instance;

impl Instance {
    pub(crate) async fn circuits(&self) -> Value {
        self.client.get(format!("{}/circuits", self.url)).send().await.unwrap().json().await.unwrap()
    }
}

pub(crate) fn ids(circuits: &Value) -> Vec<&str> {
    let instances = circuits["instances"].as_array().unwrap();
    instances.iter().map(|instance| instance["id"].as_str().unwrap()).collect()
}

fn requests(circuits: &Value) -> u64 {
    let counts = circuits["traffic"]["total"]["requests"].as_array().unwrap();
    counts.iter().map(|count| count.as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_traffic_of_a_fleet_is_that_of_all_its_instances() {
    let (simulator, mut redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    let url = redis.url();
    let (one, mut other) =
        tokio::join!(Instance::start(Some(&url), &simulator), Instance::start(Some(&url), &simulator));
    for (instance, calls) in [(&one, 2), (&other, 3)] {
        for _ in 0..calls {
            assert_eq!(instance.chat("openai:gpt-5").await.0, 200);
        }
    }
    let (mut seen, mut id) = (Value::Null, String::new());
    wait_until("each instance has the calls of both", async || {
        seen = one.circuits().await;
        let by_other = other.circuits().await;
        by_other["instance"].as_str().unwrap().clone_into(&mut id);
        requests(&seen) == 5 && requests(&by_other) == 5
    })
    .await;
    assert_eq!((&seen["traffic"]["scope"], ids(&seen).len()), (&json!("fleet"), 2), "{seen}");
    assert!(ids(&seen).contains(&id.as_str()));
    let own = seen["traffic"]["routes"]["openai:gpt-5"]["requests"].as_array().unwrap();
    assert_eq!(own.iter().filter_map(Value::as_u64).sum::<u64>(), 2, "routes are of this instance alone");

    // It is as if there were no others.
    redis.kill();
    one.wait_until_store_is("degraded").await;
    let alone = one.circuits().await;
    assert_eq!((requests(&alone), ids(&alone).len()), (2, 1));
    redis.restart().await;
    one.wait_until_store_is("connected").await;
    other.wait_until_store_is("connected").await;
    wait_until("both are back", async || requests(&one.circuits().await) == 5).await;

    other.program.signal("TERM");
    assert_eq!(other.program.wait_for_exit().await, Some(0));
    assert!(!redis.cli(&["KEYS", "switchboard:instance:*"]).await.contains(&id), "it has left");
    wait_until("it is off the list", async || ids(&one.circuits().await).len() == 1).await;
}
