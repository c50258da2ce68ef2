//! How the page looks, wide and narrow, light and dark.

use std::{fs, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::world::{World, row};

/// At every width in use, nothing has to be scrolled sideways: not in an outage, not with a long name, not in a circuit's
/// history, not in the question.
#[tokio::test]
async fn nothing_is_wider_than_the_window() {
    let world = World::begin().await;
    let browser = &world.browser;
    let long = format!("bedrock:{}", "anthropic.claude-haiku-4-5-20251001-v1:0".repeat(6));
    world.redis.cli(&["SET", &format!("circuit_breaker:{long}"), r#"{"state":"OPEN"}"#]).await;
    browser.until_text("#rows", "✕ open").await;
    browser.click("#rows button.name").await;
    browser.until_text("#detail-history", "→").await;
    for width in [320, 360, 768, 1120, 1121, 1280, 1920] {
        browser.look(width, "light").await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.value(fits).await, true, "{width}: {}", wide(&world).await);
    }
    browser.look(360, "dark").await;
    browser.click("#rows [data-act=open]").await;
    browser.until_text("#question", "For how long").await;
    let inside = "(() => { const q = document.querySelector('#question'), r = q.getBoundingClientRect(); \
                  return q.scrollWidth <= q.clientWidth && r.left >= 0 && r.right <= innerWidth; })()";
    assert_eq!(browser.value(inside).await, true);
    world.page_is_well().await;
}

async fn wide(world: &World) -> String {
    let which = "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth)\
                 .map((e) => `${e.tagName}#${e.id}.${e.className}`).join(' ')";
    world.browser.value(which).await.to_string()
}

/// Writes the pictures of the manual into `docs/images`.
#[tokio::test]
#[ignore = "writes the manual's pictures: cargo test -p switchboard --test dashboard -- --ignored pictures"]
async fn pictures() {
    // An open period that is still on when the picture is taken.
    let world = World::begin_with("breaker.open_duration = '40s'\nbreaker.max_open_duration = '40s'\n", None).await;
    let browser = &world.browser;
    browser.go(&world.url("/dashboard")).await;
    browser.until_text("#live", "Live").await;
    for model in ["openai:gpt-5", "openai:gpt-5-mini", "openai:gpt-4.1", "openai:o4-mini"] {
        world.answer_after(model.strip_prefix("openai:").unwrap(), Duration::from_millis(420));
        for _ in 0..7 {
            assert_eq!(world.call(model).await, 200);
        }
    }
    past(&world).await;
    world.fail("gpt-5");
    for _ in 0..3 {
        assert_eq!(world.call("openai:gpt-5").await, 503);
    }
    browser.until_text(&row("openai:gpt-5"), "✕ open").await;
    browser.click(&format!("{} [data-act=open]", row("openai:o4-mini"))).await;
    browser.click("#reason-field").await;
    browser.write("quota drill, ask Ana").await;
    browser.press("Enter").await;
    browser.until_text("#rows", "quota drill").await;
    browser.click(&format!("{} button.name", row("openai:gpt-5"))).await;
    browser.until_text("#detail-history", "→").await;
    for model in ["openai:gpt-5-mini", "openai:gpt-4.1"] {
        for _ in 0..12 {
            assert_eq!(world.call(model).await, 200);
        }
    }
    // Figures are asked for every 5 seconds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (width, scheme) in
        [(360, "dark"), (360, "light"), (768, "light"), (1280, "light"), (1920, "dark"), (1920, "light")]
    {
        browser.look(width, scheme).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        write(&format!("dashboard-{width}-{scheme}.png"), &browser.picture(1500).await).await;
    }
    browser.look(1280, "dark").await;
    browser.click(&format!("{} [data-act=close]", row("openai:gpt-5"))).await;
    write("dashboard-question.png", &browser.picture(900).await).await;
}

/// An hour of another outage, which two other instances saw.
async fn past(world: &World) {
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

async fn write(name: &str, base64: &str) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images");
    fs::create_dir_all(directory).unwrap();
    let file = fs::File::create(format!("{directory}/{name}")).unwrap();
    let mut decoder =
        Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(file).spawn().expect("base64");
    decoder.stdin.take().unwrap().write_all(base64.as_bytes()).await.unwrap();
    assert!(decoder.wait().await.unwrap().success());
}
