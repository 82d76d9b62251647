// SPDX-License-Identifier: GPL-2.0-or-later
//! What passed in runs of `test --full`, for one that resumes what was interrupted: a file of JSON
//! lines, each with the key of all that decides how its checks end.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use duct::cmd;
use nix::unistd::Uid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::build::Built;
use crate::cmd::read;
use crate::ctx::Ctx;
use crate::git::Git;
use crate::host::Host;
use crate::interrupt;
use crate::report::Report;
use crate::setup::source;
use crate::version::{Tree, Version};

/// No test but cargo's sees what is written in Markdown, and that is never taken over.
const ALL_BUT_MARKDOWN: [&str; 3] = ["--", ".", ":(exclude)*.md"];

/// Whatever builds in one part or another, and how it is asked for its version.
const COMPILERS: [(&str, &str); 4] =
    [("rustc", "-vV"), ("cc", "--version"), ("clang", "--version"), ("ld.lld", "--version")];

/// So many of the files that stand in the way are named.
const SHOWN: usize = 3;

/// Without a key it neither records nor knows anything.
#[derive(Default)]
pub struct Ledger {
    path: PathBuf,
    /// Of the files when the run began.
    content: String,
    key: Option<String>,
    /// Those of that key, if a run is resumed.
    entries: Vec<Entry<Value>>,
}

/// How one thing ended. The last entry of a name counts.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    key: String,
    name: String,
    date: String,
    commit: String,
    seconds: f64,
    /// Nothing if it failed: then it no longer counts that it passed before.
    passed: Option<T>,
}

impl Ledger {
    /// That of a run with this tip; says so if there can be none.
    pub fn open(ctx: &Ctx, tip: Option<&Built>, resume: bool) -> Ledger {
        let path = ctx.target.join("full.jsonl");
        let opened = content(&ctx.root).and_then(|content| {
            let key = digest(&[&content, &surroundings(ctx, tip)?]);
            Ok(Ledger::at(path, content, key, resume))
        });
        match opened {
            Ok(ledger) => {
                if resume && ledger.entries.is_empty() {
                    ctx.ui.say(
                        "nothing to take over: no --full run of this content with this QEMU, these \
                         compilers and this machine is known",
                    );
                } else if !resume {
                    ctx.ui.say("should this be interrupted, --full --resume goes on from there");
                }
                ledger
            }
            Err(error) => {
                let taken = if resume { "taken over or " } else { "" };
                ctx.ui.say(format!("nothing is {taken}recorded for --resume: {error:#}"));
                Ledger::default()
            }
        }
    }

