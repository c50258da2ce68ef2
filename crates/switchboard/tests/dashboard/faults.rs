//! What the page once said wrongly, each with a test of its own.

use std::time::Duration;

use serde_json::json;
use simulator::Simulator;

use crate::{
    browser::Browser,
    canned::Canned,
    states,
    support::Instance,
    world::{World, row_selector},
};

const MODEL: &str = "openai:gpt-5";

/// A page of canned answers.
pub(crate) async fn open_canned(snapshot: serde_json::Value) -> (Canned, Browser) {
    let (canned, browser) = tokio::join!(Canned::start(snapshot), Browser::open());
    browser.navigate(&format!("{}/dashboard", canned.url)).await;
    browser.wait_for_text("#live", "Live").await;
    browser.wait_until("the data is there", "!document.querySelector('#data').hidden").await;
    (canned, browser)
}

/// A route is unavailable only where its whole chain is; a model that was never called is one that can be called.
#[tokio::test]
async fn while_a_fallback_answers_nobody_is_said_to_be_refused() {
    let (canned, browser) = open_canned(states::outage()).await;
    browser.wait_for_text("#verdict-title", "No requests failing; 1 of 3 models unavailable").await;
    browser.wait_for_text("#verdict", "openai:gpt-5 – open for 2 min").await;
    browser.wait_for_text("#route-list", "on fallback").await;
    browser.wait_for_text(&row_selector("groq:llama-4"), "groq:llama-4").await;
    assert!(!browser.text("#verdict").await.contains("503 until"), "{}", browser.text("#verdict").await);

    canned.change(states::unavailable());
    browser.wait_for_text("#verdict-title", "Requests to route assistant are failing").await;
    browser.wait_for_text("#verdict", "Route assistant: no model available. Requests get 503 until").await;
    assert_eq!(browser.evaluate("document.title").await, "✕ Requests failing – Switchboard");
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// With the gateway gone nothing is green, least of all the tab.
#[tokio::test]
async fn a_lost_connection_is_grey_and_says_so_in_title_and_icon() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    let browser = &world.browser;
    browser.wait_for_text(&row_selector(MODEL), "closed").await;
    browser.click(&format!("{} .name", row_selector(MODEL))).await;
    browser.wait_for_text("#drawer-acts", "Force open…").await;
    let icon = "document.querySelector('#icon').href";
    let live_icon = browser.evaluate(icon).await;
    world.kill_gateway();
    let browser = &world.browser;
    browser.wait_for_text("#verdict-title", "Unknown since").await;
    browser.wait_for_text("#lost", "Disconnected. Last update").await;
    browser.wait_for_text("#live", "Disconnected").await;
    assert_eq!(browser.evaluate("document.title").await, "⚠ Disconnected – Switchboard");
    assert_ne!(browser.evaluate(icon).await, live_icon);
    let grey = "getComputedStyle(document.querySelector('#data')).filter";
    assert_eq!(browser.evaluate(grey).await, "grayscale(1)");
    let good = "document.querySelectorAll('header [data-tone=good], #verdict[data-tone=good]').length";
    assert_eq!(browser.evaluate(good).await, 0);
    let enabled = "document.querySelectorAll('#drawer-acts button:not(:disabled)').length";
    assert_eq!(browser.evaluate(enabled).await, 0);
    // What is not known is not counted on.
    let first = browser.text("#drawer-facts").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(browser.text("#drawer-facts").await, first);
    world.assert_page_healthy().await;
}

/// The details are in sight, have the focus, and Escape closes them.
#[tokio::test]
async fn details_open_in_sight_with_the_focus() {
    let world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    let browser = &world.browser;
    let name = format!("{} .name", row_selector(MODEL));
    browser.wait_for_text(&name, MODEL).await;
    browser.tab_to(&name).await;
    browser.press_key("Enter").await;
    browser.wait_until("the focus is in them", "document.activeElement.id === 'drawer-title'").await;
    let in_sight = "(() => { const r = document.querySelector('#drawer-title').getBoundingClientRect(); \
                    return r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth; })()";
    assert_eq!(browser.evaluate(in_sight).await, true);
    browser.press_key("Escape").await;
    browser.wait_until("they are closed", "document.querySelector('#drawer').hidden").await;
    let back = format!("document.activeElement.matches({})", serde_json::Value::from(name));
    browser.wait_until("the focus is back", &back).await;
    world.assert_page_healthy().await;
}

/// Time alone ends an open period: half-open since then, amber, and not counted as unavailable.
#[tokio::test]
async fn half_open_is_dated_from_the_end_of_the_open_period() {
    let config = "breaker.open_duration = '4s'\nbreaker.max_open_duration = '4s'\n";
    let world = World::begin_with(config, None).await;
    world.open_page().await;
    let browser = &world.browser;
    world.fail_model("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call(MODEL).await, 503);
    }
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "✕ open").await;
    browser.wait_for_text(&row, "half-open for 2 s").await;
    browser.wait_for_text("#problems", "half-open for ").await;
    let report: serde_json::Value =
        reqwest::get(world.url(&format!("/circuits/{MODEL}"))).await.unwrap().json().await.unwrap();
    assert!(report["since"].as_u64() < report["retryAt"].as_u64(), "{report}");
    let widths = "['open', 'half_open'].map((kind) => \
                  +document.querySelector(`#lanes rect.${kind}`).getAttribute('width') > 0).join()";
    assert_eq!(browser.evaluate(widths).await, "true,true");
    world.assert_page_healthy().await;
}

