// SPDX-License-Identifier: GPL-2.0-or-later
//! The script of a conversation: which program to start, what to say to its QMP monitor.
//!
//! ```text
//! # a comment
//! let bad = -1 | "text" | null          a list; 0..300 counts
//! session NAME: PROGRAM ARGUMENTS       starts a program, quoted as for a shell
//! session NAME (nofile=N): ...          with a limit on open files
//! session NAME (may end): ...           the program may end before the last step
//! session NAME (hazard): ...            plain C does not survive it; the series must, and must answer
//!                                       each line by a return and end each program with 0
//! {"execute": ...}                      sent as it stands, right or wrong
//! fails WORDS: {"execute": ...}         the same; a hazard demands an error that has these words
//! may fail WORDS: {"execute": ...}      the same; a hazard takes that error as well as a return
//! hmp info iothreads                    the same by human-monitor-command
//! await DEVICE_DELETED                  goes on when the event has come
//! run qemu-io ARGUMENTS                 another program of the build, in the session's directory
//! threads 0 IO t0                       counts the threads of that name; a hazard demands so many
//! for one, other:                       the indented lines for each pair; $one and $other stand for them
//!   {"execute": ...}
//! ```

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

/// One run of one program.
#[derive(Debug, PartialEq)]
pub struct Session {
    pub name: String,
    pub nofile: Option<u64>,
    /// It is no mistake in the script if the program ends before the last step.
    pub may_end: bool,
    /// It shows a defect of plain C that the series mends.
    pub hazard: bool,
    pub program: String,
    pub args: Vec<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug, PartialEq)]
pub enum Step {
    /// A line for the monitor, which answers with one.
    Send(String, Reply),
    /// The name of an event.
    Await(String),
    /// Another program with its arguments.
    Run(Vec<String>),
    /// How many threads should have a name, and which.
    Threads(usize, String),
}

/// What the series must answer where plain C cannot be asked.
#[derive(Debug, PartialEq)]
pub enum Reply {
    Returns,
    /// An error that has these words.
    Fails(String),
    MayFail(String),
}

