//! Encoders and reader: against the limit, against peers, against each other.

use benches::paths::{self, Input, Path};

use super::limit;
use super::measure::{Compared, median, side_by_side};
use super::peers::{Cadence, Questdb, python};
use super::rows::{Better, Row};

const ROUNDS: usize = 200;
const LINES: usize = 4096;
/// Rounds with the Python SDK, each a process.
const PYTHON_ROUNDS: usize = 7;

/// Each path beside its limit.
pub fn against_the_limit(input: &Input) -> Vec<Row> {
    let bars = [
        (paths::PREPARED, 0.9, 1.4),
        (paths::PREPARED_17, 1.6, 2.0),
        (paths::METRIC_1_TAG, 1.7, 2.6),
        (paths::METRIC_4_TAGS, 2.5, 4.4),
        (paths::DELTA, 3.0, 5.0),
        (paths::HISTOGRAM, 3.0, 5.0),
        (paths::SPAN, 3.0, 5.0),
        (paths::SPAN_LOG, 3.0, 5.0),
        (paths::EVENT, 3.0, 5.0),
    ];
    let row = |(path, goal, floor): (Path, f64, f64)| {
        let Compared { times, ratios } = beside_its_limit(input, path);
        let bytes = input.lines(path)[0].len() + 1;
        Row {
            what: path.name.into(),
            better: Better::Less,
            goal,
            floor,
            unit: "× the limit",
            measured: ratios[1],
            figures: format!("{:.0} ns; limit {:.0} ns; {bytes} bytes", times[1], times[0]),
        }
    };
    bars.into_iter().map(row).collect()
}

fn beside_its_limit(input: &Input, path: Path) -> Compared {
    let (finished, write) = limit::of_path(path, input);
    let (mut limits, mut ours) = (room(), room());
    side_by_side(
        ROUNDS,
        LINES,
        &mut [&mut |lines| write(input, &finished, lines, &mut limits), &mut |lines| {
            (path.run)(input, lines, &mut ours)
        }],
    )
}

/// A buffer that does not grow while it is measured.
fn room() -> Vec<u8> {
    Vec::with_capacity(1 << 17)
}

/// The same content as StatsD, as ILP, and by the Python SDK.
pub fn against_peers(input: &Input, python_program: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, tags) in [(paths::METRIC_1_TAG, 1), (paths::METRIC_4_TAGS, 4)] {
        let (mut ours, cadence, mut questdb) = (room(), Cadence::new(), Questdb::new());
        let Compared { times, ratios } = side_by_side(
            ROUNDS,
            LINES,
            &mut [
                &mut |lines| (path.run)(input, lines, &mut ours),
                &mut |lines| cadence.run(input, lines, tags),
                &mut |lines| questdb.run(input, lines, tags),
            ],
        );
        for (at, name, goal, floor, line) in [
            (1, "`cadence` 1", 4.0, 3.0, Cadence::line(tags)),
            (2, "`questdb-rs` 7, text buffer", 3.0, 2.0, Questdb::line(tags)),
        ] {
            rows.push(Row {
                what: format!("{}, than {name}", path.name),
                better: Better::More,
                goal,
                floor,
                unit: "× as fast",
                measured: ratios[at],
                figures: format!(
                    "{:.0} ns, ours {:.0} ns; its {} bytes: `{}`",
                    times[at],
                    times[0],
                    line.len(),
                    line.trim_end().replace('|', "¦")
                ),
            });
        }
        let (mut theirs, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..PYTHON_ROUNDS {
            let own = |ours: &mut Vec<u8>| {
                side_by_side(50, LINES, &mut [&mut |lines| (path.run)(input, lines, ours)]).times[0]
            };
            let (before, took) = (own(&mut ours), python(python_program, tags));
            theirs.push(took);
            ratios.push(took / ((before + own(&mut ours)) / 2.0));
        }
        rows.push(Row {
            what: format!("{}, than wavefront-sdk-python 2.1.0", path.name),
            better: Better::More,
            goal: 150.0,
            floor: 100.0,
            unit: "× as fast",
            measured: median(&mut ratios),
            figures: format!("{:.0} ns, ours {:.0} ns", median(&mut theirs), times[0]),
        });
    }
    rows
}

/// The reader beside the encoder, by the bytes of a second.
pub fn reader(input: &Input) -> Vec<Row> {
    let pairs = [
        (paths::METRIC_4_TAGS, paths::PARSE_METRIC),
        (paths::SPAN, paths::PARSE_SPAN),
        (paths::SPAN_LOG, paths::PARSE_SPAN_LOG),
    ];
    let row = |(encode, parse): (Path, Path)| {
        let mut out = room();
        let Compared { times, ratios } = side_by_side(
            ROUNDS,
            LINES,
            &mut [&mut |lines| (encode.run)(input, lines, &mut out), &mut |lines| {
                (parse.run)(input, lines, &mut Vec::new())
            }],
        );
        let bytes = input.lines(encode)[0].len() as f64 + 1.0;
        Row {
            what: parse.name.into(),
            better: Better::More,
            goal: 1.0 / 3.0,
            floor: 1.0 / 5.0,
            unit: "of the encoder's bytes a second",
            measured: 1.0 / ratios[1],
            figures: format!("{:.0} MB/s; encoder {:.0} MB/s", bytes / times[1] * 1e3, bytes / times[0] * 1e3),
        }
    };
    pairs.into_iter().map(row).collect()
}
