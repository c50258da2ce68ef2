//! Files of the checkout.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The checkout that is looked at.
pub(crate) fn root() -> PathBuf {
    match std::env::var_os("SWITCHBOARD_ROOT") {
        Some(root) => root.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The crates of the workspace: their names and folders.
pub(crate) fn crates(root: &Path) -> Vec<(String, PathBuf)> {
    let folders = entries(&root.join("crates")).into_iter().filter(|path| path.join("Cargo.toml").exists());
    folders.map(|path| (name(&path), path)).collect()
}

/// All files below a folder that `wanted` accepts, sorted. Hidden folders and build output are skipped.
pub(crate) fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            if !name(&path).starts_with('.') && !["target", "node_modules"].contains(&name(&path).as_str()) {
                found.extend(files(&path, wanted));
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    found
}

/// The last part of a path.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    let mut paths: Vec<_> = read.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
