//! The recorded outputs of the Python SDK 2.1.0, replayed byte for byte but for the named differences.
//!
//! A row that differs without a name fails, and so does a name at a row that no longer differs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use serde_json::Value;
use wavefront_sdk::line::Slice;
use wavefront_sdk::{
    DeltaCounter, Encode, Event, Granularity, Histogram, Limits, Metric, Prepared, Problem, Rules, Span, SpanLog, Uuid,
    event_to_json, event_to_line_data, histogram_to_line_data, metric_to_line_data, span_log_to_line_data,
    tracing_span_to_line_data,
};

/// What our side makes of a row.
#[derive(Debug, PartialEq)]
enum Ours {
    Output(String),
    Error(Problem),
    /// The argument cannot even be said in our types; why.
    Untyped(&'static str),
}

/// How a named difference shows, so that the name is not a licence for any other.
enum Shows {
    /// We say no, for this reason.
    Error(Problem),
    /// Our types have no room for the argument.
    Untyped,
    /// Our output, exactly.
    Output(&'static str),
    /// Equal but for the spelling of doubles: `1e16` for `1e+16`, `30.0` for `30`.
    Numbers,
    /// The same JSON document, ours without blanks, with non-ASCII text as it is and the span without its LF.
    Json,
    /// Python fails, we do not.
    Works(&'static str),
}

/// The named differences by row. Beside the names of the wire format:
///
/// - `typed`: Python converts or passes on what our types cannot even say (text for numbers, fractions of milliseconds,
///   a granularity that does not exist, numbers in span logs, which the receiver drops).
/// - `json`: ours is compact and keeps non-ASCII text.
/// - `no-logs`: an empty list of span logs is an error, and so is a `span-line` that is none: the receiver drops such logs.
/// - `scrambler`: there is none.
/// - `event-source`: takes the default source, as everywhere else.
const DIFFERENCES: &[(u64, &str, Shows)] = &[
    (16, "exponent", Shows::Numbers),
    (18, "exponent", Shows::Numbers),
    (20, "exponent", Shows::Numbers),
    (22, "exponent", Shows::Numbers),
    (23, "exponent", Shows::Numbers),
    (29, "non-finite", Shows::Error(Problem::NotFinite)),
    (30, "non-finite", Shows::Error(Problem::NotFinite)),
    (32, "typed", Shows::Untyped),
    (33, "typed", Shows::Untyped),
    (38, "typed", Shows::Untyped),
    (40, "negative-time", Shows::Untyped),
    (57, "prefix-only", Shows::Error(Problem::PrefixOnly)),
    (58, "prefix-only", Shows::Error(Problem::PrefixOnly)),
    (87, "trailing-backslash", Shows::Output("\"m\" 1.0 1493773500 source=\"localhost\" \"k\"=\"C:\\dir\"\n")),
    (98, "repeated-key", Shows::Error(Problem::RepeatedKey)),
    (106, "over-limit", Shows::Error(Problem::TooLong { limit: 254, len: 401 })),
    (115, "negative-delta", Shows::Error(Problem::Negative)),
    (116, "non-finite", Shows::Error(Problem::NotFinite)),
    (127, "float-mean", Shows::Numbers),
    (130, "exponent", Shows::Numbers),
    (132, "count", Shows::Error(Problem::Zero)),
    (133, "count", Shows::Untyped),
    (134, "non-finite", Shows::Error(Problem::NotFinite)),
    (135, "non-finite", Shows::Error(Problem::NotFinite)),
    (146, "typed", Shows::Untyped),
    (
        160,
        "span-logs-without-tags",
        Shows::Works(concat!(
            "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 ",
            "spanId=0313bafe-9457-11e8-9eb6-529269fb1459 \"_spanLogs\"=\"true\" 1552949776000 343\n",
        )),
    ),
    (
        165,
        "trailing-backslash",
        Shows::Output(concat!(
            "\"trailing\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 ",
            "spanId=0313bafe-9457-11e8-9eb6-529269fb1459 1552949776000 343\n",
        )),
    ),
    (
        176,
        "numeric-span-key",
        Shows::Output(concat!(
            "\"getAllUsers\" source=\"localhost\" traceId=7b3bf470-9456-11e8-9eb6-529269fb1459 ",
            "spanId=0313bafe-9457-11e8-9eb6-529269fb1459 \"_1234\"=\"x\" 1552949776000 343\n",
        )),
    ),
    (177, "id", Shows::Untyped),
    (178, "id", Shows::Untyped),
    (181, "typed", Shows::Untyped),
    (182, "negative-time", Shows::Untyped),
    (184, "reserved-key", Shows::Error(Problem::ReservedKey)),
    (186, "json", Shows::Json),
    (187, "span-line", Shows::Error(Problem::Malformed)),
    (188, "no-logs", Shows::Error(Problem::Missing)),
    (189, "scrambler", Shows::Untyped),
    (191, "typed", Shows::Untyped),
    (205, "event-source", Shows::Output("@Event 1590650592 1590650692 \"Event\" host=\"defaultSource\"\n")),
    (212, "json", Shows::Json),
    (213, "json", Shows::Json),
    (214, "json", Shows::Json),
    (215, "json", Shows::Json),
    (217, "json", Shows::Json),
    (218, "json", Shows::Json),
    (223, "json", Shows::Json),
    (
        224,
        "event-source",
        Shows::Output(concat!(
            "{\"name\":\"Event\",\"annotations\":{},\"hosts\":[\"defaultSource\"],",
            "\"startTime\":1590650592,\"endTime\":1590650692}",
        )),
    ),
    (228, "json", Shows::Json),
    (229, "json", Shows::Json),
    (230, "json", Shows::Json),
    (255, "trailing-backslash", Shows::Output("\"\"")),
    (256, "trailing-backslash", Shows::Output("\"a\"")),
];

#[test]
fn every_row_is_equal_or_differs_by_name() {
    let differences: BTreeMap<u64, _> = DIFFERENCES.iter().map(|(id, name, shows)| (*id, (*name, shows))).collect();
    assert_eq!(differences.len(), DIFFERENCES.len(), "a row stands twice in the table");
    let (mut replayed, mut named, mut wrong) = (0, 0, Vec::new());
    let mut native = String::new();
    for line in include_str!("golden/python-2.1.0.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let id = row["id"].as_u64().unwrap();
        let Some(ours) = replay(row["fn"].as_str().unwrap(), &row["args"]) else { continue };
        replayed += 1;
        let (output, problem) = match &ours {
            Ours::Output(output) => (Some(output), None),
            Ours::Error(problem) => (None, Some(format!("{problem:?}"))),
            Ours::Untyped(_) => (None, None),
        };
        native += &format!("{}\n", serde_json::json!({ "id": id, "output": output, "problem": problem }));
        let theirs = row["output"].as_str();
        let equal = match (&ours, theirs) {
            (Ours::Output(ours), Some(theirs)) => ours == theirs,
            (Ours::Error(_) | Ours::Untyped(_), None) => true,
            _ => false,
        };
        match differences.get(&id) {
            None if equal => {}
            None => wrong.push(format!("row {id} differs without a name:\n  ours   {ours:?}\n  theirs {theirs:?}")),
            Some((name, _)) if equal => wrong.push(format!("row {id} no longer differs by {name}")),
            Some((name, shows)) => {
                named += 1;
                if !shows.explain(&ours, theirs) {
                    wrong.push(format!("row {id} differs, but not by {name}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(named, DIFFERENCES.len(), "every named row was replayed");
    assert_eq!(replayed, 164, "rows of encoders");
    // For the tests of the module for WebAssembly, which has to say the same.
    if let Some(path) = std::env::var_os("NATIVE_LINES") {
        std::fs::write(path, native).unwrap();
    }
}

impl Shows {
    fn explain(&self, ours: &Ours, theirs: Option<&str>) -> bool {
        match (self, ours, theirs) {
            (Self::Error(expected), Ours::Error(problem), Some(_)) => expected == problem,
            (Self::Untyped, Ours::Untyped(_), Some(_)) => true,
            (Self::Output(expected), Ours::Output(ours), Some(_)) => expected == ours,
            (Self::Works(expected), Ours::Output(ours), None) => expected == ours,
            (Self::Numbers, Ours::Output(ours), Some(theirs)) => same_numbers(ours, theirs),
            (Self::Json, Ours::Output(ours), Some(theirs)) => {
                let mut theirs: Value = serde_json::from_str(theirs).unwrap();
                if let Some(Value::String(span)) = theirs.get_mut("span") {
                    span.truncate(span.trim_end_matches('\n').len());
                }
                // The same members in the same order.
                let theirs = theirs.to_string();
                ours.trim_end_matches('\n') == theirs
            }
            _ => false,
        }
    }
}

/// Whether the lines are equal but for how doubles are spelled.
fn same_numbers(ours: &str, theirs: &str) -> bool {
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.split(' ').collect(), theirs.split(' ').collect());
    ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|(ours, theirs)| {
            ours == theirs
                || matches!((ours.parse::<f64>(), theirs.parse::<f64>()), (Ok(a), Ok(b)) if a.to_bits() == b.to_bits())
        })
}

type Said<T> = Result<T, &'static str>;

/// The row by our functions; `None` for functions that encode nothing.
fn replay(function: &str, args: &Value) -> Option<Ours> {
    let said = match function {
        "metric_to_line_data" => metric(args),
        "send_delta_counter" => delta(args),
        "histogram_to_line_data" => histogram(args),
        "tracing_span_to_line_data" => span(args),
        "span_log_to_line_data" => span_logs(args),
        "event_to_line_data" => event(args, false),
        "event_to_json" => event(args, true),
        "sanitize" => name(args),
        "sanitize_value" => value(args),
        "get_sem_ver_value" | "ApplicationTags.get_as_list" | "get_server_info_from_endpoint" => return None,
        unknown => panic!("no replay for {unknown}"),
    };
    Some(match said {
        Ok(Ok(output)) => Ours::Output(output),
        Ok(Err(invalid)) => Ours::Error(invalid.problem),
        Err(why) => Ours::Untyped(why),
    })
}

type Encoded = Said<Result<String, wavefront_sdk::InvalidInput>>;

fn metric(args: &Value) -> Encoded {
    let tags = map(&args["tags"])?;
    let (name, value, timestamp) = (text(&args["name"])?, number(&args["value"])?, time(&args["timestamp"])?);
    let (source, default_source) = (text(&args["source"])?, text(&args["default_source"])?);
    let line = metric_to_line_data(name, value, timestamp, source, &tags, default_source);
    // The prepared series has to say the same.
    let metric = Metric::new(name, value).source(source).tags(&tags);
    let prepared = Prepared::<Vec<u8>>::metric(&metric, &Rules::new().default_source(default_source));
    if let (Ok(prepared), Ok(line)) = (prepared, &line) {
        let mut quick = Vec::new();
        prepared.encode(value, timestamp, &mut quick).unwrap();
        assert_eq!(quick, line.as_bytes());
        let mut scratch = [0; 2048];
        let rules = Rules::new().default_source(default_source);
        // And so does one that is made of a line, as the npm package makes it.
        let mut of_one = Slice::new(&mut scratch);
        Metric::new(name, 1.0).source(source).tags(&tags).encode_compact(&rules, &mut of_one).unwrap();
        assert_eq!(Prepared::of_line(of_one.as_bytes(), metric.kind(), &Limits::DEFAULT), prepared);
        let mut compact = Slice::new(&mut scratch);
        prepared.encode_compact(value, timestamp, &mut compact).unwrap();
        assert_eq!(compact.as_bytes(), line.as_bytes());
    }
    Ok(line)
}

fn delta(args: &Value) -> Encoded {
    let tags = map(&args["tags"])?;
    let counter = DeltaCounter::new(text(&args["name"])?, number(&args["value"])?).source(text(&args["source"])?);
    Ok(counter.tags(&tags).line())
}

fn histogram(args: &Value) -> Encoded {
    let tags = map(&args["tags"])?;
    let centroids = args["centroids"].as_array().map_or(&[][..], Vec::as_slice);
    let centroids: Vec<(f64, u64)> = centroids
        .iter()
        .map(|pair| Ok((number(&pair[0])?, pair[1].as_u64().ok_or("a count below zero")?)))
        .collect::<Said<_>>()?;
    let granularities = args["histogram_granularities"].as_array().map_or(&[][..], Vec::as_slice);
    let granularities: Vec<Granularity> = granularities
        .iter()
        .map(|mark| match mark.as_str() {
            Some("!M") => Ok(Granularity::Minute),
            Some("!H") => Ok(Granularity::Hour),
            Some("!D") => Ok(Granularity::Day),
            _ => Err("no such granularity"),
        })
        .collect::<Said<_>>()?;
    let timestamp = time(&args["timestamp"])?;
    let (name, source, default) = (text(&args["name"])?, text(&args["source"])?, text(&args["default_source"])?);
    Ok(histogram_to_line_data(name, &centroids, granularities.as_slice(), timestamp, source, &tags, default))
}

fn span(args: &Value) -> Encoded {
    let ids =
        |name: &str| args[name].as_array().map_or(&[][..], Vec::as_slice).iter().map(id).collect::<Said<Vec<_>>>();
    let (parents, follows_from) = (ids("parents")?, ids("follows_from")?);
    let tags = pairs(&args["tags"])?;
    let logs = Logs::new(&args["span_logs"])?;
    let (fields, mut records) = (logs.fields(), Vec::new());
    logs.records(&fields, &mut records);
    let millis = |name: &str| args[name].as_u64().ok_or("not a whole number of milliseconds");
    Ok(tracing_span_to_line_data(
        text(&args["name"])?,
        millis("start_millis")?,
        millis("duration_millis")?,
        text(&args["source"])?,
        id(&args["trace_id"])?,
        id(&args["span_id"])?,
        &parents,
        &follows_from,
        &tags,
        &records,
        text(&args["default_source"])?,
    ))
}

fn span_logs(args: &Value) -> Encoded {
    let logs = Logs::new(&args["span_logs"])?;
    let (fields, mut records) = (logs.fields(), Vec::new());
    logs.records(&fields, &mut records);
    if !args["scrambler"].is_null() {
        return Err("no scrambler");
    }
    Ok(span_log_to_line_data(id(&args["trace_id"])?, id(&args["span_id"])?, &records, args["span"].as_str()))
}

fn event(args: &Value, json: bool) -> Encoded {
    let annotations = map(&args["annotations"])?;
    let tags = args["tags"].as_array().map_or(&[][..], Vec::as_slice);
    let tags: Vec<&str> = tags.iter().map(text).collect::<Said<_>>()?;
    let function = if json { event_to_json } else { event_to_line_data };
    Ok(function(
        text(&args["name"])?,
        time(&args["start_time"])?.unwrap_or(0),
        time(&args["end_time"])?,
        text(&args["source"])?,
        &tags,
        &annotations,
        text(&args["default_source"])?,
    ))
}

/// A name alone, as it stands in a metric.
fn name(args: &Value) -> Encoded {
    let line = Metric::new(text(&args["string"])?, 1.0).source("s").line();
    Ok(line.map(|line| line.strip_suffix(" 1.0 source=\"s\"\n").unwrap().to_owned()))
}

/// A value alone, as it stands in a tag.
fn value(args: &Value) -> Encoded {
    let line = Metric::new("m", 1.0).source("s").tag("k", text(&args["string"])?).line();
    // Blank is written nowhere.
    let line = line.or_else(|invalid| match invalid.problem {
        Problem::Blank => Ok("\"m\" 1.0 source=\"s\" \"k\"=\"\"\n".to_owned()),
        _ => Err(invalid),
    });
    Ok(line
        .map(|line| line.strip_prefix("\"m\" 1.0 source=\"s\" \"k\"=").unwrap().strip_suffix('\n').unwrap().to_owned()))
}

/// Text; `None` of Python is blank.
fn text(value: &Value) -> Said<&str> {
    if value.is_null() { Ok("") } else { value.as_str().ok_or("not text") }
}

fn number(value: &Value) -> Said<f64> {
    match value {
        Value::Number(number) => Ok(number.as_f64().unwrap()),
        Value::Object(float) => Ok(float["$float"].as_str().unwrap().parse().unwrap()),
        _ => Err("not a number"),
    }
}

/// A timestamp; the fraction is cut, as Python does.
fn time(value: &Value) -> Said<Option<u64>> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) if number.as_u64().is_some() => Ok(number.as_u64()),
        Value::Number(number) => match number.as_f64() {
            Some(time) if time >= 0.0 => Ok(Some(time as u64)),
            _ => Err("a time below zero"),
        },
        _ => Err("not a time"),
    }
}

fn id(value: &Value) -> Said<Uuid> {
    value["$uuid"].as_str().and_then(|id| id.parse().ok()).ok_or("not a UUID")
}

fn map(value: &Value) -> Said<Vec<(&str, &str)>> {
    let Some(map) = value.as_object() else { return Ok(Vec::new()) };
    map.iter().map(|(key, value)| Ok((key.as_str(), text(value)?))).collect()
}

fn pairs(value: &Value) -> Said<Vec<(&str, &str)>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(pairs) => pairs.iter().map(|pair| Ok((text(&pair[0])?, text(&pair[1])?))).collect(),
        _ => Err("not a list of pairs"),
    }
}

/// Span logs, owned where they have to be borrowed from.
struct Logs<'a>(Vec<(u64, Vec<(&'a str, &'a str)>)>);

impl<'a> Logs<'a> {
    fn new(value: &'a Value) -> Said<Self> {
        let logs = value.as_array().map_or(&[][..], Vec::as_slice);
        let log = |log: &'a Value| {
            let log = log.get("$SpanLog").unwrap_or(log);
            Ok((log["timestamp"].as_u64().ok_or("not a time")?, map(&log["fields"])?))
        };
        logs.iter().map(log).collect::<Said<_>>().map(Self)
    }