impl Reply {
    pub fn fits(&self, reply: &str) -> bool {
        let returns = reply.starts_with(r#"{"return": "#);
        let fails = |words: &String| reply.starts_with(r#"{"error": "#) && reply.contains(words);
        match self {
            Reply::Returns => returns,
            Reply::Fails(words) => fails(words),
            Reply::MayFail(words) => returns || fails(words),
        }
    }
}

type Lists = BTreeMap<String, Vec<String>>;

pub fn parse(text: &str) -> Result<Vec<Session>> {
    let mut lists = Lists::new();
    let mut sessions: Vec<Session> = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let at = || format!("line {}: {line}", number + 1);
        if is_blank(line) {
            continue;
        } else if let Some(rest) = line.strip_prefix("let ") {
            let (name, items) = rest.split_once(" = ").with_context(at)?;
            lists.insert(name.trim().to_string(), list(items));
        } else if let Some(rest) = line.strip_prefix("session ") {
            sessions.push(session(rest).with_context(at)?);
        } else {
            let steps = &mut sessions.last_mut().context("no session yet").with_context(at)?.steps;
            if let Some(names) = line.strip_prefix("for ") {
                let mut body = Vec::new();
                while let Some((_, inner)) = lines.next_if(|(_, next)| next.starts_with("  ")) {
                    body.push(inner.trim().to_string());
                }
                ensure!(!body.is_empty(), "{}: an empty loop", at());
                let names = names.strip_suffix(':').with_context(at)?;
                for line in unroll(names, body, &lists).with_context(at)? {
                    steps.push(step(&line).with_context(at)?);
                }
            } else {
                steps.push(step(line).with_context(at)?);
            }
        }
    }
    Ok(sessions)
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

fn list(items: &str) -> Vec<String> {
    let range = items.split_once("..").map(|(from, to)| (from.parse(), to.parse()));
    if let Some((Ok(from), Ok(to))) = range {
        return (from..to).map(|n: u64| n.to_string()).collect();
    }
    items.split(" | ").map(|item| item.trim().to_string()).collect()
}

fn session(rest: &str) -> Result<Session> {
    let (head, command) = rest.split_once(": ").context("no colon after the name")?;
    let (name, options) = head.split_once(" (").unwrap_or((head, ""));
    let (mut nofile, mut may_end, mut hazard) = (None, false, false);
    for option in options.trim_end_matches(')').split(", ").filter(|option| !option.is_empty()) {
        match option.strip_prefix("nofile=") {
            Some(limit) => nofile = Some(limit.parse()?),
            None if option == "may end" => may_end = true,
            None if option == "hazard" => hazard = true,
            None => bail!("unknown option {option}"),
        }
    }
    let mut words = shlex::split(command).context("a quote is not closed")?.into_iter();
    Ok(Session {
        name: name.to_string(),
        nofile,
        may_end,
        hazard,
        program: words.next().context("no program")?,
        args: words.collect(),
        steps: Vec::new(),
    })
}

fn step(line: &str) -> Result<Step> {
    if line.starts_with('{') {
        Ok(Step::Send(line.to_string(), Reply::Returns))
    } else if let Some(rest) = line.strip_prefix("fails ") {
        send(rest, Reply::Fails)
    } else if let Some(rest) = line.strip_prefix("may fail ") {
        send(rest, Reply::MayFail)
    } else if let Some(command) = line.strip_prefix("hmp ") {
        let line = serde_json::to_string(command)?;
        let line = format!(
            r#"{{"execute": "human-monitor-command", "arguments": {{"command-line": {line}}}}}"#
        );
        Ok(Step::Send(line, Reply::Returns))
    } else if let Some(event) = line.strip_prefix("await ") {
        Ok(Step::Await(event.to_string()))
    } else if let Some(words) = line.strip_prefix("run ") {
        Ok(Step::Run(shlex::split(words).context("a quote is not closed")?))
    } else if let Some(rest) = line.strip_prefix("threads ") {
        let (count, name) = rest.split_once(' ').context("a number and a name")?;
        Ok(Step::Threads(count.parse()?, name.to_string()))
    } else {
        bail!("not a step")
    }
}

/// A line with the words of an error before it.
fn send(rest: &str, wanted: impl Fn(String) -> Reply) -> Result<Step> {
    let (words, line) = rest.split_once(": ").context("words and a line")?;
    Ok(Step::Send(line.to_string(), wanted(words.to_string())))
}

/// The loop's body once for each combination, the last list running fastest.
fn unroll(names: &str, body: Vec<String>, lists: &Lists) -> Result<Vec<String>> {
    let Some((name, rest)) = names.split_once(',').or(Some((names, ""))) else {
        return Ok(body);
    };
    let name = name.trim();
    if name.is_empty() {
        return Ok(body);
    }
    let items = lists.get(name).with_context(|| format!("no list {name}"))?;
    let mut lines = Vec::new();
    for item in items {
        let bound = body.iter().map(|line| line.replace(&format!("${name}"), item)).collect();
        lines.extend(unroll(rest, bound, lists)?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Vec<String> {
        let sessions = parse(text).unwrap();
        let steps = sessions.into_iter().flat_map(|session| session.steps);
        steps
            .map(|step| match step {
                Step::Send(line, _) => line,
                Step::Await(event) => format!("await {event}"),
                Step::Run(words) => words.join(" "),
                Step::Threads(count, name) => format!("{count} of {name}"),
            })
            .collect()
    }

    #[test]
    fn a_session_has_its_words_and_its_limit() {
        let sessions = parse("session a b (nofile=64, may end): prog -x '{\"a\": 1}'\n").unwrap();
        assert_eq!(sessions[0].name, "a b");
        assert_eq!((sessions[0].nofile, sessions[0].may_end), (Some(64), true));
        assert_eq!(sessions[0].program, "prog");
        assert_eq!(sessions[0].args, ["-x", "{\"a\": 1}"]);
    }

    #[test]
    fn loops_combine_their_lists() {
        let text = "let v = -1 | {}\nlet n = 0..2\nsession s: p\nfor v, n:\n  {\"v\": $v, \"n\": $n}\nawait E\n";
        assert_eq!(
            sent(text),
            [
                "{\"v\": -1, \"n\": 0}",
                "{\"v\": -1, \"n\": 1}",
                "{\"v\": {}, \"n\": 0}",
                "{\"v\": {}, \"n\": 1}",
                "await E"
            ]
        );
    }

    #[test]
    fn hmp_is_wrapped() {
        assert_eq!(
            sent("session s: p\nhmp info \"x\"\n"),
            [
                r#"{"execute": "human-monitor-command", "arguments": {"command-line": "info \"x\""}}"#
            ]
        );
    }

    #[test]
    fn a_hazard_counts_threads() {
        let text = "session s (hazard): p\nrun q 'a b'\nthreads 1 IO t0\n";
        assert!(parse(text).unwrap()[0].hazard);
        assert_eq!(sent(text), ["q a b", "1 of IO t0"]);
    }

    #[test]
    fn a_hazard_demands_its_replies() {
        let text = "session s (hazard): p\n{}\nfails not found: {\"a\": 1}\nmay fail in use: {}\n";
        assert_eq!(sent(text), ["{}", "{\"a\": 1}", "{}"]);
        let replies =
            [r#"{"return": {}}"#, r#"{"error": "not found"}"#, r#"{"error": "in use"}"#, "in use"];
        let steps = parse(text).unwrap().remove(0).steps.into_iter();
        let fits: Vec<_> = steps
            .map(|step| match step {
                Step::Send(_, wanted) => replies.map(|reply| wanted.fits(reply)),
                _ => [false; 4],
            })
            .collect();
        let returns = [true, false, false, false];
        assert_eq!(fits, [returns, [false, true, false, false], [true, false, true, false]]);
    }

    #[test]
    fn mistakes_name_their_line() {
        for text in [
            "{\"no\": \"session\"}",
            "session s (x): p",
            "session s: p\nwhat",
            "session s: p\nthreads IO t0",
            "session s: p\nfails {}",
            "session s: p\nfor x:\n  {}",
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains("line "), "{error}");
        }
    }
}
