//! Names and reasons that would be markup or script, if the page did not treat them as text.

use crate::world::World;

/// Every dangerous character that a model key may contain; no blanks, because a key has none.
const HOSTILE_MODEL_NAME: &str =
    "evil:<img/src=x/onerror=window.owned=1><script>window.owned=2</script>\"'`&lt;/?#%2e../..";

/// A reason that an operator may give.
const HOSTILE_REASON: &str =
    "</td><svg onload=window.owned=3><a href=javascript:window.owned=4>click</a> ${window.owned=5}";

/// A key that anyone wrote into Redis is shown as text only, and its circuit can be inspected and operated.
#[tokio::test]
async fn a_name_or_a_reason_is_never_markup() {
    let world = World::begin().await;
    let browser = &world.browser;
    world.redis.cli(&["SET", &format!("circuit_breaker:{HOSTILE_MODEL_NAME}"), r#"{"state":"OPEN"}"#]).await;
    browser.wait_for_text("#rows", HOSTILE_MODEL_NAME).await;
    browser.wait_for_text("#verdict", HOSTILE_MODEL_NAME).await;
    browser.wait_for_text("#lanes", HOSTILE_MODEL_NAME).await;

    browser.click("#rows .name").await;
    browser.wait_for_text("#drawer-title", HOSTILE_MODEL_NAME).await;
    browser.wait_for_text("#drawer-history", "written by Open SWE or redis-cli").await;
    browser.click("#drawer-acts [data-act=open]").await;
    browser.wait_for_text("#question-title", HOSTILE_MODEL_NAME).await;
    browser.click("#reason-field").await;
    browser.type_text(HOSTILE_REASON).await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#rows", HOSTILE_REASON).await;
    browser.wait_for_text("#drawer-history", HOSTILE_REASON).await;
    browser.wait_for_text("#verdict", HOSTILE_REASON).await;
    browser.click("#drawer-acts [data-act=close]").await;
    browser.click("#question-yes").await;
    browser.wait_for_text("#rows", "✓ closed").await;
    browser.wait_for_text("#transitions", HOSTILE_MODEL_NAME).await;

    let made = "document.querySelectorAll('body img, body script, body a:not(.skip, .name, footer a), svg[onload], [style]').length";
    assert_eq!(browser.evaluate(made).await, 0, "something became an element");
    let elsewhere = "[...document.querySelectorAll('a.name')].filter((link) => !link.getAttribute('href').startsWith('#/models/')).length";
    assert_eq!(browser.evaluate(elsewhere).await, 0, "a name became an address");
    assert_eq!(browser.evaluate("window.owned === undefined").await, true, "something ran");
    world.assert_page_healthy().await;
}

/// The content security policy protects the page even if text becomes markup.
#[tokio::test]
async fn the_policy_blocks_foreign_content() {
    let world = World::begin().await;
    let browser = &world.browser;
    let inject = "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x\" onerror=\"window.owned=1\">')";
    browser.evaluate(inject).await;
    browser.evaluate("fetch('http://127.0.0.1:9/').catch(() => {}).then(() => true)").await;
    browser.wait_until("a picture from elsewhere is refused", "true").await;
    assert_eq!(browser.evaluate("window.owned === undefined").await, true, "a handler in markup ran");
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while browser.page_errors().len() < 2 {
        assert!(
            tokio::time::Instant::now() < end,
            "the policy reported nothing: {:?}",
            browser.page_errors()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let errors = browser.page_errors().join("\n");
    assert!(errors.contains("Content Security Policy"), "{errors}");
}
