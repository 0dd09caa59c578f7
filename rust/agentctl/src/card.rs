//! `agentctl card`: who this machine is to others.

use osmoda_client::Client;
use osmoda_types::Empty;
use osmoda_types::api::agentd::card::{AgentCard, Card};

use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, plain};

pub(crate) async fn card(client: &Client, screen: &mut Screen) -> Outcome {
    let card = client.send::<AgentCard>(&Empty {}).await?;
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
