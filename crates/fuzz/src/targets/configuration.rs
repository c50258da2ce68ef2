//! The configuration file and `.env`.

use std::path::{Path, PathBuf};

use switchboard::config::{Config, DurationText, Environment, SourceFile, Sources, parse_listen};

use crate::features::Features;

/// What the file may refer to.
const VARIABLES: [(&str, &str); 3] = [("A_KEY", "sk-secret"), ("EMPTY", ""), ("REDIS_URL", "memory:")];

pub(super) fn file(input: &[u8], features: &mut Features) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = SourceFile { path: PathBuf::from("switchboard.toml"), text: text.to_owned() };
    let sources = Sources { file: Some(file), environment: Environment::from_pairs(VARIABLES), listen: None };
    match Config::load(&sources) {
        Ok(config) => {
            features.add((config.providers.len(), config.routes.len(), config.warnings.len()));
            features.add((config.policies.models.len(), config.server.listen.is_ipv6()));
            let shown = format!("{config:?}");
            assert!(!shown.contains("sk-secret"), "a secret is shown");
            let again = Config::load(&sources).map(|config| format!("{config:?}").len());
            assert!(
                again.is_ok_and(|length| length == shown.len()),
                "the same file gives another configuration"
            );
        }
        Err(problems) => {
            let text = problems.to_string();
            assert!(!text.is_empty() && !text.contains("sk-secret"), "{text}");
            features.add_magnitude("problems", text.lines().count() as u64);
            for line in text.lines() {
                // The words of a problem without names and places.
                features.add(line.rsplit(": ").next().map(|end| end.split(['"', '`', '[']).next()));
            }
        }
    }
    features.add(Config::load_circuits(&sources).is_ok());
}

pub(super) fn file_seeds() -> Vec<Vec<u8>> {
    let example = include_bytes!("../../../../switchboard.example.toml").to_vec();
    let files: [&str; 6] = [
        "[server]\nlisten = \"[::1]:0\"\napi_keys = [\"${A_KEY}\"]\nadmin_keys = [\"${A_KEY:-x}\"]\n",
        "[redis]\nurl = \"redis-sentinel://u:p@a,b/primary/1\"\n[breaker]\nmode = \"observe\"\npreset = \"open-swe\"\nfailure_rate = 0.5\nwindow = \"10s\"\nopen_backoff = 1.5\n[models.\"openai:gpt-5\".breaker]\nmode = \"off\"\n",
        "[providers.openai]\napi_key = \"k\"\n[providers.local]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:8000/v1\"\nspeaks = [\"chat\"]\nforward = [\"x-title\"]\n[routes.planner]\nmodels = [\"openai:gpt-5\", \"local:m\"]\nstream = \"buffer\"\nhedge_after = \"8s\"\n",
        "[keys.ci]\nkey = \"0123456789abcdef\"\nmodels = [\"planner\", \"openai:*\"]\n[keys.b]\nhash = \"sha256:00\"\n",
        "[timeouts]\nconnect = \"5s\"\nidle = \"0s\"\ntotal = \"8760h\"\n[retry]\nmax_attempts = 2\ninitial_backoff = \"1ms\"\n",
        "a = 1979-05-27T07:32:00Z\nb = [1, {c = 0x1F}]\n[[d]]\ne.\"f.g\" = '''x\n'''\n",
    ];
    std::iter::once(example).chain(files.iter().map(|file| file.as_bytes().to_vec())).collect()
}

pub(super) fn dotenv(input: &[u8], features: &mut Features) {
    let text = String::from_utf8_lossy(input);
    let environment = Environment::from_pairs([("HOME", "/home"), ("EMPTY", "")]);
    match environment.with_dotenv_defaults(Path::new(".env"), &text) {
        Ok(environment) => {
            for name in ["REDIS_URL", "OPENAI_API_KEY", "SWITCHBOARD_LISTEN", "A", "HOME"] {
                let value = environment.get(name);
                features.add((name, value.map(|value| value.len().checked_ilog2())));
                features.add(value.is_some_and(|value| value.contains('\n')));
            }
            assert_eq!(environment.get("HOME"), Some("/home"), "the process wins");
            features.add(Config::load(&Sources { environment, ..Sources::default() }).is_ok());
        }
        Err(problems) => features.add(("problems", problems.to_string().lines().count())),
    }
    listen_and_duration(&text, features);
}

pub(super) fn dotenv_seeds() -> Vec<Vec<u8>> {
    let files: [&[u8]; 7] = [
        b"\xef\xbb\xbfREDIS_URL=redis://localhost:6379\r\nexport OPENAI_API_KEY='sk-$1' # comment\r\n",
        b"A=\"one\\ntwo\n${HOME} ${B:-${C:-d}} \\\"x\\\"\"\nOPENAI_API_KEY=${A}\n",
        b"SWITCHBOARD_LISTEN = localhost:4100\n# c\n\nHOME=/x\nOPENAI_API_KEY\n",
        b"REDIS_URL: \"unclosed\nA=b\n",
        b"A=$B ${C} $${D}\nB='it\\'s'\n",
        b"DEFAULT_PLANNER_MODEL=openai:gpt-5\nFALLBACK_OPENAI_PLANNER_MODEL=gpt-5\n",
        b"127.0.0.1:80",
    ];
    files.iter().map(|file| file.to_vec()).collect()
}

fn listen_and_duration(text: &str, features: &mut Features) {
    features.add(parse_listen(text).map(|address| address.is_ipv6()));
    if let Ok(duration) = text.parse::<DurationText>() {
        assert_eq!(duration.to_string().parse(), Ok(duration), "a duration is read as it is written");
        features.add("duration");
    }
}
