//! The log's way to standard error, which never blocks a call (Q7).
//!
//! A reader that stops reading fills its pipe, and whoever writes next waits for it: with a runtime of a few threads, soon
//! the whole process. So lines go to bounded queues, one for each core, and a thread of its own writes them, all that are there
//! at once. What does not fit is dropped, counted, and reported when writing works again. Lines of different cores that are
//! written at once are in the order of the cores.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    os::fd::AsFd as _,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use per_core::PerCore;
use tracing_subscriber::fmt::MakeWriter;

use crate::printable::for_log;

/// The most bytes of a core that wait to be written.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;

/// The delay before a standard error that does not block is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// From one batch of lines to the next: to wake a thread costs more than a line.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Lines that wait to be written.
#[derive(Debug, Clone)]
pub struct LogQueue {
    shared: Arc<Shared>,
    /// Lines may have the codes of colours.
    colour: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queues: PerCore<Mutex<Queue>>,
    /// The writer waits for a line. Read without the lock by whoever adds one.
    is_idle: AtomicBool,
    /// Held for a change of `is_idle` and for the end of a batch.
    signal: Mutex<()>,
    /// A line was added.
    added: Condvar,
    /// A batch was written.
    written: Condvar,
    dropped: Arc<AtomicU64>,
}

/// Lines of one core.
#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    line_count: u64,
    /// The bytes that are being written.
    in_writing: usize,
    lines_in_writing: u64,
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

    /// The same with any output.
    pub(crate) fn start(output: impl Write + Send + 'static, colour: bool) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let queue = Self { shared: Arc::clone(&shared), colour };
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(output))?;
        Ok(queue)
    }

    /// Adds a line with its end, which has nothing but printable ASCII before that.
    pub(crate) fn push_plain(&self, line: &[u8]) {
        self.shared.push(line);
    }

    /// The number of lines that were dropped.
    #[must_use]
    pub fn dropped_lines(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.dropped)
    }

    /// Waits until all lines are written, at most this long: at the end of the process. Returns the number of lines that are
    /// lost with it, also of those of which the reader has a part; they count as dropped.
    pub fn flush(&self, limit: Duration) -> u64 {
        let signal = lock(&self.shared.signal);
        drop(self.shared.written.wait_timeout_while(signal, limit, |()| self.shared.is_busy()));
        let lost = self.shared.unwritten_lines();
        self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
        lost
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn is_busy(&self) -> bool {
        self.queues.iter().map(lock).any(|queue| !queue.lines.is_empty() || queue.in_writing > 0)
    }

    fn unwritten_lines(&self) -> u64 {
        self.queues.iter().map(lock).map(|queue| queue.line_count + queue.lines_in_writing).sum()
    }

    fn push(&self, line: &[u8]) {
        let mut queue = lock(self.queues.local());
        if queue.lines.len() + queue.in_writing + line.len() > MAX_QUEUED_BYTES {
            queue.unreported += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.lines.extend_from_slice(line);
        queue.line_count += 1;
        drop(queue);
        if self.is_idle.load(Ordering::Relaxed) {
            let signal = lock(&self.signal);
            self.is_idle.store(false, Ordering::Relaxed);
            // Whoever is woken takes the lock.
            drop(signal);
            self.added.notify_one();
        }
    }

    /// Writes lines as they are added, for ever.
    #[expect(clippy::disallowed_methods, reason = "the log's own thread may sleep")]
    fn write_all(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        loop {
            self.take_lines(&mut batch);
            if batch.is_empty() {
                self.wait_for_line();
                continue;
            }
            write_lines(&mut output, &batch);
            batch.clear();
            self.report_dropped();
            drop(lock(&self.signal));
            self.written.notify_all();
            thread::sleep(BATCH_INTERVAL);
        }
    }

    /// Moves the lines of all cores to the batch.
    fn take_lines(&self, batch: &mut Vec<u8>) {
        for mut queue in self.queues.iter().map(lock) {
            queue.in_writing = queue.lines.len();
            queue.lines_in_writing = mem::take(&mut queue.line_count);
            batch.append(&mut queue.lines);
        }
    }

    /// Waits until a line is there.
    fn wait_for_line(&self) {
        let mut signal = lock(&self.signal);
        // Whoever adds a line before it is looked for below is seen there, and whoever does so later sees this: each locks
        // the same queue.
        self.is_idle.store(true, Ordering::Relaxed);
        if self.queues.iter().map(lock).any(|queue| !queue.lines.is_empty()) {
            self.is_idle.store(false, Ordering::Relaxed);
        }
        while self.is_idle.load(Ordering::Relaxed) {
            signal = self.added.wait(signal).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The batch is written. Lines that were dropped meanwhile are reported by way of the queue, since the log has a format.
    fn report_dropped(&self) {
        let mut dropped = 0;
        for mut queue in self.queues.iter().map(lock) {
            queue.in_writing = 0;
            queue.lines_in_writing = 0;
            dropped += mem::take(&mut queue.unreported);
        }
        if dropped > 0 {
            tracing::warn!(dropped, "{dropped} log lines were dropped, because standard error was not read");
        }
    }
}

/// Writes lines. There is nowhere to report that they cannot be written.
#[expect(clippy::disallowed_methods, reason = "the log's own thread may sleep")]
fn write_lines(output: &mut impl Write, mut lines: &[u8]) {
    while !lines.is_empty() {
        match output.write(lines) {
            Ok(0) => return,
            Ok(written) => lines = &lines[written..],
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
        // Without a branch, so that many bytes are looked at in one instruction.
        let is_plain =
            |bytes: &[u8]| bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
        if let Some((b'\n', line)) = event.split_last()
            && is_plain(line)
        {
            self.0.shared.push(event);
            return Ok(event.len());
        }
        let text = String::from_utf8_lossy(event);
        let mut line = for_log(text.strip_suffix('\n').unwrap_or(&text), self.0.colour).into_owned();
        line.push('\n');
        self.0.shared.push(line.as_bytes());
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
        assert_eq!(log.flush(Duration::from_millis(1)), 1024, "what is lost if the process ends now");
        assert_eq!(log.dropped_lines().load(Ordering::Relaxed), 5_000);
        let reading = thread::spawn(move || {
            let mut bytes = 0;
            while bytes < MAX_QUEUED_BYTES {
                bytes += lines.recv().unwrap().len();
            }
            bytes
        });
        assert_eq!(log.flush(Duration::from_secs(60)), 0);
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
        assert_eq!(log.flush(Duration::from_secs(60)), 0);
        assert!(!log.shared.is_busy());
    }
}
