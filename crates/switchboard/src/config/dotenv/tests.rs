use proptest::prelude::*;

use super::*;

const OURS: &str = "OURS";

fn read(text: &str) -> Vec<Assignment> {
    let process = |name: &str| match name {
        "SET" => Some("process".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    parse(text, process, |name| name == OURS)
}

/// What the last line for this variable says.
fn value(text: &str, name: &str) -> Option<Result<String, LineError>> {
    read(text).into_iter().rev().find(|assignment| assignment.name == name).map(|assignment| assignment.value)
}

/// Thirty such lines would be a GiB.
#[test]
fn values_that_repeat_others_stay_bounded() {
    let text = format!("A=12345678\n{}B=x${{A}}\nOURS=short\n", "A=${A}${A}\n".repeat(40));
    let kept: usize = read(&text).iter().flat_map(|assignment| &assignment.value).map(String::len).sum();
    assert!(kept <= MAX_EXPANDED_BYTES + text.len(), "{kept}");
    assert_eq!(value(&text, "A"), Some(Err(LineError::Unset("A".to_owned()))));
    assert!(read(&text).iter().any(|assignment| assignment.value == Err(LineError::TooLong)));
    assert_eq!(value(&text, "OURS"), Some(Ok("short".to_owned())), "what comes behind is read");
}

#[test]
fn values_are_read_as_docker_compose_reads_them() {
    for (text, expected) in [
        ("A=1", "1"),
        ("A = 1 ", "1"),
        ("A: 1", "1"),
        ("\tA=1", "1"),
        ("export A=1", "1"),
        ("export\tA='1'", "1"),
        ("\u{feff}A=1", "1"),
        ("A=1\r\nB=2\r\n", "1"),
        ("A=1\nA=2", "2"),
        ("A=", ""),
        ("A=   ", ""),
        ("A=Open SWE agent", "Open SWE agent"),
        // Comments.
        ("A=1 # one", "1"),
        ("A=1\t# one", "1"),
        ("A=1#one", "1#one"),
        ("A=#ff8800", "#ff8800"),
        ("A= # nothing", ""),
        ("A=\"1 # one\" # two", "1 # one"),
        ("A='1 # one'# two", "1 # one"),
        // Quotes.
        ("A=\"1\"", "1"),
        ("A= '1' ", "1"),
        ("A=''", ""),
        ("A=it's", "it's"),
        ("A=5\"", "5\""),
        ("A='say \"a\"'", "say \"a\""),
        ("A='it\\'s'", "it's"),
        ("A='a\\nb'", "a\\nb"),
        ("A=\"a\\nb\\tc\\\\d\\\"e\\$f\\x\"", "a\nb\tc\\d\"e$f\\x"),
        ("A=a\\nb", "a\\nb"),
        ("A=\"a\nb\"\nB=2", "a\nb"),
        ("A='-----BEGIN\nKEY=\n-----END'", "-----BEGIN\nKEY=\n-----END"),
        // What is replaced, and what is not.
        ("A=s3cr$et-key", "s3cr$et-key"),
        ("A=$ecretkey", "$ecretkey"),
        ("A=\"$ecret$$key$\"", "$ecret$$key$"),
        ("A=${SET}", "process"),
        ("A=\"x${SET}y${SET}\"", "xprocessyprocess"),
        ("A=$${SET}", "$process"),
        ("A='${SET}'", "${SET}"),
        ("A=\"\\${SET}\"", "${SET}"),
        ("B=${SET}\nA=${B}", "process"),
        ("SET=file\nA=${SET}", "process"),
        ("A=${EMPTY}", ""),
        ("A=${EMPTY:-x}", "x"),
        ("A=${NO:-x}", "x"),
        ("A=${NO:-}", ""),
        ("A=${SET:-x}", "process"),
        ("A=${NO:-${SET}}!", "process!"),
        ("A=${NO:-${NO:-x}}", "x"),
        ("A=${NO:-a:-b}", "a:-b"),
        ("A=${", "${"),
        ("A=${SET", "${SET"),
        ("A=${}", "${}"),
        ("A=${1}", "${1}"),
        ("A=${SET-x}", "${SET-x}"),
        ("A=${SET:?x}", "${SET:?x}"),
        ("A=${NO:-x", "${NO:-x"),
        ("A=$(id)", "$(id)"),
        // Others' lines before it.
        ("garbage here\nA=1", "1"),
        ("NAME\nA=1", "1"),
        ("B=\"never closed\nA=1", "1"),
        ("B='x' y\nA=1", "1"),
        ("B=\"never closed\nA=\"1\"", "1"),
    ] {
        assert_eq!(value(text, "A"), Some(Ok(expected.to_owned())), "{text:?}");
    }
    for text in ["", "# A=1", "#A=1", "A", "export", "export A", "=1", "exportA=1", "B='\nA=1\n'"] {
        assert_eq!(value(text, "A"), None, "{text:?}");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    for (text, line, expected) in [
        ("OURS 1", 1, LineError::NoAssignment),
        ("\nOURS=\"1", 2, LineError::UnclosedQuote),
        ("OURS='C:\\'\nB=1", 1, LineError::UnclosedQuote),
        ("A='\n\n'\nOURS='1'2", 4, LineError::TextAfterQuote),
        ("OURS=\u{fffd}", 1, LineError::NotUtf8),
        ("OURS='\u{fffd}'", 1, LineError::NotUtf8),
        ("OURS=${NO}", 1, LineError::Unset("NO".to_owned())),
        ("NO=${NEVER}\nOURS=${NO}", 2, LineError::Unset("NO".to_owned())),
        ("OURS=${NO:-${NEVER}}", 1, LineError::Unset("NEVER".to_owned())),
    ] {
        let last = read(text).into_iter().rfind(|assignment| assignment.name == OURS).unwrap();
        assert_eq!((last.line, last.value), (line, Err(expected)), "{text:?}");
    }
}

#[test]
fn a_value_that_no_one_closed_takes_no_variable_of_ours() {
    let text = "MOTTO=\"never closed\nOURS=key\nSIZE=5\"\n";
    assert_eq!(value(text, OURS), Some(Ok("key".to_owned())));
    assert_eq!(value(text, "MOTTO"), Some(Err(LineError::UnclosedQuote)));
}

#[test]
fn defaults_in_defaults_have_an_end() {
    let deep = format!("A={}x{}", "${NO:-".repeat(10_000), "}".repeat(10_000));
    assert!(matches!(value(&deep, "A"), Some(Ok(_))));
}

proptest! {
    #[test]
    fn any_text_is_read(text in "(?s)[A-C=:'\"#$ {}\\\\\\-\n\r]{0,60}") {
        for Assignment { name, line, .. } in read(&text) {
            prop_assert!(!name.is_empty());
            prop_assert!(line <= text.matches('\n').count() + 1);
        }
    }

    #[test]
    fn a_quoted_value_is_read_as_it_was_written(expected in "(?s)[^\u{fffd}]*", before in "[a-z =\"'#]*") {
        let escaped: String = expected
            .chars()
            .flat_map(|c| match c {
                '\n' => vec!['\\', 'n'],
                '\r' => vec!['\\', 'r'],
                '\\' | '"' | '$' => vec!['\\', c],
                _ => vec![c],
            })
            .collect();
        let text = format!("{before}\nOURS=\"{escaped}\" # {before}\n");
        prop_assert_eq!(value(&text, OURS), Some(Ok(expected)));
    }

    #[test]
    fn a_dollar_without_a_brace_is_itself(key in "[!-~&&[^#{'\"]]{1,40}") {
        prop_assert_eq!(value(&format!("OURS={key}"), OURS), Some(Ok(key)));
    }
}
