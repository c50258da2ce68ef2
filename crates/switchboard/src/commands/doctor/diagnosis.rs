//! Collects the findings, and marks the checks that were not reached as skipped.

use std::fmt::Display;

use super::finding::{Check, Finding, Verdict};
use crate::output::printable;

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    findings: Vec<Finding>,
    /// Why the checks without a finding were skipped.
    skipped_because: Option<String>,
}

impl Diagnosis {
    pub(super) fn ok(&mut self, check: Check, found: impl Display) {
        self.add(check, Verdict::Ok, found, None);
    }

    pub(super) fn warn(&mut self, check: Check, found: impl Display, advice: impl Display) {
        self.add(check, Verdict::Warning, found, Some(advice.to_string()));
    }

    pub(super) fn fail(&mut self, check: Check, found: impl Display, advice: impl Display) {
        self.add(check, Verdict::Failed, found, Some(advice.to_string()));
    }

    pub(super) fn skip(&mut self, check: Check, found: impl Display) {
        self.add(check, Verdict::Skipped, found, None);
    }

    /// Whether a check has a finding.
    pub(super) fn contains(&self, check: Check) -> bool {
        self.findings.iter().any(|finding| finding.check == check)
    }

    pub(super) fn has_failed(&self, check: Check) -> bool {
        self.findings.iter().any(|finding| finding.check == check && finding.verdict == Verdict::Failed)
    }

    /// Marks all checks without a finding as skipped.
    pub(super) fn skip_remaining(&mut self, reason: impl Display) {
        self.skipped_because = Some(reason.to_string());
    }

    /// Adds the findings of another diagnosis.
    pub(super) fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
    }

    /// Adds the findings of several servers: per check the worst one, and its server.
    pub(super) fn merge_nodes(&mut self, servers: &[(String, Self)]) {
        let several = servers.len();
        for check in Check::ALL {
            let found: Vec<_> = servers
                .iter()
                .filter_map(|(server, diagnosis)| {
                    diagnosis
                        .findings
                        .iter()
                        .find(|finding| finding.check == check)
                        .map(|finding| (server, finding))
                })
                .collect();
            let Some((server, worst)) = found.iter().rev().max_by_key(|(_, finding)| finding.verdict) else {
                continue;
            };
            let mut finding = Finding::clone(worst);
            if several > 1 {
                let alike = found.len() == several && found.iter().all(|(_, other)| other == worst);
                let place = if alike { format!("all {several} masters") } else { (*server).clone() };
                finding.found = format!("{place}: {}", finding.found);
            }
            self.findings.push(finding);
        }
    }

    /// All findings in the order of [`Check::ALL`], at least one per check; one per provider where it is about those.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        let failed = self.findings.iter().find(|finding| finding.verdict == Verdict::Failed);
        let skipped_because = self.skipped_because.take().unwrap_or_else(|| match failed {
            Some(finding) => format!("needs {}", finding.check.as_str()),
            None => "not reached".to_owned(),
        });
        for check in Check::ALL {
            if !self.contains(check) {
                self.skip(check, &skipped_because);
            }
        }
        self.findings.sort_by_key(|finding| finding.check);
        self.findings
    }

    /// Findings contain text from servers and files, which must not control the terminal.
    fn add(&mut self, check: Check, verdict: Verdict, found: impl Display, advice: Option<String>) {
        let advice = advice.map(|advice| printable(&advice));
        self.findings.push(Finding { check, verdict, found: printable(&found.to_string()), advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        let mut diagnosis = Diagnosis::default();
        diagnosis.fail(Check::Server, "red \u{1b}[31m\nand on", "");
        let findings = diagnosis.finish();
        let server = findings.iter().find(|finding| finding.check == Check::Server);
        assert_eq!(server.map(|finding| finding.found.as_str()), Some("red \u{fffd}[31m\u{fffd}and on"));
    }

    #[test]
    fn every_check_has_one_finding_in_order() {
        let mut diagnosis = Diagnosis::default();
        diagnosis.fail(Check::Port, "closed", "start it");
        diagnosis.ok(Check::Host, "is there");
        diagnosis.skip_remaining("needs the port");
        let findings = diagnosis.finish();
        assert_eq!(findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), Check::ALL);
        assert_eq!((findings[7].verdict, findings[7].found.as_str()), (Verdict::Failed, "closed"));
        assert_eq!((findings[8].verdict, findings[8].found.as_str()), (Verdict::Skipped, "needs the port"));
    }

    #[test]
    fn the_worst_of_several_servers_is_reported() {
        let server = |name: &str, memory: Option<&str>| {
            let mut diagnosis = Diagnosis::default();
            diagnosis.ok(Check::Scripts, "allowed");
            diagnosis.ok(Check::Port, format_args!("{name} is open"));
            match memory {
                Some(found) => diagnosis.fail(Check::Memory, found, "raise it"),
                None => diagnosis.ok(Check::Memory, "enough"),
            }
            (name.to_owned(), diagnosis)
        };
        let mut whole = Diagnosis::default();
        whole.merge_nodes(&[server("a", None), server("b", Some("full")), server("c", None)]);
        let findings = whole.finish();
        let found = |check| {
            let finding = findings.iter().find(|finding| finding.check == check).unwrap();
            (finding.verdict, finding.found.as_str())
        };
        assert_eq!(found(Check::Scripts), (Verdict::Ok, "all 3 masters: allowed"));
        assert_eq!(found(Check::Port), (Verdict::Ok, "a: a is open"));
        assert_eq!(found(Check::Memory), (Verdict::Failed, "b: full"));
    }
}
