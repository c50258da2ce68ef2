//! The layout of the page, wide and narrow, light and dark.

use std::{fs, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::world::{World, row_selector};

/// At every common width, nothing needs horizontal scrolling: not in an outage, with a long name, in a history or in the
/// dialog.
#[tokio::test]
async fn nothing_is_wider_than_the_window() {
    let world = World::begin().await;
    let browser = &world.browser;
    let long = format!("bedrock:{}", "anthropic.claude-haiku-4-5-20251001-v1:0".repeat(6));
    world.redis.cli(&["SET", &format!("circuit_breaker:{long}"), r#"{"state":"OPEN"}"#]).await;
    browser.wait_for_text("#rows", "✕ open").await;
    browser.click("#rows button.name").await;
    browser.wait_for_text("#detail-history", "→").await;
    for width in [320, 360, 768, 1120, 1121, 1280, 1920] {
        browser.set_viewport(width, "light").await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(fits).await, true, "{width}: {}", overflow_of(&world).await);
    }
    browser.set_viewport(360, "dark").await;
    browser.click("#rows [data-act=open]").await;
    browser.wait_for_text("#question", "For how long").await;
    let inside = "(() => { const q = document.querySelector('#question'), r = q.getBoundingClientRect(); \
                  return q.scrollWidth <= q.clientWidth && r.left >= 0 && r.right <= innerWidth; })()";
    assert_eq!(browser.evaluate(inside).await, true);
    world.assert_page_healthy().await;
}

async fn overflow_of(world: &World) -> String {
    let which = "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth)\
                 .map((e) => `${e.tagName}#${e.id}.${e.className}`).join(' ')";
    world.browser.evaluate(which).await.to_string()
}

/// Writes the screenshots of the manual into `docs/images`.
#[tokio::test]
#[ignore = "writes the manual's pictures: cargo test -p switchboard --test dashboard -- --ignored pictures"]
async fn pictures() {
    // An open period that lasts until the screenshots are taken.
    let world =
        World::begin_with("breaker.open_duration = '40s'\nbreaker.max_open_duration = '40s'\n", None).await;
    let browser = &world.browser;
    browser.navigate(&world.url("/dashboard")).await;
    browser.wait_for_text("#live", "Live").await;
    for model in ["openai:gpt-5", "openai:gpt-5-mini", "openai:gpt-4.1", "openai:o4-mini"] {
        world.recover_model_after(model.strip_prefix("openai:").unwrap(), Duration::from_millis(420));
        for _ in 0..7 {
            assert_eq!(world.call(model).await, 200);
        }
    }
    write_past_outage(&world).await;
    world.fail_model("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call("openai:gpt-5").await, 503);
    }
    browser.wait_for_text(&row_selector("openai:gpt-5"), "✕ open").await;
    browser.click(&format!("{} [data-act=open]", row_selector("openai:o4-mini"))).await;
    browser.click("#reason-field").await;
    browser.type_text("quota drill, ask Ana").await;
    browser.press_key("Enter").await;
    browser.wait_for_text("#rows", "quota drill").await;
    browser.click(&format!("{} button.name", row_selector("openai:gpt-5"))).await;
    browser.wait_for_text("#detail-history", "→").await;
    for model in ["openai:gpt-5-mini", "openai:gpt-4.1"] {
        for _ in 0..12 {
            assert_eq!(world.call(model).await, 200);
        }
    }
    // The page refreshes its figures every 5 seconds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (width, scheme) in
        [(360, "dark"), (360, "light"), (768, "light"), (1280, "light"), (1920, "dark"), (1920, "light")]
    {
        browser.set_viewport(width, scheme).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        write_png(&format!("dashboard-{width}-{scheme}.png"), &browser.screenshot(1500).await).await;
    }
    browser.set_viewport(1280, "dark").await;
    browser.click(&format!("{} [data-act=close]", row_selector("openai:gpt-5"))).await;
    write_png("dashboard-question.png", &browser.screenshot(900).await).await;
}

/// Earlier outages of the last hour, seen by two other instances.
async fn write_past_outage(world: &World) {
    let now: u64 = world.redis.cli(&["TIME"]).await.lines().next().unwrap().trim().parse().unwrap();
    let status = r#"{"kind":"status","rule":"row","status":529,"type":"overloaded_error"}"#;
    let (probe, good) = (r#"{"kind":"probe"}"#, r#"{"kind":"recovered"}"#);
    for (minutes, from, to, reason, instance) in [
        (48, "CLOSED", "OPEN", status, "c81e02f4"),
        (41, "OPEN", "HALF_OPEN", probe, "c81e02f4"),
        (40, "HALF_OPEN", "CLOSED", good, "c81e02f4"),
        (17, "CLOSED", "OPEN", status, "7d90ab31"),
        (8, "OPEN", "HALF_OPEN", probe, "7d90ab31"),
        (7, "HALF_OPEN", "CLOSED", good, "7d90ab31"),
    ] {
        let at = format!("{}", (now - minutes * 60) * 1000);
        let stream = "{circuit_breaker:openai:gpt-5}:events";
        let fields =
            ["from", from, "to", to, "epoch", &at, "reason", reason, "instance", instance, "at", &at];
        world.redis.cli(&[&["XADD", stream, "*"][..], &fields].concat()).await;
    }
}

async fn write_png(name: &str, base64: &str) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images");
    fs::create_dir_all(directory).unwrap();
    let file = fs::File::create(format!("{directory}/{name}")).unwrap();
    let mut decoder =
        Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(file).spawn().expect("base64");
    decoder.stdin.take().unwrap().write_all(base64.as_bytes()).await.unwrap();
    assert!(decoder.wait().await.unwrap().success());
}
