//! A full-screen view on the terminal, which restores the terminal at its end.

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

use crate::printable::for_terminal;

/// Switch to the alternate screen and hide the cursor; and back.
const ENTER_ALTERNATE_SCREEN: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE_ALTERNATE_SCREEN: &str = "\u{1b}[?25h\u{1b}[?1049l";

const CURSOR_HOME: &str = "\u{1b}[H";
const CLEAR_TO_END_OF_LINE: &str = "\u{1b}[K";
const CLEAR_TO_END_OF_SCREEN: &str = "\u{1b}[J";

/// The view. Restores the terminal when dropped.
pub(crate) struct Screen {
    /// The terminal settings to restore; `None`: standard input is no terminal.
    saved_termios: Option<Termios>,
    keys: mpsc::UnboundedReceiver<u8>,
    /// A byte that was read, and is no part of the key before it.
    pending_byte: Option<u8>,
    interrupt: Signal,
    terminate: Signal,
    resized: Signal,
}

/// What the view should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScreenEvent {
    /// Redraw: the timeout has passed, or the terminal was resized.
    Redraw,
    /// Quit: Ctrl-C or SIGTERM.
    Quit,
    /// A key was pressed.
    Key(Key),
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// A letter; of those beyond ASCII none is read.
    Char(char),
    Up,
    Down,
    Enter,
    Backspace,
    Escape,
}

/// What an arrow sends follows its escape so soon.
const ESCAPE_TIMEOUT: Duration = Duration::from_millis(30);

impl Screen {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// When standard output cannot be written, or signals cannot be handled.
    pub(crate) fn enter() -> io::Result<Self> {
        let screen = Self {
            saved_termios: disable_line_buffering(),
            keys: spawn_key_reader(),
            pending_byte: None,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            resized: signal(SignalKind::window_change())?,
        };
        write(ENTER_ALTERNATE_SCREEN)?;
        Ok(screen)
    }

    /// Draws as much of these lines as fits.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let (rows, columns) = terminal_size();
        let mut frame = CURSOR_HOME.to_owned();
        for (at, line) in lines.iter().take(rows).enumerate() {
            frame.push_str(if at == 0 { "" } else { "\r\n" });
            frame.push_str(&truncate_to_width(&for_terminal(line, true).replace(['\n', '\t'], " "), columns));
            frame.push_str(CLEAR_TO_END_OF_LINE);
        }
        frame.push_str(CLEAR_TO_END_OF_SCREEN);
        write(&frame)
    }

    /// Waits for the next event, or a redraw after `timeout`.
    pub(crate) async fn next_event(&mut self, timeout: Duration) -> ScreenEvent {
        if let Some(byte) = self.pending_byte.take() {
            return self.read_key(byte).await.map_or(ScreenEvent::Redraw, ScreenEvent::Key);
        }
        tokio::select! {
            _ = self.interrupt.recv() => ScreenEvent::Quit,
            _ = self.terminate.recv() => ScreenEvent::Quit,
            _ = self.resized.recv() => ScreenEvent::Redraw,
            Some(byte) = self.keys.recv() => self.read_key(byte).await.map_or(ScreenEvent::Redraw, ScreenEvent::Key),
            () = sleep(timeout) => ScreenEvent::Redraw,
        }
    }

    /// The key that begins with this byte; `None`: one of no meaning here.
    async fn read_key(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'\r' | b'\n' => Some(Key::Enter),
            0x7f | 0x08 => Some(Key::Backspace),
            b' '..=b'~' => Some(Key::Char(byte.into())),
            0x1b => match self.next_byte().await {
                None => Some(Key::Escape),
                Some(b'[' | b'O') => match self.next_byte().await {
                    Some(b'A') => Some(Key::Up),
                    Some(b'B') => Some(Key::Down),
                    _ => None,
                },
                // A key of its own, pressed soon after.
                Some(byte) => {
                    self.pending_byte = Some(byte);
                    Some(Key::Escape)
                }
            },
            _ => None,
        }
    }

    async fn next_byte(&mut self) -> Option<u8> {
        tokio::time::timeout(ESCAPE_TIMEOUT, self.keys.recv()).await.ok().flatten()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
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

/// Keys are read unbuffered and without echo; Ctrl-C stays a signal.
fn disable_line_buffering() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut unbuffered = before.clone();
    unbuffered.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(io::stdin(), OptionalActions::Now, &unbuffered).ok()?;
    Some(before)
}

/// The pressed keys. Read by a thread that lives until the process ends, since a blocking read of the terminal cannot be
/// cancelled.
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

/// The number of rows.
pub(crate) fn rows() -> usize {
    terminal_size().0
}

/// The number of columns; `None`: standard output is no terminal.
pub(crate) fn columns() -> Option<usize> {
    io::stdout().is_terminal().then(|| terminal_size().1)
}

/// Rows and columns.
fn terminal_size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => (24, 80),
    }
}

/// Cuts a line to the width, and marks the cut; colour codes have no width, and are reset at the cut.
fn truncate_to_width(line: &str, columns: usize) -> String {
    let mut kept = String::with_capacity(line.len());
    let is_cut = visible_width(line) > columns;
    let (mut room, mut coloured) = (columns.saturating_sub(is_cut.into()), false);
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
    kept.extend((is_cut && columns > 0).then_some('…'));
    if coloured {
        kept.push_str("\u{1b}[0m");
    }
    kept
}

/// The characters without colour codes.
fn visible_width(line: &str) -> usize {
    let mut is_code = false;
    let is_visible = |character: &char| {
        let visible = !is_code && *character != '\u{1b}';
        is_code = *character == '\u{1b}' || is_code && !character.is_ascii_alphabetic();
        visible
    };
    line.chars().filter(is_visible).count()
}

#[cfg(test)]
mod tests {
    use super::truncate_to_width;

    #[test]
    fn a_line_is_truncated_and_its_colour_is_reset() {
        assert_eq!(truncate_to_width("abcdef", 4), "abc…");
        assert_eq!(truncate_to_width("abc", 3), "abc");
        assert_eq!(truncate_to_width("a\u{1b}[31mbcd\u{1b}[0me", 3), "a\u{1b}[31mb…\u{1b}[0m");
        assert_eq!(truncate_to_width("a\u{1b}[31mbc\u{1b}[0mdef", 5), "a\u{1b}[31mbc\u{1b}[0md…");
        assert_eq!(truncate_to_width("a\u{1b}[31mbc\u{1b}[0m", 3), "a\u{1b}[31mbc\u{1b}[0m");
    }
}
