//! `agentctl connect`: what an MCP client must be told to get this machine's tools.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use osmoda_client::Client;
use serde_json::{Value, json};

use crate::args::{Connect, McpClient};
use crate::exit::{Exit, Outcome};
use crate::screen::Screen;

/// Where daemons are looked for without being told.
const INSTALLED: &str = "/run/osmoda";

/// How the bridge is started.
struct Server {
    command: PathBuf,
    /// Only where the bridge would not find the sockets by itself: clients start it in folders of their own.
    run_dir: Option<PathBuf>,
}

pub(crate) fn connect(client: &Client, args: &Connect, screen: &mut Screen) -> Outcome {
    let here = std::env::current_exe().context("cannot tell where agentctl is")?;
    let run_dir = std::path::absolute(client.run_dir()).context("there is no current folder")?;
    let server = Server {
        command: here.with_file_name("osmoda-bridge"),
        run_dir: Some(run_dir).filter(|dir| dir != Path::new(INSTALLED)),
    };
    if screen.is_json() {
        screen.json(&server.json())?;
        return Ok(Exit::Ok);
    }
    let _ = writeln!(io::stderr(), "# {}", place(args.client));
    if !server.command.exists() {
        let _ = writeln!(io::stderr(), "# {} is not there", server.command.display());
    }
    let text = match args.client {
        McpClient::ClaudeCode => server.claude_command(),
        McpClient::Codex => server.toml(),
        McpClient::Vscode => pretty(&json!({"servers": {"osmoda": server.typed()}})),
        McpClient::Openclaw => pretty(&json!({"mcp": {"servers": {"osmoda": server.json()}}})),
        McpClient::ClaudeDesktop | McpClient::Cursor | McpClient::Generic => {
            pretty(&json!({"mcpServers": {"osmoda": server.json()}}))
        }
    };
    screen.line(text)?;
    Ok(Exit::Ok)
}

/// Where it belongs.
fn place(client: McpClient) -> &'static str {
    match client {
        McpClient::ClaudeCode => "run this once:",
        McpClient::ClaudeDesktop => "into claude_desktop_config.json (Settings, Developer, Edit Config):",
        McpClient::Cursor => "into ~/.cursor/mcp.json or .cursor/mcp.json of a project:",
        McpClient::Vscode => "into .vscode/mcp.json:",
        McpClient::Codex => "into ~/.codex/config.toml:",
        McpClient::Openclaw => "into ~/.openclaw/openclaw.json:",
        McpClient::Generic => "into the client's list of MCP servers (stdio):",
    }
}

impl Server {
    fn json(&self) -> Value {
        let mut server = json!({"command": self.command, "args": []});
        if let Some(dir) = &self.run_dir {
            server["env"] = json!({"OSMODA_RUN_DIR": dir});
        }
        server
    }

    fn typed(&self) -> Value {
        let mut server = self.json();
        server["type"] = "stdio".into();
        server
    }

    fn claude_command(&self) -> String {
        let mut line = String::from("claude mcp add");
        if let Some(dir) = &self.run_dir {
            let _ = write!(line, " --env {}", quoted(&format!("OSMODA_RUN_DIR={}", dir.display())));
        }
        // --env takes every word up to the next option, so --transport stands between it and the name.
        let _ = write!(line, " --transport stdio osmoda -- {}", quoted(&self.command.to_string_lossy()));
        line
    }

    fn toml(&self) -> String {
        // JSON's strings are TOML's basic strings.
        let mut text = format!("[mcp_servers.osmoda]\ncommand = {}\nargs = []", json!(self.command));
        if let Some(dir) = &self.run_dir {
            let _ = write!(text, "\nenv = {{ OSMODA_RUN_DIR = {} }}", json!(dir));
        }
        text
    }
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./=:,@%+-".contains(&byte);
    if word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value has string keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(run_dir: Option<&str>) -> Server {
        Server { command: "/opt/os moda/osmoda-bridge".into(), run_dir: run_dir.map(PathBuf::from) }
    }

    #[test]
    fn a_trial_folder_is_told_and_the_installed_place_is_not() {
        assert_eq!(server(None).json(), json!({"command": "/opt/os moda/osmoda-bridge", "args": []}));
        assert_eq!(server(Some("/a/run")).json()["env"]["OSMODA_RUN_DIR"], "/a/run");
        assert_eq!(
            server(None).claude_command(),
            "claude mcp add --transport stdio osmoda -- '/opt/os moda/osmoda-bridge'"
        );
        assert_eq!(
            server(Some("/a/run")).claude_command(),
            "claude mcp add --env OSMODA_RUN_DIR=/a/run --transport stdio osmoda -- '/opt/os moda/osmoda-bridge'"
        );
        assert_eq!(
            server(Some("/a \"b\"/run")).toml(),
            "[mcp_servers.osmoda]\ncommand = \"/opt/os moda/osmoda-bridge\"\nargs = []\nenv = { OSMODA_RUN_DIR = \"/a \\\"b\\\"/run\" }"
        );
    }
}
