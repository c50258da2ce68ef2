//! Names that gave way to the field's own do not come back as definitions.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{modules::is_punct, repository};

/// What is not to be defined any more. A row: the old names, and what to say instead.
const BANNED: &[(&[&str], &str)] = &[
    (&["Errand"], "CallContext"),
    (&["Station"], "Candidate"),
    (&["ToCome", "give_up", "next_round"], "a state of a candidate, exhaust, reset_for_retry"),
    (&["Walk", "walk"], "FailoverLoop"),
    (&["happens", "Happened"], "next_event, LoopEvent"),
    (&["returned", "conclude", "Then"], "return_to_caller, finish, NextAction"),
    (&["pass_by_what_cannot_answer"], "skip_ineligible"),
    (&["Tried", "Came", "came"], "CompletedAttempt, AttemptOutcome"),
    (&["Spoken", "spoken"], "StartedStream"),
    (&["Opened"], "ProviderResponse"),
    (&["Pause", "PAUSE"], "RetryDelay, ..._INTERVAL"),
    (&["leave"], "acquire_permit, release"),
    (&["Sequel", "sequel"], "RetryDecision"),
    (&["settle", "settle_told", "settle_on_route"], "record_outcome"),
    (&["Trial", "trial"], "AttemptGuard"),
    (&["Due", "had_time"], "TotalDeadline"),
    (&["heard", "handed_on", "SILENCE"], "on_first_byte, on_handoff, STALL_TIMEOUT"),
    (&["Patience", "patience", "PATIENCE", "OPERATOR_PATIENCE", "rest_of_rest"], "WaitBudget, ..._TIMEOUT"),
    (&["turn", "Turn", "TURN", "turn_from"], "yield_to_runtime, transition_to"),
    (&["held", "following", "gather", "BURST"], "buffered, lookahead, coalesce_ready, MAX_BATCH"),
    (&["Held", "Coming", "SIGN_OF_LIFE"], "BufferedStream, ReplyFuture, KEEPALIVE_INTERVAL"),
    (&["Hold", "LargestHeld"], "Buffer, BufferLimit"),
    (&["Passed", "passed"], "SkippedModel, skipped"),
    (&["Why", "why", "OtherDialect"], "SkipReason, reason, UnsupportedApi"),
    (&["Drill", "drill"], "FaultInjection"),
    (&["OutOfTime", "NoModel"], "DeadlineExceeded, UnknownModel"),
    (&["Record"], "CallLog"),
    (&["Meter", "Ended", "OTHERS", "breaks_off"], "CallMetrics, CallCompleted, MAX_..., aborting"),
    (&["Typical", "WEIGHT", "LASTS"], "Ewma"),
    (&["asked"], "requested"),
    (&["adopt", "pass_on"], "extract, inject"),
    (&["Step", "home"], "ChainEntry, default_provider"),
    (&["model_is_on_a_route"], "is_routed_model"),
    (&["Blame", "blame"], "FailureClass"),
    (&["Fault", "FaultKind"], "ProviderError, ProviderErrorKind"),
    (&["Rest", "rest", "Spent", "spent"], "RateLimited, cooldown, QuotaExhausted"),
    (&["NotSpoken"], "UnsupportedEndpoint"),
    (&["judge", "Judge"], "classify"),
    (&["told", "Told", "tell", "tells", "told_epoch", "untold"], "reported, published, notify"),
    (&["Answer", "WholeAnswer", "answer"], "Response, reply, respond"),
    (&["Heard", "hear", "Hear", "hear_all", "ears"], "StreamProgress, ChangeSink, read_pushes, subscriber"),
    (&["in_words", "mozillas"], "parse_retry_after, webpki_roots"),
    (&["Meaning", "Said", "said"], "ErrorCategory, ErrorText"),
    (&["Promised", "Unpromised", "NoAnswer"], "BodyShape, UnexpectedShape, InvalidBody"),
    (&["Origin", "origin"], "ResponseMeta, FailureSources"),
    (&["Found", "brought"], "ScannedFields, progress_of"),
    (&["Row", "row", "row_memory", "alone"], "ConsecutiveFailures, failures_ttl, sole_reporter"),
    (&["failure_span", "failure_burst", "rest_max", "open_for_growth"], "the settings' names"),
    (&["Stamp", "stamp"], "AdmissionToken"),
    (&["Effect", "Counted", "Void", "Granted", "Denied", "Onward"], "EventResult and its variants"),
    (&["Left", "Touch", "Change", "past"], "PermitReleased, RefreshTtl, RecordUpdate, clamp_to_now"),
    (&["Outage"], "OpenState"),
    (&["CutOff", "cut_off", "held_until"], "InstanceBlock, blocked_until"),
    (&["learnt_in", "newness"], "origin_epoch, recency"),
    (&["is_calm", "calm_epoch", "success_is_news"], "is_pristine, fast_path_epoch, success_changes_state"),
    (&["moved", "move_by", "not_ahead_of"], "shifted_by, shift, clamped_to"),
    (&["lives", "remembered", "is_others"], "is_active, without_expired, is_reported_by_other"),
    (&["Verdict", "Cause", "Rule"], "RateVerdict, TransitionCause, TripRule"),
    (&["settled", "learnt_alone", "is_persons_word"], "resolve_phase, is_local_only, is_manual_override"),
    (&["Ours", "Garbage"], "Native, Invalid"),
    (&["particulars", "in_short"], "details, summary"),
    (&["Crowd", "ahead", "FREE", "LATEST"], "WriteThrottle, theoretical_arrival, FREE_WRITES, MAX_..."),
    (&["Chance", "share"], "Rng, random_unit"),
    (&["bell", "in_haste"], "wake_writer, draining"),
    (&["known", "is_strange"], "loaded, needs_load"),
    (&["Waiting"], "QueuedRequest"),
    (&["Tally", "TALLY", "FULL", "success_goes_untold", "shelve_successes"], "PendingSuccesses, MAX_QUEUE"),
    (&["Introduce", "Forget", "Settle"], "EnsureExists, RemoveUnknownModel, Reconcile"),
    (&["Fold", "moved_on"], "PlanBuilder, rebase"),
    (&["take_up"], "apply, apply_loaded"),
    (&["apart", "go_apart", "move_apart", "in_step", "owes_a_write"], "diverged, mark_synced, is_dirty"),
    (&["holds", "holds_nothing", "is_lost"], "set_stored, set_absent, is_store_data_lost"),
    (&["come_together", "bring_together", "TOGETHER", "IN_ONE_GO", "SETTLING"], "reconcile_..."),
    (&["step_aside", "commit_apart"], "backoff_on_conflict, commit_locally"),
    (&["Link", "trying", "begin_trying"], "StoreHealth, reconnecting"),
    (&["Place", "ClockAway", "Silent", "lacks_the_history"], "StoreInfo, ClockSkew, Timeout"),
    (&["News", "Notice", "NOTICE", "behind", "BEHIND", "dated"], "CircuitEvent, InternalEvent"),
    (&["InTheBalance"], "OutcomeUnknown"),
    (&["slow_read"], "resync_interval"),
    (&["Kept", "KEPT", "working"], "Entry, ..._CAPACITY, check_available"),
    (&["Line", "KeptLine", "keeper", "Ends", "lose"], "NodeConnection, ManagedConnection"),
    (&["Feeds", "at_hand"], "Subscribers, is_connected"),
    (&["Word", "word", "Standing", "blind", "knock", "looked", "LOOK"], "ClusterEvents, query_slots"),
    (&["Sent"], "CommandCounters"),
    (&["no_such_model"], "unknown_model"),
    (&["Lent", "lent", "Out", "lend"], "PermitRegistry, IssuedPermit, issue"),
    (&["Gap"], "Lagged"),
    (
        &["Begun", "Limited", "last_word", "LAST_WORDS", "impatient"],
        "DrainedStream, abort_event, ABORT_GRACE",
    ),
    (&["WhenQuiet", "AfterCalls", "GLANCE", "in_vain"], "ShutdownMode, ..._INTERVAL, to_bind_error"),
    (&["gate", "Most", "USUAL", "MOST", "LONGEST"], "auth, HistoryQuery, DEFAULT_LIMIT, MAX_..."),
    (&["Plain", "Ask", "Given"], "ApiError, PermitRequest, PermitResponse"),
    (&["Hand", "hand", "take_part"], "OperatorSession, join_as_instance"),
    (&["Seen", "seen", "Odd"], "CircuitReader, UnreadableKey"),
    (&["Examination", "take_over", "unreached", "Woken"], "Diagnosis, merge_nodes, ScreenEvent"),
    (&["Weather", "Away", "Course", "Undo", "Passage", "HEALING"], "NetworkConditions, StoreFault, CallPlan"),
    (&["befall", "give_birth", "hush", "fate", "Dice"], "inject, spawn_instance, silence, SeededRng"),
    (&["Door", "Wire", "Flow", "Mind", "Minds", "Stranger"], "Listener, Link, TrafficMode, ExternalWriter"),
    (&["House", "Bill", "Knobs"], "Fixture, CostReport, TestConfig"),
    (&["TRIES", "WAIT"], "MAX_..._ATTEMPTS, ..._TIMEOUT"),
];

