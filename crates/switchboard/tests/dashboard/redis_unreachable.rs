//! What the page says when Redis is away, or the gateway.

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";
const KEY: &str = "circuit_breaker:openai:gpt-5";

/// Redis killed and back: said, and taken back.
#[tokio::test]
async fn redis_away_is_said() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    world.redis.kill();
    world.browser.wait_for_text("#store", "Redis away").await;
    world.browser.wait_for_text("#away", "Redis is away: circuits are not shared").await;
    // The circuits go on, as this instance sees them.
    world.fail_model("gpt-5");
    for _ in 0..3 {
        world.call(MODEL).await;
    }
    world.browser.wait_for_text(&row_selector(MODEL), "open").await;
    world.browser.click(&format!("{} button.name", row_selector(MODEL))).await;
    world.browser.wait_for_text("#detail-none", "It cannot be had now").await;
    world.redis.restart().await;
    world.browser.wait_for_text("#store", "Redis connected").await;
    world
        .browser
        .wait_until("the history is had", "document.querySelector('#detail-none').textContent === ''")
        .await;
    world.browser.wait_until("the banner is gone", "document.querySelector('#away').hidden").await;
    world.assert_page_healthy().await;
}

/// What a person does while Redis is away is done by one instance, and what nobody answered may have been done: neither
/// is told as nothing.
#[tokio::test]
async fn a_deed_that_was_not_shared_is_no_nothing() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    world.browser.wait_for_text(&row, "✓ closed").await;
    world.redis.kill();
    world.browser.wait_for_text("#store", "Redis away").await;
    world.browser.click(&format!("{row} [data-act=open]")).await;
    world.browser.click("#question-yes").await;
    world
        .browser
        .wait_for_text("#question-error", "Done here; other instances hear of it when Redis is back")
        .await;
    world.browser.wait_for_text(&row, "✕ open, by hand").await;
    world.kill_gateway();
    world.browser.click("#question-yes").await;
    world.browser.wait_for_text("#question-error", "It may have been done, since no answer came").await;
}

/// The gateway killed and started again: said meanwhile, and the page is right as soon as it is back, also about what
/// happened while nobody could tell it.
#[tokio::test]
async fn a_gateway_started_again_is_found_again() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    world.browser.wait_for_text(&row_selector(MODEL), "✓ closed").await;
    world.kill_gateway();
    world.browser.wait_for_text("#lost", "This gateway does not answer").await;
    world.browser.wait_for_text("#live", "Not live").await;
    world.redis.cli(&["SET", KEY, r#"{"state":"OPEN"}"#]).await;
    world.start_gateway().await;
    world.browser.wait_for_text("#live", "✓ Live").await;
    world.browser.wait_for_text(&row_selector(MODEL), "✕ open, by hand").await;
    world.browser.wait_until("the banner is gone", "document.querySelector('#lost').hidden").await;
    world.assert_page_healthy().await;
}
