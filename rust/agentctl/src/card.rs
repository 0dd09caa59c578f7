//! `agentctl card`: who this machine is to others.

use osmoda_client::Client;
use osmoda_types::api::agentd::card::{AgentCard, AgentCardGenerate, AgentCardGenerateIn, Card};
use osmoda_types::{Empty, Few, Text};

use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, plain};

#[derive(Debug, clap::Args)]
pub(crate) struct CardArgs {
    /// Make the card anew, under this name.
    #[arg(long, value_name = "TEXT", requires = "description")]
    name: Option<Text<100>>,
    /// What this machine is for.
    #[arg(long, value_name = "TEXT", requires = "name")]
    description: Option<Text<2000>>,
}

pub(crate) async fn card(client: &Client, args: CardArgs, screen: &mut Screen) -> Outcome {
    let card = match (args.name, args.description) {
        (Some(name), Some(description)) => {
            let input = AgentCardGenerateIn { name, description, services: Few::default() };
            client.send::<AgentCardGenerate>(&input).await?
        }
        _ => client.send::<AgentCard>(&Empty {}).await?,
    };
    if screen.is_json() {
        screen.json(&card)?;
    } else {
        show(&card, screen)?;
    }
    Ok(Exit::Ok)
}

fn show(card: &Card, screen: &mut Screen) -> std::io::Result<()> {
    let Card { registration, a2a, osmoda } = card;
    screen.line(plain(&registration.name))?;
    screen.line(plain(&registration.description))?;
    screen.line(format!("machine  {}", osmoda.machine_id))?;
    screen.line(format!("key      {}", plain(&osmoda.key)))?;
    screen.line(format!("made     {}", osmoda.generated_at))?;
    for service in &registration.services {
        let version = service.version.as_deref().unwrap_or_default();
        screen.line(format!(
            "service  {}  {}  {}",
            plain(&service.name),
            plain(&service.endpoint),
            plain(version)
        ))?;
    }
    for skill in &a2a.skills {
        screen.line(format!("skill    {}: {}", plain(&skill.name), plain(&skill.tags.join(" "))))?;
    }
    Ok(())
}
