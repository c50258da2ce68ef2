//! The page of a gateway that wants keys.

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";

/// The page itself needs none; it asks for one, says so if it is wrong, and keeps it in the tab alone. A caller's key
/// is enough to look, and operating asks for an admin's.
#[tokio::test]
async fn the_page_asks_for_a_key() {
    let keys = "server.api_keys = ['caller-key']\nserver.admin_keys = ['admin-key']\n";
    let world = World::begin_with(keys, Some("caller-key")).await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    browser.navigate(&world.url("/dashboard")).await;
    browser.evaluate("window.loadedOnce = true").await;
    browser.wait_for_text("#key", "This gateway needs a key").await;
    assert_eq!(browser.text("#data").await, "", "data is shown without a key");

    browser.wait_until("the focus is in the field", "document.activeElement.id === 'key-field'").await;
    browser.type_text("wrong-key").await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#key-error", "the key is none of this gateway's").await;
    browser.type_text("caller-key").await;
    browser.press_key("Enter").await;
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "✓ closed").await;
    browser.wait_until("the form is gone", "document.querySelector('#key').hidden").await;

    browser.click(&format!("{row} [data-act=open]")).await;
    browser.click("#question-yes").await;
    browser.wait_for_text("#question-error", "needs an admin key").await;
    browser.wait_until("the focus is in the field", "document.activeElement.id === 'admin-field'").await;
    browser.type_text("admin-key").await;
    browser.press_key("Enter").await;
    browser.wait_for_text(&row, "✕ open, by hand").await;

    let kept = "[localStorage.length, document.cookie, sessionStorage.length, location.href.includes('key')]";
    assert_eq!(browser.evaluate(kept).await, serde_json::json!([0, "", 1, false]));
    world.assert_page_healthy().await;
    browser.click("#forget").await;
    browser.wait_for_text("#key", "This gateway needs a key").await;
    assert_eq!(browser.text("#data").await, "");
}
