// SPDX-License-Identifier: GPL-2.0-or-later
//! What QEMU's configure is told when the library cannot be built.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use duct::{Expression, cmd};
use serde_json::Value;
use tempfile::TempDir;

use super::machine::offline;
use super::sandbox::{Ended, Sandbox, run};
use crate::build::Built;
use crate::build::library::Recipe;
use crate::cmd::{read, succeeds};
use crate::ctx::Ctx;
use crate::lock;
use crate::setup;

/// As little of QEMU as has the library in it.
const SMALL: &[&str] = &[
    "--without-default-features",
    "--disable-system",
    "--disable-user",
    "--enable-tools",
    "--disable-download",
];

/// What `check` is told of a host and a QEMU that are served.
const SERVED: &[(&str, &str)] = &[
    ("--host-system", "linux"),
    ("--host-cpu", "x86_64"),
    ("--host-endian", "little"),
    ("--pointer-size", "8"),
    ("--qemu-version", "10.2.2"),
    ("--cfi", "false"),
    ("--sanitizers", ""),
];

/// A memory of what configure was told that nobody keeps.
const NO_MEMORY: &str = "/dev/null";

/// The check that the subproject's meson.build makes, for a host with one thing changed.
fn check(ctx: &Ctx, changed: Option<(&str, &str)>) -> Expression {
    check_in(&ctx.root, Path::new(NO_MEMORY), changed)
}

fn check_in(root: &Path, memory: &Path, changed: Option<(&str, &str)>) -> Expression {
    let mut words = vec![root.join("cargo_wrapper.py").display().to_string()];
    words.extend(check_words(root, memory, changed));
    cmd("python3", words)
}

fn check_words(root: &Path, memory: &Path, changed: Option<(&str, &str)>) -> Vec<String> {
    let [root_name, memory] = [root, memory].map(|path| path.display().to_string());
    let mut words = vec!["check".to_string(), "--crate".into(), root_name];
    words.extend(["--memory".into(), memory]);
    for (name, value) in SERVED {
        let other = changed.filter(|(changed, _)| changed == name);
        words.extend([name.to_string(), other.map_or(*value, |(_, other)| other).to_string()]);
    }
    words
}

pub fn host(ctx: &Ctx) -> Result<()> {
    let served = run(&check(ctx, None))?;
    served.must_exit(0).context("this host is refused")?;
    let refused = [
        ("--host-system", "windows", "windows"),
        ("--host-cpu", "wasm32", "wasm32"),
        ("--pointer-size", "4", "32"),
        ("--qemu-version", "9.2.0", "9.2.0"),
        ("--qemu-version", "10.2.50", "10.2.50, on the way to the next release"),
        ("--cfi", "true", "--disable-cfi"),
    ];
    for (name, value, phrase) in refused {
        one_message(&run(&check(ctx, Some((name, value))))?, &[phrase])?;
    }
    Ok(())
}

pub fn tools(ctx: &Ctx) -> Result<()> {
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    for (variable, name) in [("RUSTC", "rustc"), ("CARGO", "cargo")] {
        let old = dir.path().join(name);
        fs::write(&old, format!("#!/bin/sh\necho '{name} 1.60.0 (7737e0b5c 2022-04-04)'\n"))?;
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755))?;
        let with_old = check(ctx, None).env(variable, &old);
        let says = format!("{name} 1.60.0 is too old");
        one_message(&run(&with_old)?, &[&says, "Install a newer Rust"])?;
        let with_mute = check(ctx, None).env(variable, "/bin/false");
        let cure = format!("Set {variable} to a {name} that works.");
        one_message(&run(&with_mute)?, &["/bin/false --version` failed: it says nothing", &cure])?;
        let folder = check(ctx, None).env(variable, dir.path());
        one_message(&run(&folder)?, &["is no program", "Install Rust", variable])?;
        run(&check(ctx, None).env(variable, ""))?.must_exit(0).context("an empty variable")?;
    }
    one_message(&run(&without_libclang(ctx))?, &["libclang was not found", "libclang-dev"])?;
    // Another library, which Debian's clang-format brings, is none.
    fs::write(dir.path().join("libclang-cpp.so.14"), "")?;
    let without = check(ctx, None)
        .env("LIBCLANG_PATH", dir.path())
        .env("LLVM_CONFIG_PATH", dir.path().join("llvm-config"));
    one_message(&run(&without)?, &["libclang", "libclang-dev", "LIBCLANG_PATH"])?;
    // Its folder is looked for elsewhere, then.
    run(&check(ctx, None).env("LLVM_CONFIG_PATH", "/bin/false"))?.must_exit(0)
}

