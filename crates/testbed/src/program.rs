//! A program of the workspace as a separate process.
#![expect(clippy::expect_used, reason = "a test cannot continue without its program")]

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::Path,
    pin::pin,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// A program that prints nothing expected for this long counts as hanging.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(60);

/// A running program, killed on drop. Its standard error is captured.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: Arc<CapturedOutput>,
}

#[derive(Debug, Default)]
struct CapturedOutput {
    lines: Mutex<Vec<String>>,
    /// Standard error is closed, so no more lines come.
    is_closed: AtomicBool,
    line_added: Notify,
}

impl Program {
    /// Starts it with these variables and no others, in an empty directory, so that it finds no `.env`.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start<'a>(
        path: impl AsRef<OsStr>,
        arguments: &[&str],
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let directory = std::env::temp_dir().join("switchboard-tests-empty");
        std::fs::create_dir_all(&directory).expect("an empty directory");
        Self::start_in(&directory, path, arguments, variables)
    }

    /// Starts it in this directory, with these variables and no others.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start_in<'a>(
        directory: &Path,
        path: impl AsRef<OsStr>,
        arguments: &[&str],
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .env_clear()
            .envs(variables)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = Arc::new(CapturedOutput::default());
        let stderr = child.stderr.take().expect("standard error is piped");
        let captured = Arc::clone(&output);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                captured.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                captured.line_added.notify_waiters();
            }
            captured.is_closed.store(true, Ordering::SeqCst);
            captured.line_added.notify_waiters();
        });
        Self { child, output }
    }

    /// The first line that contains `text`, already printed or to come.
    ///
    /// # Panics
    /// No such line comes.
    pub async fn wait_for_line(&self, text: &str) -> String {
        let line = self.wait_for_line_or_exit(text).await;
        line.unwrap_or_else(|| {
            panic!("it exited without printing {text:?}; output:\n{}", self.lines().join("\n"))
        })
    }

    /// The same; none if it exits first.
    ///
    /// # Panics
    /// It keeps running and no such line comes.
    pub async fn wait_for_line_or_exit(&self, text: &str) -> Option<String> {
        let deadline = Instant::now() + OUTPUT_TIMEOUT;
        loop {
            let mut more = pin!(self.output.line_added.notified());
            // From here on no notification is missed.
            more.as_mut().enable();
            let is_closed = self.output.is_closed.load(Ordering::SeqCst);
            let line = self.lines().into_iter().find(|line| line.contains(text));
            if line.is_some() || is_closed {
                return line;
            }
            let waited = timeout_at(deadline, more).await;
            assert!(waited.is_ok(), "it did not print {text:?}; output:\n{}", self.lines().join("\n"));
        }
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.output.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `TERM`.
    ///
    /// # Panics
    /// It is not running.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{signal} failed");
    }

    /// Waits for its exit; the exit code, unless a signal ended it.
    ///
    /// # Panics
    /// It keeps running.
    pub async fn wait_for_exit(&mut self) -> Option<i32> {
        let deadline = Instant::now() + OUTPUT_TIMEOUT;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not exit; output:\n{}", self.lines().join("\n"));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A number of kB from `/proc/PID/status`, such as `VmRSS`.
    ///
    /// # Panics
    /// There is no such number.
    #[must_use]
    pub fn memory_kb(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok());
        number.expect("the process is there, on Linux")
    }

    /// Its open files and sockets.
    ///
    /// # Panics
    /// It is not running.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the process is there").count()
    }

    /// Kills it, as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_for_a_line_ends_when_the_program_exits() {
        let started = Instant::now();
        let program = Program::start("sh", &["-c", "echo one >&2"], []);
        assert_eq!(program.wait_for_line_or_exit("two").await, None);
        assert_eq!(program.wait_for_line_or_exit("on").await.as_deref(), Some("one"));
        assert!(started.elapsed() < OUTPUT_TIMEOUT, "{:?}", started.elapsed());
    }
}
