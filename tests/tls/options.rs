//! Every wrong option is an error that names it, and shows nothing that is secret.

use std::sync::Arc;

use wavefront_sdk::Sender;
use wavefront_sdk::sender::{BuildError, SenderBuilder};
use wavefront_sdk::transport::Tls;

use crate::authority::{Authority, NOW};

#[test]
fn every_wrong_option_is_an_error_that_names_it() {
    let authority = Authority::new("any");
    let (one, other) = (authority.certify(&["a"], NOW), authority.certify(&["b"], NOW));
    let mut empty = rustls::crypto::ring::default_provider();
    empty.cipher_suites.clear();
    let ca = || Tls::new().ca_pem(authority.pem());
    let bad_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let wrong = [
        ("ca_file", Tls::new().ca_file("no/such/file.pem")),
        ("ca_pem", Tls::new().ca_pem("")),
        ("ca_pem", Tls::new().ca_pem("nonsense")),
        ("ca_pem", Tls::new().ca_pem(&one.key)),
        ("ca_pem", Tls::new().ca_pem(bad_der)),
        ("only_own_ca", Tls::new().only_own_ca()),
        ("client_files", ca().client_files("no/such/file.pem", "no/such/key.pem")),
        ("client_pem", ca().client_pem("", &one.key)),
        ("client_pem", ca().client_pem(&one.certificate, "")),
        ("client_pem", ca().client_pem(&one.certificate, &one.certificate)),
        ("client_pem", ca().client_pem(&one.certificate, &other.key)),
        ("crypto_provider", ca().crypto_provider(Arc::new(empty))),
    ];
    // A line of the key, which is what could be seen of it.
    let secrets: Vec<&str> = [&one, &other].iter().filter_map(|identity| identity.key.lines().nth(1)).collect();
    for (number, (option, tls)) in wrong.into_iter().enumerate() {
        for url in ["https://h", "tcp+tls://h"] {
            let shown = format!("{tls:?}");
            let builder = Sender::builder(url).tls(tls.clone());
            let shown = format!("{shown} {builder:?}");
            let error = builder.build().unwrap_err();
            let BuildError::Tls(wrong) = &error else { panic!("{option} {number} {url}: {error:?}") };
            assert_eq!(wrong.option(), Some(option), "{number} {url}: {error}");
            assert!(error.to_string().starts_with(&format!("{option}: ")), "{error}");
            let shown = format!("{shown} {error} {error:?}");
            assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
        }
    }
    let own = SenderBuilder::over(wavefront_sdk::transport::Memory::new());
    for builder in [Sender::builder("tcp://h"), Sender::builder("stdout:"), own] {
        let error = builder.tls(ca()).build().unwrap_err();
        assert!(error.to_string().starts_with("tls has to be left out"), "{error}");
    }
    let right = ca().client_pem(&one.certificate, &one.key);
    for url in ["https://127.0.0.1:1", "http://127.0.0.1:1", "tcp+tls://127.0.0.1:1"] {
        Sender::builder(url).tls(right.clone()).build().unwrap().close(std::time::Duration::ZERO);
    }
}
