//! The table: everything measured in one run, and written to README.md. `benches/table` calls this.

mod encoders;
mod limit;
mod measure;
mod peers;
mod report;
mod rows;

use benches::paths::Input;
use report::Report;

fn main() {
    let python = std::env::args().nth(1).expect("the path of a Python that has the SDK");
    let input = Input::new();
    let mut report = Report::new();
    report.section("Against the limit", encoders::against_the_limit(&input));
    if python == "quick" {
        return;
    }
    report.section("The reader", encoders::reader(&input));
    report.section("Against peers", encoders::against_peers(&input, &python));
    report.write();
}
