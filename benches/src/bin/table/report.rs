//! What is printed, and what README.md holds.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use super::rows::{HEADING, Row};

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
