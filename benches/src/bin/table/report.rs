//! What is printed, and what README.md holds.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use super::charts::draw;
use super::growth::{Growth, STRAIGHT};
use super::rows::{Better, HEADING, Row};

/// What stands in README.md before the table is written by hand, up to this line.
const BEGIN: &str = "<!-- From here on `benches/table` wrote it. -->\n";

/// All sections so far.
pub struct Report {
    text: String,
    missed: Vec<String>,
}

impl Report {
    pub fn new() -> Self {
        let mut text = String::new();
        writeln!(text, "\n{}.\n", machine()).unwrap();
        Self { text, missed: Vec::new() }
    }

    /// A table of its own.
    pub fn section(&mut self, title: &str, rows: Vec<Row>) {
        let mut section = format!("\n## {title}\n\n{HEADING}");
        for row in rows {
            section.push_str(&row.markdown());
            if row.verdict().contains("missed") {
                self.missed.push(row.what);
            }
        }
        println!("{section}");
        self.text.push_str(&section);
    }

    /// The curves, and a picture of each.
    pub fn growth(&mut self, all: Vec<Growth>) {
        let rows = all.iter().map(|growth| {
            let (first, last) = (growth.points[0], growth.points[growth.points.len() - 1]);
            Row {
                what: growth.title.into(),
                better: Better::Less,
                goal: STRAIGHT,
                floor: STRAIGHT,
                unit: "× a straight line",
                measured: growth.bend,
                figures: format!(
                    "{:.3} {} at {} {}, {:.3} at {}",
                    first.1, growth.unit, first.0, growth.over, last.1, last.0
                ),
            }
        });
        self.section("Growth", rows.collect());
        for growth in &all {
            draw(growth).unwrap();
            writeln!(self.text, "\n![{}](charts/{}.svg)", growth.title.replace('`', ""), growth.file).unwrap();
        }
    }

    /// Writes it to README.md, and ends with 1 where a floor was missed.
    pub fn write(self) {
        let readme = fs::read_to_string("README.md").unwrap();
        let (before, _) = readme.split_once(BEGIN).unwrap();
        fs::write("README.md", format!("{before}{BEGIN}{}", self.text)).unwrap();
        if !self.missed.is_empty() {
            eprintln!("below the floor: {}", self.missed.join(", "));
            std::process::exit(1);
        }
    }
}

/// What it was measured with, and when.
fn machine() -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown processor");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "`benches/table` on {}, {}; {} of {}, {}; load average {} at the beginning",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        said("rustc", &["--version"]),
        said("nproc", &[]),
        cpu.trim_start_matches(['\t', ' ', ':']),
        said("uname", &["-srm"]),
        load.split(' ').next().unwrap_or("unknown"),
    )
}
