// SPDX-License-Identifier: GPL-2.0-or-later
//! What a test program says of its parts, in the Test Anything Protocol, and how it ended.

use std::collections::BTreeMap;

/// How each part of a test ended, by the part's name; [`END`] stands for the program itself.
pub type Results = BTreeMap<String, String>;

pub const END: &str = "(end)";

/// 77 is a test program's word for that.
const SKIPPED: &str = "exit code 77";

/// Reads the output of a test program that ended in the way told.
pub fn results(output: &str, end: &str) -> Results {
    let mut results = Results::new();
    for line in output.lines().map(str::trim_end) {
        let Some((name, status)) = part(line) else { continue };
        let mut unique = name.clone();
        let mut count = 1;
        while results.contains_key(&unique) {
            count += 1;
            unique = format!("{name} ({count})");
        }
        results.insert(unique, status);
    }
    results.insert(END.into(), end.into());
    results
}

/// How many parts passed or failed: what was skipped tells nothing.
pub fn ran(results: &Results) -> usize {
    let ran = |status: &&String| *status == "pass" || status.starts_with("FAIL");
    results.values().filter(ran).count()
}

/// The parts that were skipped, each with its reason.
pub fn skipped(results: &Results) -> Vec<(String, String)> {
    let reason = |status: &String| match status.strip_prefix("SKIP")?.trim() {
        "" => Some("it does not say why".to_string()),
        reason => Some(reason.to_string()),
    };
    let parts = results.iter().filter_map(|(part, status)| Some((part.clone(), reason(status)?)));
    let mut parts: Vec<_> = parts.collect();
    if parts.is_empty() && results.get(END).is_some_and(|end| end == SKIPPED) {
        parts.push(("(all)".into(), SKIPPED.into()));
    }
    parts
}

/// What failed, if something did.
pub fn failures(results: &Results) -> Option<String> {
    let failed: Vec<&str> = results
        .iter()
        .filter(|(part, status)| *part != END && status.starts_with("FAIL"))
        .map(|(part, _)| part.as_str())
        .collect();
    let end = results.get(END).map_or("", String::as_str);
    let good = ["exit code 0", SKIPPED].contains(&end) && failed.is_empty();
    (!good).then(|| format!("{end} {}", failed.join(", ")).trim_end().to_string())
}

/// `ok 3 - name # SKIP reason`: the name and how it ended.
fn part(line: &str) -> Option<(String, String)> {
    if let Some(reason) = line.strip_prefix("Bail out!") {
        return Some(("(bail out)".into(), reason.trim().into()));
    }
    if let Some(reason) = line.strip_prefix("1..0") {
        let reason = reason.trim_start_matches([' ', '#']);
        let reason = if reason.is_empty() { "SKIP nothing to run" } else { reason };
        return Some(("(all)".into(), reason.into()));
    }
    let (good, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let (text, directive) = rest.split_once(" # ").unwrap_or((rest, ""));
    let name = text.trim_start_matches(|c: char| c.is_ascii_digit());
    // A name may begin with digits itself: only a whole word of them is the number.
    let name = if name.starts_with(' ') { name.trim() } else { text };
    let name = name.strip_prefix("- ").unwrap_or(name);
    let status = match (good, directive.trim()) {
        (true, "") => "pass".into(),
        (false, "") => "FAIL".into(),
        (true, directive) => directive.into(),
        (false, directive) => format!("FAIL, {directive}"),
    };
    Some((name.into(), status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Vec<(String, String)> {
        results(output, "exit code 0").into_iter().collect()
    }

    fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
        wanted.iter().map(|(name, status)| (name.to_string(), status.to_string())).collect()
    }

    #[test]
    fn every_kind_of_line() {
        let output =
            "TAP version 13\n# start\nok 1 /a/b\nnot ok 2 - /c\nok 3 /d # SKIP no KVM\n1..3\n";
        assert_eq!(
            read(output),
            pairs(&[
                ("(end)", "exit code 0"),
                ("/a/b", "pass"),
                ("/c", "FAIL"),
                ("/d", "SKIP no KVM")
            ])
        );
    }

    #[test]
    fn iotests_have_no_numbers_but_names_that_look_like_them() {
        assert_eq!(part("ok qcow2 051"), Some(("qcow2 051".into(), "pass".into())));
        assert_eq!(part("ok qcow2 1 # SKIP no"), Some(("qcow2 1".into(), "SKIP no".into())));
        assert_eq!(part("ok 12 34 of 56"), Some(("34 of 56".into(), "pass".into())));
        assert_eq!(part("ok 9p/config"), Some(("9p/config".into(), "pass".into())));
    }

    #[test]
    fn equal_names_are_kept_apart() {
        assert_eq!(
            read("ok 1 x\nnot ok 2 x\n"),
            pairs(&[("(end)", "exit code 0"), ("x", "pass"), ("x (2)", "FAIL")])
        );
    }

    #[test]
    fn what_is_skipped_did_not_run() {
        let seen = results("ok 1 a\nnot ok 2 b\nok 3 c # SKIP no KVM\nok 4 d # SKIP\n", "signal 6");
        assert_eq!(ran(&seen), 2);
        let wanted = [("c", "no KVM"), ("d", "it does not say why")];
        assert_eq!(skipped(&seen), wanted.map(|(part, why)| (part.to_string(), why.to_string())));
        assert_eq!(failures(&seen).as_deref(), Some("signal 6 b"));
        let none = results("1..0 # SKIP no swtpm\n", "exit code 77");
        assert_eq!((ran(&none), failures(&none)), (0, None));
        assert_eq!(skipped(&none), [("(all)".to_string(), "no swtpm".to_string())]);
        let silent = [("(all)".to_string(), SKIPPED.to_string())];
        assert_eq!(skipped(&results("", SKIPPED)), silent);
        assert!(skipped(&results("ok 1 a", "exit code 0")).is_empty());
    }

    #[test]
    fn a_program_may_have_nothing_to_run() {
        let all = |reason: &str| Some(("(all)".to_string(), reason.to_string()));
        assert_eq!(part("1..0"), all("SKIP nothing to run"));
        assert_eq!(part("1..0 # SKIP no KVM"), all("SKIP no KVM"));
        assert_eq!(part("1..3"), None);
    }

    #[test]
    fn a_bail_out_is_a_result() {
        assert_eq!(
            read("Bail out! ERROR:x.c:1\n")[0],
            ("(bail out)".to_string(), "ERROR:x.c:1".to_string())
        );
    }
}
