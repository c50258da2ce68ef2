//! How much memory this process may use.

use std::{fs, path::Path};

/// The share of it that callers' bodies and buffered streams may fill (Q6).
const BUDGET_SHARE: u64 = 4;

/// The least that they get: two of the largest bodies.
const MIN_BUDGET: u64 = 64 * 1024 * 1024;

/// Where the system says it.
const SYSTEM: &str = "/";

/// The memory for the bodies of requests and for buffered streams, in bytes.
#[must_use]
pub fn budget() -> usize {
    let bytes = (limit(Path::new(SYSTEM)) / BUDGET_SHARE).max(MIN_BUDGET);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The machine's memory, or what this process's group may use, if that is less; 1 GiB where nothing says it.
fn limit(system: &Path) -> u64 {
    let limits = [machine(system), group(system), first_line(&system.join(GROUP_V1))];
    limits.into_iter().flatten().min().unwrap_or(1024 * 1024 * 1024)
}

/// The limit of the older kind of groups, as containers see it.
const GROUP_V1: &str = "sys/fs/cgroup/memory/memory.limit_in_bytes";

fn machine(system: &Path) -> Option<u64> {
    let text = fs::read_to_string(system.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The least of the limits of the process's group and of those around it.
fn group(system: &Path) -> Option<u64> {
    let text = fs::read_to_string(system.join("proc/self/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = system.join("sys/fs/cgroup");
    let groups = Path::new(path).ancestors().map(|group| root.join(group).join("memory.max"));
    groups.filter_map(|file| first_line(&file)).min()
}

/// `None` also where it says `max`.
fn first_line(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts() {
        let system = std::env::temp_dir().join(format!("switchboard-memory-{}", std::process::id()));
        let write = |file: &str, text: &str| {
            let file = system.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        assert_eq!(limit(&system), 1024 * 1024 * 1024, "nothing is known");
        write("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n");
        assert_eq!(limit(&system), 2048 * 1024);
        write("proc/self/cgroup", "0::/app/inner\n");
        write("sys/fs/cgroup/app/inner/memory.max", "max\n");
        assert_eq!(limit(&system), 2048 * 1024);
        write("sys/fs/cgroup/app/memory.max", "1000000\n");
        assert_eq!(limit(&system), 1_000_000);
        write(GROUP_V1, "500000\n");
        assert_eq!(limit(&system), 500_000);
        fs::remove_dir_all(&system).unwrap();
    }
}
