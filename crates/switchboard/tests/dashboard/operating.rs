//! A person's hand on a circuit, through the page.

use serde_json::Value;

use crate::world::{World, row};

const MODEL: &str = "openai:gpt-5";
const KEY: &str = "circuit_breaker:openai:gpt-5";

/// By the keyboard alone: opened for a while with a reason, after a question that can be left; then closed.
#[tokio::test]
async fn a_circuit_is_opened_and_closed_by_keyboard() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row(MODEL);
    browser.until_text(&row, "closed").await;

    let open = r#"button[data-act="open"]"#;
    browser.tab_to(open).await;
    browser.press("Enter").await;
    browser.until_text("#question", "Open openai:gpt-5?").await;
    browser.press("Escape").await;
    browser.until("the question is gone", "!document.querySelector('#question').open").await;
    browser.until("the focus is back", r#"document.activeElement.matches('button[data-act="open"]')"#).await;
    assert_eq!(world.call(MODEL).await, 200, "a question alone does nothing");

    browser.press("Enter").await;
    browser.until("the focus is in the question", "document.activeElement.id === 'for-field'").await;
    browser.press("ArrowUp").await;
    assert_eq!(browser.value("document.activeElement.value").await, "5m");
    browser.tab_to("#reason-field").await;
    browser.write("the provider told us so").await;
    // Behind the question nothing can be reached: the focus goes round in it, by way of the browser itself.
    for _ in 0..8 {
        browser.press("Tab").await;
        let inside =
            "document.activeElement === document.body || !!document.activeElement.closest('#question')";
        assert_eq!(browser.value(inside).await, true);
    }
    browser.tab_to("#reason-field").await;
    browser.press("Enter").await;
    browser.until_text(&row, "✕ open, by hand").await;
    browser.until_text(&row, "by hand: the provider told us so").await;
    browser.until_text(&row, "in 4 min").await;
    assert_eq!(world.call(MODEL).await, 503);
    let value: Value = serde_json::from_str(&world.redis.cli(&["GET", KEY]).await).unwrap();
    assert_eq!(
        (&value["forced"], &value["reason"]["why"]),
        (&true.into(), &"the provider told us so".into())
    );

    browser.until("the focus is on the row's button", "!!document.activeElement.closest('#rows')").await;
    browser.tab_to(r#"#rows button[data-act="close"]"#).await;
    browser.press("Enter").await;
    browser.until_text("#question", "Close openai:gpt-5?").await;
    assert_eq!(browser.value("document.activeElement.id").await, "reason-field");
    browser.write("it is well again").await;
    browser.press("Enter").await;
    browser.until_text(&row, "✓ closed").await;
    browser.until_text("#transitions", "by hand: it is well again").await;
    assert_eq!(world.call(MODEL).await, 200);
    world.page_is_well().await;
}

/// With the mouse: opened until somebody closes it, and reset.
#[tokio::test]
async fn a_circuit_is_opened_for_good_and_reset() {
    let world = World::begin().await;
    let browser = &world.browser;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row(MODEL);
    browser.click(&format!("{row} [data-act=open]")).await;
    browser.value("document.querySelector('#for-field').value = ''").await;
    browser.click("#question-yes").await;
    browser.until_text(&row, "when somebody closes it").await;
    assert_eq!(world.call(MODEL).await, 503);

    browser.click(&format!("{row} button.name")).await;
    browser.click("#detail [data-act=reset]").await;
    browser.until_text("#question", "Reset openai:gpt-5?").await;
    browser.click("#question-yes").await;
    browser.until_text("#transitions", "✓ closed: reset").await;
    assert_eq!(world.call(MODEL).await, 200);
    browser.until_text(&row, "✓ closed").await;
    world.page_is_well().await;
}
