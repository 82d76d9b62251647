// SPDX-License-Identifier: GPL-2.0-or-later
//! Holding one session of a conversation with a real program, and writing it down.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::line::{Line, PATIENCE};
use super::runner::{PERTURB, end};
use super::script::{Session, Step};
use crate::interrupt::{self, Watched};
use crate::wait::comes_true;

/// Threads that come or go do so within this.
const MOMENT: Duration = Duration::from_secs(2);

/// How a program ends if all is well.
pub const WELL: &str = "exit code 0";

/// What was said in one session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Talk {
    pub name: String,
    /// Each line sent and the line that answered it.
    pub exchanges: Vec<(String, String)>,
    /// In the order of their arrival; between which replies they arrive is chance.
    pub events: Vec<String>,
    pub stdout_rest: String,
    pub stderr: String,
    pub end: String,
    /// Why the session could not be held to its end, if so.
    pub gave_up: Option<String>,
    /// Threads that should not be there, or should and are not.
    pub threads: Vec<String>,
    /// Answers that a hazard must not have.
    pub unfit: Vec<String>,
}

impl Talk {
    /// The raw record, for a person to read.
    pub fn text(&self) -> String {
        let mut text = format!("== {}\n", self.name);
        for (sent, reply) in &self.exchanges {
            let _ = writeln!(text, "-> {sent}\n<- {reply}");
        }
        for event in &self.events {
            let _ = writeln!(text, "!! {event}");
        }
        let _ = writeln!(
            text,
            "stdout: {}\nstderr: {}\nend: {}{}",
            self.stdout_rest,
            self.stderr,
            self.end,
            self.gave_up.as_deref().unwrap_or_default()
        );
        text
    }
}

/// Where a build directory keeps a program.
pub fn program(build: &Path, name: &str) -> PathBuf {
    match name {
        "qemu-storage-daemon" => build.join("storage-daemon").join(name),
        _ => build.join(name),
    }
}

/// Runs the session with the programs of a build, in an empty directory of its own.
pub fn hold(session: &Session, build: &Path) -> Result<Talk> {
    interrupt::check()?;
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut command = command(session, build);
    let mut child = command
        .current_dir(dir.path())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let _watched = Watched::new(child.id());
    let mut talk = Talk { name: session.name.clone(), ..Talk::default() };
    let mut line = Line::new(&mut child)?;
    let place = Place { pid: child.id(), build, dir: dir.path() };
    let said = say(session, &place, &mut line, &mut talk).and_then(|()| line.hang_up(&mut talk));
    let ended = said.and_then(|()| wait(&mut child));
    talk.end = match ended {
        Ok(status) => end(status),
        Err(error) => {
            talk.gave_up = Some(format!("{error:#}"));
            // It may have ended already; then there is nothing left to end.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            let _ = line.hang_up(&mut talk);
            end(child.wait()?)
        }
    };
    let here = build.display().to_string();
    // As sanitizers head their lines.
    let process = format!("=={}==", child.id());
    talk.stderr = line.stderr().replace(&here, "BUILD").replace(&process, "==PID==");
    talk.stdout_rest = talk.stdout_rest.replace(&here, "BUILD");
    Ok(talk)
}

fn command(session: &Session, build: &Path) -> Command {
    let program = program(build, &session.program);
    let mut words: Vec<OsString> = match session.nofile {
        Some(limit) => vec!["prlimit".into(), format!("--nofile={limit}").into(), program.into()],
        None => vec![program.into()],
    };
    words.extend(session.args.iter().map(Into::into));
    let mut command = Command::new(words.remove(0));
    command
        .args(words)
        .env("LC_ALL", "C")
        .env("MALLOC_PERTURB_", PERTURB)
        // What QEMU never frees is no matter here; LeakSanitizer would change how it ends.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env_remove("G_MESSAGES_DEBUG");
    command
}

/// Where a session is held.
struct Place<'a> {
    pid: u32,
    build: &'a Path,
    dir: &'a Path,
}

fn say(session: &Session, place: &Place, line: &mut Line, talk: &mut Talk) -> Result<()> {
    let may_end = session.may_end || session.hazard;
    if session.steps.is_empty() {
        return Ok(());
    }
    let greeting = line.reply(talk)?.context("no greeting")?;
    talk.exchanges.push(("(greeting)".into(), greeting));
    let mut awaited = BTreeMap::new();
    for step in &session.steps {
        match step {
            Step::Send(text, wanted) => {
                line.send(text);
                match line.reply(talk)? {
                    Some(reply) => {
                        if session.hazard && !wanted.fits(&reply) {
                            talk.unfit.push(format!("{text} is answered by {reply}"));
                        }
                        talk.exchanges.push((text.clone(), reply));
                    }
                    None if may_end => return Ok(()),
                    None => bail!("ended instead of an answer to {text}"),
                }
            }
            Step::Await(event) => {
                let count = awaited.entry(event).or_insert(0);
                *count += 1;
                match line.events(event, *count, talk)? {
                    true => (),
                    false if may_end => return Ok(()),
                    false => bail!("ended before {event}"),
                }
            }
            Step::Run(words) => {
                let output = run(words, place)?;
                if session.hazard && !output.ends_with(WELL) {
                    talk.unfit.push(format!("{} ends so: {output}", words.join(" ")));
                }
                talk.exchanges.push((format!("run {}", words.join(" ")), output));
            }
            Step::Threads(wanted, name) => {
                let count = threads_become(place.pid, name, *wanted)?;
                if count != *wanted {
                    talk.threads.push(format!("{count} instead of {wanted} threads {name}"));
                }
                talk.exchanges.push((format!("threads {name}"), count.to_string()));
            }
        }
    }
    Ok(())
}

/// What another program prints and how it ends; `timeout` ends it if it hangs.
fn run(words: &[String], place: &Place) -> Result<String> {
    let (name, args) = words.split_first().context("no program to run")?;
    let output = Command::new("timeout")
        .arg(PATIENCE.as_secs().to_string())
        .arg(program(place.build, name))
        .args(args)
        .current_dir(place.dir)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let printed = [output.stdout, output.stderr].concat();
    Ok(format!("{}{}", String::from_utf8_lossy(&printed), end(output.status)))
}

/// How many threads of this name there are, `wanted` if that comes true: one that was joined is
/// still listed for a moment.
fn threads_become(pid: u32, name: &str, wanted: usize) -> Result<usize> {
    let mut count = 0;
    comes_true(MOMENT, || {
        count = count_threads(pid, name);
        Ok(count == wanted)
    })?;
    Ok(count)
}

/// Those of the process that the kernel knows by this name.
fn count_threads(pid: u32, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    if !comes_true(PATIENCE, || Ok(child.try_wait()?.is_some()))? {
        bail!("closed its output but did not end within {} s", PATIENCE.as_secs());
    }
    Ok(child.wait()?)
}
