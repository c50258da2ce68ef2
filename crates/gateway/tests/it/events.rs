//! The live events of circuits.

use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    circuits_api::send_ok,
    support::{TEST_TIMEOUT, World, header, read_until},
};

/// An event: its name, its id and its data.
type Event = (String, Option<String>, Value);

/// A client of `/circuits/events`.
struct EventClient {
    response: Response,
    text: String,
}

impl EventClient {
    async fn new(world: &World, last: Option<&str>) -> Self {
        let get = world.get("/circuits/events");
        let get = if let Some(id) = last { get.header("last-event-id", id) } else { get };
        let response = get.send().await.unwrap();
        assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
        Self { response, text: String::new() }
    }

    /// The next event but those that come by the clock.
    async fn next(&mut self) -> Event {
        loop {
            let event = self.next_of_all().await;
            if event.0 != "traffic" {
                return event;
            }
        }
    }

    async fn next_of_all(&mut self) -> Event {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let read = field("event: ").map(|name| {
                    let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                    (name, field("id: "), data)
                });
                self.text = rest.to_owned();
                if let Some(read) = read {
                    return read;
                }
                continue;
            }
            let more = read_until(&mut self.response, "\n").await;
            self.text.push_str(&more);
        }
    }

    /// The next transition.
    async fn transition(&mut self) -> (String, Value, Value) {
        loop {
            let (name, id, data) = self.next().await;
            if name == "circuit" && !data["transition"].is_null() {
                return (id.unwrap(), data["transition"].clone(), data);
            }
        }
    }
}

async fn post_operation(world: &World, operation: &str) {
    send_ok(world.post(&format!("/circuits/openai:a/{operation}"))).await;
}

#[tokio::test]
async fn changes_are_published_as_they_happen() {
    let world = World::new().await;
    let mut client = EventClient::new(&world, None).await;
    let (name, id, snapshot) = client.next().await;
    assert_eq!((name.as_str(), id.is_some()), ("snapshot", true));
    let mut listed = send_ok(world.get("/circuits")).await;
    listed["now"] = snapshot["now"].clone();
    // These go by the time of the answer.
    for moment in ["traffic", "instances"] {
        listed[moment] = snapshot[moment].clone();
    }
    assert_eq!(snapshot, listed);

    post_operation(&world, "open").await;
    let (_, transition, event) = client.transition().await;
    assert_eq!((&transition["from"], &transition["to"]), (&json!("CLOSED"), &json!("OPEN")));
    let (mut report, mut published) =
        (send_ok(world.get("/circuits/openai:a")).await, event["report"].clone());
    assert_eq!((&event["key"], &published["epoch"]), (&json!("openai:a"), &transition["epoch"]));
    // Where the epoch had to be ahead of the clock, `since` is a millisecond later in the second report.
    for report in [&mut report, &mut published] {
        report.as_object_mut().unwrap().remove("since");
    }
    assert_eq!(published, report);

    post_operation(&world, "reset").await;
    let (_, transition, event) = client.transition().await;
    assert_eq!((&transition["reason"]["kind"], &event["report"]), (&json!("reset"), &Value::Null));
    world.chat("openai:counted", false).send().await.unwrap();
    // This call changes no state.
    let (name, id, event) = loop {
        let published = client.next().await;
        if published.2["key"] == "openai:counted" {
            break published;
        }
    };
    assert_eq!((name.as_str(), id, &event["transition"]), ("circuit", None, &Value::Null));
    assert_eq!(event["report"]["state"], "CLOSED");
}

#[tokio::test]
async fn traffic_comes_by_the_clock() {
    let world = World::new().await;
    let mut client = EventClient::new(&world, None).await;
    client.next().await;
    world.chat("chat", false).send().await.unwrap();
    let requests = |data: &Value| {
        let counts = data["traffic"]["total"]["requests"].as_array().unwrap().clone();
        assert!((1..=2).contains(&counts.len()), "the last two buckets: {data}");
        counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    let (id, data) = loop {
        let (name, id, data) = client.next_of_all().await;
        if name == "traffic" && requests(&data) == 1 {
            break (id, data);
        }
    };
    assert_eq!(id, None);
    let fields: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["traffic", "routes", "instances"]);
}

#[tokio::test]
async fn missed_transitions_are_replayed_after_a_reconnect() {
    let world = World::new().await;
    let mut client = EventClient::new(&world, None).await;
    post_operation(&world, "open").await;
    let (id, first, _) = client.transition().await;
    drop(client);
    post_operation(&world, "close").await;
    post_operation(&world, "open").await;

    let mut back = EventClient::new(&world, Some(&id)).await;
    let mut missed = Vec::new();
    for _ in 0..2 {
        let (name, _, event) = back.next().await;
        assert_eq!(name, "circuit");
        missed.push(event["transition"]["to"].clone());
    }
    assert_eq!(missed, ["CLOSED", "OPEN"]);
    assert_eq!(first["to"], "OPEN");
    let (name, newest, snapshot) = back.next().await;
    assert_eq!((name.as_str(), &snapshot["circuits"][0]["state"]), ("snapshot", &json!("OPEN")));

    for id in [newest.unwrap().as_str(), "another-7", "nonsense", "-"] {
        let mut back = EventClient::new(&world, Some(id)).await;
        assert_eq!(back.next().await.0, "snapshot", "no transition after {id} is known");
    }
}

#[tokio::test]
async fn a_subscriber_does_not_delay_the_shutdown() {
    let world = World::new().await;
    let mut client = EventClient::new(&world, None).await;
    client.next().await;
    world.stop.send(gateway::ShutdownMode::Immediate).unwrap();
    tokio::time::timeout(TEST_TIMEOUT, world.server).await.expect("it ends").unwrap();
    while let Ok(Some(_)) = client.response.chunk().await {}
}
