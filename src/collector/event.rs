//! Events as direct ingestion takes them: one JSON object a request.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use serde_json::{Map, Value};

/// An event that came as JSON (`POST /api/v2/event`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EventJson {
    /// Its name.
    pub name: String,
    /// Its annotations, in the order they came.
    pub annotations: Vec<(String, String)>,
    /// The sources it is about.
    pub hosts: Vec<String>,
    /// When it started, in ms.
    pub start_millis: u64,
    /// When it ended, in ms.
    pub end_millis: Option<u64>,
    /// Its tags.
    pub tags: Vec<String>,
}

impl EventJson {
    /// Reads an event: `name`, `annotations` and `startTime` are required, `hosts`, `endTime` and `tags` may be left
    /// out or null; other keys are ignored, as the API does.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(body).map_err(|error| format!("this is not JSON: {error}"))?;
        let Value::Object(object) = value else { return Err("one JSON object is expected".to_string()) };

        let name = match object.get("name") {
            Some(Value::String(name)) if !name.trim().is_empty() => name.clone(),
            _ => return Err("name has to be a text that is not blank".to_string()),
        };
        let Some(Value::Object(map)) = object.get("annotations") else {
            return Err("annotations has to be an object".to_string());
        };
        let mut annotations = Vec::new();
        for (key, value) in map {
            let Value::String(value) = value else { return Err("annotations has to have texts as values".to_string()) };
            annotations.push((key.clone(), value.clone()));
        }
        let Some(start_millis) = millis(&object, "startTime")?.filter(|start| *start > 0) else {
            return Err("startTime is missing: milliseconds since 1970".to_string());
        };
        let end_millis = millis(&object, "endTime")?;
        if end_millis.is_some_and(|end| end < start_millis) {
            return Err("endTime is before startTime".to_string());
        }
        let (hosts, tags) = (texts(&object, "hosts")?, texts(&object, "tags")?);
        Ok(Self { name, annotations, hosts, start_millis, end_millis, tags })
    }
}

fn millis(object: &Map<String, Value>, key: &str) -> Result<Option<u64>, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(millis) => Ok(Some(millis)),
            None => Err(format!("{key} has to be a whole number of milliseconds")),
        },
    }
}

fn texts(object: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{key} has to be a list of texts");
    match object.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().map(ToString::to_string).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_whole() {
        let event = EventJson::read(
            br#"{"name":"deploy","annotations":{"severity":"info","type":"x"},"hosts":["a","b"],
                 "startTime":1590650592000,"endTime":1590650692000,"tags":["t"],"creatorType":["USER"]}"#,
        )
        .unwrap();
        assert_eq!(event.name, "deploy");
        assert_eq!(event.annotations.len(), 2);
        assert_eq!((event.hosts.len(), event.tags.len()), (2, 1));
        assert_eq!((event.start_millis, event.end_millis), (1_590_650_592_000, Some(1_590_650_692_000)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, word) in [
            ("", "JSON"),
            ("[]", "object"),
            (r#"{"annotations":{},"startTime":1}"#, "name"),
            (r#"{"name":" ","annotations":{},"startTime":1}"#, "name"),
            (r#"{"name":"n","startTime":1}"#, "annotations"),
            (r#"{"name":"n","annotations":{"a":1},"startTime":1}"#, "annotations"),
            (r#"{"name":"n","annotations":{}}"#, "startTime"),
            (r#"{"name":"n","annotations":{},"startTime":0}"#, "startTime"),
            (r#"{"name":"n","annotations":{},"startTime":1.5}"#, "startTime"),
            (r#"{"name":"n","annotations":{},"startTime":2,"endTime":1}"#, "endTime"),
            (r#"{"name":"n","annotations":{},"startTime":2,"hosts":[1]}"#, "hosts"),
            (r#"{"name":"n","annotations":{},"startTime":2,"tags":"t"}"#, "tags"),
        ] {
            let error = EventJson::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{body}: {error}");
        }
    }
}