    fn at(path: PathBuf, content: String, key: String, resume: bool) -> Ledger {
        let bytes = if resume { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let text = String::from_utf8_lossy(&bytes);
        // A line that was being written when the run was killed is none.
        let entries = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let entries = entries.filter(|entry: &Entry<Value>| entry.key == key).collect();
        Ledger { path, content, key: Some(key), entries }
    }

    /// What is known of a thing that passed, and when and at which commit it did.
    pub fn earlier<T: DeserializeOwned>(&self, name: &str) -> Option<(T, String)> {
        let last = self.entries.iter().rfind(|entry| entry.name == name)?;
        let passed = serde_json::from_value(last.passed.clone()?).ok()?;
        Some((passed, format!("{} at {}", last.date, last.commit)))
    }

    /// Records how a thing ended; that it cannot is no failure of the thing.
    pub fn note<T: Serialize>(&self, ctx: &Ctx, name: &str, start: Instant, passed: Option<&T>) {
        let Some(key) = self.key.as_ref().filter(|_| !interrupt::seen()) else { return };
        let outcome = || -> Result<()> {
            ensure!(content(&ctx.root)? == self.content, "files have changed since the run began");
            let Host { date, commit, .. } = Host::now(&ctx.root)?;
            let (key, name) = (key.clone(), name.to_string());
            let seconds = start.elapsed().as_secs_f64();
            self.append(&Entry { key, name, date, commit, seconds, passed })
        };
        if let Err(error) = outcome() {
            ctx.ui.say(format!("{name} is not recorded for --resume: {error:#}"));
        }
    }

    /// Runs checks that count as one thing, or takes them over.
    pub fn checks(
        &self,
        ctx: &Ctx,
        report: &mut Report,
        name: &str,
        run: impl FnOnce(&mut Report),
    ) {
        if let Some((earlier, from)) = self.earlier(name) {
            return report.take_over(name, earlier, &from);
        }
        let start = Instant::now();
        let mut own = Report::new();
        run(&mut own);
        self.note(ctx, name, start, own.all_well().then_some(&own));
        report.add(own);
    }

    /// At once and whole on the disk. It begins with the end of a line that may have been cut short.
    fn append<T: Serialize>(&self, entry: &Entry<T>) -> Result<()> {
        let line = format!("\n{}", serde_json::to_string(entry)?);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        file.write_all(line.as_bytes())?;
        Ok(file.sync_data()?)
    }
}

/// Names the files as committed; an error if those at hand are others.
fn content(root: &Path) -> Result<String> {
    let git = Git::at(root);
    let words = |first: &[&'static str]| [first, &ALL_BUT_MARKDOWN].concat();
    let status = ["status", "--porcelain", "--untracked-files=all"];
    let changes = read(&git.command(words(&status)))?;
    let changed: Vec<_> = changes.lines().filter_map(|line| line.get(3..)).take(SHOWN).collect();
    ensure!(changed.is_empty(), "files are not as committed: {}", changed.join(", "));
    Ok(digest(&[&read(&git.command(words(&["ls-files", "--stage"])))?]))
}

/// What else decides how checks end: QEMU's source, compilers, the machine, what we may do there.
fn surroundings(ctx: &Ctx, tip: Option<&Built>) -> Result<String> {
    let tip = tip.context("the tip does not build")?;
    ensure!(tip.exact, "{} has more than patches/ says", ctx.show(&tip.source));
    let may = format!("{} {}", Uid::effective(), ctx.may_install);
    let mut all = vec![Host::now(&ctx.root)?.machine(), may, ctx.tree.to_string()];
    for (compiler, asked) in COMPILERS {
        all.push(read(&cmd!(compiler, asked))?);
    }
    for tree in Version::ALL.map(Tree::Release).iter().chain([&ctx.tree]) {
        all.push(source::base(ctx, tree)?.git.read(["rev-parse", "base^{tree}"])?);
    }
    Ok(all.join("\n"))
}

fn digest(parts: &[&str]) -> String {
    format!("{:x}", Sha256::digest(parts.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    fn ledger(path: &Path, key: &str) -> Ledger {
        Ledger::at(path.into(), String::new(), key.into(), true)
    }

    fn entry<T>(name: &str, passed: Option<T>) -> Entry<T> {
        let [key, date, commit] = ["k", "today", "abc"].map(String::from);
        Entry { key, name: name.into(), date, commit, seconds: 1.0, passed }
    }

    fn known(ledger: &Ledger, name: &str) -> Option<u32> {
        ledger.earlier(name).map(|(number, _)| number)
    }

    #[test]
    fn what_passed_is_known_with_its_origin() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("full.jsonl");
        let first = ledger(&path, "k");
        assert_eq!(known(&first, "a"), None);
        first.append(&entry("a", Some(7))).unwrap();
        assert_eq!(ledger(&path, "k").earlier("a"), Some((7, "today at abc".to_string())));
        assert_eq!(known(&ledger(&path, "k"), "b"), None);
        assert_eq!(known(&ledger(&path, "another"), "a"), None);
        assert_eq!(known(&Ledger::at(path, String::new(), "k".into(), false), "a"), None);
        assert_eq!(known(&Ledger::default(), "a"), None);
    }

    #[test]
    fn a_failure_undoes_what_passed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("full.jsonl");
        for (passed, then) in [(Some(1), Some(1)), (None, None), (Some(2), Some(2))] {
            ledger(&path, "k").append(&entry("a", passed)).unwrap();
            assert_eq!(known(&ledger(&path, "k"), "a"), then);
        }
    }

    #[test]
    fn a_torn_line_takes_no_other_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("full.jsonl");
        ledger(&path, "k").append(&entry("a", Some(1))).unwrap();
        ledger(&path, "k").append(&entry("b", Some(2))).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let torn = ledger(&path, "k");
        assert_eq!((known(&torn, "a"), known(&torn, "b")), (Some(1), None));
        torn.append(&entry("c", Some(3))).unwrap();
        let after = ledger(&path, "k");
        assert_eq!(["a", "b", "c"].map(|name| known(&after, name)), [Some(1), None, Some(3)]);
    }

    #[test]
    fn only_what_wholly_passed_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::at(dir.path());
        git.run(["init", "--quiet"]).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        git.run(["add", "--all"]).unwrap();
        git.run(["commit", "--quiet", "-m", "first"]).unwrap();
        let cli = clap::Parser::parse_from(["xtask", "test"]);
        let ctx = Ctx { root: dir.path().into(), ..Ctx::new(&cli).unwrap() };
        let path = dir.path().join(".git/full.jsonl");
        let run = |name: &str, fails: bool| {
            let ledger = Ledger::at(path.clone(), content(dir.path()).unwrap(), "k".into(), true);
            let (mut report, mut ran) = (Report::new(), false);
            ledger.checks(&ctx, &mut report, name, |report| {
                ran = true;
                report.pass("one", || Ok(()));
                report.check("two", || Ok(Outcome::Skipped("why".into())));
                report.pass("three", || if fails { anyhow::bail!("it fails") } else { Ok(()) });
            });
            (ran, report.counts())
        };
        assert_eq!(run("good", false), (true, (2, 0, 1)));
        assert_eq!(run("good", false), (false, (2, 0, 1)));
        assert_eq!(run("bad", true), (true, (1, 1, 1)));
        assert_eq!(run("bad", true), (true, (1, 1, 1)));
    }

    #[test]
    fn what_is_not_committed_has_no_name_but_for_markdown() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::at(dir.path());
        git.run(["init", "--quiet"]).unwrap();
        fs::create_dir(dir.path().join("docs")).unwrap();
        let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).unwrap();
        let commit = || {
            git.run(["add", "--all"]).unwrap();
            git.run(["commit", "--quiet", "-m", "text"]).unwrap();
        };
        write("code", "old");
        write("docs/words.md", "old");
        commit();
        let first = content(dir.path()).unwrap();
        write("docs/words.md", "new");
        write("more.md", "new");
        assert_eq!(content(dir.path()).unwrap(), first);
        commit();
        assert_eq!(content(dir.path()).unwrap(), first);
        write("code", "new");
        let error = content(dir.path()).unwrap_err().to_string();
        assert_eq!(error, "files are not as committed: code");
        commit();
        assert_ne!(content(dir.path()).unwrap(), first);
        write("untracked", "");
        assert!(content(dir.path()).is_err());
    }
}
