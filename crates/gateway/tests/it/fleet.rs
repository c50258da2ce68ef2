//! What `GET /circuits` has besides the circuits: routes, traffic, instances, and the providers of a demonstration.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, stream};
use gateway::{DemoProviders, Gateway, Keys, Settings, ShutdownMode};
use serde_json::{Value, json};
use simulator::{Fault, Simulator};

use crate::{
    circuits_api::send_ok,
    support::{Setup, World, manager, never_trips, settings},
};

/// The sum of a series.
fn sum(series: &Value) -> u64 {
    series.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum()
}

fn is_known(series: &Value) -> bool {
    series.as_array().unwrap().iter().any(|value| !value.is_null())
}

#[tokio::test]
async fn routes_say_where_their_calls_go() {
    let world = World::new().await;
    let route = async |index: usize| send_ok(world.get("/circuits")).await["routes"][index].clone();
    assert_eq!(
        route(0).await,
        json!({
            "name": "chat", "models": [["openai:m"], ["backup:m"]],
            "state": "healthy", "current": "openai:m", "retryAt": null,
        })
    );
    for (model, state, current) in
        [("openai:m", "fallback", json!("backup:m")), ("backup:m", "unavailable", Value::Null)]
    {
        send_ok(world.post(&format!("/circuits/{model}/open")).json(&json!({"for": "10m"}))).await;
        let now = route(0).await;
        assert_eq!((&now["state"], &now["current"]), (&json!(state), &current), "{model} is open");
        assert_eq!(now["retryAt"].is_null(), state == "fallback", "{now}");
    }
    assert_eq!(route(1).await["state"], "healthy");
    let all = send_ok(world.get("/circuits")).await;
    assert_eq!(all["models"], json!(["anthropic:m", "backup:m", "openai:m", "vertex:m"]));
    assert_eq!((&all["version"], &all["role"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("admin")));
    assert!(all.get("demo").is_none());
    let instances = all["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 1, "without Redis this one alone");
    assert_eq!(
        (&instances[0]["id"], &instances[0]["store"], &instances[0]["open"]),
        (&all["instance"], &json!("embedded"), &json!(["backup:m", "openai:m"]))
    );
}

#[tokio::test]
async fn the_role_is_that_of_the_key() {
    let world = World::with_keys().await;
    for (key, role) in [("caller", "caller"), ("boss", "admin")] {
        assert_eq!(send_ok(world.get("/circuits").bearer_auth(key)).await["role"], role);
    }
}

#[tokio::test]
async fn traffic_counts_calls_by_route_and_attempts_by_model() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    world.chat("chat", false).send().await.unwrap();
    world.chat("chat", true).send().await.unwrap().bytes().await.unwrap();
    world.first.script("m", Fault::Reset);
    world.chat("chat", false).send().await.unwrap();
    // A caller's mistake is a request, and no failure.
    world.chat("google-genai:m", false).send().await.unwrap();
    world.second.script("m", Fault::Reset);
    world.chat("chat", false).send().await.unwrap();
    let all = loop {
        let all = send_ok(world.get("/circuits")).await;
        if sum(&all["traffic"]["total"]["requests"]) == 5 {
            break all;
        }
    };
    let traffic = &all["traffic"];
    assert_eq!(
        (&traffic["scope"], &traffic["partsScope"], &traffic["bucketMs"]),
        (&json!("instance"), &json!("instance"), &json!(10_000))
    );
    let (end, now) = (traffic["end"].as_u64().unwrap(), all["now"].as_u64().unwrap());
    assert!(end % 10_000 == 0 && end + 10_000 >= now, "{end} {now}");
    let counted = |series: &Value| ["requests", "failed", "fallbacks"].map(|field| sum(&series[field]));
    assert_eq!(counted(&traffic["total"]), [5, 1, 1]);
    assert_eq!(counted(&traffic["routes"]["chat"]), [4, 1, 1]);
    assert!(is_known(&traffic["routes"]["chat"]["ttftP50Ms"]) && is_known(&traffic["total"]["ttftP95Ms"]));
    let model = &traffic["models"]["openai:m"];
    assert_eq!((sum(&model["requests"]), sum(&model["failed"]), &model["inFlight"]), (4, 2, &json!(0)));
    assert!(sum(&model["tokensIn"]) > 0 && sum(&model["tokensOut"]) > 0, "{model}");
    assert!(is_known(&model["ttftP50Ms"]) && is_known(&model["durationP95Ms"]), "{model}");
    let backup = &traffic["models"]["backup:m"];
    assert_eq!((sum(&backup["requests"]), sum(&backup["failed"])), (2, 1));
    let instance = &all["instances"][0];
    let minute = ["requestsPerMinute", "failedPerMinute", "fallbacksPerMinute", "inFlight"];
    assert_eq!(minute.map(|field| instance[field].as_u64().unwrap()), [5, 1, 1, 0]);
}

/// A provider that can be broken.
#[derive(Debug, Default)]
struct OneProvider(Mutex<bool>);

impl DemoProviders for OneProvider {
    fn names(&self) -> Vec<String> {
        vec!["primary".to_owned()]
    }

    fn broken(&self) -> Vec<String> {
        self.names().into_iter().filter(|_| *self.0.lock().unwrap()).collect()
    }

    fn set_broken(&self, name: &str, broken: bool) -> bool {
        *self.0.lock().unwrap() = broken;
        name == "primary"
    }
}

#[tokio::test]
async fn only_a_demonstration_lets_people_break_providers() {
    let world = World::new().await;
    let code = |response: reqwest::Response| {
        (response.status().as_u16(), response.headers()["x-switchboard-error"].to_str().unwrap().to_owned())
    };
    let path = "/demo/providers/primary/break";
    assert_eq!(code(world.post(path).send().await.unwrap()), (404, "not_found".to_owned()));

    let (first, second) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
    let demo: Arc<dyn DemoProviders> = Arc::new(OneProvider::default());
    let settings = Settings { demo: Some(demo), ..settings(Keys::default()) };
    let gateway = Gateway::bind(settings, manager(&first, &second, &Setup::default())).await.unwrap();
    let url = |path: &str| format!("http://{}{path}", gateway.address());
    let [circuits, break_it, heal_it, other] =
        ["/circuits", path, "/demo/providers/primary/heal", "/demo/providers/other/break"].map(url);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stops = stream::once(stopped.map(|_| ShutdownMode::Immediate));
    let server = tokio::spawn(gateway.serve(Box::pin(stops)));
    let demo = async || send_ok(world.client.get(&circuits)).await["demo"].clone();
    assert_eq!(demo().await, json!({"providers": ["primary"], "broken": []}));
    let broken = json!({"providers": ["primary"], "broken": ["primary"]});
    assert_eq!(send_ok(world.client.post(&break_it)).await, broken);
    assert_eq!(demo().await, broken);
    send_ok(world.client.post(&heal_it)).await;
    assert_eq!(demo().await["broken"], json!([]));
    assert_eq!(code(world.client.post(&other).send().await.unwrap()), (404, "not_found".to_owned()));
    stop.send(()).unwrap();
    server.await.unwrap();
}
