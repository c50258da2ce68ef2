//! A page on the terminal that is drawn anew again and again, and the terminal as it was when it is done.

use std::{
    io::{self, IsTerminal, Read as _, Write as _},
    time::Duration,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::sleep,
};

/// The other page of the terminal, without a cursor; and back.
const ENTER_ALTERNATE_SCREEN: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE_ALTERNATE_SCREEN: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// To the page's beginning.
const CURSOR_HOME: &str = "\u{1b}[H";
/// The rest of the line, and of the page, is cleared.
const CLEAR_TO_END_OF_LINE: &str = "\u{1b}[K";
const CLEAR_TO_END_OF_SCREEN: &str = "\u{1b}[J";

/// The page. Gives the terminal back as it was when dropped.
pub(crate) struct Screen {
    /// How the keyboard was before keys were read one by one; `None`: standard input is no terminal.
    saved_termios: Option<Termios>,
    keys: mpsc::UnboundedReceiver<u8>,
    interrupt: Signal,
    terminate: Signal,
    resized: Signal,
}

/// Why it is time to draw anew, or to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScreenEvent {
    /// Time has passed, or the terminal has another size.
    Redraw,
    /// The person has seen enough: `q`, Ctrl-C, or the process is told to end.
    Quit,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When standard output takes nothing, or signals cannot be listened for.
    pub(crate) fn enter() -> io::Result<Self> {
        let screen = Self {
            saved_termios: disable_line_buffering(),
            keys: spawn_key_reader(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            resized: signal(SignalKind::window_change())?,
        };
        write(ENTER_ALTERNATE_SCREEN)?;
        Ok(screen)
    }

    /// Draws these lines, as much of them as there is room for.
    ///
    /// # Errors
    /// When standard output takes no more.
    pub(crate) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let (rows, columns) = terminal_size();
        let mut page = CURSOR_HOME.to_owned();
        for (at, line) in lines.iter().take(rows).enumerate() {
            page.push_str(if at == 0 { "" } else { "\r\n" });
            page.push_str(&truncate_to_width(line, columns));
            page.push_str(CLEAR_TO_END_OF_LINE);
        }
        page.push_str(CLEAR_TO_END_OF_SCREEN);
        write(&page)
    }

    /// Waits until it is time to draw anew, `at_most` so long.
    pub(crate) async fn next_event(&mut self, timeout: Duration) -> ScreenEvent {
        loop {
            return tokio::select! {
                _ = self.interrupt.recv() => ScreenEvent::Quit,
                _ = self.terminate.recv() => ScreenEvent::Quit,
                _ = self.resized.recv() => ScreenEvent::Redraw,
                Some(key) = self.keys.recv() => match key {
                    b'q' | b'Q' => ScreenEvent::Quit,
                    _ => continue,
                },
                () = sleep(timeout) => ScreenEvent::Redraw,
            };
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone, and then needs nothing.
        drop(write(LEAVE_ALTERNATE_SCREEN));
        if let Some(before) = &self.saved_termios {
            _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Keys come at once and are not shown; Ctrl-C stays a signal.
fn disable_line_buffering() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut unbuffered = before.clone();
    unbuffered.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(io::stdin(), OptionalActions::Now, &unbuffered).ok()?;
    Some(before)
}

/// The keys that are pressed. Read by a thread that ends with the process, as nothing else can wait for a terminal's keys
/// and be stopped.
fn spawn_key_reader() -> mpsc::UnboundedReceiver<u8> {
    let (sender, keys) = mpsc::unbounded_channel();
    if io::stdin().is_terminal() {
        std::thread::spawn(move || {
            for key in io::stdin().lock().bytes().map_while(Result::ok) {
                if sender.send(key).is_err() {
                    return;
                }
            }
        });
    }
    keys
}

/// The rows that there are.
pub(crate) fn rows() -> usize {
    terminal_size().0
}

/// Rows and columns.
fn terminal_size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => (24, 80),
    }
}

/// As much of a line as fits; its colours take no room, and end with it.
fn truncate_to_width(line: &str, columns: usize) -> String {
    let mut kept = String::with_capacity(line.len());
    let (mut room, mut coloured) = (columns, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            kept.push(character);
            for part in characters.by_ref() {
                kept.push(part);
                if part.is_ascii_alphabetic() {
                    break;
                }
            }
            coloured = !kept.ends_with("[0m");
        } else if room == 0 {
            break;
        } else {
            room -= 1;
            kept.push(character);
        }
    }
    if coloured {
        kept.push_str("\u{1b}[0m");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::truncate_to_width;

    #[test]
    fn a_line_is_cut_to_the_width_and_its_colour_ends_with_it() {
        assert_eq!(truncate_to_width("abcdef", 4), "abcd");
        assert_eq!(truncate_to_width("abc", 4), "abc");
        assert_eq!(truncate_to_width("a\u{1b}[31mbcd\u{1b}[0me", 3), "a\u{1b}[31mbc\u{1b}[0m");
        assert_eq!(truncate_to_width("a\u{1b}[31mbc\u{1b}[0mdef", 4), "a\u{1b}[31mbc\u{1b}[0md");
    }
}
