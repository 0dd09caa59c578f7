//! Secrets: written once, 0600, never read back and never recorded.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use osmoda_runtime::Context;
use osmoda_types::{Code, Problem, Ring};

use crate::blocking::blocking;

pub(super) struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Whether the path is a secret's.
    pub(super) fn holds(&self, path: &str) -> bool {
        Path::new(path).starts_with(&self.folder)
    }

    /// Writes a secret; answers whether it is new.
    pub(super) async fn write(
        &self,
        context: &Context,
        path: &str,
        content: Vec<u8>,
        create_only: bool,
    ) -> Result<bool, Problem> {
        let name = Path::new(path).strip_prefix(&self.folder).ok().and_then(Path::to_str).unwrap_or_default();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.bytes().all(good) {
            return Err(Problem::new(Code::RequestField)
                .at("/path", "a secret's name has 1 to 128 letters, digits, '-', '_' and '.'"));
        }
        let (folder, target) = (self.folder.clone(), self.folder.join(name));
        let known = target.clone();
        let exists = blocking(move || match std::fs::symlink_metadata(&known) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
        .await?;
        if exists && create_only {
            return Err(Problem::new(Code::FileExists).detail(path));
        }
        if exists && context.principal.ring != Ring::Operator {
            return Err(Problem::new(Code::PolicyDenied)
                .detail(format!("{path}: only an operator replaces a secret")));
        }
        blocking(move || {
            osmoda_store::private_folder(&folder)?;
            osmoda_store::atomic_write(&target, &content, 0o600)
        })
        .await?;
        Ok(!exists)
    }
}
