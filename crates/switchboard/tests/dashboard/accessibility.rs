//! Every width, both themes, and axe's rules.

use std::path::Path;

use serde_json::Value;

use crate::{browser::Browser, faults::open_canned, states, world::row_selector};

const WIDTHS: [u32; 8] = [320, 390, 703, 704, 768, 1024, 1280, 1920];

/// What axe finds on the page as it is now.
async fn findings(browser: &Browser) -> Vec<String> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/page/node_modules/axe-core/axe.min.js");
    let axe =
        std::fs::read_to_string(path).expect("axe-core (npm install --prefix tests/page; ./test does it)");
    browser.evaluate(&format!("{axe}; 0")).await;
    let run = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) => \
               `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`))";
    browser.evaluate(run).await.as_array().unwrap().iter().map(Value::to_string).collect()
}

/// Healthy, in an outage, with nobody left, disconnected, with details and with a question: no finding in light and dark.
#[tokio::test]
async fn axe_finds_nothing() {
    let (canned, browser) = open_canned(states::healthy()).await;
    for (name, snapshot) in [
        ("healthy", states::healthy()),
        ("outage", states::outage()),
        ("cooldown", states::cooldown()),
        ("unavailable", states::unavailable()),
        ("older", states::older()),
    ] {
        canned.change(snapshot);
        browser.wait_until("drawn", "new Promise((done) => setTimeout(() => done(true), 300))").await;
        for (width, theme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
            browser.set_viewport(width, theme).await;
            assert_eq!(findings(&browser).await, Vec::<String>::new(), "{name}, {width}, {theme}");
        }
    }
    canned.change(states::outage());
    browser.set_viewport(1280, "dark").await;
    browser.click(&format!("{} .name", row_selector(states::FIRST))).await;
    browser.wait_for_text("#drawer-acts", "Force close…").await;
    assert_eq!(findings(&browser).await, Vec::<String>::new(), "details");
    browser.press_key("o").await;
    browser.wait_for_text("#question", "For how long").await;
    assert_eq!(findings(&browser).await, Vec::<String>::new(), "question");
    browser.press_key("Escape").await;
    canned.stop();
    browser.wait_for_text("#verdict-title", "Unknown since").await;
    for theme in ["light", "dark"] {
        browser.set_viewport(1280, theme).await;
        assert_eq!(findings(&browser).await, Vec::<String>::new(), "disconnected, {theme}");
    }
}

/// Forty models, a dozen routes and long names: nothing is wider than the window, with and without details.
#[tokio::test]
async fn nothing_is_wider_than_the_window_with_forty_models() {
    let (_canned, browser) = open_canned(states::many()).await;
    browser.wait_for_text("#models-note", "43 models").await;
    let wide = "[...document.querySelectorAll('body *')].filter((e) => !e.closest('svg') && \
                e.getBoundingClientRect().right > innerWidth + 1).map((e) => `${e.tagName}#${e.id}.${e.className}`).join(' ')";
    for hash in ["", "#/models/openai:gpt-5"] {
        browser.evaluate(&format!("location.hash = {}", Value::from(hash))).await;
        for width in WIDTHS {
            browser.set_viewport(width, "light").await;
            assert_eq!(
                browser.evaluate("document.documentElement.scrollWidth <= innerWidth").await,
                true,
                "{width} {hash}: {}",
                browser.evaluate(wide).await
            );
        }
    }
    // A healthy model is one line on a telephone.
    browser.set_viewport(390, "light").await;
    let height =
        "[...document.querySelectorAll('#rows tr[data-phase=closed]')].map((row) => row.offsetHeight)[0]";
    assert!(browser.evaluate(height).await.as_u64().unwrap() < 60);
}
