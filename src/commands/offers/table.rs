//! The table of `soong offers`: one row per offer, its regions in the last column or below the row.

use console::{Alignment, measure_text_width, pad_str, truncate_str};
use owo_colors::OwoColorize;

use crate::instances::provider::Offer;
use crate::ledger::cost::dollars;
use crate::terminal::printable;

/// Space between two columns.
const GAP: &str = "  ";
/// Headings, alignments and maximum widths of the columns before the regions.
const COLUMNS: [(&str, Alignment, usize); 6] = [
    ("GPU", Alignment::Left, 24),
    ("COUNT", Alignment::Right, 5),
    ("MEMORY", Alignment::Right, 8),
    ("$/H", Alignment::Right, 9),
    ("TYPE", Alignment::Left, 24),
    ("PROVIDER", Alignment::Left, 12),
];
/// Heading of the last column.
const REGIONS: &str = "REGIONS";
/// Least width of the column of regions; below, they stand under their row.
const REGIONS_MIN: usize = 20;
/// Indent of lines under a row.
const INDENT: &str = "    ";

/// Format of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// Width of the terminal; `None` for lines of any length.
    pub width: Option<usize>,
    /// Dims offers without capacity.
    pub colour: bool,
}

/// Renders the table. The provider has a column if there is more than one.
pub(super) fn render(offers: &[Offer], format: Format) -> String {
    let several = offers.iter().any(|offer| offer.provider != offers[0].provider);
    let shown = if several { COLUMNS.len() } else { COLUMNS.len() - 1 };
    let rows: Vec<[String; 6]> = offers.iter().map(cells).collect();
    let widths: Vec<usize> = (0..COLUMNS.len()).map(|column| width(column, &rows)).collect();
    let wide = widths[..shown].iter().map(|width| width + GAP.len()).sum::<usize>();
    let beside = format.width.is_none_or(|width| wide + REGIONS_MIN <= width);
    // Without room, the type and the provider go under the row, too.
    let columns = if beside { shown } else { 4 };
    let mut headings: Vec<String> = COLUMNS.map(|(heading, ..)| heading.to_owned())[..columns].to_vec();
    if beside {
        headings.push(REGIONS.to_owned());
    }
    let mut text = line(&headings, &widths);
    for (offer, row) in offers.iter().zip(&rows) {
        let regions = regions(offer);
        let lines = if beside {
            let room = format.width.map_or(usize::MAX, |width| width - wide);
            let mut folded = folded(&regions, room).into_iter();
            let mut row = row[..columns].to_vec();
            row.extend(folded.next());
            let below: String = folded.map(|rest| format!("{:wide$}{rest}\n", "")).collect();
            line(&row, &widths) + &below
        } else {
            let room = format.width.map_or(usize::MAX, |width| width.saturating_sub(INDENT.len()));
            let place = if several { format!("{} at {}", row[4], row[5]) } else { row[4].clone() };
            let words: Vec<String> = [place + ":"].into_iter().chain(regions).collect();
            let below: String = folded(&words, room).iter().map(|rest| format!("{INDENT}{rest}\n")).collect();
            line(&row[..columns], &widths) + &below
        };
        let dim = format.colour && offer.regions.is_empty();
        text.push_str(&if dim { format!("{}\n", lines.trim_end().dimmed()) } else { lines });
    }
    text
}

fn cells(offer: &Offer) -> [String; 6] {
    [
        offer.gpu.as_deref().map_or_else(|| "-".to_owned(), |gpu| printable(gpu).into_owned()),
        if offer.count == 0 { "-".to_owned() } else { offer.count.to_string() },
        offer.memory_gib.map_or_else(|| "-".to_owned(), |memory| format!("{memory} GB")),
        dollars(offer.price_cents_per_hour).trim_start_matches('$').to_owned(),
        printable(&offer.type_name).into_owned(),
        printable(&offer.provider).into_owned(),
    ]
}

/// Returns the regions with commas, as words of a line.
fn regions(offer: &Offer) -> Vec<String> {
    let last = offer.regions.len().saturating_sub(1);
    let comma = |at: usize| if at < last { "," } else { "" };
    match offer.regions.as_slice() {
        [] => vec!["none now".to_owned()],
        regions => (regions.iter().enumerate())
            .map(|(at, region)| format!("{}{}", printable(region), comma(at)))
            .collect(),
    }
}

