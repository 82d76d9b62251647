// SPDX-License-Identifier: GPL-2.0-or-later
//! The plain static library as `cargo build` leaves it: it defines exactly
//! `exports.txt`, and C code can use it through the header.
//!
//! Exists only with a QEMU build at hand, as the C API itself; `build.rs` warns
//! when there is none.
#![cfg(qemu)]
#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");
/// The build that this crate was compiled for.
const QEMU_BUILD: &str = env!("QEMU_BUILD_DIR");
/// A unit test of QEMU's that links all that the library calls; its C flags and
/// its libraries serve us. In every QEMU, whatever of the series it has.
const MODEL: &str = "tests/unit/test-aio";

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program can be started");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn text_of(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).expect("text")
}

/// What `cargo build` leaves, built now.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
        let (profile, folder) =
            if cfg!(debug_assertions) { ("dev", "debug") } else { ("release", "release") };
        run(Command::new(env!("CARGO"))
            .args(["build", "--locked", "--profile", profile, "--target-dir"])
            .arg(target)
            .current_dir(CRATE)
            .env("QEMU_BUILD_DIR", QEMU_BUILD));
        target.join(folder).join("libqemu_iothread.a")
    })
}

/// The members that are this crate's own: not those of std and other crates.
fn is_own(member: &str) -> bool {
    let glue = ["-glue.o", "-trace.o"];
    member.starts_with("qemu_iothread-") || glue.iter().any(|end| member.ends_with(end))
}

/// What the one half of the library calls in the other.
fn is_between_halves(symbol: &str) -> bool {
    symbol.starts_with("qemu_iothread_trace_")
}

/// Rust's own names, which no C code can meet by chance.
fn is_rusts(symbol: &str) -> bool {
    ["_ZN", "_R", "__rustc_"].iter().any(|head| symbol.starts_with(head))
}

#[test]
fn defines_exactly_what_exports_txt_lists() {
    let nm = text_of(Command::new("nm").args(["-A", "-g", "--defined-only"]).arg(library()));
    // library:member:address type symbol
    let lines: Vec<(&str, &str)> = nm
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(place, symbol)| Some((place.rsplit(':').nth(1)?, symbol)))
        .collect();
    let defined: BTreeSet<_> = lines
        .iter()
        .filter(|(member, symbol)| {
            is_own(member) && !is_rusts(symbol) && !is_between_halves(symbol)
        })
        .map(|(_, symbol)| *symbol)
        .collect();
    let exports = fs::read_to_string(Path::new(CRATE).join("exports.txt")).expect("exports.txt");
    let listed: BTreeSet<_> = exports.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(defined, listed);
}

/// The commands by which QEMU's build compiles and links [`MODEL`].
fn model_commands() -> (Vec<String>, Vec<String>) {
    let all = text_of(Command::new("ninja").args(["-C", QEMU_BUILD, "-t", "commands", MODEL]));
    let words = |line: &str| shlex::split(line).expect("a shell's command");
    let compile = all.lines().find(|line| line.ends_with("test-aio.c")).map(words);
    let link = all.lines().last().map(words);
    (compile.expect("how it is compiled"), link.expect("how it is linked"))
}

/// Compiles `api.c` with QEMU's flags, our headers before QEMU's.
fn compile(command: Vec<String>, object: &Path) {
    let depfile = object.with_extension("d");
    let mut words = command.into_iter().peekable();
    let mut compiler = Command::new(words.next().expect("a compiler"));
    compiler.current_dir(QEMU_BUILD);
    while let Some(word) = words.next_if(|word| !word.starts_with('-')) {
        compiler.arg(word);
    }
    compiler.arg("-iquote").arg(Path::new(CRATE).join("include"));
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "-MQ" | "-MF" | "-o" | "-c") {
            words.next();
        } else {
            compiler.arg(word);
        }
    }
    compiler.arg("-MF").arg(&depfile).arg("-o").arg(object);
    run(compiler.arg("-c").arg(Path::new(CRATE).join("tests/c/api.c")));
    let read = fs::read_to_string(depfile).expect("what the compiler read");
    let headers: Vec<_> =
        read.split_whitespace().filter(|path| path.ends_with("system/iothread.h")).collect();
    assert_eq!(headers, [Path::new(CRATE).join("include/system/iothread.h").display().to_string()]);
}

/// Links `object` with the library and what [`MODEL`] links, but for that test's
/// own objects, of which one is a stand-in for the library.
///
/// The whole library: nothing refers to the glue, whose constructor registers the
/// class.
fn link(command: Vec<String>, object: &Path, program: &Path) {
    let mut words = command.into_iter();
    let mut linker = Command::new(words.next().expect("a linker"));
    linker.current_dir(QEMU_BUILD);
    let mut own = Some([
        object.display().to_string(),
        "-Wl,--whole-archive".to_owned(),
        library().display().to_string(),
        "-Wl,--no-whole-archive".to_owned(),
    ]);
    while let Some(word) = words.next() {
        if word == "-o" {
            words.next();
        } else if word.starts_with(MODEL) {
            linker.args(own.take().into_iter().flatten());
        } else {
            linker.arg(word);
        }
    }
    assert_eq!(own, None, "no object of {MODEL} was replaced");
    run(linker.arg("-o").arg(program));
}

#[test]
fn serves_c_code_through_its_header() {
    let (compile_command, link_command) = model_commands();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api");
    let object = program.with_extension("o");
    compile(compile_command, &object);
    link(link_command, &object, &program);

    let tap = text_of(Command::new(&program).arg("--tap"));
    let tests = include_str!("c/api.c").matches("g_test_add_func(").count();
    let passed = tap.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(tap.contains(&format!("1..{tests}\n")), "{tap}");
    assert_eq!(passed, tests, "{tap}");
    assert!(!tap.contains("not ok"), "{tap}");
    assert!(!tap.to_uppercase().contains("# SKIP"), "{tap}");
}
