//! The drawings in `docs/images`, whose numbers are those of the default policy.

use std::time::Duration;

use breaker::Policy;

use crate::generated::assert_file;

const GROUND: &str = "#f8fafc";
const WHITE: &str = "#ffffff";
const INK: &str = "#1f2933";
const FAINT: &str = "#7b8794";
const GREEN: &str = "#1a7f37";
const RED: &str = "#c62828";
const AMBER: &str = "#b26a00";

/// A drawing under construction: SVG on a light ground, so that it is readable on dark pages, too.
struct Drawing {
    width: u32,
    height: u32,
    title: String,
    parts: String,
}

impl Drawing {
    fn new(width: u32, height: u32, title: &str) -> Self {
        Self { width, height, title: title.to_owned(), parts: String::new() }
    }

    fn text(&mut self, x: u32, y: u32, colour: &str, anchor: &str, text: &str) {
        // What stands on a bar needs no ground of its own.
        let class = if colour == WHITE { " class=\"plain\"" } else { "" };
        self.parts += &format!(
            "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\" text-anchor=\"{anchor}\"{class}>{text}</text>\n"
        );
    }

    fn bar(&mut self, x: u32, y: u32, size: (u32, u32), colour: &str) {
        let (width, height) = size;
        self.parts += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{colour}\"/>\n"
        );
    }

    /// A box with a name in it.
    fn state(&mut self, x: u32, y: u32, colour: &str, name: &str, what: &str) {
        self.parts += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"150\" height=\"64\" rx=\"10\" fill=\"#ffffff\" stroke=\"{colour}\" stroke-width=\"2\"/>\n"
        );
        self.text(x + 75, y + 27, colour, "middle", name);
        self.text(x + 75, y + 47, INK, "middle", what);
    }

    fn arrow(&mut self, path: &str, colour: &str) {
        self.parts += &format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" marker-end=\"url(#head)\"/>\n"
        );
    }

    fn line(&mut self, from: (u32, u32), to: (u32, u32)) {
        let ((x, y), (to_x, to_y)) = (from, to);
        self.parts +=
            &format!("<path d=\"M{x} {y} L{to_x} {to_y}\" stroke=\"{FAINT}\" stroke-dasharray=\"3 4\"/>\n");
    }

    fn finish(self) -> String {
        let Self { width, height, title, parts } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<style>text {{ paint-order: stroke; stroke: {GROUND}; stroke-width: 4px }} .plain {{ stroke: none }}</style>\n<title>{title}</title>\n\
             <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
             orient=\"auto\"><polygon points=\"0,0 8,4 0,8\" fill=\"{INK}\"/></marker></defs>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{GROUND}\"/>\n{parts}</svg>\n"
        )
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// The first open periods of an outage, without jitter.
fn periods(policy: &Policy, count: usize) -> Vec<Duration> {
    let longer = |period: &Duration| Some(period.mul_f64(policy.open_backoff).min(policy.max_open_duration));
    std::iter::successors(Some(policy.open_duration), longer).take(count).collect()
}

#[test]
fn the_states() {
    let policy = Policy::default();
    let mut drawing = Drawing::new(760, 270, "The states of a circuit");
    let percent = policy.failure_rate.unwrap() * 100.0;
    drawing.state(30, 100, GREEN, "CLOSED", "requests pass");
    drawing.state(305, 100, RED, "OPEN", "requests skip it");
    drawing.state(580, 100, AMBER, "HALF_OPEN", "one probe");
    drawing.arrow("M180 122 L303 122", INK);
    drawing.text(242, 62, INK, "middle", &format!("{} consecutive failures,", policy.failure_threshold));
    drawing.text(
        242,
        80,
        INK,
        "middle",
        &format!("or {percent}% of {}+ calls in {}", policy.minimum_calls, seconds(policy.window)),
    );
    drawing.arrow("M455 122 L578 122", INK);
    drawing.text(516, 80, INK, "middle", &format!("after {} or more", seconds(policy.open_duration)));
    drawing.arrow("M620 164 C590 205 460 205 425 166", INK);
    drawing.text(517, 148, RED, "middle", "probe failed:");
    drawing.text(517, 166, RED, "middle", "open for longer");
    drawing.arrow("M690 164 C660 260 130 270 105 166", INK);
    drawing.text(300, 256, GREEN, "middle", "probe succeeded");
    drawing.text(
        380,
        28,
        FAINT,
        "middle",
        "A rate limit or an exhausted quota opens the circuit, too, as a cooldown.",
    );
    assert_file("docs/images/circuit-states.svg", &drawing.finish());
}

#[test]
fn the_open_periods() {
    let policy = Policy::default();
    let periods = periods(&policy, 5);
    let mut drawing = Drawing::new(760, 150, "Open periods in a long outage");
    let all: f64 = periods.iter().map(Duration::as_secs_f64).sum();
    drawing.text(
        30,
        30,
        INK,
        "start",
        "Open periods while a model stays down. One probe between two of them.",
    );
    let mut begin = 0.0;
    for (at, period) in periods.iter().enumerate() {
        let x = |seconds: f64| 30 + pixels(seconds / all * 690.0);
        let (left, right) = (x(begin), x(begin + period.as_secs_f64()));
        drawing.bar(left, 50, (right - left - 6, 34), RED);
        drawing.text(left + (right - left - 6) / 2, 72, WHITE, "middle", &seconds(*period));
        let after = if at + 1 == periods.len() { "probe …" } else { "probe" };
        drawing.text(right - 3, 108, AMBER, "middle", after);
        begin += period.as_secs_f64();
    }
    let share = policy.open_jitter * 100.0;
    drawing.text(
        30,
        136,
        FAINT,
        "start",
        &format!("Each one is shortened or lengthened at random by up to {share}%."),
    );
    assert_file("docs/images/open-periods.svg", &drawing.finish());
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a coordinate of a drawing")]
fn pixels(length: f64) -> u32 {
    length.round() as u32
}

/// Who sends what to whom: the numbers are columns.
const PROBE: [(usize, usize, &str, &str); 9] = [
    (0, 3, INK, "acquires the probe (compare-and-set)"),
    (3, 1, INK, "notifies"),
    (3, 2, INK, "notifies"),
    (0, 4, AMBER, "the probe: a real request"),
    (1, 1, RED, "skips the model"),
    (2, 2, RED, "skips the model"),
    (4, 0, GREEN, "first token"),
    (0, 3, GREEN, "closes the circuit"),
    (3, 1, GREEN, "notifies: all send requests again"),
];

#[test]
fn the_probe_of_a_fleet() {
    let columns = ["instance 1", "instance 2", "instance 3", "Redis", "model"];
    let x = |column: usize| 70 + u32::try_from(column).unwrap() * 155;
    let mut drawing = Drawing::new(760, 460, "Three instances, one probe");
    for (at, name) in columns.iter().enumerate() {
        drawing.text(x(at), 30, INK, "middle", name);
        drawing.line((x(at), 42), (x(at), 445));
    }
    for (step, (from, to, colour, what)) in PROBE.iter().enumerate() {
        let y = 78 + u32::try_from(step).unwrap() * 43;
        if from == to {
            drawing.text(x(*from), y, colour, "middle", what);
        } else {
            let end = if from < to { x(*to) - 4 } else { x(*to) + 4 };
            drawing.arrow(&format!("M{} {y} L{end} {y}", x(*from)), colour);
            drawing.text((x(*from) + x(*to)) / 2, y - 7, colour, "middle", what);
        }
    }
    assert_file("docs/images/one-probe.svg", &drawing.finish());
}
