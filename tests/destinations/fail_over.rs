//! One of a list of proxies: what is not taken by one is taken by the next, and the first is gone back to.

use std::thread;
use std::time::Duration;

use wavefront_sdk::delivery::Backoff;
use wavefront_sdk::sender::{BuildError, SenderBuilder};
use wavefront_sdk::{Granularity, Metric, Overflow, Sender};

use crate::account::{Account, LONG, until};
use crate::chance::{Chance, seed};
use crate::receiver::Receiver;

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("m{number}"))
}

fn pair(scheme: &str, first: &Receiver, second: &Receiver) -> SenderBuilder {
    Sender::builder(&format!("{scheme}://{}", first.address))
        .fallback(format!("{scheme}://{}", second.address))
        .recovery(Duration::from_millis(100))
        .source("s")
        .batch_size(500)
        .flush_interval(Duration::from_millis(20))
        .backoff(Backoff::new(Duration::from_millis(2), Duration::from_millis(50)))
}

/// Whichever of the two is killed at random, the other has the lines: nothing is lost, and nothing is refused.
#[test]
fn one_of_two_proxies_is_killed_at_random_and_nothing_is_lost() {
    const SENT: usize = 30_000;
    for scheme in ["proxy", "tcp"] {
        let mut proxies = [Receiver::start("one"), Receiver::start("two")];
        let sender = pair(scheme, &proxies[0], &proxies[1]).overflow(Overflow::Block(LONG)).build().unwrap();
        let mut chance = Chance::new(seed());
        let mut kills = 0;
        thread::scope(|scope| {
            let sending = scope.spawn(|| {
                for (number, name) in names(SENT).enumerate() {
                    sender.send(Metric::new(&name, 1.0)).unwrap();
                    if number % 100 == 0 {
                        thread::sleep(Duration::from_millis(8));
                    }
                }
            });
            while !sending.is_finished() {
                let dies = usize::from(chance.one_in(2));
                proxies[dies].kill();
                thread::sleep(chance.millis(10..150));
                proxies[dies].revive();
                thread::sleep(chance.millis(10..150));
                kills += 1;
            }
        });
        let ledger = sender.close(LONG);
        // Over TCP the end is confirmed before all is written.
        until("all to be written", || {
            proxies.iter().map(|proxy| proxy.text().lines().count()).sum::<usize>() >= ledger.total().delivered
        });
        proxies.iter_mut().for_each(Receiver::kill);
        let texts = [proxies[0].text(), proxies[1].text()];
        assert!(kills > 3, "{kills} kills");
        let arrived = || texts.iter().flat_map(|text| text.lines());
        let account = Account::whole(names(SENT), arrived(), &ledger);
        assert_eq!((account.missing.len(), ledger.failure_count()), (0, 0));
        account.note("one of two proxies: either killed at random");
        assert!(texts.iter().all(|text| !text.is_empty()), "both had a share");
    }
}

#[test]
fn the_first_is_gone_back_to_once_it_is_there() {
    for scheme in ["proxy", "tcp"] {
        let (mut first, mut second) = (Receiver::start("first"), Receiver::start("second"));
        first.kill();
        let sender = pair(scheme, &first, &second).build().unwrap();
        let send = |name: &str| {
            sender.send(Metric::new(name, 1.0)).unwrap();
            sender.flush(LONG).unwrap();
        };
        send("m0");
        until("the second to have it", || second.text().contains("m0"));
        first.revive();
        let mut sent = 1;
        until("the first to be used again", || {
            send(&format!("m{sent}"));
            sent += 1;
            thread::sleep(Duration::from_millis(10));
            !first.text().is_empty()
        });
        // From then on it has all. The second has written what it had: its end was confirmed.
        until("the second to be done", || (first.text() + &second.text()).lines().count() >= sent);
        let before = second.text();
        for _ in 0..20 {
            send(&format!("m{sent}"));
            sent += 1;
        }
        let ledger = sender.close(LONG);
        until("the first to have it", || first.text().contains(&format!("m{}\"", sent - 1)));
        first.kill();
        second.kill();
        assert_eq!(second.text(), before);
        let text = before + &first.text();
        let account = Account::whole(names(sent), text.lines(), &ledger);
        assert_eq!((account.missing.len(), account.duplicates), (0, 0), "{scheme}");
    }
}

/// A name is looked up at each connection, and all of its addresses are tried: one that has an address of either sort for
/// this machine is reached at the one where somebody listens.
#[test]
fn either_sort_of_address_does() {
    let mut receiver = Receiver::start("v4");
    let port = receiver.address.rsplit(':').next().unwrap().to_owned();
    for scheme in ["proxy", "tcp"] {
        // Nobody listens at the first, which is of the other sort.
        let sender = Sender::builder(&format!("{scheme}://[::1]:{port}"))
            .fallback(format!("{scheme}://localhost:{port}"))
            .source("s")
            .build()
            .unwrap();
        sender.send(Metric::new(&format!("by.{scheme}"), 1.0)).unwrap();
        sender.flush(LONG).unwrap();
        assert_eq!(sender.close(LONG).total().delivered, 1);
    }
    receiver.kill();
    assert!(receiver.text().contains("by.proxy") && receiver.text().contains("by.tcp"));
}

#[test]
fn kinds_share_a_connection_where_they_share_all_ports() {
    let (mut first, mut second) = (Receiver::start("first"), Receiver::start("second"));
    first.kill();
    let sender = Sender::builder(&format!("tcp://{}?histograms=1", first.address))
        .fallback(format!("tcp://{}", second.address))
        .source("s")
        .build()
        .unwrap();
    sender.send(Metric::new("m0", 1.0)).unwrap();
    sender.send_distribution("m1", &[(1.0, 1)], Granularity::Minute, None, "s", ()).unwrap();
    let ledger = sender.close(LONG);
    until("both to be written", || second.text().lines().count() == 2);
    second.kill();
    Account::whole(names(2), second.text().lines(), &ledger);
}

#[test]
fn what_cannot_stand_in_is_refused() {
    let refused = |url: &str, other: &str| Sender::builder(url).fallback(other).build().unwrap_err();
    for (url, other) in [
        ("proxy://h", "tcp://h"),
        ("tcp://h", "https://h"),
        ("proxy://h", "https://s3cret@h"),
        ("proxy://h", "file:a"),
        ("https://s3cret@h", "proxy://h"),
        ("stdout:", "proxy://h"),
    ] {
        let error = refused(url, other);
        assert!(error.to_string().contains("fallback has to be"), "{url} {other}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
    let error = refused("proxy://h", "tcp://h:0");
    assert!(matches!(error, BuildError::Destination { number: 2, .. }), "{error}");
    let error = Sender::builder("tcp://h").fallback("tcp://i").recovery(Duration::ZERO).build().unwrap_err();
    assert_eq!(error.to_string(), "recovery has to be longer than zero");
}
