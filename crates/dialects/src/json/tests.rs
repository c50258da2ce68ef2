//! The cursor beside `serde_json`: the same texts, the same values.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::{Index, select};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Cursor, MAX_DEPTH, Number, Pattern, Result, read};

/// A value as a reader gets it.
#[derive(Debug, PartialEq)]
enum Tree {
    Literal(Option<bool>),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

fn tree(cursor: &mut Cursor<'_>) -> Result<Tree> {
    match cursor.peek() {
        b'"' => {
            let text = cursor.text()?;
            assert_eq!(text.is_empty(), text.decode().is_empty());
            assert!(text.has_escapes() || text.as_written() == text.decode().as_bytes());
            Ok(Tree::Text(text.decode().into_owned()))
        }
        b'{' => {
            let mut fields = Vec::new();
            cursor.object(|name, value| {
                fields.push((str::from_utf8(name).unwrap().to_owned(), tree(value)?));
                Ok(())
            })?;
            Ok(Tree::Object(fields))
        }
        b'[' => {
            let mut items = Vec::new();
            cursor.array(|item| {
                items.push(tree(item)?);
                Ok(())
            })?;
            Ok(Tree::List(items))
        }
        b'-' | b'0'..=b'9' => cursor.number().map(Tree::Number),
        _ => cursor.literal().map(Tree::Literal),
    }
}

/// The same by `serde_json`.
impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Tree, E> {
        Ok(Tree::Literal(None))
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Tree, E> {
        Ok(Tree::Literal(Some(value)))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Tree, E> {
        Ok(Tree::Number(Number::Unsigned(value)))
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Tree, E> {
        Ok(Tree::Number(Number::Other))
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Tree, E> {
        Ok(Tree::Number(Number::Other))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> std::result::Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = values.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Object(fields))
    }
}

/// Compares whole values, values that are passed over, and fields that are passed over beside names that are read.
fn compare(data: &[u8]) {
    let shown = String::from_utf8_lossy(data);
    assert_eq!(read(data, tree).ok(), serde_json::from_slice(data).ok(), "{shown}");
    let is_json = serde_json::from_slice::<IgnoredAny>(data).is_ok();
    assert_eq!(read(data, Cursor::skip).is_ok(), is_json, "{shown}");
    let raw = read(data, Cursor::skip_raw).ok();
    assert_eq!(raw, is_json.then(|| data.trim_ascii()), "{shown}");
}

#[test]
fn texts_are_taken_and_refused_as_by_serde_json() {
    for data in [
        "",
        " ",
        "null",
        "nul",
        "nulls",
        "true",
        "tru",
        "false",
        "False",
        " \t\r\n1 ",
        "\u{b}1",
        "1 2",
        "[]]",
        ",",
        ":",
        "0",
        "-0",
        "00",
        "01",
        "-",
        "--1",
        "+1",
        "1.",
        ".5",
        "1.5",
        "1.5.5",
        "1e",
        "1e+",
        "1e+5",
        "1E-05",
        "1e5e5",
        "-1.0e0",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "1e308",
        "1e309",
        "-1e309",
        "0e999",
        "0.0e99999999999",
        "1e-99999999999",
        "1e99999999999",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 1]",
        "[1}",
        "[1:1]",
        "[]",
        "[ ]",
        "[[],{}]",
        "[1 , 2]",
        "{",
        "}",
        "{}",
        "{ }",
        "{1:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" : 1}",
        "{\"a\":1]",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":[{}]}}",
        "{a:1}",
        "{'a':1}",
        "[{\"a\":1},]",
        "{null:1}",
        "\"",
        "\"a",
        "\"a\"",
        "\"\"",
        "\"a\nb\"",
        "\"a\u{0}b\"",
        "\"a\u{1f}b\"",
        "\"a\u{7f}b\"",
        "\"é\"",
        "\"😀\"",
        "\"\u{80}\u{ff}\"",
        r#""\"""#,
        r#""\\""#,
        r#""\\\""#,
        r#""\/\b\f\n\r\t""#,
        r#""\a""#,
        r#""\"#,
        r#""\u""#,
        r#""\u12""#,
        r#""\u123g""#,
        r#""\u1234""#,
        r#""\u00E9\u00e9""#,
        r#""\U00e9""#,
        r#""\u00e9"#,
        r#""\ud83d\ude00""#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\u0041""#,
        r#""\ud83dx""#,
        r#""\uD83D\uDE00\uD83D""#,
        r#""\udbff\udfff""#,
        r#""\u0000""#,
        r#""\ud7ff\ue000""#,
        r#"{"\ud83d":1}"#,
        r#"[{"\ud83d":1}]"#,
        r#"{"\u0061":1}"#,
        r#"{"a\"b":1}"#,
        "\u{feff}1",
        "\"12345678\"",
        "\"1234567\"",
        "\"123456789012345\"",
        "\"1234567\\n\"",
        "\"12345678901234567890\n\"",
    ] {
        compare(data.as_bytes());
    }
    for data in [
        &b"\"\xff\""[..],
        b"\xff",
        b"[\"\xc3\x28\"]",
        b"{\"\xff\":1}",
        b"{\"a\":\"\xff\"}",
        b"[\xff]",
        b"\"\xf0\x9f\x98\"",
    ] {
        compare(data);
    }
}

/// Bytes are looked at in blocks of several sizes, and the last ones otherwise.
#[test]
fn what_is_special_is_seen_wherever_it_stands() {
    for length in 0..=70 {
        for behind in [0, 1, 2, 7, 16, 31, 40] {
            let end = " ".repeat(behind);
            compare(format!("\"{}\"{end}", "a".repeat(length)).as_bytes());
            compare(format!("[{}{end}]", "7".repeat(length)).as_bytes());
            for special in ["\"", "\\", "\n", "\u{1f}", "\u{7f}", "é", "\\n", "\\u00e9", "\\ud83d"] {
                // The first and last places of blocks.
                for at in (0..=length).filter(|at| [0, 1, 6, 7].contains(&(at % 8))) {
                    let text = format!("{}{special}{}", "a".repeat(at), "b".repeat(length - at));
                    compare(format!("{{\"{text}\":[\"{text}\"]}}{end}").as_bytes());
                }
            }
        }
    }
}

#[test]
fn depth_is_bounded_where_values_are_looked_into() {
    for levels in [1, 63, 64, 65, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 128, 129, 193, 1_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":[0,{}],\"b\":", "}]")] {
            let inner = if open == "[" { "" } else { "1" };
            let data = open.repeat(levels) + inner + &close.repeat(levels);
            compare(data.as_bytes());
            compare(&data.as_bytes()[..data.len() - 1]);
            let brackets =
                levels * open.matches(['[', '{']).count() - 2 * usize::from(open.len() > 5) * levels;
            let deepest = brackets + if open.len() > 5 { 2 * usize::from(levels > 0) } else { 0 };
            let mut bounded = Cursor::with_bounded_depth(data.as_bytes());
            assert_eq!(bounded.skip().is_ok(), deepest <= MAX_DEPTH, "{levels} of {open}");
        }
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(read(deep.as_bytes(), Cursor::skip).is_ok() && read(deep.as_bytes(), tree).is_err());
    let mismatched = "[".repeat(70) + "}" + &"]".repeat(69);
    assert!(read(mismatched.as_bytes(), Cursor::skip).is_err());
}

