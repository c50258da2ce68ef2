//! Traffic, routes and instances, from canned answers.

use std::time::Duration;

use serde_json::json;

use crate::{
    faults::open_canned,
    states::{self, FIRST, SECOND},
    world::row_selector,
};

/// The four figures, and whose they are.
#[tokio::test]
async fn the_figures_at_the_top_say_whose_they_are() {
    let mut state = states::outage();
    let (canned, browser) = open_canned(state.clone()).await;
    for text in [
        "Requests a second\n1",
        "Failed requests\n0 0.0 % in 15 min",
        "Answered by fallbacks\n100 %",
        "p95 to first token\n900 ms",
    ] {
        browser.wait_for_text("#tiles", text).await;
    }
    browser.wait_for_text("#scope", "Sum of 3 instances, last 15 minutes").await;
    let charts = "document.querySelectorAll('#tiles svg[role=img][aria-label$=\"last 15 minutes\"]').length";
    assert_eq!(browser.evaluate(charts).await, 4);
    for text in
        ["openai:gpt-5", "open · next probe in", "anthropic:claude-sonnet-5-5", "now", "100 % by fallback"]
    {
        browser.wait_for_text("#route-list", text).await;
    }
    let row = browser.text(&row_selector(SECOND)).await;
    for text in ["closed", "300 ms / 900 ms", "1.5 s / 4.2 s", "5", "k"] {
        assert!(row.contains(text), "{text:?}: {row}");
    }
    for text in
        ["v0.0.9", "up 3 h", "Redis connected", "240 req/min", "Open: openai:gpt-5", "serves this page"]
    {
        browser.wait_for_text("#instances", text).await;
    }

    state["traffic"]["scope"] = "instance".into();
    state["store"] =
        json!({"kind": "redis", "state": "degraded", "url": "redis://a", "error": "Connection refused"});
    canned.change(state);
    browser.wait_for_text("#scope", "Instance 814fd1ca alone").await;
    browser.wait_for_text("#away", "Redis unreachable – requests are still served").await;
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// New buckets are joined to the ones before, also after a gap, which stays blank.
#[tokio::test]
async fn new_buckets_join_the_ones_before() {
    let state = states::healthy();
    let (canned, browser) = open_canned(state.clone()).await;
    browser.wait_for_text("#verdict-title", "All requests are being answered").await;
    assert_eq!(browser.evaluate("document.title").await, "✓ Switchboard");
    canned.send("traffic", &states::next_bucket(&state, 40, 10));
    browser.wait_for_text("#verdict-title", "failed in the last minute (route assistant)").await;
    browser.wait_for_text("#tiles", "Failed requests\n10").await;
    browser.wait_for_text("#route-list", "10 failed").await;
}

/// Each new request is a dot on its way; a failed one turns red. Who wants less motion sees the same in words.
#[tokio::test]
async fn requests_move_from_the_callers_to_the_model() {
    let state = states::healthy();
    let (canned, browser) = open_canned(state.clone()).await;
    let seen = "window.seen = new Set(); window.at = new Set(); new MutationObserver(() => { \
                for (const dot of document.querySelectorAll('.flow circle')) { \
                  window.seen.add(dot.getAttribute('class')); window.at.add(dot.getAttribute('cx')); } }).observe( \
                document.querySelector('#route-list'), { subtree: true, childList: true, attributes: true }); 0";
    browser.evaluate(seen).await;
    canned.send("traffic", &states::next_bucket(&state, 8, 2));
    browser.wait_until("dots", "window.seen.has('first') && window.seen.has('failed')").await;
    browser.wait_until("one of them comes back", "window.seen.has('failed back')").await;
    browser.wait_until("they move", "window.at.size > 10").await;
    browser.wait_until("they end", "!document.querySelector('.flow circle')").await;
    let probe = json!({"key": SECOND, "report": state["circuits"][1], "transition":
        states::transition(0, "OPEN", "HALF_OPEN", &json!({"kind": "probe"}))});
    canned.send("circuit", &probe);
    browser.wait_until("a probe", "window.seen.has('probe')").await;
    browser.wait_until("it ends", "!document.querySelector('.flow circle')").await;

    browser.set_reduced_motion(true).await;
    browser.evaluate("window.seen.clear()").await;
    canned.change(states::outage());
    browser.wait_for_text("#route-list", "on fallback").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(browser.evaluate("document.querySelectorAll('.flow circle').length").await, 0);
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// A gateway that reports less: what is not known is a dash, and nothing is green that is not known.
#[tokio::test]
async fn an_older_gateway_is_shown_without_traffic() {
    let (canned, browser) = open_canned(states::older()).await;
    browser.wait_for_text("#verdict-title", "All models available").await;
    browser.wait_for_text("#scope", "This gateway reports no traffic").await;
    assert_eq!(browser.text("#tiles .value").await, "–");
    assert_eq!(browser.evaluate("document.querySelector('#verdict').dataset.tone").await, "neutral");
    assert_eq!(browser.text("#routes").await, "");
    browser.wait_for_text("#instances", "814fd1ca").await;
    browser.click(&format!("{} .name", row_selector(FIRST))).await;
    browser.wait_for_text("#drawer-facts", "Held open by instances\n–").await;
    canned.change(
        json!({"now": 0, "instance": "a", "store": {"kind": "memory", "state": "embedded"}, "circuits": []}),
    );
    browser.wait_for_text("#empty", "No models yet").await;
    browser.wait_for_text("#verdict-title", "No requests yet").await;
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// The demo's providers can be broken and healed.
#[tokio::test]
async fn the_demos_providers_can_be_broken() {
    let mut state = states::healthy();
    state["demo"] = json!({"providers": ["primary", "backup"], "broken": ["backup"]});
    let (canned, browser) = open_canned(state).await;
    browser.wait_for_text("#demo", "Break primary").await;
    browser.wait_for_text("#demo", "Heal backup").await;
    browser.click("#demo button").await;
    browser.wait_for_text("#demo-note", "primary responds with errors now").await;
    assert_eq!(canned.posts(), ["demo/providers/primary/break"]);
}
