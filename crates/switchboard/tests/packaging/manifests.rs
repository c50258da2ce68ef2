//! The Kubernetes manifests.

use std::{fs, process::Command};

use serde_json::Value;

use super::{root, run};

const MANIFEST: &str = "deploy/kubernetes/switchboard.yaml";

/// By the API's own schema.
#[test]
fn the_api_would_accept_them() {
    run(Command::new(root().join(".venv/bin/kubernetes-validate"))
        .arg("--strict")
        .arg(root().join(MANIFEST)));
}

#[test]
fn they_say_what_the_gateway_needs() {
    let text = fs::read_to_string(root().join(MANIFEST)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let of_kind = |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap();
    let spec = &of_kind("Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsUser"], 10001, "the user of the image");
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > 35, "shutdown_timeout and 10 s");
    let container = &pod["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez");
    assert_eq!(of_kind("PodDisruptionBudget")["spec"]["minAvailable"], 1);
    let labels = &spec["template"]["metadata"]["labels"];
    for kind in ["Service", "PodDisruptionBudget"] {
        let spec = &of_kind(kind)["spec"]["selector"];
        let selector = if kind == "Service" { spec } else { &spec["matchLabels"] };
        assert_eq!(selector, labels, "{kind}");
    }
}

/// The configuration in them is one that the program accepts.
#[tokio::test]
async fn their_configuration_is_valid() {
    let text = fs::read_to_string(root().join(MANIFEST)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let config = documents.iter().find_map(|document| document["data"]["switchboard.toml"].as_str()).unwrap();
    let work = super::Directory::new();
    fs::write(work.0.join("switchboard.toml"), config).unwrap();
    run(Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["config", "check"])
        .current_dir(&work.0)
        .env_clear()
        .envs([("SWITCHBOARD_API_KEY", "k"), ("OPENAI_API_KEY", "k"), ("REDIS_URL", "redis://redis:6379")]));
}
