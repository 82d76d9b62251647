// SPDX-License-Identifier: GPL-2.0-or-later
//! What can be named on the command line: a QEMU version or tree, a point of the series.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// From here on the third number says that a tree is on the way to the next release.
const NEXT: u32 = 50;

/// A QEMU release series that has a patch series here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V10_0,
    V10_2,
}

impl Version {
    pub const ALL: [Version; 2] = [Version::V10_2, Version::V10_0];

    /// `10.2`, as in `target/qemu/10.2`.
    pub fn name(self) -> &'static str {
        match self {
            Version::V10_0 => "10.0",
            Version::V10_2 => "10.2",
        }
    }

    /// The version whose releases begin like `text`, e.g. `10.2.2`; 10.2.50 is on the way to 11.
    pub fn of_release(text: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| {
            let rest = text.strip_prefix(version.name());
            rest.is_some_and(|rest| match rest.strip_prefix('.') {
                Some(rest) => {
                    let micro = rest.split(|c: char| !c.is_ascii_digit()).next();
                    micro.and_then(|micro| micro.parse().ok()).is_some_and(|n: u32| n < NEXT)
                }
                None => rest.is_empty(),
            })
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where QEMU's source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    Release(Version),
    Dir(PathBuf),
}

/// As `--qemu` takes it.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Release(version) => version.fmt(f),
            Tree::Dir(dir) => dir.display().fmt(f),
        }
    }
}

impl FromStr for Tree {
    type Err = String;

    fn from_str(text: &str) -> Result<Tree, String> {
        if let Some(version) = Version::ALL.into_iter().find(|v| v.name() == text) {
            return Ok(Tree::Release(version));
        }
        let path = PathBuf::from(text);
        if path.is_dir() {
            Ok(Tree::Dir(path))
        } else {
            Err("neither 10.2 nor 10.0 nor a directory that exists".into())
        }
    }
}

/// A point of the series: plain C, everything, or the first N patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Base,
    Tip,
    At(usize),
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Point, String> {
        match text {
            "base" => Ok(Point::Base),
            "tip" => Ok(Point::Tip),
            _ => text
                .parse()
                .map(|n| if n == 0 { Point::Base } else { Point::At(n) })
                .map_err(|_| "expected base, tip or the number of patches".into()),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Point::Base => f.write_str("base"),
            Point::Tip => f.write_str("tip"),
            Point::At(n) => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_map_to_their_series() {
        assert_eq!(Version::of_release("10.2.2"), Some(Version::V10_2));
        assert_eq!(Version::of_release("10.0.13"), Some(Version::V10_0));
        assert_eq!(Version::of_release("10.2.2+ds-1"), Some(Version::V10_2));
        assert_eq!(Version::of_release("10.2.50"), None);
        assert_eq!(Version::of_release("10.20.1"), None);
        assert_eq!(Version::of_release("11.0.0"), None);
    }

    #[test]
    fn points_read_and_print() {
        for text in ["base", "tip", "7"] {
            assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
        }
        assert_eq!("0".parse::<Point>().unwrap(), Point::Base);
        assert!("seven".parse::<Point>().is_err());
    }
}
