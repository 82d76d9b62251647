// SPDX-License-Identifier: GPL-2.0-or-later
//! The one grammar of the command line: parser, help and typed arguments.

use std::env;
use std::fmt::Display;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::build::Flavor;
use crate::test::Part;
use crate::version::{Point, Tree};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    about = "Builds, tests, measures and shows QEMU on the Rust IOThread",
    long_about = "Builds, tests, measures and shows QEMU on the Rust IOThread.\n\n\
        Every verb begins by making ready what it needs (packages, tools, QEMU's source, \
        the patched tree, a build) and re-uses all that an earlier run left behind.",
    after_help = "Exit codes: 0 all well, 1 a check or a step failed, 2 wrong usage, 130 interrupted.\n\
        What is built lies under target/, downloads and the compiler cache under \
        $XDG_CACHE_HOME/qemu-iothread (or ~/.cache/qemu-iothread); both can be deleted, but for \
        commits in a work tree below target/ that `patches refresh` has not exported.\n\n\
        Examples:\n  \
        cargo xtask demo                  a Linux guest on Rust IOThreads, from nothing\n  \
        cargo xtask test --quick          what to run before a commit\n  \
        cargo xtask setup --no-install    what is missing on this machine"
)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,

    /// Never install a package: end with the names of those that are missing
    #[arg(long, global = true)]
    pub no_install: bool,

    /// QEMU to work on: a version (10.2 or 10.0) or a source tree of your own
    #[arg(long, global = true, value_name = "10.2|10.0|DIR", default_value = "10.2")]
    pub qemu: Tree,
}

#[derive(Subcommand)]
pub enum Verb {
    Demo(Demo),
    Test(Test),
    Build(Build),
    Bisect(Bisect),
    Bench(Bench),
    Dual(Dual),
    Patches(Patches),
    Setup(Setup),
}

impl Cli {
    /// What the user is told who has interrupted it.
    pub fn again(&self) -> &'static str {
        match &self.verb {
            Verb::Test(test) if test.full && !test.resume => {
                "run it again with --resume to go on from here"
            }
            Verb::Test(test) if !test.full => {
                "run the same command again: it builds nothing twice, but tests all anew"
            }
            _ => "run the same command again to go on from here",
        }
    }
}

/// Boot a Linux guest that does checked I/O through Rust IOThreads
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask demo                the whole series on QEMU 10.2\n  \
    cargo xtask demo --at base      the same guest on QEMU's own C")]
pub struct Demo {
    /// Point of the series whose QEMU runs the guest
    #[arg(long, value_name = "base|tip|N", default_value = "tip")]
    pub at: Point,
}

/// Run everything that must pass
#[derive(Args)]
#[command(
    after_help = "The last line of stdout is `N passed, N failed, N skipped`, unless it was interrupted; \
    each skip is named with its reason above it.\n\nExamples:\n  \
    cargo xtask test --quick\n  cargo xtask test\n  cargo xtask test --flavor lto\n  \
    cargo xtask test --full --resume    after a --full run that was interrupted"
)]
pub struct Test {
    /// What one runs before a commit: under 5 minutes once built
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,

    /// Adds the long suites, also at each commit; each commit and the comparison with plain C for
    /// the other QEMU; each commit's tests without the commit; sanitizers, hazards and other build
    /// flavours; QEMU's documentation; a planted defect. Takes hours
    #[arg(long)]
    pub full: bool,

    /// Take over what passed in an earlier --full run of the same content (all committed files but
    /// Markdown) with the same QEMU, compilers and machine, and run the rest. Each part, each
    /// commit of the series and each flavour that wholly passed counts; what failed is run again,
    /// and so is what cargo checks
    #[arg(long, requires = "full", conflicts_with = "quick")]
    pub resume: bool,

    /// One part only
    #[arg(long, value_enum)]
    pub only: Option<Part>,

    /// One of the other ways to build only, with what each commit is tested with
    #[arg(long, value_enum, conflicts_with_all = ["quick", "full", "only"])]
    pub flavor: Option<Flavor>,

    /// Begin no further commit of the series after so many minutes; some left out is a failure.
    /// --full has all the time it needs
    #[arg(long, value_name = "MINUTES", default_value_t = 80, conflicts_with_all = ["full", "quick", "flavor"])]
    pub within: u32,
}

/// Build QEMU at a point of the series; the last line of stdout is the build directory
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask build                       patched QEMU 10.2\n  \
    cargo xtask build --at base             the same QEMU with its own C iothread.c\n  \
    cargo xtask build --at 3 --qemu 10.0    the first three patches on QEMU 10.0\n  \
    cargo xtask build --qemu ~/src/qemu     the series on a tree of yours (copied, never changed)\n  \
    $(cargo xtask build | tail -1)/qemu-system-x86_64 -object iothread,help")]