/// Definitions that keep such a name: the file below `crates` (or a folder), the name, why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("breaker/src/record.rs", "Record", "the value of a circuit, which all crates know by this name"),
    (
        "breaker/src/foreign.rs",
        "adopt",
        "taking over a foreign value, as the manuals and the history call it",
    ),
    ("fleet/src/growth.rs", "Outage", "the outage of a provider that is simulated"),
    ("fleet/src/network/connection.rs", "is_lost", "a message that the simulated network loses"),
    ("manager/src/buffered_stream.rs", "Waiting", "a state of the stream, not a request in a queue"),
    ("simulator/src/behaviour.rs", "Fault", "an injected fault, which is what the word is for"),
    ("simulator/src/behaviour.rs", "Garbage", "an event that is not JSON"),
    ("switchboard/src/commands/circuits/view.rs", "row", "a row of a printed table"),
    ("switchboard/src/commands/demo", "Tally", "the demo's own words stay within it"),
    ("switchboard/src/commands/demo", "Plain", "the demo's own words stay within it"),
    ("switchboard/src/commands/doctor/finding.rs", "Verdict", "how a check of `doctor` came out"),
    ("testbed/src/proxy.rs", "Link", "a network link, toxiproxy's word"),
];

#[test]
fn allowed_names_are_still_defined() {
    for (place, name, _) in ALLOWED {
        let path = repository::root().join("crates").join(place);
        let files = if path.is_dir() { repository::files(&path, &|_| true) } else { vec![path] };
        let is_defined =
            |file: &std::path::PathBuf| defined_in(file).iter().any(|(defined, _)| defined == name);
        assert!(
            files.iter().any(is_defined),
            "{place} does not define {name} any more: take it off the list"
        );
    }
}

