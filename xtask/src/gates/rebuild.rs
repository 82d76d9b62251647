// SPDX-License-Identifier: GPL-2.0-or-later
//! What is built again after a change: all that depends on it, and nothing else.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};
use duct::cmd;

use crate::build::edited::Edited;
use crate::build::flavor::PROGRAMS;
use crate::build::library::OBJECT;
use crate::build::{self, Built};
use crate::cmd::{Step, read};
use crate::ctx::Ctx;

const NOTHING: &str = "ninja: no work to do.";
/// What QEMU's build does again though nothing has changed, with its own C as well: it asks git
/// for its version at each run, and the first run after a clean build finds one output older than
/// another of the same step.
const ALWAYS: &[&str] = &["Generating qemu-version.h", "Generating tests/include/QAPI test"];
const RUST_FILE: &str = "src/capi.rs";
/// Of those that the bindings are made from, the one that the fewest include.
const HEADER: &str = "include/qemu/error-report.h";
const SCHEMA: &str = "qapi/iothread.json";
/// What is generated from it for C, and the copies of the schema for clients, which do not use that.
const TYPES: &str = "qapi/qapi-types-iothread.h";
const INTROSPECTION: usize = 4;

pub fn nothing(ctx: &Ctx, build: &Path) -> Result<()> {
    let text = read(&build::ninja(ctx, build, &[]))?;
    let (all, work): (Vec<_>, Vec<_>) = text
        .lines()
        .filter(|line| line.starts_with('['))
        .partition(|line| ALWAYS.iter().any(|step| line.contains(step)));
    ensure!(work.is_empty(), "ninja found work to do:\n{}", work.join("\n"));
    ensure!(text.contains(NOTHING) || !all.is_empty(), "ninja told nothing: {text}");
    Ok(())
}

/// The object comes out the same, so nothing is linked again.
pub fn rust(ctx: &Ctx, built: &Built) -> Result<()> {
    touch(&ctx.root.join(RUST_FILE))?;
    let lines = run(ctx, &built.build, "rust")?;
    ensure!(mentions(&lines, OBJECT), "the object was not built again");
    let others =
        lines.iter().find(|line| ["Compiling C", "Linking"].iter().any(|w| line.contains(w)));
    if let Some(line) = others {
        bail!("more was built than the object: {line}");
    }
    nothing(ctx, &built.build)
}

/// Another object: no C is compiled for it, and all three programs are linked again.
pub fn edit(ctx: &Ctx, built: &Built) -> Result<()> {
    let scratch = tempfile::tempdir_in(&ctx.target).context("cannot make a directory")?;
    let edited = Edited::new(&ctx.root, &built.source, scratch.path().join("crate"))?;
    edited.edit(0)?;
    let lines = run(ctx, &built.build, "rust-edit");
    drop(edited);
    run(ctx, &built.build, "rust-edit-back")?;
    let lines = lines?;
    ensure!(mentions(&lines, OBJECT), "the object was not built again");
    ensure!(compiled(&lines) == 0, "C was compiled for an edit of Rust");
    all_linked(&lines)?;
    nothing(ctx, &built.build)
}

pub fn header(ctx: &Ctx, built: &Built) -> Result<()> {
    let users = users_of(&built.build, HEADER)?;
    touch_header(&built.source)?;
    let lines = run(ctx, &built.build, "header")?;
    let compiled = compiled(&lines);
    ensure!(mentions(&lines, OBJECT), "the object was not built again");
    ensure!(compiled == users, "{users} C files use {HEADER}, {compiled} were compiled");
    nothing(ctx, &built.build)
}

/// A member more in the struct that the library fills: bindings, object and programs in one run.
pub fn schema(ctx: &Ctx, built: &Built) -> Result<()> {
    let path = built.source.join(SCHEMA);
    let before = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    let after = before.replacen(
        "{ 'struct': 'IOThreadInfo',\n  'data': {",
        "{ 'struct': 'IOThreadInfo',\n  'data': {'gate': 'int',\n           ",
        1,
    );
    let after = after.replacen(
        "# @id: the identifier of the iothread\n",
        "# @gate: for a test\n#\n# @id: the identifier of the iothread\n",
        1,
    );
    ensure!(after.matches("gate").count() == 2, "{SCHEMA} has another shape than expected");
    let marker = Marker::new(built)?;
    fs::write(&path, after)?;
    let changed = run(ctx, &built.build, "schema");
    fs::write(&path, before).context("cannot put the schema back")?;
    run(ctx, &built.build, "schema-back")?;
    marker.done()?;
    let lines = changed?;
    ensure!(mentions(&lines, OBJECT), "the object was not built again");
    let (users, compiled) = (users_of(&built.build, TYPES)?, compiled(&lines));
    ensure!(
        (users..=users + INTROSPECTION).contains(&compiled),
        "{users} C files use {TYPES}, {compiled} were compiled"
    );
    all_linked(&lines)?;
    nothing(ctx, &built.build)
}

fn all_linked(lines: &[String]) -> Result<()> {
    for program in PROGRAMS {
        let linked = format!("Linking target {program}");
        ensure!(lines.iter().any(|line| line.ends_with(&linked)), "{program} was not linked again");
    }
    Ok(())
}

fn compiled(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.contains("Compiling C")).count()
}

/// Lets the next user of the work tree put it back, should we be interrupted.
struct Marker(std::path::PathBuf);

impl Marker {
    fn new(built: &Built) -> Result<Marker> {
        let path = built.source.with_extension("pending");
        fs::write(&path, "").context("cannot mark the work tree")?;
        Ok(Marker(path))
    }

    fn done(self) -> Result<()> {
        fs::remove_file(self.0).context("cannot unmark the work tree")
    }
}

/// The lines that ninja prints while it brings everything up to date.
fn run(ctx: &Ctx, build: &Path, what: &str) -> Result<Vec<String>> {
    let title = format!("rebuild ({what})");
    let log_name = format!("rebuild-{what}");
    let done = Step::new(title, &log_name, build::ninja(ctx, build, &[])).counted().run(ctx)?;
    let text = fs::read_to_string(&done.log).context("cannot read the log")?;
    Ok(text.lines().filter(|line| line.starts_with('[')).map(str::to_string).collect())
}

fn mentions(lines: &[String], what: &str) -> bool {
    lines.iter().any(|line| line.ends_with(what) || line.contains(&format!("{what} ")))
}

/// How many objects of C depend on a header, by ninja's own record.
fn users_of(build: &Path, header: &str) -> Result<usize> {
    let text = read(&cmd!("ninja", "-t", "deps").dir(build))?;
    let mut objects = text.split("\n\n").filter(|entry| {
        let compiled = entry.lines().next().is_some_and(|line| line.contains(".p/"));
        compiled && entry.lines().any(|line| Path::new(line.trim()).ends_with(header))
    });
    let count = objects.by_ref().count();
    ensure!(count > 0, "nothing in the build uses {header}");
    Ok(count)
}

/// Gives the library and few others something to do.
pub fn touch_header(source: &Path) -> Result<()> {
    touch(&source.join(HEADER))
}

/// Makes a file newer than all that was built from it.
pub fn touch(path: &Path) -> Result<()> {
    let file = File::options().append(true).open(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    file.set_modified(SystemTime::now()).context("cannot set a file's time")
}
