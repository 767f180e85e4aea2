//! A row of the table: what was measured, against its goal and its floor.

/// Which figures are good ones.
#[derive(Clone, Copy, PartialEq)]
pub enum Better {
    /// Small ones: times a limit.
    Less,
    /// Great ones: times as fast as somebody else.
    More,
}

pub struct Row {
    pub what: String,
    pub better: Better,
    pub goal: f64,
    pub floor: f64,
    /// What goal, floor and measured figure are of: `× the limit`.
    pub unit: &'static str,
    pub measured: f64,
    /// The figures behind it.
    pub figures: String,
}

impl Row {
    pub fn verdict(&self) -> &'static str {
        let reaches = |bar: f64| match self.better {
            Better::Less => self.measured <= bar,
            Better::More => self.measured >= bar,
        };
        if reaches(self.goal) {
            "goal"
        } else if reaches(self.floor) {
            "floor"
        } else {
            "**missed**"
        }
    }

    /// As a line of a table in Markdown.
    pub fn markdown(&self) -> String {
        let Self { what, goal, floor, unit, measured, figures, .. } = self;
        let (goal, floor, measured) = (number(*goal), number(*floor), number(*measured));
        format!("| {what} | {goal} {unit} | {floor} | **{measured}** | {} | {figures} |\n", self.verdict())
    }
}

/// As many digits as mean something.
fn number(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if value.abs() < 10.0 => format!("{value:.2}"),
        value if value.abs() < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// The heading of a table of rows.
pub const HEADING: &str = "| what | goal | floor | measured | reached | figures |\n|---|---|---|---|---|---|\n";