#[test]
fn a_pattern_matches_what_differs_only_where_nobody_looks() {
    let text = r#"{"a":"x","b":1,"c":["y",2],"d":{"e":"z"},"f":"read","g":3}"#;
    let mut pattern = Pattern::default();
    assert!(!pattern.matches(b""));
    let read_f = |cursor: &mut Cursor<'_>| {
        cursor.object(|name, value| match name {
            b"c" => value.array(Cursor::skip),
            b"f" => value.text().map(|_| ()),
            b"g" => value.number().map(|_| ()),
            _ => value.skip(),
        })
    };
    for (other, expected) in [
        (text, true),
        (r#"{"a":"\"longer\"","b":-1.5e3,"c":["",0],"d":{"e":"z"},"f":"read","g":3}"#, true),
        (r#"{"a":1,"b":1,"c":["y",2],"d":{"e":"z"},"f":"read","g":3}"#, false),
        (r#"{"a":"x","b":"1","c":["y",2],"d":{"e":"z"},"f":"read","g":3}"#, false),
        (r#"{"a":"x","b":01,"c":["y",2],"d":{"e":"z"},"f":"read","g":3}"#, false),
        (r#"{"a":"x","b":1,"c":["y"],"d":{"e":"z"},"f":"read","g":3}"#, false),
        (r#"{"a":"x","b":1,"c":["y",2],"d":{"e":"!"},"f":"read","g":3}"#, false),
        (r#"{"a":"x","b":1,"c":["y",2],"d":{"e":"z"},"f":"Read","g":3}"#, false),
        (r#"{"a":"x","b":1,"c":["y",2],"d":{"e":"z"},"f":"read","g":4}"#, false),
        (r#"{"a":"x","b":1,"c":["y",2],"d":{"e":"z"},"f":"read","g":3} "#, false),
        (r#"{"a":"x\","b":1,"c":["y",2],"d":{"e":"z"},"f":"read","g":3}"#, false),
    ] {
        pattern.read(text.as_bytes(), read_f).unwrap();
        assert_eq!(pattern.matches(other.as_bytes()), expected, "{other}");
    }
    // The first match settles what may differ.
    let changed = |a: &str, b: u8| {
        let from = r#"{"a":"x","b":1,"#;
        text.replace(from, &format!(r#"{{"a":"{a}","b":{b},"#))
    };
    pattern.read(text.as_bytes(), read_f).unwrap();
    for (a, b, expected) in [("longer", 1, true), ("other", 1, true), ("", 1, true), ("x", 2, false)] {
        assert_eq!(pattern.matches(changed(a, b).as_bytes()), expected, "{a} {b}");
    }
    assert!(pattern.read(b"{", Cursor::skip).is_err() && !pattern.matches(text.as_bytes()));
}

/// Pieces of JSON, of which some are none.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"b\":",
    "\"\":",
    "null",
    "true",
    "false",
    "0",
    "1",
    "-",
    "9",
    "1.5",
    "e",
    "E+",
    ".",
    " ",
    "\n",
    "\t",
    "\\",
    "\\n",
    "\\u",
    "\\u0041",
    "\\ud83d",
    "\\ude00",
    "é",
    "😀",
    "\u{1}",
    "\"long enough for words\"",
    "\"x\\ty\"",
    "[]",
    "{}",
    "00",
    "1e400",
    "18446744073709551616",
];

fn white_space() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(""), 1 => select(vec![" ", "\n", "\r\n", "\t  "])]
}

fn quoted() -> impl Strategy<Value = String> {
    let part = select(vec![
        "a",
        "bcd",
        "é",
        "😀",
        "\\n",
        "\\\"",
        "\\\\",
        "\\u0041",
        "\\ud83d\\ude00",
        "\\ud83d",
        "{",
        "]",
        " ",
        "0123456789",
    ]);
    vec(part, 0..8).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

/// Mostly JSON.
fn json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        (0_u8..20, any::<i16>()).prop_map(|(number, exponent)| format!("{number}e{exponent}")),
    ];
    let scalar = prop_oneof![select(vec!["null", "true", "false"]).prop_map(str::to_owned), number, quoted()];
    let spaced = |text: String| {
        (white_space(), white_space()).prop_map(move |(before, after)| format!("{before}{text}{after}"))
    };
    scalar.prop_flat_map(spaced).prop_recursive(6, 40, 6, move |inner| {
        let field = (white_space(), quoted(), white_space(), inner.clone());
        let field = field.prop_map(|(before, name, after, value)| format!("{before}{name}{after}:{value}"));
        prop_oneof![
            (vec(inner, 0..6), white_space()).prop_map(|(items, end)| format!("[{}]{end}", items.join(","))),
            (vec(field, 0..6), white_space())
                .prop_map(|(fields, end)| format!("{{{}}}{end}", fields.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn json_reads_as_by_serde_json(data in json(), cut in any::<Index>()) {
        compare(data.as_bytes());
        compare(&data.as_bytes()[..cut.index(data.len() + 1)]);
    }

    #[test]
    fn changed_json_reads_as_by_serde_json(data in json(), changes in vec((any::<Index>(), 0_usize..3, select(PIECES.to_vec())), 1..4)) {
        let mut data = data.into_bytes();
        for (at, removed, piece) in changes {
            let at = at.index(data.len() + 1);
            let end = (at + removed).min(data.len());
            data.splice(at..end, piece.bytes());
        }
        compare(&data);
    }

    #[test]
    fn pieces_read_as_by_serde_json(pieces in vec(select(PIECES.to_vec()), 0..12), bytes in vec(any::<u8>(), 0..20)) {
        compare(pieces.concat().as_bytes());
        compare(&bytes);
        prop_assert_eq!(read(&bytes, Cursor::skip).is_ok(), serde_json::from_slice::<IgnoredAny>(&bytes).is_ok());
    }
}
