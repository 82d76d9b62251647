// SPDX-License-Identifier: GPL-2.0-or-later
//! The ways to configure QEMU, as a table.

use clap::ValueEnum;
use duct::Expression;

/// How QEMU is configured and compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavor {
    /// gcc, without debug information, which takes time and place
    Default,
    /// the same linked by lld, which takes a fraction of the time
    Lld,
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
    /// ThreadSanitizer
    Tsan,
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
            Flavor::Default => &["--cc=ccache gcc", "--disable-debug-info"],
            Flavor::Lld => {
                &["--cc=ccache gcc", "--disable-debug-info", "--extra-ldflags=-fuse-ld=lld"]
            }
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
            Flavor::Tsan => &["--cc=ccache gcc", "--enable-tsan"],
            // What debian/rules passes, less what needs libraries that setup does not install.
            Flavor::Debian => &[
                "--cc=ccache gcc",
                "--prefix=/usr",
                "--sysconfdir=/etc",
                "--localstatedir=/var",
                "--firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu",
                "--with-pkgversion=Debian",
                "--disable-strip",
                "--disable-relocatable",
                "--disable-xen",
                "--enable-modules",
                "--enable-module-upgrades",
                "--enable-attr",
                "--enable-cap-ng",
                "--enable-gnutls",
                "--enable-kvm",
                "--enable-numa",
                "--enable-pixman",
                "--enable-seccomp",
                "--enable-slirp",
                "--enable-vhost-net",
                "--enable-virtfs",
                "--enable-vnc",
                "--enable-zstd",
                "--extra-cflags=-fstack-protector-strong -Wformat -Werror=format-security",
                "--extra-ldflags=-Wl,-z,relro -Wl,--as-needed",
            ],
        }
    }

    /// What the library's object asks for when the sanitizer watches it, too.
    pub fn sanitizer(self) -> Option<&'static str> {
        match self {
            Flavor::Asan => Some("__asan_init"),
            Flavor::Tsan => Some("__tsan_init"),
            _ => None,
        }
    }

    /// Lets the one stable rustc that is there take the sanitizers' flags for the library, and for
    /// it only.
    pub fn sanitized(self, expression: Expression) -> Expression {
        match self.sanitizer() {
            Some(_) => expression.env("RUSTC_BOOTSTRAP", "qemu_iothread"),
            None => expression,
        }
    }

    /// Whether a build is made only for the programs and what each commit is tested with.
    pub fn builds_only_what_is_tested(self) -> bool {
        self.sanitizer().is_some()
    }

    /// Whole programs race in QEMU's C. What the library shares between threads is shared in its
    /// unit tests, too.
    pub fn is_for_unit_tests(self) -> bool {
        self == Flavor::Tsan
    }
}
