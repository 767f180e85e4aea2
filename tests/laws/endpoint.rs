//! Laws of endpoints: any text is one or is refused; what is shown of one means the same; no secret is shown, ever.

use wavefront_sdk::sender::{Endpoint, EndpointError, Form};

/// Where a secret is to stand in a URL.
pub(crate) const SECRET: char = '\u{1}';

pub(crate) fn bytes(bytes: &[u8]) {
    any(&String::from_utf8_lossy(bytes));
}

pub(crate) fn any(url: &str) {
    let parsed = Endpoint::parse(url);
    if let Ok(endpoint) = &parsed {
        shown_and_parsed_it_is_the_same(endpoint);
        assert_eq!(Endpoint::parse_allowing_plain_token(url).map(|it| it.to_string()), Ok(endpoint.to_string()));
    }
    if let Ok(endpoint) = Endpoint::parse_allowing_plain_token(url) {
        let refused = parsed.as_ref().err();
        assert!(refused.is_none_or(|error| *error == EndpointError::PlainToken && !endpoint.is_tls()));
        assert!(endpoint.form() != Form::Direct || endpoint.token().is_some());
    }
    assert_eq!(url.parse::<Endpoint>(), parsed);
    for parse in [Endpoint::parse, Endpoint::parse_allowing_plain_token] {
        nothing_shown_depends_on_a_secret(url, parse);
    }
}

fn shown_and_parsed_it_is_the_same(endpoint: &Endpoint) {
    let shown = endpoint.to_string();
    assert!(shown.starts_with(&endpoint.base()));
    let mut again = Endpoint::parse(&shown).unwrap();
    if let Some(token) = endpoint.token() {
        again = again.with_token(token.clone()).unwrap();
    }
    assert_eq!(&again, endpoint);
    assert_eq!(again.to_string(), shown);
}

/// Two secrets of the same sort make the same texts: so neither is in them.
fn nothing_shown_depends_on_a_secret(url: &str, parse: fn(&str) -> Result<Endpoint, EndpointError>) {
    let Some((before, after)) = url.split_once(SECRET) else { return };
    if after.contains(SECRET) {
        return;
    }
    let secrets = ["5eCr3t-01234567", "6fDs4u-76543210"];
    let [one, other] = secrets.map(|secret| parse(&format!("{before}{secret}{after}")));
    match (&one, &other) {
        (Err(one), Err(other)) => {
            assert_eq!((one.to_string(), format!("{one:?}")), (other.to_string(), format!("{other:?}")));
        }
        (Ok(one), Ok(other)) if one.token() != other.token() => {
            let texts = |endpoint: &Endpoint| [endpoint.to_string(), format!("{endpoint:?}"), endpoint.base()];
            assert_eq!(texts(one), texts(other));
        }
        // The secret was the host or the path: these are to be seen.
        (Ok(one), Ok(other)) => assert_ne!(one, other),
        _ => panic!("only one of two secrets of the same sort is taken"),
    }
}
