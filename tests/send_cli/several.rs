//! All of several endpoints, and what the environment says.

use super::*;

fn to(scratch: &Scratch) -> String {
    format!("file:{}", scratch.path())
}

#[test]
fn all_get_everything_and_each_has_its_summary() {
    let (a, b) = (Scratch::new(b""), Scratch::new(b""));
    let (first, second) = (to(&a), to(&b));
    let ended = run_with(RECORDS.as_bytes(), &["--to", &first, "--to", &second, "--json"]).with_status(0);
    let expected: HashSet<String> = LINES.lines().map(str::to_owned).collect();
    assert_eq!((a.lines(), b.lines()), (expected.clone(), expected));
    let summary = ended.json();
    for (summary, url) in summary["endpoints"].as_array().unwrap().iter().zip([&first, &second]) {
        assert_eq!(summary["endpoint"], **url);
        assert_eq!((&summary["records"], &summary["delivered"]), (&10.into(), &13.into()));
    }
    let ended = run_with(RECORDS.as_bytes(), &["--to", &first, "--to", &second]).with_status(0);
    assert_eq!(ended.err.matches("total").count(), 2, "{}", ended.err);
    assert!(ended.err.contains(&format!("to {first}\n")) && ended.err.contains(&format!("to {second}\n")));
}

/// Its own lines are lost, after the time that one endpoint may take; nobody else's.
#[test]
fn one_that_is_away_is_given_up_and_the_others_have_everything() {
    let there = Scratch::new(b"");
    let gone = { TcpListener::bind(ANY).unwrap().local_addr().unwrap() };
    let (dead, live) = (format!("tcp://{gone}"), to(&there));
    let records: String = (0..5_000).map(|n| format!("m{n} {n} source=s\n")).collect();
    let args = ["--to", &dead, "--to", &live, "--give-up", "300ms", "--json"];
    let summary = run_with(records.as_bytes(), &args).with_status(1).json();
    let [dead, live] = summary["endpoints"].as_array().unwrap().as_slice() else { panic!("{summary}") };
    assert_eq!((&live["delivered"], &live["gave_up"]), (&5_000.into(), &false.into()));
    assert_eq!((&dead["delivered"], &dead["gave_up"]), (&0.into(), &true.into()));
    assert_eq!(dead["lost"], dead["accepted"]);
    assert_eq!(there.lines().len(), 5_000);
}

#[test]
fn a_token_is_for_those_who_take_one() {
    let (file, receiver) = (Scratch::new(b""), Receiver::start(None));
    let proxy = format!("proxy://127.0.0.1:{}", receiver.port(Port::Metrics));
    let args = ["--metric", "m", "1", "--token", "5eCr3t", "--source", "s", "--give-up", "300ms"];
    let urls = ["--to", &to(&file), "--to", &proxy, "--to", "https://127.0.0.1:1"];
    let ended = run(&[&args[..], &urls[..]].concat()).with_status(1);
    assert!(!(ended.out + &ended.err).contains("5eCr3t"));
    assert_eq!(file.lines().len(), 1);
}

#[test]
fn a_spool_is_for_one() {
    let spool = Scratch::new(b"");
    let ended =
        run(&["--to", "file:a", "--to", "file:b", "--spool", spool.path(), "--metric", "m", "1"]).with_status(2);
    assert!(ended.err.contains("--spool: it holds the lines of one endpoint"), "{}", ended.err);
}

#[test]
fn the_environment_says_where_to_and_as_whom() {
    let (a, b) = (Scratch::new(b""), Scratch::new(b""));
    let mut command = send(&["--metric", "m", "1"]);
    let urls = format!("{} {}", to(&a), to(&b));
    command.env("WAVEFRONT_URL", urls).env("WAVEFRONT_SOURCE", "web-1").env("WAVEFRONT_TAGS", "env=prod, zone=a");
    Ended::of(command.spawn().unwrap()).with_status(0);
    let expected = "\"m\" 1.0 source=\"web-1\" \"env\"=\"prod\" \"zone\"=\"a\"";
    assert_eq!((a.lines(), b.lines()), (HashSet::from([expected.into()]), HashSet::from([expected.into()])));

    // The command line comes first.
    let c = Scratch::new(b"");
    let mut command = send(&["--metric", "m", "1", "--to", &to(&c), "--source", "s", "--tag", "k=v"]);
    command.env("WAVEFRONT_URL", "proxy://nowhere").env("WAVEFRONT_SOURCE", "web-1").env("WAVEFRONT_TAGS", "env=prod");
    Ended::of(command.spawn().unwrap()).with_status(0);
    assert_eq!(c.lines(), HashSet::from(["\"m\" 1.0 source=\"s\" \"k\"=\"v\"".into()]));
}

#[test]
fn what_the_environment_says_wrong_is_told_without_its_secrets() {
    for (name, value, said) in [
        ("WAVEFRONT_URL", "https://5eCr3t@h:0", "a port is a number"),
        ("WAVEFRONT_URL", "https://5eCr3t:x@h", "what stands before the @"),
        ("WAVEFRONT_TAGS", "5eCr3t", "WAVEFRONT_TAGS"),
    ] {
        let mut command = send(&["--metric", "m", "1"]);
        command.env("WAVEFRONT_URL", "file:a").env(name, value);
        let ended = Ended::of(command.spawn().unwrap()).with_status(2);
        assert!(ended.err.contains(said), "{}", ended.err);
        assert!(name == "WAVEFRONT_TAGS" || !ended.err.contains("5eCr3t"), "{}", ended.err);
    }
    let help = Ended::of(send(&["--help"]).env("WAVEFRONT_URL", "https://5eCr3t@h").spawn().unwrap()).with_status(0);
    assert!(help.out.contains("WAVEFRONT_URL") && !help.out.contains("5eCr3t"));
}
