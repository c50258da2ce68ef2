use super::*;

fn source(text: &str) -> Source {
    let (caller, tag) = text.split_once('/').unwrap();
    Source { caller: caller.parse().ok(), tag: tag.parse().ok() }
}

fn counts(sources: &str) -> SourceCounts {
    let mut counts = SourceCounts::default();
    sources.split_whitespace().for_each(|text| counts.add(&source(text)));
    counts
}

fn show(scope: Option<SourceScope>) -> String {
    scope.map_or("all".to_owned(), |scope| {
        let caller = scope.caller.map_or(String::new(), |name| name.to_string());
        scope.tag.map_or(caller.clone(), |tag| format!("{caller}/{tag}"))
    })
}

#[test]
fn consecutive_failures_trip_for_the_narrowest_scope() {
    for (sources, others, expected) in [
        ("ci/1 ci/1 ci/1", 0, "ci/1"),
        ("ci/1 ci/1 ci/2", 0, "ci/1"),
        ("ci/1 web/1 ci/1", 0, "ci/1"),
        ("ci/1 ci/2 ci/3", 0, "ci"),
        ("ci/1 ci/2 web/1", 0, "ci"),
        ("ci/1 web/1 x/1", 0, "all"),
        ("ci/1 ci/1", 1, "ci/1"),
        ("ci/1 ci/1 ci/1", 2, "all"),
        ("", 3, "all"),
        ("/1 /1 /1", 0, "/1"),
        ("/1 /2 /3", 0, ""),
        ("ci/1", 0, "ci/1"),
        ("ci/1 web/1", 0, "all"),
        ("ci/1 ci/2", 0, "ci"),
        ("ci/ ci/ ci/", 0, "ci"),
        ("ci/1 ci/1 ci/ ci/", 0, "ci"),
    ] {
        let counts = counts(sources);
        assert_eq!(
            show(counts.narrowest(counts.total() + others)),
            expected,
            "{sources} and {others} others"
        );
    }
}

#[test]
fn others_failures_widen() {
    let tag = SourceScope { caller: "ci".parse().ok(), tag: Some(1) };
    for (sources, others, expected) in [
        ("ci/1 ci/1 ci/1 web/1", 0, "stays"),
        ("ci/1 ci/1 ci/1 ci/2 ci/3", 0, "ci"),
        ("ci/1 ci/1 ci/1 ci/2 web/1", 0, "ci"),
        ("ci/1 ci/1 ci/1 web/2 web/1", 0, "all"),
        ("ci/1 ci/1 ci/1", 2, "all"),
    ] {
        let counts = counts(sources);
        let widened = counts.widened(&tag, counts.total() + others);
        assert_eq!(widened.map_or("stays".to_owned(), show), expected, "{sources} and {others} others");
    }
    let (caller, counts) =
        (SourceScope::of_caller("ci".parse().ok()), counts("ci/1 ci/2 ci/3 ci/4 ci/5 ci/6"));
    assert_eq!(counts.widened(&caller, 7), None);
    assert_eq!(counts.widened(&caller, 8), Some(None));
}

/// However many sources there are, a caller's own failures stay its own, and a request that fails often is recognised.
#[test]
fn four_entries_are_enough_for_a_source_that_fails_often() {
    let many_requests: Vec<String> = (0..200).map(|tag| format!("ci/{tag}")).collect();
    let counts_of_many = counts(&many_requests.join(" "));
    assert_eq!(counts_of_many.total(), 200);
    assert_eq!(show(counts_of_many.narrowest(200)), "ci");

    let others: Vec<String> = (0..9).map(|caller| format!("k{caller}/7")).collect();
    let late = counts(&format!("{} ci/1 ci/1 ci/1 k9/7 ci/1", others.join(" ")));
    assert_eq!(late.of(&SourceScope { caller: "ci".parse().ok(), tag: Some(1) }), 4);
    assert!(late.total() <= 14, "none is counted twice");

    let between = counts("/1 /2 /3 /4 /5 /9 /9 /6 /9 /7 /9");
    assert_eq!((between.total(), between.0.len()), (11, 4));
    assert_eq!(between.of(&SourceScope { caller: None, tag: Some(9) }), 4);
}

#[test]
fn the_tag_is_computed_only_for_the_same_caller() {
    struct Costly;
    impl Requester for Costly {
        fn is_from(&self, caller: Option<&CallerName>) -> bool {
            caller.is_some_and(|name| name.as_str() == "ci")
        }
        fn source(&self) -> Option<Source> {
            panic!("the tag was computed")
        }
    }
    assert!(!SourceScope { caller: "web".parse().ok(), tag: Some(1) }.includes(&Costly));
    assert!(!SourceScope { caller: None, tag: Some(1) }.includes(&Costly));
    assert!(SourceScope::of_caller("ci".parse().ok()).includes(&Costly));
}

#[test]
fn nobody_is_in_no_scope() {
    let nobody: Option<Source> = None;
    assert!(!SourceScope::of_caller(None).includes(&nobody));
}
