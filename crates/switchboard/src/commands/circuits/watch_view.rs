//! The live view's keys, order and filter, without a terminal.

use breaker::ModelKey;

use super::{reader::Entry, view};
use crate::screen::Key;

/// The keys, for the title and for `?`.
pub(super) const KEY_HINT: &str = "q quit  ? keys";

const HELP: [&str; 8] = [
    "s        sort: worst first, by name, or the latest change first",
    "/        filter by name: type a part of it, Enter keeps it, Esc clears it",
    "j k ↓ ↑  select the next or the previous circuit",
    "o        force the selected circuit open",
    "c        close the selected circuit",
    "?        show or hide these keys",
    "q        quit",
    "",
];

/// The order of the circuits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Severity,
    Name,
    Latest,
}

/// A manual override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Override {
    Open,
    Close,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Quit,
    Apply(Override, ModelKey),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    List,
    /// The filter is being typed.
    Filter,
    /// An override is to be confirmed.
    Confirm(Override, ModelKey),
    Help,
}

/// What is shown, and how.
#[derive(Debug, Default)]
pub(super) struct WatchView {
    order: Order,
    filter: String,
    /// The place of the selected circuit among those that are shown.
    pub(super) selected: usize,
    mode: Mode,
    /// What became of the last override.
    pub(super) message: String,
}

impl WatchView {
    /// The circuits that are shown, in order.
    pub(super) fn arrange(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let filter = self.filter.to_lowercase();
        entries.retain(|entry| name(entry).to_lowercase().contains(&filter));
        match self.order {
            Order::Severity => entries.sort_by_key(view::severity_order),
            Order::Name => entries.sort_by(|a, b| name(a).cmp(name(b))),
            Order::Latest => entries.sort_by_key(|entry| match entry {
                Entry::Circuit(report) => std::cmp::Reverse(Some(report.since)),
                Entry::Unreadable(_) => std::cmp::Reverse(None),
            }),
        }
        self.selected = self.selected.min(entries.len().saturating_sub(1));
        entries
    }

    /// A key was pressed; `shown` is what [`Self::arrange`] gave.
    pub(super) fn on_key(&mut self, key: Key, shown: &[Entry]) -> Option<Request> {
        match (std::mem::take(&mut self.mode), key) {
            (Mode::Filter, Key::Enter) => {}
            (Mode::Filter, Key::Escape) => self.filter.clear(),
            (Mode::Filter, key) => {
                match key {
                    Key::Char(letter) => self.filter.push(letter),
                    Key::Backspace => _ = self.filter.pop(),
                    _ => {}
                }
                self.mode = Mode::Filter;
            }
            (Mode::Confirm(action, circuit), Key::Char('y' | 'Y')) => {
                return Some(Request::Apply(action, circuit));
            }
            (Mode::Confirm(..), _) => "not changed".clone_into(&mut self.message),
            (_, Key::Char('q' | 'Q')) => return Some(Request::Quit),
            (Mode::Help, _) => {}
            (Mode::List, key) => self.on_list_key(key, shown),
        }
        None
    }

    fn on_list_key(&mut self, key: Key, shown: &[Entry]) {
        self.message.clear();
        match key {
            Key::Char('s') => {
                self.order = match self.order {
                    Order::Severity => Order::Name,
                    Order::Name => Order::Latest,
                    Order::Latest => Order::Severity,
                };
            }
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char('j') | Key::Down => self.selected += 1,
            Key::Char('k') | Key::Up => self.selected = self.selected.saturating_sub(1),
            Key::Char('o') => self.ask(Override::Open, shown),
            Key::Char('c') => self.ask(Override::Close, shown),
            Key::Escape => self.filter.clear(),
            _ => {}
        }
    }

    fn ask(&mut self, action: Override, shown: &[Entry]) {
        match shown.get(self.selected) {
            Some(Entry::Circuit(report)) => self.mode = Mode::Confirm(action, report.key.clone()),
            _ => "no circuit is selected".clone_into(&mut self.message),
        }
    }

