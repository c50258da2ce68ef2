//! An outage, watched through the page from its beginning to its end.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";

/// Closed, open, half-open, closed, each shown without a reload in the table, the verdict, the timeline and the
/// announcements for screen readers; and the page loads in a few requests to its own gateway only.
#[tokio::test]
async fn an_outage_is_seen_from_its_beginning_to_its_end() {
    let world = World::begin().await;
    let browser = &world.browser;
    let calm = "document.querySelector('#problems').childElementCount === 0";
    browser.wait_for_text("#empty", "No models yet").await;
    browser.wait_for_text("#store", "Redis connected").await;
    let (requests, bytes) = browser.requests();
    println!("the empty page: {} requests, {bytes} bytes", requests.len());
    let own = world.url("/");
    assert!(requests.iter().all(|url| url.starts_with(&own) || url.starts_with("data:")), "{requests:?}");

    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "closed").await;
    browser.wait_until("no alarm", calm).await;
    // A success is not written to Redis, and is counted nevertheless.
    browser.wait_for_text(&format!("{row} td.errors"), "0.0 %").await;

    world.fail_model("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call(MODEL).await, 503);
    }
    browser.wait_for_text(&row, "✕ open").await;
    let seen = browser.text(&row).await;
    for part in ["Next probe in ", "3 consecutive failures, last HTTP 503"] {
        assert!(seen.contains(part), "{part:?} expected: {seen}");
    }
    browser.wait_for_text("#verdict", "openai:gpt-5 – open for ").await;
    browser.wait_for_text("#announcer", "openai:gpt-5 went from closed to ✕ open: HTTP 503").await;
    browser.wait_for_text("#transitions", "closed → ✕ open: HTTP 503").await;
    let title = browser.evaluate("document.title").await;
    assert!(title.as_str().unwrap().starts_with("✕ "), "{title}");
    // The outage also shows on a page that is opened later.
    browser.wait_until("a bar for the outage", "!!document.querySelector('#lanes rect.open')").await;

    // The open period has ended without a call: half-open by time only, without an event.
    browser.wait_for_text(&row, "The next request is the probe").await;
    world.recover_model_after("gpt-5", Duration::from_secs(4));
    let probe = tokio::join!(world.call(MODEL), browser.wait_for_text(&row, "A probe is in flight"));
    assert_eq!(probe.0, 200);
    browser.wait_for_text(&row, "✓ closed").await;
    browser.wait_until("no alarm", calm).await;
    browser.wait_for_text("#transitions", "half-open → ✓ closed: probe succeeded").await;
    let transitions = browser.text("#transitions").await;
    // On a busy machine Redis may seem unreachable for a moment; transitions of that time are merged afterwards.
    let printed =
        transitions.lines().filter(|line| line.contains('→') && !line.contains("after Redis outage"));
    assert_eq!(printed.count(), 3, "{transitions}");

    // The same in its history, and its time to first token.
    world.open_details(MODEL).await;
    browser.wait_for_text("#drawer-history", "half-open → ✓ closed").await;
    let figure = format!("/\\d.m?s/.test(document.querySelector({:?}).innerText)", format!("{row} .ttft"));
    browser.wait_until("a time to first token", &figure).await;
    world.assert_page_healthy().await;
}

/// The gateway decides the state after an open period, also after a manual one; the page shows it immediately, so that no
/// countdown stops at 0.
#[tokio::test]
async fn after_an_open_period_the_page_shows_the_gateways_state() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "closed").await;
    let record = "window.seen = new Set(); new MutationObserver(() => \
                  window.seen.add(document.querySelector('#rows .reason').innerText)).observe(\
                  document.querySelector('#rows'), { subtree: true, childList: true, characterData: true }); 0";
    browser.evaluate(record).await;
    let open = reqwest::Client::new().post(world.url(&format!("/circuits/{MODEL}/open")));
    assert_eq!(open.json(&json!({"for": "2s"})).send().await.unwrap().status(), 200);
    browser.wait_for_text(&row, "◐ half-open").await;
    browser.wait_for_text(&row, "The next request is the probe").await;
    let seen = browser.evaluate("[...window.seen].join(', ').replaceAll('\u{a0}', ' ')").await.to_string();
    assert!(seen.contains("in 1 s") && !seen.contains("in 0 s"), "{seen}");
    world.assert_page_healthy().await;
}
