//! Generates constant tables from `data/registry.tsv`: one pool of texts, the distinct resource
//! definitions, and for each object version the indices of its resources.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::{env, fs, path::Path};

#[derive(Default)]
struct Tables {
    pool: String,
    texts: HashMap<String, usize>,
    resources: Vec<String>,
    places: HashMap<String, usize>,
    lists: Vec<usize>,
    objects: Vec<(String, usize)>,
}

impl Tables {
    fn line(&mut self, line: &str) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or("");
        match field() {
            "object" => {
                let (id, version, name) = (field(), field().replace('.', ", "), field());
                let enabler = field().replace('.', "_");
                let (multiple, mandatory, urn) = (field() == "M", field() == "M", field());
                let (name, urn) = (self.text(name), self.text(urn));
                let head = format!(
                    "{id}, ({version}), Version::V{enabler}, {name}, {urn}, {multiple}, {mandatory}"
                );
                self.objects.push((head, self.lists.len()));
            }
            id => {
                let (name, operations) = (field(), operations(field()));
                let (multiple, mandatory) = (field() == "M", field() == "M");
                let (data_type, range, units) = (data_type(field()), field(), field());
                let (name, range, units) = (self.text(name), self.text(range), self.text(units));
                let row = format!(
                    "{id}, {name}, Operations::{operations}, {multiple}, {mandatory}, \
                     DataType::{data_type}, {range}, {units}"
                );
                let place = self.place(row);
                self.lists.push(place);
            }
        }
    }

    /// The offset and the length of `text` in the pool, as arguments of `Text::pooled`.
    fn text(&mut self, text: &str) -> String {
        let start = *self.texts.entry(text.to_owned()).or_insert_with(|| {
            self.pool.push_str(text);
            self.pool.len() - text.len()
        });
        format!("({start}, {})", text.len())
    }

    /// The index of a resource definition, which object versions may share.
    fn place(&mut self, row: String) -> usize {
        *self.places.entry(row).or_insert_with_key(|row| {
            self.resources.push(row.clone());
            self.resources.len() - 1
        })
    }

    fn pool(&self) -> String {
        format!("static POOL: &str = {:?};\n", self.pool)
    }

    fn tables(&self) -> String {
        let mut out = String::from("pub(crate) static RESOURCES: &[ResourceDefinition] = &[\n");
        self.resources.iter().for_each(|row| writeln!(out, "resource({row}),").expect("memory"));
        out.push_str("];\n");
        writeln!(out, "pub(crate) static LISTS: &[u16] = &{:?};", self.lists).expect("memory");
        out.push_str("pub(crate) static OBJECTS: &[ObjectDefinition] = &[\n");
        let ends = self.objects.iter().skip(1).map(|(_, start)| *start).chain([self.lists.len()]);
        for ((head, start), end) in self.objects.iter().zip(ends) {
            writeln!(out, "object({head}, ({start}, {})),", end - start).expect("memory");
        }
        out.push_str("];\n");
        out
    }
}

fn operations(text: &str) -> &str {
    if text == "-" { "NONE" } else { text }
}

fn data_type(text: &str) -> &str {
    match text {
        "" => "None",
        "Unsigned Integer" => "UnsignedInteger",
        "Objlnk" => "ObjectLink",
        "Corelnk" => "CoreLink",
        same => same,
    }
}

fn main() {
    println!("cargo::rerun-if-changed=data/registry.tsv");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string("data/registry.tsv").expect("data/registry.tsv can be read");
    let mut tables = Tables::default();
    text.lines().for_each(|line| tables.line(line));
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let write = |name, text| fs::write(Path::new(&folder).join(name), text);
    write("pool.rs", tables.pool()).expect("OUT_DIR is writable");
    write("tables.rs", tables.tables()).expect("OUT_DIR is writable");
}
