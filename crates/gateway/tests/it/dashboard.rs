//! How the dashboard is served. The tests of `switchboard` open it in a browser.

use http::header;

use crate::support::World;

/// Every file that the page loads: those that it names, and those that its scripts import.
async fn page_files(world: &World) -> Vec<String> {
    let mut files = vec!["/dashboard".to_owned()];
    let mut read = 0;
    while let Some(file) = files.get(read) {
        let text = world.get(file).send().await.unwrap().text().await.unwrap();
        read += 1;
        for part in text.split('"') {
            let name = part.strip_prefix("./").or_else(|| part.strip_prefix("dashboard/"));
            let Some(name) = name.filter(|name| name.ends_with(".js") || name.ends_with(".css")) else {
                continue;
            };
            let file = format!("/dashboard/{name}");
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

/// A browser that loads the page has no key yet; the page's requests for data need one.
#[tokio::test]
async fn the_page_needs_no_key_and_its_data_does() {
    let world = World::with_keys().await;
    let files = page_files(&world).await;
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        assert_eq!(world.get(&file).send().await.unwrap().status(), 200, "{file}");
    }
    for path in ["/circuits", "/circuits/events", "/dashboards"] {
        assert_eq!(world.get(path).send().await.unwrap().status(), 401, "{path}");
    }
    assert_eq!(world.get("/dashboard/other.js").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn every_file_has_the_policy_and_is_cached() {
    let world = World::new().await;
    for file in page_files(&world).await {
        let response = world.get(&file).send().await.unwrap();
        let headers = response.headers().clone();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for rule in
            ["default-src 'none'", "script-src 'self'", "form-action 'none'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(rule), "{file}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{file}: {policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{file}");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer", "{file}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache", "{file}");
        let again =
            world.get(&file).header(header::IF_NONE_MATCH, &headers[header::ETAG]).send().await.unwrap();
        assert_eq!(again.status(), 304, "{file}");
        assert_eq!(again.headers()[header::ETAG], headers[header::ETAG], "{file}");
    }
    let slash = world.get("/dashboard/").send().await.unwrap();
    assert_eq!((slash.url().path(), slash.status().as_u16()), ("/dashboard", 200));
}

/// The overview has the time to first token of each model.
#[tokio::test]
async fn the_time_to_first_token_is_reported_by_model() {
    let world = World::new().await;
    let poll_latency = async || {
        let response = world.get("/circuits").send().await.unwrap();
        response.json::<serde_json::Value>().await.unwrap()["latency"].clone()
    };
    assert_eq!(poll_latency().await, serde_json::json!({}));
    world.chat("chat", true).send().await.unwrap().bytes().await.unwrap();
    let latency = poll_latency().await;
    let models: Vec<_> = latency.as_object().unwrap().keys().collect();
    assert_eq!(models, ["openai:m"], "{latency}");
    assert!(latency["openai:m"].as_u64().is_some_and(|ms| ms < 5_000), "{latency}");
}
