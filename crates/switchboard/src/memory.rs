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
    machine(system).into_iter().chain(group(system)).min().unwrap_or(1024 * 1024 * 1024)
}

fn machine(system: &Path) -> Option<u64> {
    let text = fs::read_to_string(system.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The least of the limits of the process's group and of those around it, of both versions of groups.
fn group(system: &Path) -> Option<u64> {
    let text = fs::read_to_string(system.join("proc/self/cgroup")).ok()?;
    let limits = text.lines().filter_map(|line| {
        // The number of a hierarchy, its controllers, and the group's path in it.
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let root = system.join(root);
        let groups = Path::new(path.trim_start_matches('/')).ancestors();
        groups.filter_map(|group| first_line(&root.join(group).join(file))).min()
    });
    limits.min()
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
        write("proc/self/cgroup", "5:cpu:/app\n4:memory:/app/inner\n0::/\n");
        write("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "500000\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit(&system), 500_000);
        fs::remove_dir_all(&system).unwrap();
    }
}
