// SPDX-License-Identifier: GPL-2.0-or-later
//! `cargo xtask`: every developer command of the project, one verb each.

/// A line of results.
macro_rules! out {
    ($($line:tt)*) => { $crate::results::line(format_args!($($line)*)) };
}

/// A line for the user beside the results. Nobody need be there to read it.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

mod badinput;
mod bench;
mod bisect;
mod build;
mod cmd;
mod ctx;
mod demo;
mod dual;
mod flags;
mod gates;
mod git;
mod header;
mod host;
mod interrupt;
mod ledger;
mod lock;
mod patches;
mod qemu;
mod report;
mod results;
mod series;
mod setup;
mod suites;
mod test;
#[cfg(test)]
mod tidy;
mod ui;
mod version;
mod wait;
mod worktree;

use std::process::ExitCode;

use clap::Parser;

use ctx::Ctx;
use flags::{Cli, Verb};

fn run(cli: &Cli) -> anyhow::Result<()> {
    interrupt::install(cli.again())?;
    let ctx = Ctx::new(cli)?;
    let outcome = match &cli.verb {
        Verb::Demo(args) => demo::run(&ctx, args),
        Verb::Build(args) => build::run(&ctx, args),
        Verb::Bisect(args) => bisect::run(&ctx, args),
        Verb::Bench(args) => bench::run(&ctx, args),
        Verb::Dual(args) => dual::run(&ctx, args),
        Verb::Patches(args) => patches::run(&ctx, args),
        Verb::Setup(args) => setup::run(&ctx, args),
        Verb::Test(args) => test::run(&ctx, args),
    };
    // Whatever went wrong then is the consequence.
    if outcome.is_err() && ctx.is_full() {
        say!("the disk is full: make room and run the same command again");
    }
    outcome
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).and_then(|()| results::all_written()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            interrupt::exit_if_interrupted();
            say!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
