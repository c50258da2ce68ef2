//! Manual overrides through the page.

use serde_json::Value;

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";
const KEY: &str = "circuit_breaker:openai:gpt-5";

/// With the keyboard only: forced open for a while with a reason, after a dialog that can be cancelled; then closed.
#[tokio::test]
async fn a_circuit_is_opened_and_closed_by_keyboard() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    browser.wait_for_text(&row, "closed").await;

    browser.tab_to(&format!("{row} .name")).await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#drawer-acts", "Force open…").await;
    let open = r#"button[data-act="open"]"#;
    browser.tab_to(open).await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#question", "Force openai:gpt-5 open?").await;
    browser.press_key("Escape").await;
    browser.wait_until("the dialog is closed", "!document.querySelector('#question').open").await;
    browser
        .wait_until("the focus is back", r#"document.activeElement.matches('button[data-act="open"]')"#)
        .await;
    assert_eq!(world.call(MODEL).await, 200, "a dialog alone changes nothing");

    browser.press_key("Enter").await;
    browser.wait_until("the focus is in the dialog", "document.activeElement.id === 'for-field'").await;
    browser.press_key("ArrowUp").await;
    assert_eq!(browser.evaluate("document.activeElement.value").await, "5m");
    browser.tab_to("#reason-field").await;
    browser.type_text("the provider told us so").await;
    // The dialog is modal: the focus stays in it, or goes to the browser itself.
    for _ in 0..8 {
        browser.press_key("Tab").await;
        let inside =
            "document.activeElement === document.body || !!document.activeElement.closest('#question')";
        assert_eq!(browser.evaluate(inside).await, true);
    }
    browser.tab_to("#reason-field").await;
    browser.press_key("Enter").await;
    browser.wait_for_text(&row, "⊘ forced open").await;
    browser.wait_for_text(&row, "Manual: the provider told us so").await;
    browser.wait_for_text(&row, "Next probe in 4 min").await;
    assert_eq!(world.call(MODEL).await, 503);
    let value: Value = serde_json::from_str(&world.redis.cli(&["GET", KEY]).await).unwrap();
    assert_eq!(
        (&value["forced"], &value["reason"]["why"]),
        (&true.into(), &"the provider told us so".into())
    );

    browser.wait_until("the focus is on a button", "!!document.activeElement.closest('#drawer-acts')").await;
    browser.tab_to(r#"#drawer-acts button[data-act="close"]"#).await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#question", "Force openai:gpt-5 closed?").await;
    assert_eq!(browser.evaluate("document.activeElement.id").await, "reason-field");
    browser.type_text("it is well again").await;
    browser.press_key("Enter").await;
    browser.wait_for_text(&row, "✓ closed").await;
    browser.wait_for_text("#transitions", "manual: it is well again").await;
    assert_eq!(world.call(MODEL).await, 200);
    world.assert_page_healthy().await;
}

/// With the mouse: forced open until it is closed manually, and reset.
#[tokio::test]
async fn a_circuit_is_opened_for_good_and_reset() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    world.open_details(MODEL).await;
    browser.click("#drawer-acts [data-act=open]").await;
    browser.evaluate("document.querySelector('#for-field').value = ''").await;
    browser.click("#question-yes").await;
    browser.wait_for_text(&row, "Stays open until closed manually").await;
    assert_eq!(world.call(MODEL).await, 503);

    browser.wait_for_text("#drawer-acts", "Extend…").await;
    browser.click("#drawer-acts [data-act=reset]").await;
    browser.wait_for_text("#question", "Reset openai:gpt-5?").await;
    browser.click("#question-yes").await;
    browser.wait_for_text("#transitions", "✓ closed: reset").await;
    assert_eq!(world.call(MODEL).await, 200);
    browser.wait_for_text(&row, "✓ closed").await;
    world.assert_page_healthy().await;
}