    fn fields(&self) -> Vec<&[(&'a str, &'a str)]> {
        self.0.iter().map(|(_, fields)| fields.as_slice()).collect()
    }

    fn records<'b>(&self, fields: &[&'b [(&'b str, &'b str)]], records: &mut Vec<SpanLog<'b>>) {
        records.extend(self.0.iter().zip(fields).map(|((timestamp, _), fields)| SpanLog::new(*timestamp, fields)));
    }
}

/// The data types say the same as the functions.
#[test]
fn functions_and_types_agree() {
    let rules = Rules::new().default_source("d");
    let tags = [("a", "1"), ("b", "2")];
    let line = |datum: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        datum(&mut out);
        String::from_utf8(out).unwrap()
    };
    let metric = Metric::new("m", 1.0).timestamp(5).tags(tags);
    assert_eq!(
        line(&|out| _ = metric.encode(&rules, out).unwrap()),
        metric_to_line_data("m", 1.0, Some(5), "", tags, "d").unwrap()
    );
    let histogram = Histogram::new("m", &[(1.0, 2)]).granularities(Granularity::Hour).tags(tags);
    assert_eq!(
        line(&|out| _ = histogram.encode(&rules, out).unwrap()),
        histogram_to_line_data("m", &[(1.0, 2)], Granularity::Hour, None, "", tags, "d").unwrap()
    );
    let (trace_id, span_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let span = Span::new("m", 7, 8, trace_id, span_id).tags(tags);
    assert_eq!(
        line(&|out| _ = span.encode(&rules, out).unwrap()),
        tracing_span_to_line_data("m", 7, 8, "", trace_id, span_id, &[], &[], tags, &[], "d").unwrap()
    );
    let event = Event::new("m", 7).annotations(tags);
    assert_eq!(
        line(&|out| _ = event.encode(&rules, out).unwrap()),
        event_to_line_data("m", 7, None, "", &[], tags, "d").unwrap()
    );
}
