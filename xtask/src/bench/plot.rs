// SPDX-License-Identifier: GPL-2.0-or-later
//! The ratios as bars around 1: to the left the library needs less, to the right more.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::row::{Goal, Row};

const WIDTH: u32 = 1000;
const LINE: u32 = 26;
const MARGIN: u32 = 50;
const LABELS: i32 = 460;
const FONT: (&str, u32) = ("sans-serif", 13);

pub fn write(path: &Path, title: &str, rows: &[Row]) -> Result<()> {
    let bars: Vec<_> = rows.iter().filter_map(Bar::of).collect();
    let height = 2 * MARGIN + LINE * bars.len() as u32;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    draw(&area, title, &bars)
        .and_then(|()| area.present().map_err(Into::into))
        .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

struct Bar {
    label: String,
    ratio: f64,
    color: RGBColor,
}

impl Bar {
    fn of(row: &Row) -> Option<Bar> {
        let ratio = row.compared.as_ref()?.ratio;
        let color = match row.met {
            Some(true) => RGBColor(60, 140, 90),
            Some(false) => RGBColor(190, 70, 60),
            None => RGBColor(110, 130, 170),
        };
        let better =
            if matches!(row.goal, Goal::RatioAtLeast(_)) { ", more is better" } else { "" };
        Some(Bar { label: format!("{}: {}{better}", row.bench, row.case), ratio, color })
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(area: &Area, title: &str, bars: &[Bar]) -> Drawn {
    area.fill(&WHITE)?;
    let text = FONT.into_font().color(&BLACK);
    let right = text.pos(Pos::new(HPos::Right, VPos::Center));
    let left = text.pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(title.to_string(), (10, 18), &left))?;
    let one = place(1.0, bars);
    let bottom = (MARGIN + LINE * bars.len() as u32) as i32;
    for (number, bar) in bars.iter().enumerate() {
        let middle = (MARGIN + LINE * number as u32 + LINE / 2) as i32;
        let end = place(bar.ratio, bars);
        let (from, to) = (one.min(end), one.max(end).max(one.min(end) + 1));
        let corners = [(from, middle - 8), (to, middle + 8)];
        area.draw(&Text::new(bar.label.clone(), (LABELS - 10, middle), &right))?;
        area.draw(&Rectangle::new(corners, bar.color.filled()))?;
        area.draw(&Text::new(format!("{:.3}", bar.ratio), (to + 6, middle), &left))?;
    }
    let line = PathElement::new(vec![(one, MARGIN as i32), (one, bottom)], BLACK);
    area.draw(&line)?;
    area.draw(&Text::new("Rust : rival, logarithmic; line at 1", (LABELS, bottom + 20), &left))?;
    Ok(())
}

/// The column of a ratio on a logarithmic axis that holds all bars and 1.
fn place(ratio: f64, bars: &[Bar]) -> i32 {
    let ends = bars.iter().map(|bar| bar.ratio.ln());
    let low = ends.clone().fold(-0.1, f64::min);
    let high = ends.fold(0.1, f64::max);
    let room = f64::from(WIDTH as i32 - LABELS - 70);
    LABELS + ((ratio.ln() - low) / (high - low) * room) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_on_the_page_and_in_order() {
        let bar = |ratio| Bar { label: String::new(), ratio, color: BLACK };
        let bars = [bar(0.01), bar(1.02), bar(4.0)];
        let at: Vec<_> = bars.iter().map(|bar| place(bar.ratio, &bars)).collect();
        assert_eq!(at[0], LABELS);
        assert!(at[0] < place(1.0, &bars) && place(1.0, &bars) <= at[1] && at[1] < at[2]);
        assert!(at[2] <= WIDTH as i32 - 70);
    }
}
