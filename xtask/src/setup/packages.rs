// SPDX-License-Identifier: GPL-2.0-or-later
//! The Debian packages that building, testing and the demo need.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use duct::{Expression, cmd};
use nix::unistd::Uid;

use crate::cmd::{Step, read, succeeds};
use crate::ctx::Ctx;

/// For every verb.
pub const HOST: &[&str] = &[
    // fetching and building
    "build-essential",
    "ca-certificates",
    "ccache",
    "debian-archive-keyring",
    "dpkg-dev",
    "git",
    "ninja-build",
    "pkg-config",
    "python3-venv",
    "xz-utils",
    // bindings, and the build flavours that are not gcc's
    "clang",
    "libclang-dev",
    "lld",
    // QEMU's libraries: every part of it that can use an IOThread is built
    "libaio-dev",
    "libattr1-dev",
    "libcap-ng-dev",
    "libcmocka-dev",
    "libfdt-dev",
    "libfuse3-dev",
    "libglib2.0-dev",
    "libgnutls28-dev",
    "libjson-c-dev",
    "libnuma-dev",
    "libpixman-1-dev",
    "libseccomp-dev",
    "libslirp-dev",
    "liburing-dev",
    "libxen-dev",
    "libzstd-dev",
    "zlib1g-dev",
    // what the programs under test load or call
    "genisoimage",
    "gnutls-bin",
    "iproute2",
    "ipxe-qemu",
    "qemu-system-data",
    "seabios",
    "socat",
    // the demo's guest
    "busybox-static",
    "cpio",
    "kmod",
    "zstd",
];

/// Those of `wanted` that are not installed; `None` if all are.
pub fn missing(wanted: &[&'static str]) -> Result<Option<Vec<&'static str>>> {
    let list = cmd("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n"]);
    let text = read(&list).context(
        "cannot ask dpkg what is installed: this command knows Debian (12 or newer) only",
    )?;
    let installed: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    let missing: Vec<_> = wanted.iter().copied().filter(|name| !installed.contains(name)).collect();
    Ok((!missing.is_empty()).then_some(missing))
}

/// Installs what is missing, as root or through a sudo that asks nothing.
pub fn ensure(ctx: &Ctx, wanted: &[&'static str]) -> Result<()> {
    let Some(names) = missing(wanted)? else {
        return Ok(());
    };
    let by_hand = format!("apt-get install --no-install-recommends {}", names.join(" "));
    if !ctx.may_install {
        bail!("packages are missing and --no-install was given; as root: {by_hand}");
    }
    let Some(root) = as_root() else {
        bail!("packages are missing and only root can install them; as root: {by_hand}");
    };
    ctx.ui.say(format!("installing {} packages: {}", names.len(), names.join(" ")));
    install_all(ctx, root, &names).with_context(|| {
        format!("can Debian's mirror be reached? When it can, this does the same: {by_hand}")
    })?;
    match missing(wanted)? {
        None => Ok(()),
        Some(names) => bail!("apt-get ended well, yet these are missing: {}", names.join(" ")),
    }
}

fn install_all(ctx: &Ctx, root: &[&str], names: &[&str]) -> Result<()> {
    if !all_known(names) {
        update(ctx, root)?;
    }
    let Err(first) = install(ctx, root, names) else { return Ok(()) };
    // An installation that was interrupted has to be ended first; and lists that are too old name
    // files that the mirror has dropped.
    finish(ctx, root)?;
    update(ctx, root).map_err(|_| first)?;
    install(ctx, root, names)
}

/// The words that come before a command to run it as root.
fn as_root() -> Option<&'static [&'static str]> {
    if Uid::effective().is_root() {
        Some(&[])
    } else if succeeds(&cmd!("sudo", "-n", "true")) {
        Some(&["sudo", "-n"])
    } else {
        None
    }
}

fn as_root_run(root: &[&str], args: &[&str]) -> Expression {
    let words = [root, &["env", "DEBIAN_FRONTEND=noninteractive"], args].concat();
    cmd(words[0], &words[1..])
}

fn apt(root: &[&str], args: &[&str]) -> Expression {
    // Another one may be at work: a machine that has just started brings itself up to date.
    as_root_run(root, &[&["apt-get", "-y", "-o", "DPkg::Lock::Timeout=600"], args].concat())
}

fn finish(ctx: &Ctx, root: &[&str]) -> Result<()> {
    let configure = as_root_run(root, &["dpkg", "--configure", "-a"]);
    Step::new("dpkg --configure -a", "dpkg-configure", configure).run(ctx)?;
    Ok(())
}

fn all_known(names: &[&str]) -> bool {
    let args = [&["show", "--no-all-versions"], names].concat();
    succeeds(&cmd("apt-cache", args))
}

fn update(ctx: &Ctx, root: &[&str]) -> Result<()> {
    Step::new("apt-get update", "apt-update", apt(root, &["update"])).run(ctx)?;
    Ok(())
}

fn install(ctx: &Ctx, root: &[&str], names: &[&str]) -> Result<()> {
    let args = [&["install", "--no-install-recommends"], names].concat();
    Step::new("apt-get install", "apt-install", apt(root, &args)).run(ctx)?;
    Ok(())
}