/// It waits for a request, not for an operator: amber, and not one of the unavailable ones.
#[tokio::test]
async fn half_open_is_not_counted_as_unavailable() {
    let (canned, browser) = open_canned(states::half_open()).await;
    let title = "1 model waiting for a probe – the next request decides";
    browser.wait_for_text("#verdict-title", &format!("No requests failing; {title}")).await;
    browser.wait_for_text("#problems", "The next request is the probe").await;
    assert_eq!(browser.evaluate("document.querySelector('#verdict').dataset.tone").await, "warning");
    assert_eq!(browser.evaluate("document.title").await, "◐ 1 waiting for a probe – Switchboard");
    let mut quiet = states::half_open();
    quiet["traffic"] = serde_json::Value::Null;
    canned.change(quiet);
    browser
        .wait_until(
            "nothing is red",
            "document.querySelectorAll('#data [data-phase=open], #verdict[data-tone=bad]').length === 0",
        )
        .await;
}

/// Before its first request nothing is known of a model: blank, with a mark where that was.
#[tokio::test]
async fn the_time_before_a_model_was_seen_is_blank() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    browser.wait_until("a lane", "!!document.querySelector('#lanes rect.closed')").await;
    let left = "+document.querySelector('#lanes rect.closed').getAttribute('x')";
    let left = browser.evaluate(left).await.as_f64().unwrap();
    assert!(left > 900.0, "closed from {left} of 1000 on");
    browser.wait_until("a mark", "!!document.querySelector('#lanes line.first')").await;
    let label = browser.evaluate("document.querySelector('#lanes svg').getAttribute('aria-label')").await;
    assert!(label.as_str().unwrap().contains("closed, first seen "), "{label}");

    // The page remembers that it was closed before it opened.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.fail_model("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call(MODEL).await, 503);
    }
    browser
        .wait_until("open after closed", "document.querySelector('#lanes rect.closed + rect.open') !== null")
        .await;
    world.assert_page_healthy().await;
}

/// What was counted before a circuit opened is not shown as if it were so now.
#[tokio::test]
async fn an_open_circuit_has_no_error_rate() {
    let world = World::begin().await;
    let browser = &world.browser;
    for _ in 0..3 {
        assert_eq!(world.call(MODEL).await, 200);
    }
    let errors = format!("{} td.errors > span", row_selector(MODEL));
    browser.wait_for_text(&errors, "0.0 %").await;
    world.fail_model("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call(MODEL).await, 503);
    }
    browser.wait_for_text(&row_selector(MODEL), "✕ open").await;
    browser.wait_for_text(&errors, "–").await;
    browser.click(&format!("{} .name", row_selector(MODEL))).await;
    browser.wait_for_text("#drawer-facts", "Error rate (10 s)\n–").await;
    world.assert_page_healthy().await;
}

/// Without a Redis nothing is said of one.
#[tokio::test]
async fn a_single_process_says_that_it_is_one() {
    let simulator = Simulator::start().await.unwrap();
    let (instance, browser) = tokio::join!(Instance::start(None, &simulator), Browser::open());
    browser.navigate(&format!("{}/dashboard", instance.url)).await;
    browser.wait_for_text("#store", "Single process (no Redis)").await;
    let text = browser.text("body").await;
    for wrong in
        ["Redis' own", "Served by memory", "in this process only", "Redis the other instances use", "CLI"]
    {
        assert!(!text.contains(wrong), "{wrong:?}: {text}");
    }
}

/// The manual shows the page as it is: the pictures carry the sum of the files that they were made of.
#[test]
fn the_manuals_pictures_are_of_this_page() {
    let made = std::fs::read_to_string(crate::screenshots::STAMP).unwrap_or_default();
    let remedy = "cargo test -p switchboard --test dashboard -- --ignored pictures";
    assert_eq!(made.trim(), crate::screenshots::page_sum(), "make the pictures again: {remedy}");
}

/// A cooldown is no outage, and amber.
#[tokio::test]
async fn a_cooldown_is_amber() {
    let (_canned, browser) = open_canned(states::cooldown()).await;
    browser.wait_for_text("#verdict-title", "No requests failing; 1 of 3 models cooling down").await;
    browser.wait_for_text(&row_selector(MODEL), "cooldown").await;
    let tones = "[document.querySelector('#verdict').dataset.tone, document.querySelectorAll('#data [data-phase=open]').length]";
    assert_eq!(browser.evaluate(tones).await, json!(["warning", 0]));
}
