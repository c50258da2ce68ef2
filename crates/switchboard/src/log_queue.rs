//! The log's way to standard error, which never blocks a call (Q7).
//!
//! A reader that stops reading fills its pipe, and whoever writes next waits for it: with a runtime of a few threads, soon
//! the whole process. So lines go to a bounded queue, and a thread of its own writes them. What does not fit is dropped,
//! counted, and reported when writing works again.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
    mem,
    os::fd::AsFd as _,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use crate::printable::for_log;

/// The most bytes that wait to be written.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;

/// The delay before a standard error that does not block is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// Lines that wait to be written.
#[derive(Debug, Clone)]
pub struct LogQueue {
    shared: Arc<Shared>,
    /// Lines may have the codes of colours.
    colour: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// A line was added.
    added: Condvar,
    /// All lines are written.
    written: Condvar,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    is_writing: bool,
    /// Lines dropped since the last report of it.
    unreported: u64,
}

impl LogQueue {
    /// Starts the thread that writes to standard error.
    ///
    /// # Errors
    /// When there is no standard error, or no thread.
    pub fn to_stderr(colour: bool) -> io::Result<Self> {
        // A descriptor of its own: the lock of `io::stderr` would be held for as long as a write takes.
        Self::start(File::from(io::stderr().as_fd().try_clone_to_owned()?), colour)
    }

    fn start(output: impl Write + Send + 'static, colour: bool) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let queue = Self { shared: Arc::clone(&shared), colour };
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(output))?;
        Ok(queue)
    }

    /// The number of lines that were dropped.
    #[must_use]
    pub fn dropped_lines(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.dropped)
    }

    /// Waits until all lines are written, at most this long: at the end of the process.
    pub fn flush(&self, limit: Duration) {
        let queue = self.shared.lock();
        let is_busy = |queue: &mut Queue| !queue.lines.is_empty() || queue.is_writing;
        drop(self.shared.written.wait_timeout_while(queue, limit, is_busy));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut queue = self.lock();
        if queue.bytes + line.len() > MAX_QUEUED_BYTES {
            queue.unreported += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        drop(queue);
        self.added.notify_one();
    }

    /// Writes lines as they are added, for ever.
    fn write_all(&self, mut output: impl Write) {
        loop {
            let line = self.next_line();
            write_line(&mut output, line.as_bytes());
            let mut queue = self.lock();
            queue.bytes -= line.len();
            let dropped = mem::take(&mut queue.unreported);
            drop(queue);
            if dropped > 0 {
                // By way of the queue, since the log has a format.
                tracing::warn!(
                    dropped,
                    "{dropped} log lines were dropped, because standard error was not read"
                );
            }
            self.lock().is_writing = false;
            self.written.notify_all();
        }
    }

    fn next_line(&self) -> String {
        let mut queue = self.lock();
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.is_writing = true;
                return line;
            }
            queue = self.added.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes a line. There is nowhere to report that it cannot be written.
#[expect(clippy::disallowed_methods, reason = "the log's own thread may sleep")]
fn write_line(output: &mut impl Write, mut line: &[u8]) {
    while !line.is_empty() {
        match output.write(line) {
            Ok(0) => return,
            Ok(written) => line = &line[written..],
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => thread::sleep(RETRY_DELAY),
                _ => return,
            },
        }
    }
}

/// Takes one event.
#[derive(Debug)]
pub struct LineWriter<'a>(&'a LogQueue);

impl Write for LineWriter<'_> {
    /// The formatter writes an event at once, with its end of line. Callers' and operators' texts are in it, so that is the
    /// only one.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = for_log(text.strip_suffix('\n').unwrap_or(&text), self.0.colour).into_owned();
        line.push('\n');
        self.0.shared.push(line);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A reader that takes one line whenever the test does.
    struct SlowReader(SyncSender<Vec<u8>>);

    impl Write for SlowReader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log_to_slow_reader() -> (LogQueue, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        (LogQueue::start(SlowReader(sender), false).unwrap(), receiver)
    }

    #[test]
    fn a_reader_that_reads_nothing_costs_bounded_memory_and_no_time() {
        let (log, lines) = log_to_slow_reader();
        let event = [b'x'; 1023];
        for _ in 0..5_000 {
            log.make_writer().write_all(&event).unwrap();
        }
        let dropped = log.dropped_lines().load(Ordering::Relaxed);
        assert_eq!(dropped, 5_000 - 1024, "a line being written counts");
        log.flush(Duration::from_millis(1));
        let reading = thread::spawn(move || lines.iter().take(1024).map(|line| line.len()).sum::<usize>());
        log.flush(Duration::from_secs(60));
        assert_eq!(reading.join().unwrap(), MAX_QUEUED_BYTES);
    }

    #[test]
    fn an_event_is_one_line() {
        let (log, lines) = log_to_slow_reader();
        log.make_writer().write_all(b"reason=x\nINFO forged \x1b[2J\n").unwrap();
        assert_eq!(lines.recv().unwrap(), b"reason=x\\u000aINFO forged \\u001b[2J\n");
    }

    #[test]
    fn a_reader_that_has_gone_is_not_waited_for() {
        let (log, lines) = log_to_slow_reader();
        drop(lines);
        log.make_writer().write_all(b"nobody hears it\n").unwrap();
        log.flush(Duration::from_secs(60));
        assert!(log.shared.lock().lines.is_empty());
    }
}