pub struct Build {
    /// Point of the series: base (plain C), tip, or the number of patches applied
    #[arg(long, value_name = "base|tip|N", default_value = "tip")]
    pub at: Point,

    /// How to configure and compile
    #[arg(long, value_enum, default_value_t = Flavor::Default)]
    pub flavor: Flavor,
}

/// Build and test each commit of the series, or find the commit that breaks CMD
#[derive(Args)]
#[command(
    after_help = "CMD runs in the worktree after each build: exit 0 is good, 125 cannot tell, \
    other codes are bad, as for git bisect run.\n\nExamples:\n  \
    cargo xtask bisect                    a table of every commit\n  \
    cargo xtask bisect --from 3 --to 5    three commits only\n  \
    cargo xtask bisect -- grep -q iothread_get_aio_context include/system/iothread.h"
)]
pub struct Bisect {
    /// First commit to look at (1 is the first patch)
    #[arg(long, value_name = "N", value_parser = counting_number)]
    pub from: Option<usize>,

    /// Last commit to look at (the tip unless told)
    #[arg(long, value_name = "M", value_parser = counting_number)]
    pub to: Option<usize>,

    /// Run the whole suites at each commit, not what takes a minute
    #[arg(long, conflicts_with = "command")]
    pub whole: bool,

    /// Put each commit's tests on the commit before, where one of them has to fail
    #[arg(long, conflicts_with_all = ["whole", "command"])]
    pub tests_alone: bool,

    /// Find the first commit at which this command fails
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Measure Rust against plain C, side by side in one run
#[derive(Args)]
#[command(
    after_help = "Names are nbd, lifecycle, wakeup, holders, query, text and build-time. The result \
    lies under target/bench/ as JSON and SVG. Instructions are counted by valgrind and mean \
    something on a busy machine too; what is timed is marked noisy there, as is what misses its \
    goal by so little that more rounds might meet it. Any other goal that is missed is a failure.\n\nExamples:\n  \
    cargo xtask bench            everything\n  \
    cargo xtask bench text       bytes of machine code, C and Rust"
)]
pub struct Bench {
    /// One bench only (all unless told)
    pub name: Option<String>,

    /// Compare two build directories as they stand, plain C first
    #[arg(long, num_args = 2, value_names = ["C", "SERIES"])]
    pub builds: Option<Vec<PathBuf>>,
}

/// Run the same suites and conversations on plain C and on Rust and compare
#[derive(Args)]
#[command(after_help = "Suites are unit, qtests and iotests, conversations system, devices, \
    storage-daemon, commandline and hazards. Records of what was said lie under target/dual/.\n\nExamples:\n  \
    cargo xtask dual --suite system     one conversation: seconds\n  \
    cargo xtask dual --at 3             everything, at the third patch")]
pub struct Dual {
    /// Compare plain C with this point of the series
    #[arg(long, value_name = "tip|N", default_value = "tip")]
    pub at: Point,

    /// Only this suite (all unless told)
    #[arg(long)]
    pub suite: Option<String>,

    /// Without leaving out or shortening the longest tests
    #[arg(long)]
    pub full: bool,

    /// Compare two build directories as they stand, plain C first; builds nothing
    #[arg(long, num_args = 2, value_names = ["C", "SERIES"], conflicts_with = "at")]
    pub builds: Option<Vec<PathBuf>>,
}

/// Check the patch series, or rewrite it from the work tree
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask patches check                     before they are sent\n  \
    cargo xtask patches check --qemu ~/src/qemu   do they fit a tree of yours?\n  \
    cargo xtask patches refresh                   what was rebased below target/ becomes patches/")]
pub struct Patches {
    #[command(subcommand)]
    pub action: PatchesAction,
}

#[derive(Subcommand)]
pub enum PatchesAction {
    /// checkpatch, `git am` on each supported version and on a tree of yours, header drift
    Check,
    /// Print the header, or what it must be in a commit that has FILE in its place
    Header {
        /// A header that declares the functions that the commit has
        #[arg(long, value_name = "FILE")]
        like: Option<PathBuf>,
    },
    /// Rewrite patches/ and the header from the branch in the tip's worktree
    Refresh {
        /// The work tree beside base to take the commits from
        #[arg(long, default_value = "tip")]
        branch: String,
    },
}

/// Make the machine ready: host packages, pinned tools, QEMU's source
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask setup                 for both versions of QEMU; every other verb gets what it needs\n  \
    cargo xtask setup --no-install    says what is missing")]
pub struct Setup {}

/// Ends with the exit code for wrong usage, for what the grammar alone cannot know.
pub fn wrong_usage(why: impl Display) -> ! {
    let mut cli = Cli::command();
    cli.build();
    let verb = env::args().find_map(|word| cli.find_subcommand(word).cloned());
    verb.unwrap_or(cli).error(ErrorKind::ValueValidation, why).exit()
}

fn counting_number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected 1, 2, 3 ...".into())
}