/// The check where none of the folders that are searched is there.
fn without_libclang(ctx: &Ctx) -> Expression {
    const EMPTIED: &str = "import sys; sys.path.insert(0, sys.argv.pop(1)); import cargo_wrapper; \
        cargo_wrapper.LIBCLANG_DIRS = ['/nowhere']; cargo_wrapper.main()";
    let mut words = vec!["-B".to_string(), "-c".into(), EMPTIED.into()];
    words.push(ctx.root.display().to_string());
    words.extend(check_words(&ctx.root, Path::new(NO_MEMORY), None));
    let check = cmd("python3", words).env("LLVM_CONFIG_PATH", "/bin/false");
    ["LIBCLANG_PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH"]
        .iter()
        .fold(check, |check, name| check.env_remove(name))
}

/// Ninja configures again by itself, most often from a shell that knows nothing of the first time.
pub fn told_once(ctx: &Ctx) -> Result<()> {
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    let own = dir.path().join("rustc");
    symlink(which("rustc")?, &own)?;
    let told = [("RUSTC", own.display().to_string()), ("RUSTC_BOOTSTRAP", "qemu_iothread".into())];
    let check = check_in(&ctx.root, &dir.path().join("memory"), None);
    let first = told.iter().fold(check.clone(), |check, (name, value)| check.env(name, value));
    let later = told.iter().fold(check.clone(), |check, (name, _)| check.env_remove(name));
    let slip = run(&check.env("RUSTC", "/nowhere/rustc"));
    slip?.must_say(&["/nowhere/rustc was not found"])?;
    run(&later)?.must_exit(0).context("a slip is remembered")?;
    let later_again = later.clone();
    for check in [first, later] {
        let ended = run(&check)?;
        ended.must_exit(0).context("refused")?;
        for (name, value) in &told {
            ended.says(&[&format!("\n{name}={value}\n")])?;
        }
    }
    fs::remove_file(&own)?;
    let gone = run(&later_again)?;
    let own = own.display().to_string();
    one_message(
        &gone,
        &[&format!("{own} was not found"), &format!("earlier configure: RUSTC={own}")],
    )
}

fn which(program: &str) -> Result<String> {
    read(&cmd!("sh", "-c", format!("command -v {program}")))
}

/// A sanitizer that rustc does not take is no error, but it is told.
pub fn sanitizers(ctx: &Ctx) -> Result<()> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let stable = !read(&cmd!(rustc, "--version"))?.contains("nightly");
    let lacking = "not watched by sanitizers: that takes a nightly rustc, or RUSTC_BOOTSTRAP=";
    let watched = ", watched by sanitizers: address\n";
    for (bootstrap, phrase) in
        [("", if stable { lacking } else { watched }), ("qemu_iothread", watched)]
    {
        let check = check(ctx, Some(("--sanitizers", "address,undefined")));
        let ended = run(&check.env("RUSTC_BOOTSTRAP", bootstrap))?;
        ended.must_exit(0).context("refused")?;
        ended.says(&[phrase, &format!("\nRUSTC_BOOTSTRAP={bootstrap}\n")])?;
    }
    Ok(())
}

pub fn no_crates(ctx: &Ctx) -> Result<()> {
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    let check = offline(check(ctx, None)).env("CARGO_HOME", dir.path()).env("CARGO_NET_RETRY", "0");
    one_message(&run(&check)?, &["cannot be had", "cargo vendor"])
}

/// A packager's other version of a crate, in a copy of this one.
pub fn stale_lock(ctx: &Ctx) -> Result<()> {
    let sandbox = Sandbox::new(ctx)?;
    let manifest = sandbox.path("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::remove_file(&manifest)?;
    fs::write(&manifest, text.replace("\nversion = \"", "\nversion = \"9"))?;
    let root = sandbox.path("");
    let check = check_in(&root, Path::new(NO_MEMORY), None);
    one_message(&run(&check)?, &["cannot update the lock file", "cargo update --workspace"])?;
    fs::remove_file(sandbox.path("Cargo.lock"))?;
    one_message(&run(&check)?, &["has no Cargo.lock", "Bring it along"])
}

/// A tree whose version is served and whose headers have another name for a function.
pub fn headers(ctx: &Ctx, tip: &Built) -> Result<()> {
    let renamed = |command: &str| {
        Ok(command.replace(" -D_GNU_SOURCE", " -D_GNU_SOURCE -Daio_notify=aio_tell"))
    };
    let ended = run(&compiled(ctx, tip, renamed)?.command)?;
    ended.must_say(&["made for QEMU 10.0 and 10.2", "take the one"])?;
    let last = ended.text.lines().last().unwrap_or_default();
    let wanted = "qemu-iothread: this QEMU's headers do not declare aio_notify: ";
    ensure!(last.starts_with(wanted), "the last line is {last}");
    Ok(())
}

/// libclang without the headers of its own, and no compiler that would tell where they are.
pub fn half_libclang(ctx: &Ctx, tip: &Built) -> Result<()> {
    let build = compiled(ctx, tip, |command| Ok(command.to_string()))?;
    let half = build.command.env("BINDGEN_EXTRA_CLANG_ARGS", "-nobuiltininc");
    let ended = run(&half.env("CLANG_PATH", "/bin/false"))?;
    ended.must_say(&["libclang is here without its own headers", "libclang-dev"])
}

/// Rust without the formatter, a package of its own in distributions.
pub fn no_rustfmt(ctx: &Ctx, tip: &Built) -> Result<()> {
    let build = compiled(ctx, tip, |command| Ok(command.to_string()))?;
    run(&build.command.env("RUSTFMT", "/bin/false"))?.must_exit(0)
}

/// QEMU's build quotes what a shell would take for more than letters.
pub fn odd_path(ctx: &Ctx, tip: &Built) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("jürgen's [q~1]").tempdir()?;
    let odd = dir.path().join("qemu");
    symlink(&tip.source, &odd)?;
    let (plain, odd) = (tip.source.display().to_string(), odd.display().to_string());
    let moved = |command: &str| {
        let words = shlex::split(command).context("a command that no shell understands")?;
        let words: Vec<_> = words.iter().map(|word| word.replace(&plain, &odd)).collect();
        Ok(shlex::try_join(words.iter().map(String::as_str))?)
    };
    run(&compiled(ctx, tip, moved)?.command)?.must_exit(0)
}

