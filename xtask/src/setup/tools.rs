// SPDX-License-Identifier: GPL-2.0-or-later
//! The pinned Python tools of QEMU's configure, in a venv of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use duct::cmd;
use sha2::{Digest, Sha256};

use crate::cmd::{Step, read, succeeds};
use crate::ctx::Ctx;
use crate::lock;

/// Debian's own interpreter: the one that the package python3-venv serves.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// True if the venv is yet to be made.
pub fn missing(ctx: &Ctx) -> Result<bool> {
    Ok(!is_usable(&venv(ctx)?))
}

/// Makes the venv if it is not there; gives its interpreter.
pub fn ensure(ctx: &Ctx) -> Result<PathBuf> {
    let venv = venv(ctx)?;
    if is_usable(&venv) {
        return Ok(interpreter(&venv));
    }
    if !ctx.may_install {
        bail!(
            "the pinned Python tools are missing and --no-install was given; run cargo xtask setup"
        );
    }
    let _lock = lock::acquire(ctx, &ctx.cache.join("venv.lock"))?;
    if is_usable(&venv) {
        return Ok(interpreter(&venv));
    }
    let make = cmd!(SYSTEM_PYTHON, "-m", "venv", "--clear", &venv);
    Step::new("Python venv for QEMU's configure", "venv", make).run(ctx)?;
    let install = cmd!(
        interpreter(&venv),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "-r",
        requirements(ctx)
    );
    Step::new("pinned Python tools", "pip", install)
        .run(ctx)
        .context("cannot install meson and its like by pip (is the network reachable?)")?;
    fs::write(ready(&venv), "").context("cannot mark the venv as complete")?;
    Ok(interpreter(&venv))
}

fn requirements(ctx: &Ctx) -> PathBuf {
    ctx.root.join("xtask/requirements.txt")
}

/// Another pin or another Python is another venv.
fn venv(ctx: &Ctx) -> Result<PathBuf> {
    let path = requirements(ctx);
    let pins = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let python = read(&cmd!(SYSTEM_PYTHON, "--version")).unwrap_or_default();
    let digest = Sha256::new().chain_update(pins).chain_update(python).finalize();
    Ok(ctx.cache.join(format!("venv-{}", &format!("{digest:x}")[..12])))
}

fn interpreter(venv: &Path) -> PathBuf {
    venv.join("bin/python3")
}

/// Written last: a venv without it was interrupted.
fn ready(venv: &Path) -> PathBuf {
    venv.join("ready")
}

fn is_usable(venv: &Path) -> bool {
    ready(venv).exists() && succeeds(&cmd!(interpreter(venv), "-c", "import mesonbuild"))
}
