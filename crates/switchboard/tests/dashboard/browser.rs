//! A real Chromium, controlled over its DevTools protocol: JSON messages through a pipe, so that it needs no port, no
//! driver and no library.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

/// A browser that starts beside others on a busy machine is slow.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(90);

const CHROMIUM_FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// A browser with one page; it ends when the value is dropped.
pub(crate) struct Browser {
    _process: Child,
    profile: PathBuf,
    to_browser: tokio::sync::Mutex<ChildStdin>,
    inbox: Arc<Inbox>,
    session: String,
    ids: AtomicU64,
}

#[derive(Default)]
struct Inbox {
    replies: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    events: Mutex<Vec<Value>>,
}

impl Browser {
    /// Opens a page of 1,280 × 900 pixels in a profile of its own.
    pub(crate) async fn open() -> Self {
        let profile =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}", uuid::Uuid::new_v4()));
        // The browser reads from descriptor 3 and writes to descriptor 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .args(CHROMIUM_FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let inbox = Arc::new(Inbox::default());
        tokio::spawn(read_messages(process.stdout.take().unwrap(), Arc::clone(&inbox)));
        let to_browser = tokio::sync::Mutex::new(process.stdin.take().unwrap());
        let (session, ids) = (String::new(), AtomicU64::new(1));
        let mut browser = Self { _process: process, profile, to_browser, inbox, session, ids };
        let target = browser.send_command("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.send_command("Target.attachToTarget", attach).await;
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            browser.send_command(domain, json!({})).await;
        }
        browser.set_viewport(1280, "light").await;
        browser
    }

    /// Sends a command and waits for its result.
    async fn send_command(&self, method: &str, parameters: Value) -> Value {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        let (sender, reply) = oneshot::channel();
        self.inbox.replies.lock().unwrap().insert(id, sender);
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let written = self.to_browser.lock().await.write_all(&bytes).await;
        written.expect("Chromium runs (Debian package chromium; ./test installs it)");
        let reply = timeout(BROWSER_TIMEOUT, reply).await;
        let reply = reply.unwrap_or_else(|_| panic!("no reply to {method}"));
        let mut reply = reply.expect("Chromium runs (Debian package chromium; ./test installs it)");
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].take()
    }

    pub(crate) async fn navigate(&self, url: &str) {
        self.send_command("Page.navigate", json!({"url": url})).await;
        self.wait_until("the page is there", "document.readyState === 'complete'").await;
    }

    /// Sets the width of the window in pixels, and the preferred color scheme: `light` or `dark`.
    pub(crate) async fn set_viewport(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.send_command("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.send_command("Emulation.setEmulatedMedia", features).await;
    }

    /// Evaluates a JavaScript expression in the page.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut reply = self.send_command("Runtime.evaluate", parameters).await;
        assert!(reply.get("exceptionDetails").is_none(), "{expression}: {reply}");
        reply["result"]["value"].take()
    }

    /// The visible text of an element; empty, if it is hidden.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.evaluate(&visible_text_expression(selector)).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) async fn wait_until(&self, what: &str, expression: &str) {
        let end = Instant::now() + BROWSER_TIMEOUT;
        while self.evaluate(expression).await != true {
            if Instant::now() > end {
                let seen = self.text("body").await;
                panic!("timed out: {what} ({expression}); the page says:\n{seen}\n{:?}", self.page_errors());
            }
            sleep(Duration::from_millis(15)).await;
        }
    }

    /// Waits until an element shows this text.
    pub(crate) async fn wait_for_text(&self, selector: &str, text: &str) {
        let expression = format!("{}.includes({})", visible_text_expression(selector), Value::from(text));
        self.wait_until(&format!("{text:?} in {selector}"), &expression).await;
    }

    /// Clicks with the mouse on the middle of an element.
    pub(crate) async fn click(&self, selector: &str) {
        let quoted = Value::from(selector);
        self.wait_until(&format!("{selector} is there"), &format!("!!document.querySelector({quoted})"))
            .await;
        // Only once it neither moves nor is covered: a row may be moving to another place, a dialog may be closing.
        let middle = format!(
            "(async () => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{ block: 'center' }}); \
             const frame = () => new Promise((done) => requestAnimationFrame(done)); \
             const place = () => {{ const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }}; \
             for (let last = place(); ; last = place()) {{ \
               await frame(); await frame(); await frame(); \
               if (String(last) === String(place()) && e.contains(document.elementFromPoint(...last))) return last; }} }})()"
        );
        let middle = self.evaluate(&middle).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1});
            self.send_command("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Whether the user asked for less motion.
    pub(crate) async fn set_reduced_motion(&self, reduced: bool) {
        let value = if reduced { "reduce" } else { "no-preference" };
        let features = json!({"features": [{"name": "prefers-reduced-motion", "value": value}]});
        self.send_command("Emulation.setEmulatedMedia", features).await;
    }

    /// Presses a key, such as `Tab`, `Enter`, `Escape`, `ArrowDown` or a single character.
    pub(crate) async fn press_key(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowDown" => (40, ""),
            _ => {
                let character = key.chars().next().filter(|_| key.chars().count() == 1);
                (
                    u32::from(
                        character.unwrap_or_else(|| panic!("unsupported key: {key}")).to_ascii_uppercase(),
                    ),
                    key,
                )
            }
        };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        for kind in [down, "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.send_command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Moves the mouse over an element to these shares of its width, pressed from the second one on.
    pub(crate) async fn drag(&self, selector: &str, shares: &[f64]) {
        let quoted = Value::from(selector);
        let place = format!(
            "(() => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x, r.y + r.height / 2, r.width]; }})()"
        );
        let place = self.evaluate(&place).await;
        let [left, y, width] = [0, 1, 2].map(|at| place[at].as_f64().unwrap());
        let last = shares.len() - 1;
        for (step, share) in shares.iter().enumerate() {
            let mut event =
                json!({"type": "mouseMoved", "x": left + share * width, "y": y, "button": "none"});
            self.send_command("Input.dispatchMouseEvent", event.clone()).await;
            let press = if step == 0 { "mousePressed" } else { "mouseReleased" };
            if last > 0 && (step == 0 || step == last) {
                event["type"] = press.into();
                event["button"] = "left".into();
                event["clickCount"] = 1.into();
                self.send_command("Input.dispatchMouseEvent", event).await;
            }
        }
    }

    /// Types a text into the focused element.
    pub(crate) async fn type_text(&self, text: &str) {
        self.send_command("Input.insertText", json!({"text": text})).await;
    }

    /// Presses Tab until an element that matches has the focus.
    pub(crate) async fn tab_to(&self, selector: &str) {
        let there = format!("!!document.activeElement?.matches({})", Value::from(selector));
        for _ in 0..60 {
            if self.evaluate(&there).await == true {
                return;
            }
            self.press_key("Tab").await;
        }
        panic!("Tab does not lead to {selector}");
    }

    /// The top of the page as a small picture (WebP, in base64).
    pub(crate) async fn photograph(&self, height: u32) -> String {
        let width = self.evaluate("document.documentElement.clientWidth").await;
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let options = json!({"format": "webp", "quality": 55, "captureBeyondViewport": true, "clip": clip});
        let picture = self.send_command("Page.captureScreenshot", options).await;
        picture["data"].as_str().unwrap().to_owned()
    }

    /// The whole page as a PNG, in base64.
    pub(crate) async fn screenshot(&self, max_height: u64) -> String {
        let size = self
            .evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
            .await;
        let height = size[1].as_u64().unwrap().min(max_height);
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1});
        let picture = self
            .send_command("Page.captureScreenshot", json!({"captureBeyondViewport": true, "clip": clip}))
            .await;
        picture["data"].as_str().unwrap().to_owned()
    }

    /// The errors that the browser reported: exceptions and violations of the policy. Failed requests are excluded: a
    /// killed gateway is no error of the page.
    pub(crate) fn page_errors(&self) -> Vec<String> {
        let events = self.inbox.events.lock().unwrap();
        let errors = events.iter().filter(|event| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["source"] != "network",
            _ => false,
        });
        errors.map(Value::to_string).collect()
    }

    /// The URL of every request, and the bytes received by those that have completed.
    pub(crate) fn requests(&self) -> (Vec<String>, u64) {
        let events = self.inbox.events.lock().unwrap();
        let is = |event: &&Value, method: &str| event["method"] == method;
        let sent = events.iter().filter(|event| is(event, "Network.requestWillBeSent"));
        let ended = events.iter().filter(|event| is(event, "Network.loadingFinished"));
        (
            sent.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect(),
            ended.filter_map(|event| event["params"]["encodedDataLength"].as_f64()).map(to_u64).sum(),
        )
    }
}

/// The visible text of an element, with ordinary spaces.
fn visible_text_expression(selector: &str) -> String {
    let quoted = Value::from(selector);
    format!(
        "((e) => e?.checkVisibility() ? e.innerText.replaceAll('\\u00a0', ' ') : '')(document.querySelector({quoted}))"
    )
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
fn to_u64(number: f64) -> u64 {
    number as u64
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium may still be writing to it: the rest is removed with the temporary files of the build.
        drop(std::fs::remove_dir_all(&self.profile));
    }
}

/// Reads the messages of the browser until it ends.
async fn read_messages(from_browser: ChildStdout, inbox: Arc<Inbox>) {
    let mut from_browser = BufReader::new(from_browser);
    let mut message = Vec::new();
    while from_browser.read_until(0, &mut message).await.is_ok_and(|read| read > 0) {
        message.pop();
        let value: Value = serde_json::from_slice(&message).unwrap_or_default();
        message.clear();
        match value["id"].as_u64().and_then(|id| inbox.replies.lock().unwrap().remove(&id)) {
            Some(waiting) => drop(waiting.send(value)),
            None => inbox.events.lock().unwrap().push(value),
        }
    }
    inbox.replies.lock().unwrap().clear();
}