    /// The lines below the title: what is asked, and what applies.
    pub(super) fn status(&self) -> Vec<String> {
        let order = match self.order {
            Order::Severity => "worst first",
            Order::Name => "by name",
            Order::Latest => "latest change first",
        };
        let applies = match (&self.mode, self.filter.as_str()) {
            (Mode::Filter, filter) => format!("filter: {filter}_"),
            (_, "") => order.to_owned(),
            (_, filter) => format!("{order}, filter {filter:?} (Esc clears it)"),
        };
        let mut lines = vec![applies];
        match &self.mode {
            Mode::Confirm(Override::Open, key) => {
                lines.push(format!("Force {key} open until it is closed manually? y/n"));
            }
            Mode::Confirm(Override::Close, key) => lines.push(format!("Close {key}? y/n")),
            Mode::Help => lines.extend(HELP.map(str::to_owned)),
            Mode::List | Mode::Filter if !self.message.is_empty() => lines.push(self.message.clone()),
            Mode::List | Mode::Filter => {}
        }
        lines
    }
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Circuit(report) => report.key.as_str(),
        Entry::Unreadable(skipped) => &skipped.key,
    }
}

#[cfg(test)]
mod tests {
    use breaker::{Document, External, Policy, Timestamp};
    use circuits::Report;

    use super::*;

    fn entries() -> Vec<Entry> {
        let policy = Policy::default();
        let entry = |key: &str, value: &str| {
            let (Document::Native(record, _) | Document::External(External { record, .. }, _)) =
                Document::parse(value.as_bytes(), &policy)
            else {
                panic!("{value}")
            };
            let now = Timestamp::from_millis(1_000);
            Entry::Circuit(Box::new(Report::new(&key.parse().unwrap(), &record, &policy, now)))
        };
        vec![
            entry("b:closed", r#"{"state":"CLOSED"}"#),
            entry("c:open", r#"{"state":"OPEN","openedAt":900}"#),
            entry("a:closed", r#"{"state":"CLOSED"}"#),
        ]
    }

    fn shown(view: &mut WatchView) -> Vec<String> {
        view.arrange(entries()).iter().map(|entry| name(entry).to_owned()).collect()
    }

    /// Presses keys one after the other.
    fn press(view: &mut WatchView, keys: &[Key]) -> Vec<Request> {
        keys.iter()
            .filter_map(|key| {
                let shown = view.arrange(entries());
                view.on_key(*key, &shown)
            })
            .collect()
    }

    const fn letters<const N: usize>(text: &[u8; N]) -> [Key; N] {
        let mut keys = [Key::Enter; N];
        let mut at = 0;
        while at < N {
            keys[at] = Key::Char(text[at] as char);
            at += 1;
        }
        keys
    }

    #[test]
    fn circuits_are_sorted_and_filtered() {
        let mut view = WatchView::default();
        assert_eq!(shown(&mut view), ["c:open", "a:closed", "b:closed"]);
        press(&mut view, &letters(b"s"));
        assert_eq!(shown(&mut view), ["a:closed", "b:closed", "c:open"]);
        press(&mut view, &letters(b"/B:q"));
        press(&mut view, &[Key::Backspace]);
        assert_eq!(
            (shown(&mut view), view.status()),
            (vec!["b:closed".to_owned()], vec!["filter: B:_".to_owned()])
        );
        press(&mut view, &[Key::Enter]);
        assert_eq!(view.status(), ["by name, filter \"B:\" (Esc clears it)"]);
        press(&mut view, &[Key::Escape]);
        assert_eq!(shown(&mut view).len(), 3);
    }

    #[test]
    fn an_override_is_confirmed() {
        let mut view = WatchView::default();
        assert_eq!(press(&mut view, &letters(b"on")), []);
        assert_eq!(view.status(), ["worst first", "not changed"]);
        let open = Request::Apply(Override::Open, "c:open".parse().unwrap());
        assert_eq!(press(&mut view, &letters(b"oy")), [open]);
        let close = Request::Apply(Override::Close, "b:closed".parse().unwrap());
        assert_eq!(
            press(&mut view, &[Key::Down, Key::Down, Key::Down, Key::Char('c'), Key::Char('y')]),
            [close]
        );
        assert_eq!(press(&mut view, &letters(b"?q")), [Request::Quit]);
    }
}