/// What makes the object as for a QEMU whose `blockdev.c` is compiled by another command.
struct Compiled {
    command: Expression,
    _build: TempDir,
}

fn compiled(
    ctx: &Ctx,
    tip: &Built,
    change: impl FnOnce(&str) -> Result<String>,
) -> Result<Compiled> {
    let build = tempfile::Builder::new().prefix("build-").tempdir_in(&tip.source)?;
    for entry in fs::read_dir(&tip.build)?.flatten() {
        symlink(entry.path(), build.path().join(entry.file_name()))?;
    }
    let commands = build.path().join("compile_commands.json");
    let mut entries: Vec<Value> = serde_json::from_reader(File::open(&commands)?)?;
    entries.retain(|entry| entry["file"] == "../blockdev.c");
    let entry = entries.first_mut().context("QEMU does not compile blockdev.c")?;
    entry["command"] = change(entry["command"].as_str().unwrap_or_default())?.into();
    fs::remove_file(&commands)?;
    fs::write(&commands, serde_json::to_string(&entries)?)?;
    let recipe = Recipe::of(&tip.build)?.below(&ctx.target.join("badinput"))?;
    let recipe = recipe.with("--qemu-build", build.path())?;
    Ok(Compiled { command: recipe.command()?.dir(&tip.build), _build: build })
}

pub fn no_cargo(ctx: &Ctx, tip: &Built) -> Result<()> {
    let path = env::var("PATH").unwrap_or_default();
    let without: Vec<_> =
        path.split(':').filter(|dir| !Path::new(dir).join("cargo").exists()).collect();
    // Without the directory that Debian's cargo shares with the compiler, nothing would configure.
    let ended = if succeeds(&cmd!("cc", "--version").env("PATH", without.join(":"))) {
        small(ctx, tip, |configure| configure.env("PATH", without.join(":")).env_remove("CARGO"))?
    } else {
        small(ctx, tip, |configure| configure.env("CARGO", "/nowhere/cargo"))?
    };
    ended.must_say(&["cargo was not found", "Install Rust"])
}

/// Neither what is not there, nor what is empty, nor what leads nowhere is the crate.
pub fn no_crate(ctx: &Ctx, tip: &Built) -> Result<()> {
    let _lock = lock::acquire(ctx, &tip.source.with_extension("lock"))?;
    let link = tip.source.join("subprojects/qemu-iothread");
    let points_to = fs::read_link(&link).context("the crate is not linked into the tree")?;
    fs::remove_file(&link)?;
    let absent = small(ctx, tip, |configure| configure);
    fs::create_dir(&link)?;
    let empty = small(ctx, tip, |configure| configure);
    fs::remove_dir(&link)?;
    symlink("/nowhere", &link)?;
    let dangling = small(ctx, tip, |configure| configure);
    fs::remove_file(&link)?;
    symlink(points_to, &link).context("cannot link the crate again")?;
    for ended in [absent?, empty?, dangling?] {
        ended.must_say(&["subprojects/qemu-iothread has no meson.build"])?;
    }
    Ok(())
}

/// configure in a build directory that is thrown away.
fn small(ctx: &Ctx, tip: &Built, change: impl FnOnce(Expression) -> Expression) -> Result<Ended> {
    let build = tempfile::Builder::new().prefix("build-").tempdir_in(&tip.source)?;
    let python = format!("--python={}", setup::host(ctx)?.python.display());
    let words = ["../configure", &python].into_iter().chain(SMALL.iter().copied());
    run(&change(cmd("sh", words)).dir(build.path()))
}

/// It fails, says this, and shows no traceback.
fn one_message(ended: &Ended, phrases: &[&str]) -> Result<()> {
    ended.must_say(phrases)?;
    ensure!(!ended.text.contains("Traceback"), "a traceback is no message:\n{}", ended.text);
    ensure!(ended.text.lines().count() <= 2, "more than one message:\n{}", ended.text);
    Ok(())
}
