// SPDX-License-Identifier: GPL-2.0-or-later
//! The machine that the guest runs on, and how QEMU is told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::accel::Accel;
use super::initramfs;
use super::kernel::Kernel;

/// Everything but kernel, disks and accelerator; two CPUs, so that a disk has two virtqueues.
const BARE: &str = "-nodefaults -M pc -cpu max -smp 2 -m 256M -nic none -vga none \
    -display none -no-reboot \
    -chardev file,id=console,path=console -serial chardev:console \
    -chardev socket,id=control,path=control,server=on,wait=off -serial chardev:control \
    -qmp unix:qmp,server=on,wait=off";
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1";
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// What a guest leaves while it runs: images, sockets, logs.
pub fn dir() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("iothread-demo-")
        .tempdir()
        .context("cannot create a temporary folder")
}

pub struct Machine {
    pub program: PathBuf,
    pub accel: Accel,
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// Sockets and logs go here.
    pub dir: PathBuf,
    pub boot_limit: Duration,
    /// Objects and devices beyond the bare machine.
    pub extra: Vec<String>,
}

impl Machine {
    /// No IOThread and no disk; the initramfs is built in `dir`.
    pub fn bare(program: &Path, kernel: &Kernel, dir: &Path) -> Result<Machine> {
        Ok(Machine {
            program: program.to_path_buf(),
            accel: Accel::Tcg,
            kernel: kernel.image.clone(),
            initramfs: initramfs::build(dir, kernel)?,
            dir: dir.to_path_buf(),
            boot_limit: BOOT_LIMIT,
            extra: Vec::new(),
        })
    }

    /// QEMU and what it is started with.
    pub fn command(&self) -> Vec<OsString> {
        let mut all = vec![self.program.clone().into()];
        all.extend(["-accel", self.accel.name()].map(Into::into));
        all.extend(BARE.split_whitespace().map(Into::into));
        all.extend(["-append", KERNEL_ARGUMENTS].map(Into::into));
        all.push("-kernel".into());
        all.push(self.kernel.clone().into());
        all.push("-initrd".into());
        all.push(self.initramfs.clone().into());
        all.extend(self.extra.iter().map(Into::into));
        all
    }
}
