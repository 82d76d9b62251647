// SPDX-License-Identifier: GPL-2.0-or-later
//! The screen: a progress bar with an estimate on a terminal, plain lines elsewhere.
//! All of it goes to stderr; stdout belongs to results.

use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(200);
/// How often a plain log hears of a step that takes long.
const PLAIN_EVERY: Duration = Duration::from_secs(60);

pub struct Ui {
    logs: PathBuf,
    fancy: bool,
    /// Steps can run side by side.
    bars: MultiProgress,
}

impl Ui {
    pub fn new(logs: PathBuf) -> Ui {
        let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
        let fancy = std::io::stderr().is_terminal() && !in_ci;
        Ui { logs, fancy, bars: MultiProgress::new() }
    }

    pub fn log_path(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// One line for the user.
    pub fn say(&self, text: impl AsRef<str>) {
        self.bars.suspend(|| say!("{}", text.as_ref()));
    }

    /// A step begins; the gauge ends it.
    pub fn begin(&self, title: &str, log: &Path) -> Gauge {
        let bar = self.fancy.then(|| {
            let bar = self.bars.add(ProgressBar::no_length());
            bar.set_style(spinner());
            bar.set_prefix(title.to_string());
            bar.enable_steady_tick(TICK);
            bar
        });
        if bar.is_none() {
            say!("{title} ... (log: {})", log.display());
        }
        Gauge {
            title: title.to_string(),
            bar,
            start: Instant::now(),
            last_line: Mutex::new(Instant::now()),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn spinner() -> ProgressStyle {
    style("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
}

fn counter() -> ProgressStyle {
    style("{spinner} {prefix} [{wide_bar}] {pos}/{len} {elapsed}, {eta} to go")
        .progress_chars("=> ")
}

/// The progress of one step.
pub struct Gauge {
    title: String,
    bar: Option<ProgressBar>,
    start: Instant,
    last_line: Mutex<Instant>,
}

impl Gauge {
    pub fn at(&self, done: u64, total: u64) {
        match &self.bar {
            Some(bar) => {
                if bar.length() != Some(total) {
                    bar.set_style(counter());
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            None if self.due() => {
                say!("{} ... {done}/{total}{}", self.title, self.estimate(done, total));
            }
            None => (),
        }
    }

    pub fn saying(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(line.to_string());
        }
    }

    pub fn done(&self, seconds: f64) {
        self.end("done", seconds);
    }

    pub fn failed(&self, seconds: f64) {
        self.end("FAILED", seconds);
    }

    pub fn interrupted(&self, seconds: f64) {
        self.end("interrupted", seconds);
    }

    fn end(&self, word: &str, seconds: f64) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say!("{} {word} in {seconds:.1} s", self.title);
    }

    /// True once every `PLAIN_EVERY`.
    fn due(&self) -> bool {
        let Ok(mut last) = self.last_line.lock() else {
            return false;
        };
        let due = last.elapsed() >= PLAIN_EVERY;
        if due {
            *last = Instant::now();
        }
        due
    }

    fn estimate(&self, done: u64, total: u64) -> String {
        // The first steps say little about the others.
        if done * 20 < total || total < done {
            return String::new();
        }
        let left = self.start.elapsed().as_secs_f64() * (total - done) as f64 / done as f64;
        format!(", about {left:.0} s to go")
    }
}
