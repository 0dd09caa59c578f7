//! The generated half of `docs/agentctl.md`: every verb's help, from the command line's own definition.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::args::Cli;

/// What stands before it in the page; `scripts/generate` writes what comes after.
const MARK: &str = "<!-- printed from the program by scripts/generate; do not edit below -->\n";

#[test]
fn the_generated_reference_is_what_the_program_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agentctl.md");
    let page = fs::read_to_string(&file).unwrap();
    let (prose, found) = page.split_once(MARK).expect("the page has the mark");
    let mut root = Cli::command();
    root.build();
    let mut wanted = String::new();
    verbs(&root, "agentctl", &mut wanted);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, format!("{prose}{MARK}{wanted}")).unwrap();
    } else {
        assert!(found == wanted, "run scripts/generate: docs/agentctl.md is stale");
    }
}

fn verbs(command: &Command, name: &str, page: &mut String) {
    let deeper: Vec<&Command> = command.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
    if deeper.is_empty() {
        let help = command.clone().term_width(100).render_long_help().to_string();
        let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        let _ = write!(page, "\n### {name}\n```text\n{}\n```\n", lines.join("\n"));
    }
    for verb in deeper {
        verbs(verb, &format!("{name} {}", verb.get_name()), page);
    }
}
