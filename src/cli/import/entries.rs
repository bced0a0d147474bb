//! JSON: wcIds or objects in a list; the list alone, or what `accounts --json` prints, or the gateway's own answer, or
//! one of them a line.

use serde_json::{Map, Value};

use super::rows::{BadFile, DEVICE, Fields, LAST_LOGIN, Read, TAGS, WC_ID, Wrong, column};
use crate::model::edit::tags;

/// Whether a file is JSON and no table: one lone value is too, unless it is text, which is an id.
pub(super) fn is_json(text: &str) -> bool {
    let lone = || matches!(serde_json::from_str(text), Ok(Value::Null | Value::Bool(_) | Value::Number(_)));
    text.trim_start().starts_with(['[', '{']) || lone()
}

/// Reads accounts.
pub(super) fn read(text: &str) -> Result<Read, BadFile> {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let list = list(value).ok_or(BadFile::NoList)?;
            let entries = list.into_iter().enumerate().map(|(at, value)| (at + 1, entry(value))).collect();
            Ok(Read { entries, ..Read::default() })
        }
        Err(error) => {
            let filled = || text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let is_object = |(_, line): (usize, &str)| serde_json::from_str::<Map<String, Value>>(line).is_ok();
            if !filled().next().is_some_and(is_object) {
                return Err(BadFile::Syntax(error.to_string()));
            }
            let one =
                |line: &str| serde_json::from_str(line).map_err(|error| Wrong::Json(error.to_string())).and_then(entry);
            let entries = filled().map(|(at, line)| (at + 1, one(line))).collect();
            Ok(Read { entries, in_lines: true, ..Read::default() })
        }
    }
}

fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list),
        Value::Object(mut map) => {
            for key in ["accounts", "data"] {
                if let Some(Value::Array(list)) = map.get_mut(key) {
                    return Some(std::mem::take(list));
                }
            }
            map.keys().any(|key| column(key) == Some(WC_ID)).then(|| vec![Value::Object(map)])
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn entry(value: Value) -> Result<Fields, Wrong> {
    let mut fields = Fields::default();
    match value {
        Value::String(wc_id) => fields.put(WC_ID, &wc_id)?,
        Value::Object(map) => put(&mut fields, map)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return Err(Wrong::Entry),
    }
    Ok(fields)
}

fn put(fields: &mut Fields, map: Map<String, Value>) -> Result<(), Wrong> {
    for (key, value) in map {
        let Some(at) = column(&key) else { continue };
        let wrong = || Wrong::Field(key.clone());
        match value {
            Value::Null => {}
            Value::String(text) => fields.put(at, &text)?,
            Value::Number(number) => fields.put(at, &number.to_string())?,
            Value::Array(list) if at == TAGS => {
                let list: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                fields.put_tags(tags(&list.ok_or_else(wrong)?.join(",")))?;
            }
            // A device as an exported account has it.
            Value::Object(mut device) if at == DEVICE => {
                if let Some(device_type) = device.remove("type") {
                    device.insert("device".to_owned(), device_type);
                }
                let is_network = |key: &String| column(key).is_some_and(|at| (DEVICE..LAST_LOGIN).contains(&at));
                put(fields, device.into_iter().filter(|(key, _)| is_network(key)).collect())?;
            }
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(wrong()),
        }
    }
    Ok(())
}
