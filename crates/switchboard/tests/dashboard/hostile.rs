//! Names and reasons that would be markup or script, if the page let them.

use crate::world::World;

/// Everything that a model key may hold, where it would do most harm; no blanks, as a key has none.
const NAME: &str =
    "evil:<img/src=x/onerror=window.owned=1><script>window.owned=2</script>\"'`&lt;/?#%2e../..";

/// What a person may give as a reason.
const WHY: &str =
    "</td><svg onload=window.owned=3><a href=javascript:window.owned=4>click</a> ${window.owned=5}";

/// Written into Redis by whoever can, shown as text and nothing else; and its circuit can be looked at and operated.
#[tokio::test]
async fn a_name_or_a_reason_is_never_markup() {
    let world = World::begin().await;
    let browser = &world.browser;
    world.redis.cli(&["SET", &format!("circuit_breaker:{NAME}"), r#"{"state":"OPEN"}"#]).await;
    browser.until_text("#rows", NAME).await;
    browser.until_text("#verdict", NAME).await;
    browser.until_text("#lanes", NAME).await;

    browser.click("#rows button.name").await;
    browser.until_text("#detail-title", NAME).await;
    browser.until_text("#detail-history", "written by Open SWE or redis-cli").await;
    browser.click("#rows [data-act=open]").await;
    browser.until_text("#question-title", NAME).await;
    browser.click("#reason-field").await;
    browser.write(WHY).await;
    browser.press("Enter").await;
    browser.until_text("#rows", WHY).await;
    browser.until_text("#detail-history", WHY).await;
    browser.until_text("#verdict", WHY).await;
    browser.click("#rows [data-act=close]").await;
    browser.click("#question-yes").await;
    browser.until_text("#rows", "✓ closed").await;
    browser.until_text("#transitions", NAME).await;

    let made =
        "document.querySelectorAll('body img, body script, body a:not(.skip), svg[onload], [style]').length";
    assert_eq!(browser.value(made).await, 0, "something became an element");
    assert_eq!(browser.value("window.owned === undefined").await, true, "something ran");
    world.page_is_well().await;
}

/// The browser's own guard stands, should the page ever fail to keep its word.
#[tokio::test]
async fn the_policy_lets_nothing_in() {
    let world = World::begin().await;
    let browser = &world.browser;
    let inject = "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x\" onerror=\"window.owned=1\">')";
    browser.value(inject).await;
    browser.value("fetch('http://127.0.0.1:9/').catch(() => {}).then(() => true)").await;
    browser.until("a picture from elsewhere is refused", "true").await;
    assert_eq!(browser.value("window.owned === undefined").await, true, "a handler in markup ran");
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while browser.complaints().len() < 2 {
        assert!(tokio::time::Instant::now() < end, "the policy did not speak: {:?}", browser.complaints());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let said = browser.complaints().join("\n");
    assert!(said.contains("Content Security Policy"), "{said}");
}