#[test]
fn old_names_are_not_defined_again() {
    let root = repository::root().join("crates");
    let mut found = Vec::new();
    for (_, folder) in repository::crates(&repository::root()) {
        for file in
            repository::files(&folder.join("src"), &|path| path.extension().is_some_and(|end| end == "rs"))
        {
            let below = file.strip_prefix(&root).unwrap_or(&file);
            found.extend(old_names(&file, below));
        }
    }
    assert!(found.is_empty(), "old names:\n{}", found.join("\n"));
}

fn old_names(file: &Path, below: &Path) -> Vec<String> {
    let names = defined_in(file);
    let allowed = |name: &str| ALLOWED.iter().any(|(place, old, _)| *old == name && below.starts_with(place));
    let replacement = |name: &str| BANNED.iter().find(|(old, _)| old.contains(&name)).map(|(_, new)| *new);
    let mut found = Vec::new();
    for (name, line) in names.iter().filter(|(name, _)| !allowed(name)) {
        if let Some(instead) = replacement(name) {
            found.push(format!("{}:{line}: {name} (instead: {instead})", below.display()));
        }
    }
    found
}

fn defined_in(file: &Path) -> Vec<(String, usize)> {
    let text = repository::read(file);
    let tokens = text.parse().unwrap_or_else(|error| panic!("cannot parse {}: {error}", file.display()));
    let mut names = Vec::new();
    definitions(tokens, &mut names);
    names
}

/// The names that code defines: items, fields and variants, with their lines.
fn definitions(code: TokenStream, found: &mut Vec<(String, usize)>) {
    const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "const", "static", "type", "mod"];
    let tokens: Vec<_> = code.into_iter().collect();
    let mut keyword = String::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) => {
                let before = at.checked_sub(1).map(|at| &tokens[at]);
                let follows_keyword = matches!(before, Some(TokenTree::Ident(before)) if KEYWORDS.iter().any(|keyword| before == keyword));
                if KEYWORDS.iter().any(|keyword| word == keyword) {
                    keyword = word.to_string();
                } else if follows_keyword {
                    found.push((word.to_string(), word.span().start().line));
                }
            }
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Brace {
                    match keyword.as_str() {
                        "struct" | "union" => fields(&group.stream(), found),
                        "enum" => variants(&group.stream(), found),
                        _ => {}
                    }
                    keyword.clear();
                }
                definitions(group.stream(), found);
            }
            token if is_punct(token, ';') => keyword.clear(),
            _ => {}
        }
    }
}

fn fields(body: &TokenStream, found: &mut Vec<(String, usize)>) {
    let tokens: Vec<_> = body.clone().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Ident(name) = token else { continue };
        let colon = |at: usize| tokens.get(at).is_some_and(|token| is_punct(token, ':'));
        let is_path = colon(at + 2) || at > 0 && colon(at - 1);
        if colon(at + 1) && !is_path {
            found.push((name.to_string(), name.span().start().line));
        }
    }
}

fn variants(body: &TokenStream, found: &mut Vec<(String, usize)>) {
    let tokens: Vec<_> = body.clone().into_iter().collect();
    for variant in tokens.split(|token| is_punct(token, ',')) {
        // Attributes come first: a mark and a group in brackets each.
        let name = variant.iter().find_map(|token| match token {
            TokenTree::Ident(name) => Some(name),
            _ => None,
        });
        found.extend(name.map(|name| (name.to_string(), name.span().start().line)));
        for token in variant {
            if let TokenTree::Group(group) = token
                && group.delimiter() == Delimiter::Brace
            {
                fields(&group.stream(), found);
            }
        }
    }
}
