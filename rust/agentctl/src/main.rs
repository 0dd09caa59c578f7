//! agentctl: the operator's command line.

mod args;
mod arguments;
mod backup;
mod card;
mod connect;
mod events;
mod exit;
mod file;
mod follow;
mod health;
mod incidents;
mod journal;
mod ledger;
mod machine;
mod manual;
mod memory;
mod network;
mod receipts;
#[cfg(test)]
mod reference;
mod screen;
mod service;
mod shell;
mod status;
mod tools;
mod undo;
mod units;
mod verify;
mod who;

use std::process::ExitCode;

use clap::Parser;
use osmoda_client::{Client, find_run_dir};

use crate::args::{Cli, Verb};
use crate::exit::{Exit, Outcome};
use crate::screen::Screen;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let mut screen = Screen::new(cli.json);
    run(cli.verb, &mut screen).await.unwrap_or_else(|error| exit::report(&error, cli.json)).into()
}

async fn run(verb: Verb, screen: &mut Screen) -> Outcome {
    let client = Client::new(find_run_dir());
    match verb {
        Verb::Status => status::status(&client, screen).await,
        Verb::Health => health::health(&client, screen).await,
        Verb::Events(args) => events::events(&client, &args, screen).await,
        Verb::Service(args) => service::service(&client, &args, screen).await,
        Verb::Journal(args) => journal::journal(&client, &args, screen).await,
        Verb::File(verb) => file::file(&client, verb, screen).await,
        Verb::Shell(args) => shell::shell(&client, args, screen).await,
        Verb::VerifyLedger(args) => Ok(verify::verify(&client, &args, screen).await),
        Verb::Ledger(args::Ledger::Export(args)) => ledger::export(&client, &args).await,
        Verb::Checkpoint(args) => ledger::checkpoint(&client, &args, screen).await,
        Verb::Proof(args) => ledger::proof(&client, &args, screen).await,
        Verb::Undo(args) => undo::undo(&client, &args, screen).await,
        Verb::Incidents(args) => incidents::incidents(&client, &args, screen).await,
        Verb::Receipts(args) => receipts::receipts(&client, &args, screen).await,
        Verb::Card(args) => card::card(&client, args, screen).await,
        Verb::Backup(args) => backup::backup(&client, &args, screen).await,
        Verb::Memory(verb) => memory::memory(&client, &verb, screen).await,
        Verb::Network => network::network(&client, screen).await,
        Verb::Firewall(verb) => network::firewall(&client, &verb, screen).await,
        Verb::Users(args) => machine::users(&client, &args, screen).await,
        Verb::Sysctl(verb) => machine::sysctl(&client, &verb, screen).await,
        Verb::Signal(args) => machine::signal(&client, &args, screen).await,
        Verb::Score => machine::score(&client, screen).await,
        Verb::Telemetry(args) => machine::telemetry(&client, &args, screen).await,
        Verb::Tools(args::Tools::List(args)) => tools::list(&args, screen),
        Verb::Tools(args::Tools::Call(args)) => tools::call(&client, &args, screen).await,
        Verb::Connect(args) => connect::connect(&client, &args, screen),
        Verb::Completions(args) => manual::completions(&args),
        Verb::Man(args) => manual::man(&args),
    }
}
