//! `agentctl completions` and `agentctl man`: printed from the command line's own definition.

use std::fs;
use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Cli, Completions, Man};
use crate::exit::{Exit, Outcome};

pub(crate) fn completions(args: &Completions) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "agentctl", &mut text);
    io::stdout().write_all(&text)?;
    Ok(Exit::Ok)
}

pub(crate) fn man(args: &Man) -> Outcome {
    let Some(dir) = &args.dir else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut text)?;
        io::stdout().write_all(&text)?;
        return Ok(Exit::Ok);
    };
    let failed = || format!("cannot write in {}", dir.display());
    fs::create_dir_all(dir).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(failed)?;
    Ok(Exit::Ok)
}
