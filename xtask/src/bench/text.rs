// SPDX-License-Identifier: GPL-2.0-or-later
//! `text`: what the library adds to a program, section by section, as `size` tells it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use duct::cmd;

use super::lab::Lab;
use super::row::{Draft, Goal, Kind, Rival, Row};
use crate::cmd::read;

const C_OBJECT: &str = "libblockdev.a.p/iothread.c.o";
const OUR_OBJECTS: [&str; 3] = [
    "subprojects/qemu-iothread/qemu_iothread.o",
    "subprojects/qemu-iothread/libqemu_iothread.a.p/glue_glue.c.o",
    "subprojects/qemu-iothread/libqemu_iothread.a.p/glue_trace.c.o",
];

/// Bytes by what they are for.
#[derive(Debug, Default, PartialEq)]
struct Sections {
    text: f64,
    constants: f64,
    data: f64,
    unwind: f64,
}

pub fn run(lab: &Lab) -> Result<Vec<Row>> {
    let theirs = sections(&[lab.base.join(C_OBJECT)])?;
    let row = |case: &str, theirs: f64, ours: f64, goal| {
        let draft =
            Draft { bench: "text", case: case.into(), unit: "bytes", kind: Kind::Size, goal };
        draft.against(Rival::PlainC, vec![theirs], vec![ours])
    };
    let mut rows = Vec::new();
    // Where QEMU can do what plain C can; the holder API is there, and nobody calls it yet.
    if let Some(switch) = lab.switch()? {
        let ours = sections(&OUR_OBJECTS.map(|object| switch.join(object)))?;
        rows.extend([
            row(
                "machine code, holder API included",
                theirs.text,
                ours.text,
                Goal::RatioAtMost(1.0),
            )?,
            row("messages and other constants", theirs.constants, ours.constants, Goal::None)?,
            row("variables and tables of pointers", theirs.data, ours.data, Goal::None)?,
            row("unwind tables", theirs.unwind, ours.unwind, Goal::None)?,
        ]);
    }
    let ours = sections(&OUR_OBJECTS.map(|object| lab.tip.join(object)))?;
    let case = "machine code, with holders in QMP and trace events";
    rows.push(row(case, theirs.text, ours.text, Goal::None)?);
    Ok(rows)
}

fn sections(objects: &[PathBuf]) -> Result<Sections> {
    let mut sum = Sections::default();
    for object in objects {
        let listed = read(&cmd!("size", "-A", "-d", object))?;
        sum.add(&listed).with_context(|| format!("size of {}", object.display()))?;
    }
    Ok(sum)
}

impl Sections {
    /// Adds what `size -A -d` lists; debugging sections are in no running program.
    fn add(&mut self, listed: &str) -> Result<()> {
        for line in listed.lines().filter(|line| line.starts_with('.')) {
            let mut words = line.split_whitespace();
            let (Some(name), Some(bytes)) = (words.next(), words.next()) else { continue };
            let bytes: f64 = bytes.parse().with_context(|| format!("not a size: {line}"))?;
            let begins = |start: &str| name == start || name.starts_with(&format!("{start}."));
            if begins(".text") {
                self.text += bytes;
            } else if begins(".rodata") {
                self.constants += bytes;
            } else if begins(".data") || begins(".bss") || begins(".init_array") {
                self.data += bytes;
            } else if begins(".eh_frame") {
                self.unwind += bytes;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "x.o  :
section                    size   addr
.text                         0      0
.text._ZN2rs3fun17h0E       129      0
.text.startup                17      0
.rodata.str1.1              502      0
.data.rel.ro.info           104      0
.bss.counter                  8      0
.init_array                   8      0
.eh_frame                  1392      0
.debug_info               35282      0
.comment                     45      0
Total                     37487
";

    #[test]
    fn sections_are_sorted_by_purpose() {
        let mut sum = Sections::default();
        sum.add(LISTED).unwrap();
        let expected = Sections { text: 146.0, constants: 502.0, data: 120.0, unwind: 1392.0 };
        assert_eq!(sum, expected);
        sum.add(LISTED).unwrap();
        assert_eq!(sum.text, 292.0);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Sections::default().add(".text many 0").is_err());
    }
}
