// SPDX-License-Identifier: GPL-2.0-or-later
//! The programs of `benches/`: compiled with a build's own flags and linked like the unit test of
//! IOThreads, with the build's real object.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::cmd;

use super::lab::Lab;
use crate::build::compilations;
use crate::cmd::read;

const UNIT_TEST: &str = "tests/unit/test-iothread";
/// A C file whose flags are those of the library's neighbours.
const NEIGHBOUR: &str = "event-loop-base.c";
const CRATE_OBJECTS: &str = "subprojects/qemu-iothread/";
const C_OBJECT: &str = "libblockdev.a.p/iothread.c.o";

/// Which IOThread a program contains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    PlainC,
    Rust,
}

/// Makes the program `sources[0]`; under valgrind it has to do without io_uring.
pub fn link(lab: &Lab, side: Side, sources: &[&str], for_valgrind: bool) -> Result<PathBuf> {
    let build = match side {
        Side::PlainC => &lab.base,
        Side::Rust => &lab.tip,
    };
    let name = sources.first().context("a program without a source")?;
    let tag = match (side, for_valgrind) {
        (Side::PlainC, false) => "c",
        (Side::PlainC, true) => "c-counted",
        (Side::Rust, false) => "rust",
        (Side::Rust, true) => "rust-counted",
    };
    let program = lab.scratch().join(format!("{name}-{tag}"));
    let mut objects = Vec::new();
    let extra = for_valgrind.then_some("without_io_uring");
    for source in sources.iter().copied().chain(extra) {
        let object = lab.scratch().join(format!("{source}-{tag}.o"));
        compile(lab, side, build, source, &object)?;
        objects.push(object.display().to_string());
    }
    // The line comes from the series' build; plain C has all of its objects but ours.
    let listed = read(&cmd!("ninja", "-t", "commands", UNIT_TEST).dir(&lab.tip))?;
    let words = link_line(&listed, side, &program.display().to_string(), &objects)?;
    run(words, build).with_context(|| format!("cannot link {name}"))?;
    Ok(program)
}

fn compile(lab: &Lab, side: Side, build: &Path, source: &str, object: &Path) -> Result<()> {
    let commands = compilations(build)?;
    let neighbour = commands.iter().find(|entry| entry.file.ends_with(NEIGHBOUR));
    let neighbour = neighbour.with_context(|| format!("{NEIGHBOUR} is not compiled"))?;
    let mut words = compiler_and_flags(&neighbour.command)?;
    // Ours first: the tree's header may not have the holder API yet.
    if side == Side::Rust {
        let include = lab.ctx.root.join("include").display().to_string();
        words.splice(1..1, ["-iquote".into(), include]);
    }
    let file = lab.sources().join(format!("{source}.c"));
    words.extend(["-c".into(), file.display().to_string()]);
    words.extend(["-o".into(), object.display().to_string()]);
    run(words, build).with_context(|| format!("cannot compile {source}.c"))
}

fn run(words: Vec<String>, build: &Path) -> Result<()> {
    let (program, args) = words.split_first().context("an empty command")?;
    read(&cmd(program, args).dir(build)).map(drop)
}

/// A compilation without what it reads and writes, and without a compiler cache.
fn compiler_and_flags(command: &str) -> Result<Vec<String>> {
    let words = shlex::split(command).context("a compilation that no shell understands")?;
    let mut kept = Vec::new();
    let mut words = words.into_iter().skip_while(|word| word.ends_with("ccache"));
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "-c" | "-MQ" | "-MF" => drop(words.next()),
            "-MD" => (),
            _ => kept.push(word),
        }
    }
    Ok(kept)
}

/// The unit test's link line with our objects in place of the test's, and for plain C with QEMU's
/// `iothread.c` in place of the library.
fn link_line(listed: &str, side: Side, program: &str, objects: &[String]) -> Result<Vec<String>> {
    let output = format!("-o {UNIT_TEST} ");
    let line = listed.lines().find(|line| line.contains(&output));
    let line = line.with_context(|| format!("{UNIT_TEST} is not linked"))?;
    let words = shlex::split(line).context("a link line that no shell understands")?;
    let mut kept = Vec::new();
    for word in words {
        if word == UNIT_TEST {
            kept.push(program.to_string());
        } else if word.starts_with(UNIT_TEST) {
            kept.extend_from_slice(objects);
        } else if word.starts_with(CRATE_OBJECTS) && side == Side::PlainC {
            if !kept.iter().any(|word| word == C_OBJECT) {
                kept.push(C_OBJECT.into());
            }
        } else {
            kept.push(word);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "gcc -c x.c
gcc -m64 -o tests/unit/test-iothread libqom.a.p/o.o subprojects/qemu-iothread/a.o \
        subprojects/qemu-iothread/b.o tests/unit/test-iothread.p/test-iothread.c.o -lm";

    #[test]
    fn the_test_gives_way_to_the_program() {
        let words = link_line(LISTED, Side::Rust, "/p", &["x.o".into()]).unwrap().join(" ");
        assert_eq!(
            words,
            "gcc -m64 -o /p libqom.a.p/o.o subprojects/qemu-iothread/a.o \
             subprojects/qemu-iothread/b.o x.o -lm"
        );
    }

    #[test]
    fn plain_c_has_its_own_object_once() {
        let words = link_line(LISTED, Side::PlainC, "/p", &[]).unwrap().join(" ");
        assert_eq!(words, "gcc -m64 -o /p libqom.a.p/o.o libblockdev.a.p/iothread.c.o -lm");
    }

    #[test]
    fn flags_lose_their_files_and_the_cache() {
        let command = "/usr/bin/ccache gcc -O2 -MD -MQ a.o -MF a.d -o a.o -c ../a.c";
        assert_eq!(compiler_and_flags(command).unwrap(), ["gcc", "-O2"]);
    }
}
