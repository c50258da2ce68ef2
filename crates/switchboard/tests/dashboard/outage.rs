//! An outage, watched through the page from its beginning to its end.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";

/// Closed, open, half-open, closed, each seen without a reload, in the table, in the verdict, in the timeline and by
/// those who hear the page; and the page is there in a few requests to its own gateway alone.
#[tokio::test]
async fn an_outage_is_seen_from_its_beginning_to_its_end() {
    let world = World::begin().await;
    let browser = &world.browser;
    browser.wait_for_text("#empty", "No circuit yet").await;
    browser.wait_for_text("#store", "Redis connected (redis://127.0.0.1").await;
    let (requests, bytes) = browser.requests();
    println!("the empty page: {} requests, {bytes} bytes", requests.len());
    let own = world.url("/");
    assert!(requests.iter().all(|url| url.starts_with(&own) || url.starts_with("data:")), "{requests:?}");

    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "closed").await;
    browser.wait_for_text("#verdict", "The one model is in use").await;
    // A good call is written nowhere, and counted all the same.
    browser.wait_for_text(&row, "0 of 1 call (0 %)").await;

    world.fail_model("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call(MODEL).await, 503);
    }
    browser.wait_for_text(&row, "✕ open").await;
    let seen = browser.text(&row).await;
    for part in ["in ", "3 failures in a row, last HTTP 503", "Close…", "Keep open…"] {
        assert!(seen.contains(part), "{part:?} expected: {seen}");
    }
    browser.wait_for_text("#verdict", "1 of 1 model out").await;
    browser.wait_for_text("#meanwhile", "No model is left: but for probes, calls are refused").await;
    browser.wait_for_text("#announcer", "openai:gpt-5 went from closed to open: HTTP 503").await;
    browser.wait_for_text("#transitions", "closed → ✕ open: HTTP 503").await;
    assert_eq!(browser.evaluate("document.title").await, "✕ 1 out – Switchboard");
    // What holds for a reader who was there holds for one who comes now.
    browser.wait_until("a bar for the outage", "!!document.querySelector('#lanes rect.open')").await;

    // Its time over, nobody has called yet: half-open by time alone, without an event.
    browser.wait_for_text(&row, "with the next call").await;
    world.recover_model_after("gpt-5", Duration::from_secs(4));
    let probe = tokio::join!(world.call(MODEL), browser.wait_for_text(&row, "probe under way"));
    assert_eq!(probe.0, 200);
    browser.wait_for_text(&row, "✓ closed").await;
    browser.wait_for_text("#verdict", "The one model is in use").await;
    browser.wait_for_text("#transitions", "half-open → ✓ closed: a probe succeeded").await;
    browser.wait_for_text(&row, " s").await;
    let transitions = browser.text("#transitions").await;
    // On a busy machine Redis may be taken for away for a moment, and what was learnt then is told as such.
    let printed =
        transitions.lines().filter(|line| line.contains('→') && !line.contains("while Redis was away"));
    assert_eq!(printed.count(), 3, "{transitions}");

    // The same in its history, and how quick its streams are.
    browser.click(&format!("{row} button.name")).await;
    browser.wait_for_text("#detail-history", "half-open → ✓ closed").await;
    browser.wait_for_text("#detail-facts", "Time to first content").await;
    browser
        .wait_until(
            "a figure for it",
            "/Time to first content\\s+[\\d.]+.m?s/.test(document.querySelector('#detail-facts').innerText)",
        )
        .await;
    world.assert_page_healthy().await;
}

/// What a circuit is once its time has come is the gateway's word, also where a person gave it that time; and it is there
/// at once, so that no countdown stands still at nothing.
#[tokio::test]
async fn a_circuit_whose_time_has_come_is_what_the_gateway_says() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "closed").await;
    let record = "window.seen = new Set(); new MutationObserver(() => \
                  window.seen.add(document.querySelector('#rows .next').innerText)).observe(\
                  document.querySelector('#rows'), { subtree: true, childList: true, characterData: true }); 0";
    browser.evaluate(record).await;
    let open = reqwest::Client::new().post(world.url(&format!("/circuits/{MODEL}/open")));
    assert_eq!(open.json(&json!({"for": "2s"})).send().await.unwrap().status(), 200);
    browser.wait_for_text(&row, "◐ half-open").await;
    browser.wait_for_text(&row, "with the next call").await;
    let seen = browser.evaluate("[...window.seen].join(', ').replaceAll('\u{a0}', ' ')").await.to_string();
    assert!(seen.contains("in 1 s") && !seen.contains("in 0 s"), "{seen}");
    world.assert_page_healthy().await;
}
