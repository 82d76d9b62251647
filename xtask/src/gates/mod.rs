// SPDX-License-Identifier: GPL-2.0-or-later
//! What must hold of any build at or after the commit that links the library.

mod nm;
mod object;
mod programs;
mod rebuild;
mod reproducible;

use std::path::{Path, PathBuf};

use anyhow::Result;
use duct::cmd;

use crate::build::Built;
use crate::cmd::read;
use crate::ctx::Ctx;
use crate::report::Report;

/// The one object that cargo makes, relative to the build directory.
const OBJECT: &str = "subprojects/qemu-iothread/qemu_iothread.o";

/// The description of our class: the glue refers to it, so it is wherever the library is.
const OURS: &str = "qemu_iothread_type_info";

/// Looks at what is built; takes seconds.
pub fn quick(ctx: &Ctx, built: &Built, report: &mut Report) {
    let build = &built.build;
    report.pass("gate: exports equal exports.txt", || object::exports(&ctx.root, build));
    report.pass("gate: nothing undefined but QEMU, glib, libc", || object::undefined(build));
    report.pass("gate: no panic, alloc or std symbol", || object::runtime(build));
    report.pass("gate: the programs contain ours and no C iothread.c", || programs::ours(build));
    report.pass("gate: fma and sqrt are libm's", || programs::libm(build));
    report.pass("gate: ninja -t missingdeps is clean", || missing_deps(build));
    report.pass("gate: a no-op rebuild does nothing", || rebuild::nothing(ctx, build));
}

/// Changes files and builds again; the work tree is as before afterwards.
pub fn slow(ctx: &Ctx, built: &Built, report: &mut Report) {
    report
        .pass("gate: a touched Rust file rebuilds the library only", || rebuild::rust(ctx, built));
    report.pass("gate: a touched QEMU header rebuilds its users and the library", || {
        rebuild::header(ctx, built)
    });
    report.pass("gate: a changed QAPI schema rebuilds the library in one go", || {
        rebuild::schema(ctx, built)
    });
    report.pass("gate: two clean builds give the same object", || {
        reproducible::object(ctx, &built.build)
    });
}

fn missing_deps(build: &Path) -> Result<()> {
    let text = read(&cmd!("ninja", "-t", "missingdeps").dir(build))?;
    if !text.contains("No missing dependencies on generated files found.") {
        anyhow::bail!("{text}");
    }
    Ok(())
}

/// The programs that the library is linked into.
fn programs(build: &Path) -> Vec<PathBuf> {
    crate::build::flavor::PROGRAMS.iter().map(|name| build.join(name)).collect()
}
