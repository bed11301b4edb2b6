//! Values of devices as rows for people.

use super::client::{Client, encoded};
use super::table::{Table, time};
use super::text;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What people call resources: names and units by object and resource.
#[derive(Default)]
pub(super) struct Names(BTreeMap<(u64, u64), (String, String)>);

impl Names {
    /// The names that hold for a device. Without them, values are printed all the same.
    pub(super) fn of(client: &Client, endpoint: &str) -> Self {
        let specs = client.get(&format!("/api/objectspecs/{}", encoded(endpoint)));
        let specs = specs.unwrap_or_default();
        let mut names = BTreeMap::new();
        for object in specs.as_array().into_iter().flatten() {
            for resource in object["resourcedefs"].as_array().into_iter().flatten() {
                if let (Some(object), Some(id)) = (object["id"].as_u64(), resource["id"].as_u64()) {
                    let name =
                        (text(resource, "name").to_owned(), text(resource, "units").to_owned());
                    names.insert((object, id), name);
                }
            }
        }
        Self(names)
    }

    /// Name and unit of what lives at a path.
    fn get(&self, path: &str) -> (&str, &str) {
        let mut ids = path.trim_start_matches('/').split('/').map(str::parse);
        let (object, resource) = (ids.next(), ids.nth(1));
        match (object, resource) {
            (Some(Ok(object)), Some(Ok(resource))) => {
                let found = self.0.get(&(object, resource));
                found.map(|(name, unit)| (name.as_str(), unit.as_str())).unwrap_or_default()
            }
            _ => Default::default(),
        }
    }
}

/// Prints a table of the values of a node at `path`.
pub(super) fn print(path: &str, node: &Json, names: &Names) {
    let mut table = Table::new(&["path", "name", "value", "unit"]);
    let mut rows = Vec::new();
    leaves(path.trim_end_matches('/'), node, &mut rows);
    for (path, value) in rows {
        let (name, unit) = names.get(&path);
        let [name, unit] = [name, unit].map(str::to_owned);
        table.row([path, name, value, unit]);
    }
    table.print();
}

/// Appends the paths and values of a node, in the order of the answer.
pub(super) fn leaves(path: &str, node: &Json, rows: &mut Vec<(String, String)>) {
    let below = |name: &str, rows: &mut Vec<(String, String)>| {
        for child in node[name].as_array().into_iter().flatten() {
            leaves(&format!("{path}/{}", child["id"]), child, rows);
        }
    };
    let data_type = text(node, "type");
    match text(node, "kind") {
        "root" => below("objects", rows),
        "obj" => below("instances", rows),
        "instance" => below("resources", rows),
        "multiResource" => {
            for (id, it) in node["values"].as_object().into_iter().flatten() {
                rows.push((format!("{path}/{id}"), value(data_type, it)));
            }
        }
        _ => rows.push((path.to_owned(), value(data_type, &node["value"]))),
    }
}

fn value(data_type: &str, json: &Json) -> String {
    match (data_type, json) {
        ("TIME", json) if json.is_i64() => time(json.as_i64().unwrap_or_default()),
        ("OBJLNK", json) if json.is_object() => {
            format!("{}:{}", json["objectId"], json["objectInstanceId"])
        }
        (_, Json::String(text)) => text.clone(),
        (_, json) => json.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_rows_of_its_values() {
        let node = json!({"kind": "obj", "id": 3, "instances": [{"kind": "instance", "id": 0, "resources": [
            {"kind": "singleResource", "id": 0, "type": "STRING", "value": "a"},
            {"kind": "singleResource", "id": 13, "type": "TIME", "value": 1000},
            {"kind": "multiResource", "id": 6, "type": "INTEGER", "values": {"0": "1", "1": "5"}},
        ]}]});
        let mut rows = Vec::new();
        leaves("/3", &node, &mut rows);
        let rows: Vec<_> =
            rows.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        let expected = [
            ("/3/0/0", "a"),
            ("/3/0/13", "1970-01-01T00:00:01Z"),
            ("/3/0/6/0", "1"),
            ("/3/0/6/1", "5"),
        ];
        assert_eq!(rows, expected);
    }
}
