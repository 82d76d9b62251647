// SPDX-License-Identifier: GPL-2.0-or-later
//! Running programs: short ones for their output, long ones as a step with log and progress.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Output;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use duct::{Expression, ReaderHandle};

use crate::ctx::Ctx;
use crate::interrupt::{self, Watched};
use crate::ui::Gauge;

const TAIL_LINES: usize = 30;

/// What a short program prints on stdout; its stderr becomes part of the error.
pub fn read(expression: &Expression) -> Result<String> {
    let result = output(&expression.stdout_capture().stderr_capture())?;
    if !result.status.success() {
        bail!(
            "{} failed ({})\n{}",
            command_line(expression),
            result.status,
            String::from_utf8_lossy(&result.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&result.stdout).trim_end().to_string())
}

/// How a program ends, whatever its exit code, with what `expression` captures of its output.
pub fn output(expression: &Expression) -> Result<Output> {
    interrupt::check()?;
    let handle = in_own_group(expression).stdin_null().unchecked().start()?;
    let _watched = handle.pids().first().map(|pid| Watched::new(*pid));
    let output = handle.wait()?.clone();
    interrupt::check()?;
    Ok(output)
}

/// True if a short program ends with 0; all it prints is dropped. Runs after an interrupt, too.
pub fn succeeds(expression: &Expression) -> bool {
    in_own_group(expression).stdin_null().stdout_null().stderr_null().run().is_ok()
}

/// A process group of its own lets Ctrl-C end the program with all that it started.
pub fn in_own_group(expression: &Expression) -> Expression {
    expression.before_spawn(|command| {
        command.process_group(0);
        Ok(())
    })
}

/// How a step tells how far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It does not.
    Unknown,
    /// Lines that begin `[done/total]` or `done/total`, as ninja and meson print.
    Counted,
}

/// A program that takes long: its output goes to a log, its progress to the screen.
pub struct Step {
    title: String,
    log_name: String,
    expression: Expression,
    progress: Progress,
    sweeps: bool,
}

/// What a step that ended well leaves behind.
#[derive(Debug)]
pub struct Done {
    pub log: PathBuf,
    pub seconds: f64,
}

impl Step {
    /// `log_name` names the file `target/log/<log_name>.log`.
    pub fn new(
        title: impl Into<String>,
        log_name: impl Into<String>,
        expression: Expression,
    ) -> Step {
        Step {
            title: title.into(),
            log_name: log_name.into(),
            expression,
            progress: Progress::Unknown,
            sweeps: false,
        }
    }

    pub fn counted(mut self) -> Step {
        self.progress = Progress::Counted;
        self
    }

    /// Nothing that it started outlives it: a test that fails may leave a QEMU behind.
    pub fn sweeping(mut self) -> Step {
        self.sweeps = true;
        self
    }

    /// Runs it; a failure carries the end of the output and the log's path.
    pub fn run(self, ctx: &Ctx) -> Result<Done> {
        interrupt::check()?;
        let start = Instant::now();
        let path = ctx.ui.log_path(&self.log_name);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let mut log =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let gauge = ctx.ui.begin(&self.title, &path);
        let outcome = self.follow(&mut log, &gauge);
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                gauge.done(seconds);
                Ok(Done { log: path, seconds })
            }
            Err(error) => {
                if interrupt::seen() {
                    gauge.interrupted(seconds);
                    return Err(error.context("interrupted"));
                }
                gauge.failed(seconds);
                let text = fs::read(&path).unwrap_or_default();
                let end = tail(&String::from_utf8_lossy(&text), TAIL_LINES);
                Err(anyhow!("{}: {error:#}\n{end}\nfull log: {}", self.title, path.display()))
            }
        }
    }

    fn follow(&self, log: &mut File, gauge: &Gauge) -> Result<()> {
        writeln!(log, "# {}", command_line(&self.expression))?;
        let reader = in_own_group(&self.expression)
            .stdin_null()
            .stderr_to_stdout()
            .reader()
            .context("cannot be started")?;
        let watched = reader.pids().first().map(|pid| Watched::new(*pid));
        let outcome = self.copy(&reader, log, gauge);
        if let Some(group) = watched.filter(|_| self.sweeps) {
            group.sweep();
        }
        outcome
    }

    fn copy(&self, reader: &ReaderHandle, log: &mut File, gauge: &Gauge) -> Result<()> {
        let mut input = BufReader::new(reader);
        let mut chunk = [0; 8192];
        let mut line = Vec::new();
        loop {
            let n = input.read(&mut chunk)?;
            if n == 0 {
                return Ok(());
            }
            log.write_all(&chunk[..n]).context("cannot write the log")?;
            for byte in &chunk[..n] {
                if *byte == b'\n' || *byte == b'\r' {
                    self.report(&line, gauge);
                    line.clear();
                } else {
                    line.push(*byte);
                }
            }
        }
    }

    fn report(&self, line: &[u8], gauge: &Gauge) {
        let line = String::from_utf8_lossy(line);
        match self.progress {
            Progress::Counted => {
                if let Some((done, total)) = counted(&line) {
                    gauge.at(done, total);
                }
            }
            Progress::Unknown => gauge.saying(&line),
        }
    }
}

/// The words of the program, without what duct wraps around them.
fn command_line(expression: &Expression) -> String {
    let text = format!("{expression:?}");
    let inside = text.split_once("Cmd(").and_then(|(_, rest)| rest.split_once("])"));
    inside.map_or_else(|| text.clone(), |(words, _)| format!("{words}]"))
}

/// `[12/345] text` and `12/345 text` give 12 and 345.
fn counted(line: &str) -> Option<(u64, u64)> {
    let text = line.trim_start().trim_start_matches('[');
    let end = text.find([']', ' '])?;
    let (done, total) = text[..end].split_once('/')?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?))
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_lines_are_counted() {
        assert_eq!(counted("[12/345] Compiling C object"), Some((12, 345)));
        assert_eq!(counted("  3/66 qtest-x86_64/qom-test OK 1.2s"), Some((3, 66)));
        assert_eq!(counted("[x] no"), None);
        assert_eq!(counted("plain"), None);
    }

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }

    #[test]
    fn a_failing_program_gives_its_stderr() {
        let error = read(&duct::cmd!("sh", "-c", "echo why >&2; exit 3")).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }

    #[test]
    fn what_a_sweeping_step_leaves_is_ended() {
        let cli = clap::Parser::parse_from(["xtask", "test"]);
        let ctx = Ctx::new(&cli).unwrap();
        let leaves = duct::cmd!("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!");
        let done = Step::new("t", "unit-test-sweeping", leaves).sweeping().run(&ctx).unwrap();
        let log = fs::read_to_string(done.log).unwrap();
        let stat = format!("/proc/{}/stat", log.lines().last().unwrap());
        let ended = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        assert!((0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            ended()
        }));
    }
}
