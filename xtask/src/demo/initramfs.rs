// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's whole file system: Debian's static busybox, our init and the kernel's modules
//! in a cpio archive.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::cmd;

use super::kernel::Kernel;
use crate::cmd::read;

const INIT: &str = include_str!("guest/init.sh");
const BUSYBOX: &str = "/bin/busybox";

/// Writes the archive into `dir`.
pub fn build(dir: &Path, kernel: &Kernel) -> Result<PathBuf> {
    let stage = tempfile::Builder::new().prefix("initramfs-").tempdir_in(dir)?;
    let root = stage.path();
    let mut names = vec!["bin".to_string(), "bin/busybox".into(), "modules".into()];
    fs::create_dir(root.join("bin"))?;
    fs::create_dir(root.join("modules"))?;
    fs::copy(BUSYBOX, root.join("bin/busybox"))
        .with_context(|| format!("no {BUSYBOX} (package busybox-static)"))?;
    for entry in fs::read_dir(&kernel.modules)? {
        let entry = entry?;
        let name = format!("modules/{}", entry.file_name().to_string_lossy());
        fs::copy(entry.path(), root.join(&name))?;
        names.push(name);
    }
    fs::write(root.join("init"), INIT)?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    names.push("init".into());
    names.sort();

    let archive = dir.join("initramfs.cpio");
    let pack =
        cmd!("cpio", "--create", "--quiet", "--format=newc", "--owner=+0:+0", "--reproducible");
    let pack = pack.dir(root).stdin_bytes(names.join("\n")).stdout_path(&archive);
    read(&pack).context("cannot pack the initramfs")?;
    Ok(archive)
}
