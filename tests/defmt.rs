//! Every public enum and error that a device has can be logged with `defmt`, and none shows lines or a token.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use embedded_io::ErrorKind;
use wavefront_sdk::delivery::{
    Action, Config, Delivery, Errand, Keep, Lane, Millis, Mode, Outcome, Overflow, Refused, Replay, Reply, Request,
    Slot, Spool, Stored,
};
use wavefront_sdk::line::{Full, Slice};
use wavefront_sdk::parse::{self, Part, Reason, Unit};
use wavefront_sdk::store::{FlashError, FlashRangeError, MemoryStore, Store, StoreError, StoreFailure};
use wavefront_sdk::transport::{
    Accepted, Batch, Failure, Fault, Http1, InvalidReceiver, Lines, Receiver, Recorder, Step, TlsProblem, Transport,
};
use wavefront_sdk::uplink::{Due, Next, Unsent};
use wavefront_sdk::vitals::{AuthType, Family, What};
use wavefront_sdk::{
    DescriptionAction, Encode, EncodeError, EventForm, Field, Format, Granularity, InvalidInput, Kind, KindSet, Limits,
    Metric, Problem, Rules, TagAction,
};

/// Keeps what a logger would send.
#[defmt::global_logger]
struct Frames;

static FRAME: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[allow(unsafe_code)]
// SAFETY: one test alone logs, on one thread.
unsafe impl defmt::Logger for Frames {
    fn acquire() {}
    unsafe fn flush() {}
    unsafe fn release() {}
    unsafe fn write(bytes: &[u8]) {
        FRAME.lock().unwrap().extend(bytes);
    }
}

defmt::timestamp!("");

const SECRET: &str = "secret";
const LINE: &str = "secret 1 source=secret\n";

/// A stream that has broken.
#[derive(Debug)]
struct Broken;

impl embedded_io::ErrorType for Broken {
    type Error = ErrorKind;
}

impl embedded_io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::ConnectionReset)
    }
}

impl embedded_io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::BrokenPipe)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Shows one value of each type, under the type's name.
fn each(show: &mut dyn FnMut(&str, &dyn Fn())) {
    macro_rules! each {
        ($($name:literal: $value:expr;)*) => {$({
            let value = $value;
            show($name, &|| defmt::println!("{}", value));
        })*};
    }
    let batch = Batch::new(Kind::Metric, LINE.as_bytes(), 1);
    let invalid = InvalidInput::new(Field::Source, Problem::TooLong { limit: 1, len: 2 });
    let metric = Metric::new(SECRET, 1.0).source(SECRET);
    let encoded = metric.encode(&Rules::default(), &mut Slice::new(&mut [0; 4])).unwrap_err();
    let EncodeError::Full(full) = encoded else { panic!("{encoded:?}") };
    each! {
        "Field": Field::Source;
        "Problem": Problem::TooMany { limit: 1, count: 2 };
        "InvalidInput": invalid;
        "Full": full;
        "EncodeError": EncodeError::<Full>::Full(full);
        "Kind": Kind::SpanLogs;
        "Format": Format::Trace;
        "TagAction": TagAction::Add;
        "DescriptionAction": DescriptionAction::Save;
        "Granularity": Granularity::Minute;
        "EventForm": EventForm::Line;
        "Line": parse::line(LINE, &Limits::default()).unwrap();
        "ParseError": parse::line("secret", &Limits::default()).unwrap_err();
        "Part": Part::Start;
        "Reason": Reason::Missing(Part::Source);
        "Unit": Unit::Seconds;
        "AuthType": AuthType::CspApiToken;
        "Family": Family::SpanLogs;
        "What": What::Report(503);
    }

    let receiver = Receiver::new("localhost").unwrap().token(SECRET).unwrap();
    each! {
        "Accepted": Accepted::Written;
        "Failure": Failure::Connect;
        "TlsProblem": TlsProblem::Expired;
        "Step": Step::Unsupported;
        "FaultError": Fault::new(Lines::new(Broken), [Step::Connect]).send(batch).unwrap_err();
        "RecorderFull": Recorder::new(Slice::new(&mut [0; 4])).send(batch).unwrap_err();
        "InvalidReceiver": InvalidReceiver::Token;
        "LinesError": Lines::new(Broken).send(batch).unwrap_err();
        "Http1Error": Http1::new(receiver, Broken, |_: &mut Broken| Ok(())).send(batch).unwrap_err();
        "FlashError": FlashError::Medium(embedded_storage::nor_flash::NorFlashErrorKind::NotAligned);
        "FlashRangeError": FlashRangeError::TooSmall;
        "StoreFailure": StoreFailure::Damaged;
        "Due": Due::Send(1);
        "Next": Next::At(Millis(1));
        "Unsent": Unsent::Invalid(invalid);
    }

    let slots = [Slot::new([0_u8; 64]), Slot::new([0; 64])];
    let mut sending = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
    sending.push(Kind::Metric, LINE.as_bytes(), 1).unwrap();
    let _ = sending.flush();
    let action = sending.poll(Millis(0), KindSet::ALL);
    assert!(matches!(action, Action::Send(_)));
    each! {
        "Action": action;
        "Outcome": Outcome::Rejected(400);
        "Overflow": Overflow::DropOldest;
        "Refused": Refused::Full;
        "Mode": Mode::Always;
        "Replay": Replay::All;
        "Reply": Reply::Done;
    }

    let slots = [Slot::new(Stored([0_u8; 64])), Slot::new(Stored([0; 64]))];
    let mut storing = Delivery::new(Config::default(), slots, [Lane::new(Kind::Metric)]);
    let mut store = MemoryStore::new();
    let mut spool = Spool::new(Keep::new(Mode::Always), store.footprint(), &mut storing.view());
    storing.push(Kind::Metric, LINE.as_bytes(), 1).unwrap();
    let _ = storing.flush();
    // It looks for what there is, and then it puts the line.
    while let Errand::Do(mut job) = spool.poll(&mut storing.view(), Millis(0), 0) {
        if matches!(job.request(), Request::Put(..)) {
            each! { "Request": job.request(); "Errand": Errand::Do(job); }
            return;
        }
        let result = job.run(&mut store).map_err(|error| error.kind());
        spool.settle(&mut storing.view(), job, result, Millis(0));
    }
    panic!("the line was not stored");
}

