//! A program of the project's as a process of its own.
#![expect(clippy::expect_used, reason = "a test that has no program cannot go on")]

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
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

/// A program that has to say something for so long is taken to hang.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(60);

/// A running program, killed on drop. What it writes to standard error is kept.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: Arc<CapturedOutput>,
}

#[derive(Debug, Default)]
struct CapturedOutput {
    lines: Mutex<Vec<String>>,
    /// It has closed its standard error, so it says nothing more.
    is_closed: AtomicBool,
    line_added: Notify,
}

impl Program {
    /// Starts it with these variables and no others, in an empty directory of its own so that it finds no `.env`.
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
        let said = Arc::new(CapturedOutput::default());
        let stderr = child.stderr.take().expect("standard error is piped");
        let hearing = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                hearing.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                hearing.line_added.notify_waiters();
            }
            hearing.is_closed.store(true, Ordering::SeqCst);
            hearing.line_added.notify_waiters();
        });
        Self { child, output: said }
    }

    /// The first line it has said, or says soon, that holds `text`.
    ///
    /// # Panics
    /// It says no such thing.
    pub async fn wait_for_line(&self, text: &str) -> String {
        let said = self.wait_for_line_or_exit(text).await;
        said.unwrap_or_else(|| panic!("it ended without {text:?}, but said:\n{}", self.lines().join("\n")))
    }

    /// The same; none if it ends before.
    ///
    /// # Panics
    /// It goes on and says no such thing.
    pub async fn wait_for_line_or_exit(&self, text: &str) -> Option<String> {
        let deadline = Instant::now() + OUTPUT_TIMEOUT;
        loop {
            let mut more = pin!(self.output.line_added.notified());
            // From here on no bell is missed.
            more.as_mut().enable();
            let silent = self.output.is_closed.load(Ordering::SeqCst);
            let line = self.lines().into_iter().find(|line| line.contains(text));
            if line.is_some() || silent {
                return line;
            }
            let waited = timeout_at(deadline, more).await;
            assert!(waited.is_ok(), "it did not say {text:?}, but:\n{}", self.lines().join("\n"));
        }
    }

    /// All that it has said so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.output.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its process, to send signals to.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `TERM`.
    ///
    /// # Panics
    /// It is gone.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{signal} failed");
    }

    /// Waits for its end; the exit code, if no signal ended it.
    ///
    /// # Panics
    /// It goes on.
    pub async fn wait_for_exit(&mut self) -> Option<i32> {
        let deadline = Instant::now() + OUTPUT_TIMEOUT;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not end, but said:\n{}", self.lines().join("\n"));
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

    /// How many files and sockets it has open.
    ///
    /// # Panics
    /// It is gone.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the process is there").count()
    }

    /// Ends it as a crash would (SIGKILL).
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
    async fn the_end_of_a_program_is_not_waited_for_in_vain() {
        let began = Instant::now();
        let program = Program::start("sh", &["-c", "echo one >&2"], []);
        assert_eq!(program.wait_for_line_or_exit("two").await, None);
        assert_eq!(program.wait_for_line_or_exit("on").await.as_deref(), Some("one"));
        assert!(began.elapsed() < OUTPUT_TIMEOUT, "{:?}", began.elapsed());
    }
}
