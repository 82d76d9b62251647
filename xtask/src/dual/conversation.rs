// SPDX-License-Identifier: GPL-2.0-or-later
//! One script, held with the programs of every side.

use std::fs;
use std::path::Path;
use std::slice::from_ref;

use anyhow::{Context, Result, bail, ensure};

use super::compare::{self, Difference, Schemas};
use super::script::{self, Session};
use super::side::Side;
use super::talk::{self, Talk, WELL};

/// One script as plain C answered it.
pub struct Conversation {
    pub name: String,
    sessions: Vec<Session>,
    base: Vec<Talk>,
}

impl Conversation {
    /// Holds the script with plain C; the record is kept in `records`.
    pub fn new(path: &Path, base: &Side, records: &Path) -> Result<Conversation> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let sessions = script::parse(&text).with_context(|| path.display().to_string())?;
        let talks = hold(&sessions, &name, base, records)?;
        if let Some(talk) = talks.iter().find(|talk| talk.gave_up.is_some()) {
            bail!("plain C cannot hold this conversation:\n{}", last_lines(&talk.text(), 12));
        }
        for (session, talk) in sessions.iter().zip(&talks) {
            let name = &session.name;
            if session.hazard {
                ensure!(!survived(talk), "{name}: plain C survives it:\n{}", talk.text());
            } else {
                ensure!(talk.threads.is_empty(), "{name}: plain C has {}", talk.threads.join(", "));
            }
        }
        Ok(Conversation { name, sessions, base: talks })
    }

    /// Lines said and answered, the monitors' greetings not counted.
    pub fn exchanges(&self) -> usize {
        self.base.iter().map(|talk| talk.exchanges.len().saturating_sub(1)).sum()
    }

    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Holds it with another side; where that answers otherwise.
    pub fn differences(
        &self,
        side: &Side,
        schemas: Schemas,
        records: &Path,
    ) -> Result<Vec<Difference>> {
        let talks = hold(&self.sessions, &self.name, side, records)?;
        let mut found = compare::conversations(&self.base, &talks, schemas);
        for ((session, base), talk) in self.sessions.iter().zip(&self.base).zip(&talks) {
            if session.hazard || survived(base) {
                found.extend(not_survived(&session.name, talk));
            }
        }
        Ok(found)
    }
}

/// What shows that the series does not survive, or answers wrongly all the while. No entry of the list
/// can explain it away: the name of the difference does not begin with that of the session.
fn not_survived(name: &str, talk: &Talk) -> Option<Difference> {
    (!survived(talk) || !talk.unfit.is_empty()).then(|| Difference {
        item: format!("must survive: {name}"),
        base: format!("{WELL}, each thread and each answer as it should be"),
        series: [from_ref(&talk.end), &talk.threads, &talk.unfit].concat().join(", "),
    })
}

fn survived(talk: &Talk) -> bool {
    talk.end == WELL && talk.gave_up.is_none() && talk.threads.is_empty()
}

fn hold(sessions: &[Session], name: &str, side: &Side, records: &Path) -> Result<Vec<Talk>> {
    let talks: Vec<Talk> =
        sessions.iter().map(|session| talk::hold(session, &side.build)).collect::<Result<_>>()?;
    let dir = records.join(&side.name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let text: String = talks.iter().map(Talk::text).collect();
    let path = dir.join(format!("{name}.record"));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(talks)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
