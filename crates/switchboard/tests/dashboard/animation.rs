//! The moving picture of the README: the real demo on the left, its real page on the right.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::{browser::Browser, screenshots::page_sum};

/// How long the demo runs, and the picture with it.
const SECONDS: f64 = 16.0;

/// The time between two pictures of the page.
const FRAME: Duration = Duration::from_millis(1_600);

/// The page's width, and how much of its height is shown, in pixels.
const PAGE: (u32, u32) = (700, 810);

/// Columns of the terminal that are shown.
const COLUMNS: usize = 78;

/// The file of a theme.
fn file(theme: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/images/demo-{theme}.svg"))
}

/// A line of the demo and when it was printed, in seconds.
type Line = (f64, String);

/// Writes the picture, light and dark, from one run of the demo each.
#[tokio::test]
#[ignore = "writes the README's moving picture: cargo test -p switchboard --test dashboard -- --ignored pictures"]
async fn moving_pictures() {
    for theme in ["light", "dark"] {
        let (lines, frames) = record(theme).await;
        fs::write(file(theme), svg(theme, &lines, &frames)).unwrap();
    }
}

/// Runs the demo with its page open.
async fn record(theme: &str) -> (Vec<Line>, Vec<Line>) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["demo", "--for", &format!("{SECONDS}s")])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let mut output = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut lines: Vec<Line> = Vec::new();
    let address = loop {
        let line = output.next().unwrap().unwrap();
        let address = line.split_whitespace().find(|word| word.ends_with("/dashboard")).map(str::to_owned);
        lines.push((began.elapsed().as_secs_f64(), line));
        if let Some(address) = address {
            break address;
        }
    };
    let lines = Arc::new(Mutex::new(lines));
    let printed = Arc::clone(&lines);
    let reading = std::thread::spawn(move || {
        for line in output.map_while(Result::ok) {
            printed.lock().unwrap().push((began.elapsed().as_secs_f64(), line));
        }
    });
    let browser = Browser::open().await;
    browser.set_viewport(PAGE.0, theme).await;
    browser.navigate(&address).await;
    let mut frames = Vec::new();
    while began.elapsed().as_secs_f64() < SECONDS - 0.5 {
        frames.push((began.elapsed().as_secs_f64(), browser.photograph(PAGE.1).await));
        tokio::time::sleep(FRAME).await;
    }
    demo.wait().unwrap();
    reading.join().unwrap();
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    (lines, frames)
}

/// Each line and frame appears at its time; after the end, it begins again.
fn svg(theme: &str, lines: &[Line], frames: &[Line]) -> String {
    let (ground, ink) = if theme == "dark" { ("#0d1117", "#e6edf3") } else { ("#ffffff", "#1f2328") };
    let (page_width, height) = PAGE;
    let (left, line_height) = (500, 17);
    let width = left + page_width + 20;
    let total = SECONDS + 4.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" data-page=\"{}\">\n\
         <title>switchboard demo: a provider fails, requests go to the second model, none fails; a probe finds it well again</title>\n\
         <style>text{{font:10.4px ui-monospace,monospace;fill:{ink};white-space:pre}}.a{{visibility:hidden;animation-duration:{total}s;animation-iteration-count:infinite;animation-timing-function:step-end}}\n",
        page_sum()
    );
    let times = lines.iter().chain(frames).map(|(at, _)| at);
    for (index, at) in times.enumerate() {
        let percent = at / total * 100.0;
        writeln!(
            svg,
            "@keyframes k{index}{{0%{{visibility:hidden}}{percent:.2}%,100%{{visibility:visible}}}}"
        )
        .unwrap();
    }
    writeln!(svg, "@media(prefers-reduced-motion:reduce){{.a{{animation:none;visibility:visible}}}}</style>")
        .unwrap();
    writeln!(svg, "<rect width=\"{width}\" height=\"{height}\" fill=\"{ground}\"/>").unwrap();
    let shown = usize::try_from(height / line_height).unwrap() - 1;
    for (index, (_, line)) in lines.iter().take(shown).enumerate() {
        let text: String = line.chars().take(COLUMNS).collect();
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let y = u32::try_from(index + 1).unwrap() * line_height;
        writeln!(svg, "<text class=\"a\" style=\"animation-name:k{index}\" x=\"8\" y=\"{y}\">{text}</text>")
            .unwrap();
    }
    for (index, (_, picture)) in frames.iter().enumerate() {
        let name = lines.len() + index;
        writeln!(
            svg,
            "<image class=\"a\" style=\"animation-name:k{name}\" x=\"{left}\" y=\"8\" width=\"{page_width}\" height=\"{}\" href=\"data:image/webp;base64,{picture}\"/>",
            height - 16
        )
        .unwrap();
    }
    svg + "</svg>\n"
}

/// The picture shows today's page. What the demo prints is compared in `tests/demo.rs`.
#[test]
fn the_moving_picture_is_of_this_page() {
    for theme in ["light", "dark"] {
        let svg = fs::read_to_string(file(theme)).unwrap();
        let sum = page_sum();
        assert!(
            svg.contains(&format!("data-page=\"{sum}\"")),
            "cargo test -p switchboard --test dashboard -- --ignored pictures"
        );
    }
}