/// The modules that need an allocator, or more.
const STD: [&str; 17] = [
    "bin",
    "collector",
    "data/application.rs",
    "endpoint",
    "sender",
    "store/conformance",
    "store/conformance.rs",
    "store/directory",
    "store/memory.rs",
    "transport/auth",
    "transport/conformance.rs",
    "transport/file.rs",
    "transport/http",
    "transport/tcp.rs",
    "transport/tls/options.rs",
    "transport/token.rs",
    "transport/unix.rs",
];

/// The public enums and errors of the sources below `folder`.
fn find(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if STD.iter().any(|std| path.ends_with(Path::new("src").join(std))) {
            continue;
        }
        if path.is_dir() {
            find(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // In the first column: what a module for tests has is none of this.
        for line in text.lines() {
            let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
            if let Some(rest) = line.strip_prefix("pub enum ") {
                found.insert(name(rest));
            } else if let Some((_, rest)) = line.split_once("core::error::Error for ")
                && line.starts_with("impl")
                && text.contains(&format!("\npub struct {}", name(rest)))
            {
                found.insert(name(rest));
            }
        }
    }
}

#[test]
fn every_public_enum_and_error_is_shown() {
    let (mut found, mut shown) = (BTreeSet::new(), BTreeSet::new());
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    each(&mut |name, _| assert!(shown.insert(name.to_owned()), "{name} is there twice"));
    assert_eq!(shown, found);
}

#[test]
fn none_shows_lines_or_a_token() {
    let frame = |log: &dyn Fn()| {
        FRAME.lock().unwrap().clear();
        log();
        FRAME.lock().unwrap().clone()
    };
    let shows = |frame: &[u8]| frame.windows(SECRET.len()).any(|text| text == SECRET.as_bytes());
    each(&mut |name, log| {
        let frame = frame(log);
        assert!(!frame.is_empty(), "{name} shows nothing");
        assert!(!shows(&frame), "{name} shows what nobody is to see");
    });
    assert!(shows(&frame(&|| defmt::println!("{}", SECRET))), "it would be seen");
}
