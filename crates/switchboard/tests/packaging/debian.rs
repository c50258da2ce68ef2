//! The Debian package: built, installed, started as its unit says, upgraded and removed.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use testbed::{Program, free_port};

use super::{Directory, root, run};

const UNIT: &str = "lib/systemd/system/switchboard.service";

/// The packages, made of the program that is being tested.
fn build(work: &Path) -> BTreeMap<String, PathBuf> {
    let out = work.join("packages");
    run(Command::new(root().join("deploy/package"))
        .args(["--binary", env!("CARGO_BIN_EXE_switchboard"), "--fast", "--out"])
        .arg(&out));
    let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

fn ending<'a>(files: &'a BTreeMap<String, PathBuf>, end: &str) -> &'a Path {
    let mut found = files.iter().filter(|(name, _)| name.ends_with(end));
    found.next().unwrap_or_else(|| panic!("no {end} in {files:?}")).1
}

/// dpkg with a root of its own. What the package depends on is this machine's.
fn dpkg(system: &Path) -> Command {
    let mut command = Command::new("dpkg");
    command.arg(format!("--root={}", system.display()));
    command.args(["--force-not-root", "--force-script-chrootless", "--force-depends", "--force-bad-path"]);
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

fn setting(unit: &str, name: &str) -> String {
    let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {name} in the unit")).to_owned()
}

#[tokio::test]
async fn it_is_installed_started_as_its_unit_says_and_removed() {
    let work = Directory::new();
    let files = build(&work.0);
    let system = work.0.join("system");
    fs::create_dir_all(system.join("var/lib/dpkg/updates")).unwrap();
    fs::create_dir_all(system.join("var/lib/dpkg/info")).unwrap();
    fs::write(system.join("var/lib/dpkg/status"), "").unwrap();
    fs::write(system.join("var/lib/dpkg/available"), "").unwrap();
    let package = ending(&files, ".deb");
    run(dpkg(&system).arg("--install").arg(package));

    let mode = |file: &str| fs::metadata(system.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("etc/switchboard/.env"), 0o640, "it has keys");
    for file in [
        "usr/share/man/man1/switchboard.1.gz",
        "usr/share/bash-completion/completions/switchboard",
        "usr/share/zsh/vendor-completions/_switchboard",
        "usr/share/fish/vendor_completions.d/switchboard.fish",
        "usr/share/doc/switchboard/THIRD-PARTY-LICENSES.gz",
        "usr/share/doc/switchboard/switchboard.example.toml",
    ] {
        assert!(fs::metadata(system.join(file)).unwrap().len() > 100, "{file}");
    }

    // An operator's file survives an upgrade.
    let config = system.join("etc/switchboard/switchboard.toml");
    let port = free_port();
    fs::write(&config, format!("[server]\nlisten = \"127.0.0.1:{port}\"\n")).unwrap();
    run(dpkg(&system).args(["--force-confold", "--install"]).arg(package));
    assert!(fs::read_to_string(&config).unwrap().contains(&port.to_string()));

    serves_as_the_unit_says(&work.0, &system, port).await;

    run(dpkg(&system).args(["--remove", "switchboard"]));
    assert!(!system.join("usr/bin/switchboard").exists() && !system.join(UNIT).exists());
    assert!(config.exists(), "only a purge takes configuration");
    run(dpkg(&system).args(["--purge", "switchboard"]));
    assert!(!config.exists());
}

/// The unit's command, in its directory, as a user without privileges, with a socket in place of systemd's.
async fn serves_as_the_unit_says(work: &Path, system: &Path, port: u16) {
    let unit = fs::read_to_string(system.join(UNIT)).unwrap();
    assert_eq!(setting(&unit, "Type"), "notify");
    let directory = system.join(setting(&unit, "WorkingDirectory").trim_start_matches('/'));
    let command = setting(&unit, "ExecStart");
    let (program, arguments) = command.split_once(' ').unwrap();
    let program = system.join(program.trim_start_matches('/'));
    let socket = work.join("notify");
    let notified = UnixDatagram::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    notified.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut buffer = [0; 500];
    let mut next_state = || {
        let length = notified.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };

    let variables =
        [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("REDIS_URL", "memory:"), ("SWITCHBOARD_LOG", "info")];
    let mut gateway = if rustix::process::geteuid().is_root() {
        // As the package's script does for the group of the service.
        run(Command::new("chgrp").arg("65534").arg(directory.join(".env")));
        let mut words = vec!["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
        words.push(program.to_str().unwrap());
        words.extend(arguments.split(' '));
        Program::start_in(&directory, "/usr/bin/setpriv", &words, variables)
    } else {
        Program::start_in(&directory, &program, &arguments.split(' ').collect::<Vec<_>>(), variables)
    };
    let ready = next_state();
    assert_eq!(ready, format!("READY=1\nSTATUS=serving at http://127.0.0.1:{port}"));
    let response = http_get(port, "/livez");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");

    // ExecReload.
    assert_eq!(setting(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    gateway.signal("HUP");
    gateway.wait_for_line("configuration reloaded").await;

    gateway.signal("TERM");
    assert!(next_state().starts_with("STOPPING=1\n"));
    assert_eq!(gateway.wait_for_exit().await, Some(0));
}

fn http_get(port: u16, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn its_files_are_complete_and_their_sums_right() {
    let work = Directory::new();
    let files = build(&work.0);
    let out = files.values().next().unwrap().parent().unwrap();
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(out));

    let bill: serde_json::Value =
        serde_json::from_slice(&fs::read(ending(&files, ".cdx.json")).unwrap()).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let components = bill["components"].as_array().unwrap();
    let names: Vec<_> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"tokio") && names.contains(&"breaker"), "{names:?}");
    assert!(!names.contains(&"proptest") && !names.contains(&"testbed"), "tests are not in the program");
    let without_licence =
        components.iter().filter(|component| component["licenses"][0]["expression"].is_null());
    assert_eq!(without_licence.count(), 0);

    let archive = run(Command::new("tar").arg("-tzf").arg(ending(&files, ".tar.gz")));
    let listed = String::from_utf8(archive.stdout).unwrap();
    for file in ["/switchboard\n", "/LICENSE\n", "/THIRD-PARTY-LICENSES\n", "/switchboard.service\n"] {
        assert!(listed.contains(file), "{file} in {listed}");
    }
}

/// `systemd-analyze` reads the unit as systemd does.
#[test]
fn the_unit_is_valid_and_hardened() {
    let unit = root().join("deploy/systemd/switchboard.service");
    let security = run(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(&unit));
    let text = String::from_utf8(security.stdout).unwrap();
    assert!(text.contains("Overall exposure level"), "{text}");

    // It also looks for the program and its manual page, which are not on this machine.
    let work = Directory::new();
    let local = fs::read_to_string(&unit).unwrap();
    let local = local.replace("/usr/bin/switchboard", env!("CARGO_BIN_EXE_switchboard"));
    let local = local.replace("Documentation=man:switchboard(1)\n", "");
    let copy = work.0.join("switchboard.service");
    fs::write(&copy, local).unwrap();
    let verified = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy));
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
}
