//! The table: everything measured in one run, and written to README.md. `benches/table` calls this.

mod charts;
mod encoders;
mod growth;
mod limit;
mod measure;
mod network;
mod peers;
mod report;
mod rows;
mod sending;

use benches::paths::Input;
use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", way] => network::receive(way),
        ["limit"] => {
            Report::new().section("Against the limit", encoders::against_the_limit(&Input::new()));
        }
        ["reader"] => {
            Report::new().section("The reader", encoders::reader(&Input::new()));
        }
        ["network"] => {
            Report::new().section("End to end", network::rows(&Input::new()));
        }
        ["growth"] => Report::new().growth(growth::all(&Input::new())),
        [python] => table(python),
        _ => eprintln!("table PYTHON | table limit | table reader | table network | table growth"),
    }
}

/// All of it; `python` is a program that has the SDK.
fn table(python: &str) {
    let input = Input::new();
    let mut report = Report::new();
    report.section("Against the limit", encoders::against_the_limit(&input));
    report.section("The reader", encoders::reader(&input));
    report.section("Against peers", encoders::against_peers(&input, python));
    report.section("Sending", sending::rows(&input));
    report.section("End to end", network::rows(&input));
    report.growth(growth::all(&input));
    report.write();
}
