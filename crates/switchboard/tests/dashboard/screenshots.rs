//! The layout of the page, wide and narrow, light and dark.

use std::{fs, process::Stdio, time::Duration};

use serde_json::json;
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
    browser.wait_for_text("#rows", "⊘ forced open").await;
    browser.click("#rows .name").await;
    browser.wait_for_text("#drawer-history", "→").await;
    for width in [320, 390, 703, 704, 768, 1088, 1280, 1920] {
        browser.set_viewport(width, "light").await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(fits).await, true, "{width}: {}", overflow_of(&world).await);
    }
    browser.set_viewport(360, "dark").await;
    browser.click("#drawer-acts [data-act=open]").await;
    browser.wait_for_text("#question", "For how long").await;
    let inside = "(() => { const q = document.querySelector('#question'), r = q.getBoundingClientRect(); \
                  return q.scrollWidth <= q.clientWidth && r.left >= 0 && r.right <= innerWidth; })()";
    assert_eq!(browser.evaluate(inside).await, true);
    world.assert_page_healthy().await;
}

async fn overflow_of(world: &World) -> String {
    let which = "[...document.querySelectorAll('body *')].filter((e) => !e.closest('svg') && e.getBoundingClientRect().right > innerWidth)\
                 .map((e) => `${e.tagName}#${e.id}.${e.className}`).join(' ')";
    world.browser.evaluate(which).await.to_string()
}

/// Says which files the pictures show.
pub(crate) const STAMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/dashboard.crc32");

/// The sum of the page's files.
pub(crate) fn page_sum() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/src/dashboard");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut sum = crc32fast::Hasher::new();
    files.iter().for_each(|file| sum.update(&fs::read(file).unwrap()));
    format!("{:08x}", sum.finalize())
}

const PICTURE_CONFIG: &str = "
breaker.open_duration = '50s'
breaker.max_open_duration = '50s'
[routes.assistant]
models = ['openai:gpt-5', 'openai:gpt-5-mini', 'openai:gpt-4.1']
[routes.summarizer]
models = ['openai:gpt-5-mini', 'openai:gpt-4.1']
";

/// Writes the screenshots of the manual into `docs/images`: before, in and after an outage, and without the gateway.
#[tokio::test]
#[ignore = "writes the manual's pictures: cargo test -p switchboard --test dashboard -- --ignored pictures"]
async fn pictures() {
    let mut world = World::begin_with(PICTURE_CONFIG, None).await;
    for (model, wait) in [("gpt-5", 420), ("gpt-5-mini", 260), ("gpt-4.1", 350)] {
        world.recover_model_after(model, Duration::from_millis(wait));
    }
    let callers = [("assistant", 130), ("assistant", 210), ("summarizer", 400)].map(|(route, pause)| {
        tokio::spawn(call_again_and_again(world.url("/v1/chat/completions"), route, pause))
    });
    world.open_page().await;
    // As much traffic as makes a picture.
    tokio::time::sleep(Duration::from_secs(150)).await;
    take(&world, "healthy").await;
    world.fail_model("gpt-5");
    world.browser.wait_for_text(&row_selector("openai:gpt-5"), "✕ open").await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    take(&world, "outage").await;
    world.recover_model_after("gpt-5", Duration::from_millis(420));
    world.browser.wait_for_text(&row_selector("openai:gpt-5"), "✓ closed").await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    take(&world, "recovery").await;
    world.kill_gateway();
    world.browser.wait_for_text("#live", "Disconnected").await;
    take(&world, "disconnected").await;
    callers.into_iter().for_each(|caller| caller.abort());
    fs::write(STAMP, page_sum() + "\n").unwrap();
}

async fn call_again_and_again(url: String, route: &str, pause: u64) {
    let client = reqwest::Client::new();
    for call in 0.. {
        // Failures of one request that is sent again and again would be bound to that request alone (B12).
        let messages = json!([{"role": "user", "content": format!("Hello {call}")}]);
        let body = json!({"model": route, "stream": true, "messages": messages});
        let request = client.post(&url).json(&body).send();
        tokio::spawn(async {
            drop(request.await.ok()?.bytes().await);
            Some(())
        });
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// A telephone and a screen, in both themes.
async fn take(world: &World, state: &str) {
    for width in [390, 1280] {
        for theme in ["light", "dark"] {
            world.browser.set_viewport(width, theme).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            let picture = world.browser.screenshot(1800).await;
            write_png(&format!("dashboard-{state}-{width}-{theme}.png"), &picture).await;
        }
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
