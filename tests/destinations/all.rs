//! All of several endpoints: each with its own queue and ledger.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::{BuildError, SendError, SenderBuilder};
use wavefront_sdk::transport::{Fault, Memory, Step};
use wavefront_sdk::{Limits, Metric, MultiSender, Overflow, Sender};

use crate::account::{Account, LONG};
use crate::chance::{Chance, seed};
use crate::receiver::Receiver;

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("m{number}"))
}

fn quick(builder: SenderBuilder) -> SenderBuilder {
    builder
        .source("s")
        .batch_size(500)
        .flush_interval(Duration::from_millis(20))
        .backoff(Backoff::new(Duration::from_millis(2), Duration::from_millis(50)))
}

/// A collector that is there is not kept from one line by another that is killed at random, and that one gets all of them
/// too in the end.
#[test]
fn one_of_two_is_killed_again_and_again_and_both_get_everything() {
    const SENT: usize = 30_000;
    for scheme in ["proxy", "tcp"] {
        let (mut steady, mut dying) = (Receiver::start("steady"), Receiver::start("dying"));
        let urls = [format!("{scheme}://{}", dying.address), format!("{scheme}://{}", steady.address)];
        let both = MultiSender::to(urls.iter().map(String::as_str), quick).unwrap();
        let mut chance = Chance::new(seed());
        let flowing = AtomicBool::new(true);
        let kills = thread::scope(|scope| {
            let killing = scope.spawn(|| {
                let mut kills = 0;
                while flowing.load(Ordering::SeqCst) {
                    thread::sleep(chance.millis(20..150));
                    dying.kill();
                    thread::sleep(chance.millis(10..80));
                    dying.revive();
                    kills += 1;
                }
                kills
            });
            for (number, name) in names(SENT).enumerate() {
                both.send(Metric::new(&name, 1.0)).unwrap();
                if number % 100 == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
            }
            flowing.store(false, Ordering::SeqCst);
            killing.join().unwrap()
        });
        both.flush(LONG).unwrap();
        let ledgers = both.close(LONG);
        assert!(kills > 3, "{kills}");
        assert_eq!((both.failure_count(), both.ledger().total().delivered), (0, 2 * SENT));
        steady.kill();
        dying.kill();
        let (text, other) = (dying.text(), steady.text());
        let account = Account::whole(names(SENT), text.lines(), &ledgers[0]);
        assert!(account.missing.is_empty());
        account.note("two endpoints: the one that is killed again and again");
        let account = Account::whole(names(SENT), other.lines(), &ledgers[1]);
        assert_eq!((account.missing.len(), account.duplicates), (0, 0));
        account.note("two endpoints: the other");
    }
}

/// It takes connections and answers nothing: nothing is slower than that.
#[test]
fn an_endpoint_that_never_answers_delays_no_other() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let memory = Memory::new();
    let live = quick(SenderBuilder::over(memory.clone())).build().unwrap();
    let dead = quick(Sender::builder(&url)).max_queue_size(1_000).build().unwrap();
    let both = MultiSender::new([dead, live]);
    let refused = names(5_000).filter(|name| both.send(Metric::new(name, 1.0)).is_err()).count();
    both.senders()[1].flush(LONG).unwrap();
    let ledgers = both.ledgers();
    assert_eq!(ledgers[1].total().delivered, 5_000);
    assert_eq!((ledgers[0].total().dropped.queue_full, ledgers[0].total().delivered), (refused, 0));
    assert!(refused >= 4_000, "its own queue is full, and no other");

    let error = both.flush(Duration::from_millis(50)).unwrap_err();
    assert_eq!((error.failed.len(), error.failed[0].0, error.of), (1, 0, 2));
    let said = error.to_string();
    assert!(said.starts_with(&format!("endpoint 1 of 2, {url}: ")) && said.contains("have not left"), "{said}");
    let ledgers = both.close(Duration::ZERO);
    assert!(ledgers.iter().all(|ledger| ledger.is_balanced()));
    assert_eq!(ledgers[0].total().dropped.closed, 1_000);
    assert_eq!(both.failure_count(), refused + 1_000);
    assert_eq!(memory.lines(), 5_000);
    assert_eq!(both.send(Metric::new("m", 1.0)).unwrap_err().failed, [(0, SendError::Closed), (1, SendError::Closed)]);
}

/// One that is to be waited for is waited for last.
#[test]
fn who_blocks_for_one_has_served_the_others() {
    let memory = Memory::new();
    let away = Fault::new(Memory::new(), vec![Step::Connect; 10_000]);
    let block = Overflow::Block(Duration::from_millis(20));
    let away = quick(SenderBuilder::over(away)).max_queue_size(1).overflow(block).build().unwrap();
    let both = MultiSender::new([away, quick(SenderBuilder::over(memory.clone())).build().unwrap()]);
    both.send(Metric::new("a", 1.0)).unwrap();
    let error = both.send(Metric::new("b", 1.0)).unwrap_err();
    assert!(matches!(error.failed[..], [(0, SendError::QueueFull(_))]), "{error}");
    both.senders()[1].flush(LONG).unwrap();
    assert_eq!(memory.lines(), 2);
    both.close(Duration::ZERO);
}

#[test]
fn each_endpoint_has_its_own_rules() {
    let (a, b, c) = (Memory::new(), Memory::new(), Memory::new());
    let over = |memory: &Memory| SenderBuilder::over(memory.clone());
    let mut limits = Limits::DEFAULT;
    limits.metric_name = 3;
    let senders = [
        over(&a).source("one").build().unwrap(),
        over(&b).source("one").build().unwrap(),
        over(&c).source("two").limits(limits).build().unwrap(),
    ];
    let all = MultiSender::new(senders);
    all.send_metric("cpu", 1.0, Some(2), "", [("k", "v")]).unwrap();
    let error = all.send_delta_counter("long.name", 1.0, "", ()).unwrap_err();
    assert_eq!((error.failed.len(), error.failed[0].0), (1, 2));
    assert!(error.to_string().starts_with("endpoint 3 of 3: "), "{error}");
    let error = all.send_event("", 1, None, "", &[], ()).unwrap_err();
    assert_eq!(error.failed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 2]);
    all.flush_now().unwrap();
    assert_eq!(a.text(), b.text());
    assert_eq!(a.text(), "\"cpu\" 1.0 2 source=\"one\" \"k\"=\"v\"\n\"∆long.name\" 1.0 source=\"one\"\n");
    assert_eq!(c.text(), "\"cpu\" 1.0 2 source=\"two\" \"k\"=\"v\"\n");
    let invalid = all.ledgers().iter().map(|ledger| ledger.total().invalid).collect::<Vec<_>>();
    assert_eq!((invalid, all.failure_count()), (vec![1, 1, 2], 4));
}

#[test]
fn which_endpoint_is_wrong_is_said() {
    let error = MultiSender::to(["proxy://h", "https://s3cret@h:0"], |builder| builder).unwrap_err();
    assert!(matches!(error, BuildError::Destination { number: 2, .. }));
    assert_eq!(error.to_string(), "endpoint 2: endpoint: a port is a number from 1 to 65535");
    assert!(!format!("{error:?}").contains("s3cret"));
}
