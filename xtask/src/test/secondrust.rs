// SPDX-License-Identifier: GPL-2.0-or-later
//! The link beside another Rust static library that brings its own std, as QEMU's --enable-rust does.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use duct::cmd;

use crate::build::{self, Built};
use crate::cmd::{Step, read};
use crate::ctx::Ctx;
use crate::gates::{OURS, nm};

const PROGRAM: &str = "qemu-nbd";
const EXPORT: &str = "second_rust_library";

/// Something of std's that cannot be folded away: threads, a map, a panic path.
const SOURCE: &str = r#"
use std::collections::HashMap;

#[unsafe(no_mangle)]
pub extern "C" fn second_rust_library(n: usize) -> usize {
    let map: HashMap<usize, String> = (0..n).map(|i| (i, i.to_string())).collect();
    let total = std::thread::spawn(move || map.values().map(String::len).sum());
    total.join().expect("it cannot panic")
}
"#;

pub fn check(ctx: &Ctx, tip: &Built) -> Result<()> {
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    let (source, archive) = (dir.path().join("second.rs"), dir.path().join("libsecond.a"));
    fs::write(&source, SOURCE)?;
    let words = ["--edition", "2021", "--crate-type", "staticlib", "-O", "-o"];
    let rustc = words.map(Path::new).into_iter().chain([archive.as_path(), source.as_path()]);
    Step::new("a second Rust library", "second-rust", cmd("rustc", rustc.collect::<Vec<_>>()))
        .run(ctx)?;
    for first in [true, false] {
        let program = dir.path().join("program");
        link(ctx, &tip.build, &archive, &program, first)?;
        let defined = nm::defined(&program)?;
        for name in [OURS, EXPORT] {
            ensure!(defined.contains(name), "{PROGRAM} linked with both does not have {name}");
        }
        // The first line has the program's own path.
        let text = |program: &Path| -> Result<Vec<String>> {
            let says = read(&cmd!(program, "--version"))?;
            Ok(says.lines().skip(1).map(String::from).collect())
        };
        let says = text(&program)?;
        ensure!(says == text(&tip.build.join(PROGRAM))?, "linked with both it says: {says:?}");
    }
    Ok(())
}

/// The link of the program as ninja does it, with the whole archive before or after all else.
fn link(ctx: &Ctx, build: &Path, archive: &Path, to: &Path, first: bool) -> Result<()> {
    let all = read(&cmd!("ninja", "-t", "commands", "-s", PROGRAM).dir(build))?;
    let line = all.lines().last().context("ninja has no command for the program")?;
    let words = shlex::split(line).context("ninja's command cannot be split")?;
    let (compiler, rest) = words.split_first().context("ninja's command is empty")?;
    let whole = format!("-Wl,--whole-archive,{},--no-whole-archive", archive.display());
    let mut options: Vec<String> = rest.to_vec();
    options.insert(if first { 0 } else { options.len() }, whole);
    options.extend(["-o".to_string(), to.display().to_string()]);
    let link = build::environment(ctx, cmd(compiler, options).dir(build));
    Step::new(format!("{PROGRAM} with both"), "second-rust-link", link).run(ctx)?;
    Ok(())
}
