// SPDX-License-Identifier: GPL-2.0-or-later
//! QEMU's configure: run once for each build directory, again when its options change.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use duct::cmd;

use super::environment;
use super::flavor::Flavor;
use crate::cmd::{Step, succeeds};
use crate::ctx::Ctx;
use crate::setup::Host;

/// Written after configure ended well; holds its options.
const STAMP: &str = "xtask-configured";

/// What every build has: all that can use an IOThread, warnings as errors, no downloads.
const COMMON: &[&str] = &[
    "--target-list=x86_64-softmmu",
    "--disable-docs",
    "--enable-werror",
    "--disable-install-blobs",
    "--enable-tools",
    "--enable-fuse",
    "--enable-linux-aio",
    "--enable-linux-io-uring",
    "--enable-vhost-user-blk-server",
    "--enable-xen",
];

pub fn ensure(
    ctx: &Ctx,
    host: &Host,
    source: &Path,
    build: &Path,
    label: &str,
    flavor: Flavor,
) -> Result<()> {
    let options = options(source, flavor)?;
    let stamp = build.join(STAMP);
    let wanted = options.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) && works(build) {
        return Ok(());
    }
    // A half-made or otherwise configured directory would mix the old with the new.
    if build.exists() {
        fs::remove_dir_all(build).with_context(|| format!("cannot remove {}", build.display()))?;
    }
    fs::create_dir_all(build).with_context(|| format!("cannot create {}", build.display()))?;
    let words = ["../configure".to_string(), format!("--python={}", host.python.display())];
    let configure = cmd("sh", words.iter().chain(&options)).dir(build);
    let log_name = format!("configure-{}{}", label.replace(' ', "-"), flavor.suffix());
    Step::new(
        format!("configure QEMU {label}{}", flavor.suffix()),
        log_name,
        flavor.sanitized(environment(ctx, configure)),
    )
    .run(ctx)?;
    fs::write(&stamp, wanted).context("cannot mark the build as configured")
}

fn options(source: &Path, flavor: Flavor) -> Result<Vec<String>> {
    let mut options: Vec<String> =
        COMMON.iter().chain(flavor.options()).map(|option| option.to_string()).collect();
    let meson_options = fs::read_to_string(source.join("meson_options.txt"))
        .with_context(|| format!("{} has no meson_options.txt", source.display()))?;
    if meson_options.contains("'vfio_user_server'") {
        options.push("--enable-vfio-user-server".into());
    }
    // A git checkout of QEMU's may still have to fetch its subprojects; unpacked source has them.
    if source.join("subprojects/keycodemapdb").is_dir() {
        options.push("--disable-download".into());
    }
    Ok(options)
}

/// The build's own Python links to the pinned one, which may have been swept from the cache.
fn works(build: &Path) -> bool {
    build.join("build.ninja").exists()
        && succeeds(&cmd!(build.join("pyvenv/bin/python3"), "-c", "import mesonbuild"))
}
