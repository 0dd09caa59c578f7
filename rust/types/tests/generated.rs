//! Files that are printed from the code: golden shapes, OpenAPI documents, reference pages, the crate table. Each run
//! compares them; `scripts/generate` (UPDATE=1) writes them.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use osmoda_types::{Call, Daemon, catalogue, errors_page, events_page, openapi_document, tools_page};
use serde_json::{Value, json};

#[test]
fn golden_files_and_pages_are_what_the_code_prints() {
    let mut files = BTreeMap::new();
    for call in catalogue::calls() {
        let (input, output) = (call.example)();
        let shape = json!({
            "call": format!("{} {}", call.method.as_str(), call.path), "tool": call.tool, "effect": call.effect, "event": call.event(), "errors": call.errors,
            "input": (call.input)(), "output": (call.output)(), "example": {"input": input, "output": output},
        });
        let name =
            format!("rust/types/golden/{}.{}.json", name_of(call), call.method.as_str().to_lowercase());
        assert!(files.insert(name, pretty(&shape)).is_none(), "{} shares its golden file", call.path);
    }
    for daemon in Daemon::ALL.iter().filter(|daemon| daemon.exists()) {
        let document = openapi_document(*daemon, env!("CARGO_PKG_VERSION"), catalogue::calls_of(*daemon));
        files.insert(format!("docs/openapi/{}.json", daemon.name()), pretty(&document));
    }
    files.insert("docs/tools.md".into(), tools_page());
    files.insert("docs/errors.md".into(), errors_page());
    files.insert("docs/events.md".into(), events_page());
    let root = root();
    let architecture = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (prose, _) = architecture.split_once(MARK).expect("docs/architecture.md has the mark");
    files.insert("docs/architecture.md".into(), format!("{prose}{MARK}{}", crates_section()));

    if std::env::var_os("UPDATE").is_some() {
        for folder in ["rust/types/golden", "docs/openapi"] {
            let _ = fs::remove_dir_all(root.join(folder));
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (name, text) in &files {
            fs::write(root.join(name), text).unwrap();
        }
    }
    let stale: Vec<&String> = files
        .iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name)
        .collect();
    assert!(stale.is_empty(), "run scripts/generate: {stale:?} are stale");
    for entry in fs::read_dir(root.join("rust/types/golden")).unwrap() {
        let name = format!("rust/types/golden/{}", entry.unwrap().file_name().to_string_lossy());
        assert!(files.contains_key(&name), "run scripts/generate: {name} belongs to no call");
    }
}

/// The call's ledger name; with the path's last parameter where a list and one of its items share that.
fn name_of(call: &Call) -> String {
    let is_list = |other: &Call| {
        (other.event(), other.method) == (call.event(), call.method) && other.path.len() < call.path.len()
    };
    match call.path_params().last() {
        Some(parameter) if catalogue::calls().any(is_list) => format!("{}.{parameter}", call.event()),
        _ => call.event(),
    }
}

/// What stands before it in `docs/architecture.md` is prose.
const MARK: &str = "<!-- printed from the manifests by scripts/generate; do not edit below -->\n";

/// Every crate, what it is for, what it stands on, and the picture of it.
fn crates_section() -> String {
    let all: Vec<Crate> =
        fs::read_dir(root().join("rust")).unwrap().map(|entry| Crate::read(&entry.unwrap().path())).collect();
    let mut crates: Vec<&Crate> = all.iter().collect();
    crates.sort_by_key(|krate| (krate.height(&all), &krate.name));
    let mut page = String::from("\n| crate | role | uses |\n|---|---|---|\n");
    for krate in &crates {
        page.push_str(&format!("| `{}` | {} | {} |\n", krate.name, krate.role, krate.uses.join(" ")));
    }
    page.push_str("\n```mermaid\ngraph BT\n");
    for krate in &crates {
        page.push_str(&format!("  {}\n", krate.name));
        for used in &krate.uses {
            page.push_str(&format!("  {} --> {used}\n", krate.name));
        }
    }
    page + "```\n"
}

struct Crate {
    name: String,
    role: String,
    uses: Vec<String>,
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let value = |key: &str| {
            let line = manifest
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
            line.unwrap_or_else(|| panic!("{key} in {}", folder.display())).to_owned()
        };
        let dependencies = manifest
            .split("\n[dependencies]\n")
            .nth(1)
            .unwrap_or_default()
            .split("\n[")
            .next()
            .unwrap_or_default();
        let own = |line: &str| Some(line.strip_prefix("osmoda-")?.split(['.', ' ']).next()?.to_owned());
        let mut uses: Vec<String> = dependencies.lines().filter_map(own).collect();
        uses.sort();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        Self { name, role: value("description"), uses }
    }

    fn height(&self, crates: &[Self]) -> usize {
        let below = self.uses.iter().filter_map(|name| crates.iter().find(|krate| krate.name == *name));
        below.map(|krate| krate.height(crates) + 1).max().unwrap_or(0)
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
