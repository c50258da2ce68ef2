//! Finding one's way: addresses, filters, keys, theme, timeline and events.

use serde_json::{Value, json};

use crate::{
    faults::open_canned,
    states::{self, FIRST, SECOND},
    world::{World, row_selector},
};

const DRAWER_CLOSED: &str = "document.querySelector('#drawer').hidden";

/// A model has an address, which opens its details, also one with a slash, one that nobody called, and by the browser's history.
#[tokio::test]
async fn a_model_has_an_address() {
    let world = World::begin_with("", None).await;
    let browser = &world.browser;
    assert_eq!(world.call("openai:meta-llama/llama-4").await, 200);
    browser.navigate(&world.url("/dashboard#/models/openai:meta-llama%2Fllama-4")).await;
    browser.wait_for_text("#drawer-title", "openai:meta-llama/llama-4").await;
    browser.wait_for_text("#drawer-facts", "Consecutive failures").await;
    browser.click("#drawer-close").await;
    browser.wait_until("closed", DRAWER_CLOSED).await;
    assert_eq!(browser.evaluate("location.hash").await, "");
    browser.click(&format!("{} .name", row_selector("openai:meta-llama/llama-4"))).await;
    browser.wait_for_text("#drawer-title", "meta-llama").await;
    assert_eq!(browser.evaluate("location.hash").await, "#/models/openai:meta-llama%2Fllama-4");
    browser.evaluate("history.back()").await;
    browser.wait_until("closed", DRAWER_CLOSED).await;
    browser.evaluate("location.hash = '#/models/openai:nobody-called-it'").await;
    browser.wait_for_text("#drawer-words", "No circuit yet").await;
    browser.evaluate("location.hash = '#/models/%'").await;
    browser.wait_until("closed", DRAWER_CLOSED).await;
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// `/` j k Enter o c ? and Escape; none of them while typing, and none when they are switched off.
#[tokio::test]
async fn single_keys_do_what_the_help_says() {
    let (_canned, browser) = open_canned(states::outage()).await;
    let focused =
        |key: &str| format!("document.activeElement.closest('tr')?.dataset.key === {}", Value::from(key));
    browser.press_key("j").await;
    browser.wait_until("the first row", &focused(FIRST)).await;
    browser.press_key("j").await;
    browser.wait_until("the second row", &focused(SECOND)).await;
    browser.press_key("k").await;
    browser.wait_until("the first row again", &focused(FIRST)).await;
    browser.press_key("o").await;
    browser.wait_for_text("#question", "Force openai:gpt-5 open?").await;
    browser.press_key("Escape").await;
    browser.wait_until("the focus is back", &focused(FIRST)).await;
    browser.press_key("c").await;
    browser.wait_for_text("#question", "Force openai:gpt-5 closed?").await;
    browser.press_key("Escape").await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#drawer-title", FIRST).await;
    browser.press_key("j").await;
    browser.wait_for_text("#drawer-title", SECOND).await;
    browser.press_key("Escape").await;
    browser.wait_until("closed", DRAWER_CLOSED).await;

    browser.press_key("/").await;
    browser.wait_until("the filter", "document.activeElement.id === 'filter'").await;
    browser.press_key("c").await;
    assert_eq!(browser.evaluate("document.querySelector('#filter').value").await, "c");
    assert_eq!(browser.evaluate("!!document.querySelector('dialog[open]')").await, false);
    browser.press_key("Escape").await;
    assert_eq!(browser.evaluate("document.querySelector('#filter').value").await, "");

    browser.press_key("?").await;
    browser.wait_for_text("#help", "Keyboard shortcuts").await;
    browser.click("#keys-setting").await;
    browser.click("#help-close").await;
    browser.evaluate("document.activeElement.blur()").await;
    browser.press_key("?").await;
    assert_eq!(browser.evaluate("document.querySelector('#help').open").await, false);
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// The theme is the system's until another is chosen, which stays.
#[tokio::test]
async fn the_theme_can_be_chosen_and_stays() {
    let (canned, browser) = open_canned(states::healthy()).await;
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = browser.evaluate(ground).await;
    browser.set_viewport(1280, "dark").await;
    let dark = browser.evaluate(ground).await;
    assert_ne!(light, dark);
    browser.click("#theme").await;
    assert_eq!(browser.evaluate(ground).await, light, "light, on a dark system");
    browser.navigate(&format!("{}/dashboard?again", canned.url)).await;
    browser.wait_for_text("#live", "Live").await;
    assert_eq!(browser.evaluate(ground).await, light);
    browser.click("#theme").await;
    browser.set_viewport(1280, "light").await;
    assert_eq!(browser.evaluate(ground).await, dark, "dark, on a light system");
}

/// By name, by state, and sorted by a column.
#[tokio::test]
async fn models_are_filtered_and_sorted() {
    let (_canned, browser) = open_canned(states::outage()).await;
    let keys = "[...document.querySelectorAll('#rows tr')].map((row) => row.dataset.key).join()";
    let first = format!("{FIRST},{SECOND},groq:llama-4");
    browser.wait_until("worst first", &format!("{keys} === {}", Value::from(first))).await;
    browser.click("#filter").await;
    browser.type_text("CLAUDE").await;
    browser.wait_until("one", &format!("{keys} === {}", Value::from(SECOND))).await;
    browser.wait_for_text("#models-note", "1 of 3").await;
    browser.type_text("x").await;
    browser.wait_for_text("#no-match", "No matching models").await;
    browser.press_key("Escape").await;
    browser.click("#only-unhealthy").await;
    browser.wait_until("the open one", &format!("{keys} === {}", Value::from(FIRST))).await;
    browser.click("#only-all").await;
    browser.click("#columns th:nth-child(3) button").await;
    let busiest = format!("{keys}.startsWith({})", Value::from(SECOND));
    browser.wait_until("the busiest first", &busiest).await;
    assert_eq!(
        browser.evaluate("document.querySelector('#columns th:nth-child(3)').ariaSort").await,
        "descending"
    );
}

/// Ranges, what the pointer is on, a part that is zoomed into, and no colour where nothing is known.
#[tokio::test]
async fn the_timeline_has_ranges_hover_and_zoom() {
    let (canned, browser) = open_canned(states::outage()).await;
    let failed = json!({"kind": "status", "rule": "row", "status": 529});
    canned.set_history(
        FIRST,
        json!([
            states::transition(120_000, "CLOSED", "OPEN", &failed),
            states::transition(1_500_000, "HALF_OPEN", "CLOSED", &json!({"kind": "recovered"})),
            states::transition(1_800_000, "CLOSED", "OPEN", &json!({"kind": "manual", "why": "drill"})),
        ]),
    );
    browser.navigate(&format!("{}/dashboard?again", canned.url)).await;
    browser.wait_for_text("#ranges [aria-pressed=true]", "1 h").await;
    let count = |kind: &str| format!("document.querySelectorAll('#lanes .{kind}').length");
    browser.wait_until("the manual change", &format!("{} === 1", count("manual"))).await;
    browser.wait_until("forced open", &format!("{} === 1", count("forced"))).await;
    // Nothing is known of the first half of this hour.
    let left =
        "Math.min(...[...document.querySelectorAll('#lanes rect')].map((bar) => +bar.getAttribute('x')))";
    let left = browser.evaluate(left).await.as_f64().unwrap();
    assert!((450.0..550.0).contains(&left), "{left}");
    browser.drag("#lanes svg", &[0.55]).await;
    browser.wait_for_text("#readout", "openai:gpt-5: forced open").await;
    browser.wait_for_text("#readout", "(5 min), manual: drill").await;
    browser.drag("#lanes svg", &[0.25]).await;
    browser.wait_for_text("#readout", "no data").await;
    browser.wait_for_text("#changes-note", "3 events").await;

    browser.drag("#lanes svg", &[0.9, 0.95, 0.99]).await;
    browser.wait_for_text("#zoom-out", "Reset zoom").await;
    browser.wait_for_text("#changes-note", "1 event").await;
    browser.click("#zoom-out").await;
    browser.wait_for_text("#changes-note", "3 events").await;
    browser.evaluate("document.querySelector('#chart').focus()").await;
    browser.press_key("+").await;
    browser.wait_for_text("#zoom-out", "Reset zoom").await;
    browser.press_key("0").await;
    browser.wait_until("no zoom", "document.querySelector('#zoom-out').hidden").await;
    for (at, pressed) in [(1, "5 min"), (3, "24 h"), (4, "7 d")] {
        browser.click(&format!("#ranges button:nth-child({at})")).await;
        browser.wait_for_text("#ranges [aria-pressed=true]", pressed).await;
    }
    assert_eq!(browser.page_errors(), Vec::<String>::new());
}

/// By text and kind; a copy has the time, the model, what happened, why, and who said so.
#[tokio::test]
async fn events_are_filtered_and_copied() {
    let (canned, browser) = open_canned(states::outage()).await;
    canned.set_history(
        FIRST,
        json!([
            states::transition(
                120_000,
                "CLOSED",
                "OPEN",
                &json!({"kind": "status", "rule": "row", "status": 529})
            ),
            states::transition(
                600_000,
                "OPEN",
                "CLOSED",
                &json!({"kind": "manual", "why": "drill", "by": "ana"})
            ),
        ]),
    );
    browser.navigate(&format!("{}/dashboard?again", canned.url)).await;
    browser.wait_for_text("#transitions", "closed → ✕ open: HTTP 529 (7d90ab31)").await;
    browser.click("#changes-filter").await;
    browser.type_text("drill").await;
    browser.wait_for_text("#changes-note", "1 of 2").await;
    browser.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }; 0").await;
    browser.click("#copy").await;
    browser.wait_for_text("#copy", "Copied").await;
    let copied = browser.evaluate("window.copied").await;
    let copied = copied.as_str().unwrap();
    assert!(
        copied.ends_with("Z  openai:gpt-5  open → ✓ closed: manual by ana: drill  (instance 7d90ab31)"),
        "{copied}"
    );
    browser.click("#changes-filter").await;
    browser.press_key("Escape").await;
    browser.evaluate("{ const kind = document.querySelector('#changes-kind'); kind.value = 'open'; kind.dispatchEvent(new Event('input')); } 0").await;
    browser.wait_for_text("#changes-note", "1 of 2").await;
    browser.wait_for_text("#transitions", "✕ open").await;
}
