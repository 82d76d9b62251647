// SPDX-License-Identifier: GPL-2.0-or-later
//! The linked programs: the library is in each, the C file in none, libm's functions stay libm's.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::{OURS, nm, programs};

/// Static functions of iothread.c in every release that the series serves: nothing else has them.
const C_ONLY: &[&str] = &["iothread_instance_init", "iothread_register_types", "iothread_stop_bh"];

/// What a Rust archive would take over without a word.
const LIBM: &[&str] = &["fma", "fmaf", "sqrt", "sqrtf"];

/// Links QEMU's objects as the programs do, so that it tests what they run.
const UNIT_TEST: &str = "tests/unit/test-iothread";

pub fn ours(build: &Path) -> Result<()> {
    for program in programs(build).into_iter().chain([build.join(UNIT_TEST)]) {
        let defined = nm::defined(&program)?;
        let left: Vec<_> = C_ONLY.iter().filter(|name| defined.contains(**name)).collect();
        ensure!(defined.contains(OURS), "{} does not contain the library", program.display());
        ensure!(left.is_empty(), "{} contains iothread.c: {left:?}", program.display());
    }
    Ok(())
}

/// What `ours` looks for can be found: plain C has it all, and not the library.
pub fn plain_c(build: &Path) -> Result<()> {
    for program in programs(build) {
        let defined = nm::defined(&program)?;
        let lacks: Vec<_> = C_ONLY.iter().filter(|name| !defined.contains(**name)).collect();
        ensure!(lacks.is_empty(), "{} is plain C without {lacks:?}", program.display());
        ensure!(!defined.contains(OURS), "{} contains the library", program.display());
    }
    Ok(())
}

/// The guest's floating point must not change hands.
pub fn libm(build: &Path) -> Result<()> {
    let system = build.join("qemu-system-x86_64");
    let defined = nm::defined(&system)?;
    let asked = nm::names(&system, &["--dynamic", "--undefined-only"])?;
    for name in LIBM {
        if defined.contains(*name) {
            bail!("{} defines {name}, which is libm's", system.display());
        }
    }
    for name in ["fma", "sqrt"] {
        ensure!(asked.contains(name), "{} does not ask libm for {name}", system.display());
    }
    Ok(())
}
