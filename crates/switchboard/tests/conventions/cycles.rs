//! No file of a crate needs itself through another one.

use std::{collections::BTreeSet, fmt::Write};

use crate::{graph::Graph, repository};

/// Circles that stay, with the reason: crate, files, why.
const ALLOWED: &[(&str, &[&str], &str)] = &[];

#[test]
fn no_circle_of_files() {
    let root = repository::root();
    let mut report = String::new();
    let mut unused: Vec<_> = ALLOWED.iter().collect();
    for (name, folder) in repository::crates(&root) {
        let graph = Graph::read(&folder);
        for circle in circles(&graph) {
            match unused.iter().position(|(krate, files, _)| *krate == name && circle.iter().eq(*files)) {
                Some(at) => drop(unused.remove(at)),
                None => describe(&mut report, &name, &graph, &circle),
            }
        }
    }
    assert!(report.is_empty(), "files that need each other:\n{report}");
    assert!(unused.is_empty(), "allowed circles that are none any more: {unused:?}");
}

#[test]
#[ignore = "prints the graphs for a person"]
fn print_module_graphs() {
    for (name, folder) in repository::crates(&repository::root()) {
        println!("{name}");
        for (from, targets) in &Graph::read(&folder).edges {
            println!("  {from} -> {}", targets.keys().cloned().collect::<Vec<_>>().join(", "));
        }
    }
}

fn describe(report: &mut String, name: &str, graph: &Graph, circle: &BTreeSet<String>) {
    let files: Vec<_> = circle.iter().cloned().collect();
    let _ = writeln!(report, "{name}: {} files: {}", files.len(), files.join(", "));
    for from in circle {
        for (to, places) in graph.edges[from].iter().filter(|(to, _)| circle.contains(*to)) {
            let places: Vec<_> = places.iter().cloned().collect();
            let _ = writeln!(report, "    {from} -> {to}  ({})", places.join("; "));
        }
    }
}

/// Strongly connected components of more than one file.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reach = |start: &String| {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(file) = open.pop() {
            for next in graph.edges.get(file).into_iter().flat_map(|targets| targets.keys()) {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: std::collections::BTreeMap<_, _> =
        graph.edges.keys().map(|file| (file, reach(file))).collect();
    let mut found = BTreeSet::new();
    for (file, targets) in &reached {
        let back =
            targets.iter().filter(|target| reached.get(target).is_some_and(|seen| seen.contains(*file)));
        let circle: BTreeSet<String> = back.cloned().collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

#[test]
fn a_circle_through_re_exports_is_found_and_tests_are_left_out() {
    let folder = std::env::temp_dir().join(format!("switchboard-conventions-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("src/b")).unwrap();
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use a::A; pub use b::Name; pub(crate) use c::C;"),
        ("a.rs", "use crate::{C, Name as Other}; pub struct A(Other, C);"),
        ("b.rs", "mod inner; pub use inner::Name;"),
        ("b/inner.rs", "pub struct Name; fn name() { format!(\"{}\", super::super::a::A::new()); }"),
        ("c.rs", "pub struct C; #[cfg(test)] mod tests { use crate::A; } #[cfg(test)] use crate::a::{A};"),
    ];
    for (name, text) in files {
        std::fs::write(folder.join("src").join(name), text).unwrap();
    }
    let found = circles(&Graph::read(&folder));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, [BTreeSet::from(["a".to_owned(), "b/inner".to_owned()])]);
}
