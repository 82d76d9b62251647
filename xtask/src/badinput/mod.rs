// SPDX-License-Identifier: GPL-2.0-or-later
//! What goes wrong on other people's machines, provoked: each ends with one message that says what
//! is wrong and what to do, and a second run finds nothing half-made.

mod configure;
mod interrupt;
mod machine;
mod sandbox;
mod tree;

use crate::build::Built;
use crate::ctx::Ctx;
use crate::report::Report;

pub fn checks(ctx: &Ctx, tip: &Built, report: &mut Report) {
    report.pass("bad input: a point that the series lacks", || tree::no_such_point(ctx));
    report.pass("bad input: a QEMU that is not served", || tree::not_served(ctx));
    report.pass("bad input: a tree that the patches do not fit", || tree::does_not_fit(ctx));
    report.pass("bad input: no network", || machine::no_network(ctx));
    report.check("bad input: not root", || machine::not_root(ctx));
    report.check("bad input: disk full", || machine::disk_full(ctx));
    report.pass("bad input: results that cannot be written", || machine::stdout_full(ctx));
    report.check("bad input: disk full, then Ctrl-C, while QEMU's source is unpacked", || {
        machine::half_unpacked(ctx)
    });
    report.pass("bad input: a host that is not served", || configure::host(ctx));
    report.pass("bad input: rustc or cargo too old, no libclang", || configure::tools(ctx));
    report.pass("bad input: configured again without what was told", || configure::told_once(ctx));
    report.pass("bad input: a sanitizer that rustc does not take", || configure::sanitizers(ctx));
    report.pass("bad input: no crates and no network", || configure::no_crates(ctx));
    report.pass("bad input: a lock file that does not fit", || configure::stale_lock(ctx));
    report.pass("bad input: libclang without its headers", || configure::half_libclang(ctx, tip));
    report.pass("bad input: no rustfmt", || configure::no_rustfmt(ctx, tip));
    report.pass("bad input: a path that has to be quoted", || configure::odd_path(ctx, tip));
    report.pass("bad input: headers that lack what is called", || configure::headers(ctx, tip));
    report.pass("bad input: no cargo", || configure::no_cargo(ctx, tip));
    report.pass("bad input: the crate is not in subprojects", || configure::no_crate(ctx, tip));
    report.pass("bad input: Ctrl-C while tools are installed", || interrupt::installing(ctx));
    report.pass("bad input: Ctrl-C while QEMU is built", || interrupt::building(ctx, tip));
    report
        .pass("bad input: Ctrl-C while another run has the tree", || interrupt::waiting(ctx, tip));
}
