//! The reference pages that are printed from the lists in this crate.

use std::fmt::Write as _;

use crate::{Code, Effect, catalogue, ledger};

/// `docs/tools.md`.
pub fn tools_page() -> String {
    let mut page = String::from(
        "# Tools and endpoints\n\nPrinted from the catalogue (`rust/types/src/api`) by `scripts/generate`; do not edit.\n\n\
         `effect` is what a call does to the machine: *observe* only looks, *change* can be taken back, *destroy* cannot, \
         *spend* costs money or signs, *emergency* is a way out, *trust* changes who decides. \
         A call without a tool name is for our own programs.\n\n",
    );
    for toolset in crate::Toolset::ALL {
        let _ = writeln!(
            page,
            "## {}\n\n| tool | call | effect | what it does |\n|---|---|---|---|",
            toolset.name()
        );
        for call in catalogue::calls().filter(|call| call.toolset == *toolset) {
            let tool = call.tool.map_or_else(|| "–".to_owned(), |tool| format!("`{tool}`"));
            let _ = writeln!(
                page,
                "| {tool} | {} `{} {}` | {} | {} |",
                call.daemon.name(),
                call.method.as_str(),
                call.path,
                call.effect.name(),
                call.summary
            );
        }
        page.push('\n');
    }
    page
}

/// `docs/errors.md`.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Error codes\n\nPrinted from `rust/types/src/code.rs` by `scripts/generate`; do not edit.\n\n\
         Every failed call answers `application/problem+json` (RFC 9457) with one of these codes. Codes are only ever added.\n\n\
         | code | status | meaning | what to do |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            code.as_str(),
            code.status(),
            code.title(),
            code.next_step()
        );
    }
    page
}

/// `docs/events.md`.
pub fn events_page() -> String {
    let mut page = String::from(
        "# Events of the ledger\n\nPrinted from `rust/types/src/ledger.rs` and the catalogue by `scripts/generate`; do not edit.\n\n\
         A call with an effect leaves `<call>.intent` before and `<call>.outcome` after it; one that was not let through leaves \
         `<call>.denied`. Fields are those of the payload; `null` where a field says so.\n\n\
         | type | what it records | fields |\n|---|---|---|\n",
    );
    for fact in ledger::FACTS {
        let schema = (fact.payload)();
        let fields = schema.get("properties").and_then(|p| p.as_object());
        let fields = fields
            .into_iter()
            .flat_map(|p| p.keys())
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(" ");
        let _ = writeln!(page, "| `{}` | {} | {fields} |", fact.kind, fact.summary);
    }
    page.push_str("\n## Calls that leave intents\n\n");
    for call in catalogue::calls().filter(|call| call.effect != Effect::Observe) {
        let _ = writeln!(page, "- `{}`: {}", call.event(), call.summary);
    }
    page
}
