// SPDX-License-Identifier: GPL-2.0-or-later
//! The ways to configure QEMU, as a table.

use clap::ValueEnum;

/// How QEMU is configured and compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavor {
    /// gcc, QEMU's own defaults
    Default,
    /// clang and lld
    Clang,
    /// --enable-debug
    Debug,
    /// --enable-lto
    Lto,
    /// --enable-modules
    Modules,
    /// AddressSanitizer and UndefinedBehaviorSanitizer
    Asan,
    /// the options of Debian's own package
    Debian,
}

/// Programs that contain the library.
pub const PROGRAMS: &[&str] =
    &["qemu-system-x86_64", "storage-daemon/qemu-storage-daemon", "qemu-nbd"];

impl Flavor {
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
    }

    pub fn dir_name(self) -> String {
        format!("build{}", self.suffix())
    }

    /// Nothing for the default, `-name` for the others.
    pub fn suffix(self) -> String {
        if self == Flavor::Default { String::new() } else { format!("-{}", self.name()) }
    }

    /// What configure is told beyond what every build is told.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Flavor::Default => &["--cc=ccache gcc"],
            Flavor::Clang => &[
                "--cc=ccache clang",
                "--cxx=ccache clang++",
                "--host-cc=ccache clang",
                "--extra-ldflags=-fuse-ld=lld",
            ],
            Flavor::Debug => &["--cc=ccache gcc", "--enable-debug"],
            Flavor::Lto => &["--cc=ccache gcc", "--enable-lto"],
            Flavor::Modules => &["--cc=ccache gcc", "--enable-modules"],
            Flavor::Asan => &["--cc=ccache gcc", "--enable-asan", "--enable-ubsan"],
            Flavor::Debian => &["--cc=ccache gcc"],
        }
    }

    /// What ninja makes: everything, or as much as the quick tests need where compiling is slow.
    pub fn targets(self) -> &'static [&'static str] {
        &[]
    }
}