fn width(column: usize, rows: &[[String; 6]]) -> usize {
    let (heading, _, limit) = COLUMNS[column];
    let widest = rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or_default();
    widest.max(heading.len()).min(limit)
}

/// Joins words with spaces to lines of `room` columns; longer words are truncated.
fn folded(words: &[String], room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let word = truncate_str(word, room, "…");
        let used = lines.last().map_or(0, |line| measure_text_width(line));
        if used > 0 && used + 1 + measure_text_width(&word) > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines
}

/// Pads cells to their columns; a cell beyond the last column keeps its width.
fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .enumerate()
        .map(|(column, cell)| match COLUMNS.get(column).filter(|_| column + 1 < cells.len() || column < 4) {
            Some((_, alignment, _)) => {
                let cell = truncate_str(cell, widths[column], "…");
                pad_str(&cell, widths[column], *alignment, None).into_owned()
            }
            None => cell.clone(),
        })
        .collect();
    format!("{}\n", padded.join(GAP).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Vec<Offer> {
        let offer = |gpu: &str, count, memory, cents, type_name: &str, regions: &[&str]| Offer {
            provider: "lambda".into(),
            type_name: type_name.into(),
            description: None,
            gpu: Some(gpu.into()),
            count,
            memory_gib: Some(memory),
            price_cents_per_hour: cents,
            regions: regions.iter().map(|&region| region.to_owned()).collect(),
        };
        vec![
            offer("A10", 1, 24, 75, "gpu_1x_a10", &["us-west-1", "us-east-1"]),
            offer("H100", 8, 80, 2392, "gpu_8x_h100_sxm5", &[]),
        ]
    }

    const PLAIN: Format = Format { width: None, colour: false };

    #[test]
    fn a_row_per_offer() {
        assert_eq!(
            render(&offers(), PLAIN),
            "GPU   COUNT  MEMORY    $/H  TYPE              REGIONS\n\
             A10       1   24 GB   0.75  gpu_1x_a10        us-west-1, us-east-1\n\
             H100      8   80 GB  23.92  gpu_8x_h100_sxm5  none now\n"
        );
        let mut two = offers();
        two[1].provider = "runpod".into();
        assert!(render(&two, PLAIN).contains("TYPE              PROVIDER  REGIONS\n"));
        let dim = render(&offers(), Format { colour: true, ..PLAIN });
        assert!(dim.contains("\u{1b}[2mH100 ") && !dim.contains("\u{1b}[2mA10 "), "{dim}");
    }

    #[test]
    fn a_narrow_terminal_has_the_regions_below() {
        let mut many = offers();
        many[0].regions = (1..8).map(|n| format!("us-west-{n}")).collect();
        assert_eq!(
            render(&many, Format { width: Some(72), colour: false }).lines().take(4).collect::<Vec<_>>(),
            [
                "GPU   COUNT  MEMORY    $/H  TYPE              REGIONS",
                "A10       1   24 GB   0.75  gpu_1x_a10        us-west-1, us-west-2,",
                "                                              us-west-3, us-west-4,",
                "                                              us-west-5, us-west-6,",
            ]
        );
        assert_eq!(
            render(&many[..1], Format { width: Some(40), colour: false }),
            "GPU  COUNT  MEMORY   $/H\n\
             A10      1   24 GB  0.75\n    \
                 gpu_1x_a10: us-west-1, us-west-2,\n    \
                 us-west-3, us-west-4, us-west-5,\n    \
                 us-west-6, us-west-7\n"
        );
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_and_nothing_reaches_it_raw() {
        let long = "größer\u{1b}[31m".repeat(30);
        let odd = Offer {
            provider: "b".into(),
            type_name: long.clone(),
            gpu: Some(long.clone()),
            count: u32::MAX,
            memory_gib: Some(u32::MAX),
            price_cents_per_hour: 99_999_999,
            regions: vec![long.clone(), long],
            description: None,
        };
        let all = [offers(), vec![odd]].concat();
        for width in [40, 60, 80, 100, 200] {
            let text = render(&all, Format { width: Some(width), colour: false });
            assert!(text.lines().all(|line| measure_text_width(line) <= width.max(54)), "{width}: {text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
