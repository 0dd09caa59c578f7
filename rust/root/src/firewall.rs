//! Openings in the firewall: elements of the sets in table `inet osmoda`. No rule and no other table is ever touched.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use osmoda_types::api::agentd::firewall::OpenPorts;
use osmoda_types::{Code, Problem};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::nft::{TABLE, openings, replacing};
use crate::verb::Answer;

/// nft that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest listing that is read: some ten thousand openings.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Looking at an opening and changing it belong together.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Every opening.
pub(crate) async fn list() -> Result<Answer, Problem> {
    Ok(Answer::Openings { openings: all().await? })
}

/// Opens ports, or opens them for another time.
pub(crate) async fn allow(ports: OpenPorts) -> Result<Answer, Problem> {
    if ports.last() < ports.port || ports.port == 0 {
        return Err(Problem::new(Code::RequestField).at("/to_port", "is below port"));
    }
    let _turn = ONE_AT_A_TIME.lock().await;
    let ports = OpenPorts { to_port: ports.to_port.filter(|last| *last != ports.port), ..ports };
    let before = find(&ports).await?;
    change(&replacing(before.as_ref(), Some(&ports))).await?;
    Ok(Answer::Opening { before, after: find(&ports).await? })
}

/// Closes ports that were opened.
pub(crate) async fn revoke(ports: OpenPorts) -> Result<Answer, Problem> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let before = find(&ports).await?.ok_or(Code::FirewallNotFound)?;
    change(&replacing(Some(&before), None)).await?;
    Ok(Answer::Opening { before: Some(before), after: find(&ports).await? })
}

async fn find(ports: &OpenPorts) -> Result<Option<OpenPorts>, Problem> {
    Ok(all().await?.into_iter().find(|known| known.is_same(ports)))
}

async fn all() -> Result<Vec<OpenPorts>, Problem> {
    let listed = nft(&["-j", "list", "table", "inet", TABLE], None).await?;
    let strange = || Problem::new(Code::HostUnreadable).detail("nft's answer is not in its known form");
    let listed: Value = serde_json::from_slice(&listed).map_err(|_| strange())?;
    openings(&listed)
        .ok_or_else(|| Problem::new(Code::FirewallAbsent).detail("the table has no sets allow4 and allow6"))
}

async fn change(commands: &Value) -> Result<(), Problem> {
    nft(&["-j", "-f", "-"], Some(commands.to_string())).await.map(drop)
}

async fn nft(arguments: &[&str], input: Option<String>) -> Result<Vec<u8>, Problem> {
    let silent = |why: &str| Problem::new(Code::HostUnreadable).detail(format!("nft: {why}"));
    let mut command = Command::new("nft");
    command.args(arguments).env("LC_ALL", "C").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Problem::new(Code::FirewallAbsent).detail("the program nft is not installed"),
        kind => silent(&kind.to_string()),
    })?;
    let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut to), Some(out), Some(err)) = streams else { unreachable!("all three are piped") };
    let talk = async {
        let say = async {
            // What it thinks of a broken pipe stands in its exit status.
            let _ = to.write_all(input.unwrap_or_default().as_bytes()).await;
            drop(to);
        };
        let (mut answer, mut complaint) = (Vec::new(), Vec::new());
        let (mut out, mut err) = (out.take(MOST_BYTES), err.take(4096));
        let ((), read, complained) =
            tokio::join!(say, out.read_to_end(&mut answer), err.read_to_end(&mut complaint));
        read.and(complained)?;
        drop((out, err));
        Ok::<_, std::io::Error>((child.wait().await?, answer, complaint))
    };
    let done = tokio::time::timeout(PATIENCE, talk).await.map_err(|_| silent("took too long"))?;
    let (status, answer, complaint) = done.map_err(|error| silent(&error.kind().to_string()))?;
    if status.success() { Ok(answer) } else { Err(refusal(&String::from_utf8_lossy(&complaint))) }
}

/// What nft says when it fails, from errno(3).
fn refusal(complaint: &str) -> Problem {
    let says = |text: &str| complaint.contains(text);
    // An ordinary user may not even list; nft then says that the table is not there or that it may not.
    let code = if says("Operation not permitted") || says("must be root") || says("Permission denied") {
        Code::RootRequired
    } else if says("No such file or directory") {
        Code::FirewallAbsent
    } else if says("File exists") || says("overlap") {
        Code::FirewallOverlaps
    } else {
        Code::HostUnreadable
    };
    let line = complaint.lines().next().unwrap_or_default();
    Problem::new(code).detail(format!("nft: {}", line.chars().take(200).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nft_says_has_a_code() {
        for (complaint, code) in [
            ("Error: No such file or directory\nlist table inet osmoda\n", Code::FirewallAbsent),
            ("Error: Could not process rule: File exists\n", Code::FirewallOverlaps),
            ("Operation not permitted (you must be root)\n", Code::RootRequired),
            ("", Code::HostUnreadable),
        ] {
            assert_eq!(refusal(complaint).code, code, "{complaint}");
        }
    }
}
