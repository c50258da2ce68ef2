//! The page while Redis or the gateway is unreachable.

use crate::world::{World, row_selector};

const MODEL: &str = "openai:gpt-5";
const KEY: &str = "circuit_breaker:openai:gpt-5";

/// Redis killed and restarted: the page says so, and recovers.
#[tokio::test]
async fn an_unreachable_redis_is_shown() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    world.redis.kill();
    world.browser.wait_for_text("#store", "Redis unreachable").await;
    world.browser.wait_for_text("#away", "Redis unreachable – requests are still served").await;
    // The instance uses its local circuit state.
    world.fail_model("gpt-5");
    for _ in 0..3 {
        world.call(MODEL).await;
    }
    world.browser.wait_for_text(&row_selector(MODEL), "open").await;
    world.open_details(MODEL).await;
    world.browser.wait_for_text("#drawer-none", "History unavailable").await;
    world.redis.restart().await;
    world.browser.wait_for_text("#store", "Redis connected").await;
    world
        .browser
        .wait_until("the history is loaded", "document.querySelector('#drawer-none').textContent === ''")
        .await;
    world.browser.wait_until("the banner is gone", "document.querySelector('#away').hidden").await;
    world.assert_page_healthy().await;
}

/// An override while Redis is unreachable applies to one instance, and one without a response may have been applied: the
/// page calls neither a failure.
#[tokio::test]
async fn an_override_that_was_not_shared_is_no_failure() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    let row = row_selector(MODEL);
    world.browser.wait_for_text(&row, "✓ closed").await;
    world.redis.kill();
    world.browser.wait_for_text("#store", "Redis unreachable").await;
    world.open_details(MODEL).await;
    world.browser.click("#drawer-acts [data-act=open]").await;
    world.browser.click("#question-yes").await;
    world
        .browser
        .wait_for_text("#question-error", "Applied on this instance only. Redis is unreachable")
        .await;
    world.browser.wait_for_text(&row, "⊘ forced open").await;
    world.kill_gateway();
    world.browser.click("#question-yes").await;
    world
        .browser
        .wait_for_text("#question-error", "No response – the change may or may not have been applied")
        .await;
}

/// The gateway killed and restarted: the page says so, and is up to date as soon as it is back, also about changes from
/// that time.
#[tokio::test]
async fn the_page_reconnects_to_a_restarted_gateway() {
    let mut world = World::begin().await;
    assert_eq!(world.call(MODEL).await, 200);
    world.browser.wait_for_text(&row_selector(MODEL), "✓ closed").await;
    world.kill_gateway();
    world.browser.wait_for_text("#lost", "Disconnected. Last update").await;
    world.browser.wait_for_text("#live", "Disconnected").await;
    world.redis.cli(&["SET", KEY, r#"{"state":"OPEN"}"#]).await;
    world.start_gateway().await;
    world.browser.wait_for_text("#live", "Live").await;
    world.browser.wait_for_text(&row_selector(MODEL), "⊘ forced open").await;
    world.browser.wait_until("the banner is gone", "document.querySelector('#lost').hidden").await;
    world.assert_page_healthy().await;
}
