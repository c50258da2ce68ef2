//! The page of a gateway with keys.

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";

/// The page itself needs no key; it asks for one, rejects a wrong one, and keeps it in the tab only. An API key is enough
/// to inspect, and operating asks for an admin key.
#[tokio::test]
async fn the_page_asks_for_a_key() {
    let keys = "server.api_keys = ['caller-key']\nserver.admin_keys = ['admin-key']\n";
    let world = World::begin_with(keys, Some("caller-key")).await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    browser.navigate(&world.url("/dashboard")).await;
    browser.evaluate("window.loadedOnce = true").await;
    browser.wait_for_text("#key", "API key (view) or admin key (view and change)").await;
    assert_eq!(browser.text("#data").await, "", "data is shown without a key");

    browser.wait_until("the focus is in the field", "document.activeElement.id === 'key-field'").await;
    browser.type_text("wrong-key").await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#key-error", "Invalid API key.").await;
    browser.type_text("caller-key").await;
    browser.press_key("Enter").await;
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "✓ closed").await;
    browser.wait_until("the form is gone", "document.querySelector('#key').hidden").await;

    world.open_details(MODEL).await;
    browser.click("#drawer-acts [data-act=open]").await;
    // Where the gateway says whose key it is, the dialog asks for an admin key at once.
    browser.click("#question-yes").await;
    browser.wait_for_text("#question-error", "needs an admin key").await;
    browser.wait_until("the focus is in the field", "document.activeElement.id === 'admin-field'").await;
    browser.type_text("admin-key").await;
    browser.press_key("Enter").await;
    browser.wait_for_text(&row, "⊘ forced open").await;

    let kept = "[localStorage.length, document.cookie, sessionStorage.length, location.href.includes('key')]";
    assert_eq!(browser.evaluate(kept).await, serde_json::json!([0, "", 1, false]));
    world.assert_page_healthy().await;
    browser.wait_until("the dialog is closed", "!document.querySelector('#question').open").await;
    browser.click("#drawer-close").await;
    browser.click("#sign-out").await;
    browser.wait_for_text("#key", "API key (view) or admin key (view and change)").await;
    assert_eq!(browser.text("#data").await, "");
}
