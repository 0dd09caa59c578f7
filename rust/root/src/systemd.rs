//! systemd's manager on the system bus: only what we use of it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use osmoda_types::{Code, Problem, UnitName, chain};
use zbus::{Connection, OwnedObjectPath, fdo};
use zbus::{OwnedVariant, Variant};

/// A manager that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(5);
const MANAGER: &str = "org.freedesktop.systemd1";

/// What systemd did not tell or do.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// systemd does not run this machine.
    #[error("systemd does not run this machine")]
    Absent,
    /// The system bus or the manager on it failed.
    #[error("systemd does not answer on the system bus")]
    Bus {
        /// Why.
        source: Box<zbus::Error>,
    },
    /// There is no such unit.
    #[error("systemd knows no unit {unit}")]
    NotFound {
        /// Its name.
        unit: String,
    },
    /// The unit, or one that would go down with it, is protected.
    #[error("{unit} is protected: {why}")]
    Protected {
        /// The protected unit.
        unit: String,
        /// Why it is.
        why: &'static str,
        /// The unit that was to be acted on, where that is another.
        through: Option<String>,
    },
    /// This process has not the right.
    #[error("systemd does not let this user act on units")]
    Unprivileged,
    /// systemd refused the job.
    #[error("systemd refused: {said}")]
    Refused {
        /// Its words.
        said: String,
    },
    /// The job did not end in time; systemd goes on with it.
    #[error("the job of {unit} has not ended after {secs} s")]
    Pending {
        /// The unit.
        unit: String,
        /// How long we waited.
        secs: u64,
    },
}

impl From<zbus::Error> for SystemdError {
    fn from(error: zbus::Error) -> Self {
        match &error {
            zbus::Error::FDO(known) => match known.as_ref() {
                fdo::Error::AccessDenied(_) | fdo::Error::InteractiveAuthorizationRequired(_) => {
                    Self::Unprivileged
                }
                _ => Self::Bus { source: Box::new(error) },
            },
            zbus::Error::MethodError(name, said, _) if name.starts_with(MANAGER) => {
                let said = said.clone().unwrap_or_else(|| name.to_string());
                if name.ends_with(".NoSuchUnit") {
                    Self::NotFound { unit: said }
                } else {
                    Self::Refused { said }
                }
            }
            _ => Self::Bus { source: Box::new(error) },
        }
    }
}

impl From<SystemdError> for Problem {
    fn from(error: SystemdError) -> Self {
        let said = error.to_string();
        match error {
            SystemdError::Absent => Self::new(Code::SystemdAbsent),
            SystemdError::Bus { .. } => {
                tracing::error!(error = %chain(&error), "systemd cannot be asked");
                Self::new(Code::SystemdAbsent)
                    .detail(said)
                    .next_step("see that the units dbus and systemd are well, then try again")
            }
            SystemdError::NotFound { unit } => Self::new(Code::ServiceNotFound).detail(unit),
            SystemdError::Protected { through: Some(through), .. } => {
                Self::new(Code::ServiceProtected).detail(format!("{through} would take it along: {said}"))
            }
            SystemdError::Protected { through: None, .. } => Self::new(Code::ServiceProtected).detail(said),
            SystemdError::Unprivileged => Self::new(Code::ServiceUnprivileged),
            SystemdError::Refused { said } => Self::new(Code::ServiceRefused).detail(said),
            SystemdError::Pending { .. } => Self::new(Code::ServicePending).detail(said),
        }
    }
}

/// A connection to the manager, for one call.
#[derive(Clone, Debug)]
pub struct Systemd {
    connection: Connection,
    pub(crate) manager: ManagerProxy<'static>,
}

/// One row of the manager's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub unit: String,
    /// Its description.
    pub description: String,
    /// LoadState.
    pub load: String,
    /// ActiveState.
    pub active: String,
    /// SubState.
    pub sub: String,
    path: OwnedObjectPath,
}

type UnitRow =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

impl Systemd {
    /// Connects.
    ///
    /// # Errors
    /// Without systemd, or without its bus.
    pub async fn connect() -> Result<Self, SystemdError> {
        // sd_booted(3): the folder is there only where systemd is the init.
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(SystemdError::Absent);
        }
        let connecting = zbus::connection::Builder::system().method_timeout(PATIENCE).build();
        let silent = || zbus::Error::InputOutput(std::sync::Arc::new(std::io::ErrorKind::TimedOut.into()));
        let connection = tokio::time::timeout(PATIENCE, connecting).await.map_err(|_| silent())??;
        let manager = ManagerProxy::new(&connection).await?;
        Ok(Self { connection, manager })
    }

    /// Every unit in systemd's memory.
    ///
    /// # Errors
    /// Where systemd does not answer.
    pub async fn list(&self) -> Result<Vec<Listed>, SystemdError> {
        let rows = self.manager.list_units().await?;
        let listed = |(unit, description, load, active, sub, _, path, ..): UnitRow| Listed {
            unit,
            description,
            load,
            active,
            sub,
            path,
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// The main process of a listed service.
    ///
    /// # Errors
    /// Where systemd does not answer.
    pub async fn main_pid(&self, listed: &Listed) -> Result<Option<u32>, SystemdError> {
        let arguments = (SERVICE, "MainPID");
        let answer =
            self.connection.call_method(Some(MANAGER), &listed.path, Some(PROPERTIES), "Get", &arguments);
        let value: OwnedVariant = answer.await?.body().deserialize()?;
        Ok(u32::try_from(value).ok().filter(|pid| *pid != 0))
    }

    /// A unit by any of its names, read from its file if it is not in memory.
    ///
    /// # Errors
    /// [`SystemdError::NotFound`] where there is neither.
    pub async fn unit(&self, name: &UnitName) -> Result<Properties, SystemdError> {
        let path = self.manager.load_unit(name.as_str()).await?;
        let unit = self.properties(&path, "org.freedesktop.systemd1.Unit").await?;
        if unit.text("LoadState") == "not-found"
            && ["inactive", "failed"].contains(&&*unit.text("ActiveState"))
        {
            return Err(SystemdError::NotFound { unit: name.to_string() });
        }
        Ok(unit)
    }

    /// What only a service has.
    ///
    /// # Errors
    /// Where systemd does not answer.
    pub async fn service(&self, name: &UnitName) -> Result<Properties, SystemdError> {
        let path = self.manager.load_unit(name.as_str()).await?;
        self.properties(&path, SERVICE).await
    }

    async fn properties(&self, path: &OwnedObjectPath, interface: &str) -> Result<Properties, SystemdError> {
        let arguments = (interface,);
        let answer = self.connection.call_method(Some(MANAGER), path, Some(PROPERTIES), "GetAll", &arguments);
        Ok(Properties(answer.await?.body().deserialize()?))
    }
}

const SERVICE: &str = "org.freedesktop.systemd1.Service";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Properties of a unit by systemd's names (org.freedesktop.systemd1(5)).
#[derive(Debug, Default)]
pub struct Properties(HashMap<String, OwnedVariant>);

impl Properties {
    /// A string, empty where there is none.
    pub fn text(&self, name: &str) -> String {
        match self.0.get(name).map(|value| &**value) {
            Some(Variant::Str(text)) => text.to_string(),
            _ => String::new(),
        }
    }

    /// Two strings, such as an error's name and words.
    pub fn text_pair(&self, name: &str) -> (String, String) {
        let Some(Variant::Structure(pair)) = self.0.get(name).map(|value| &**value) else {
            return Default::default();
        };
        let text = |at: usize| match pair.fields().get(at) {
            Some(Variant::Str(text)) => text.to_string(),
            _ => String::new(),
        };
        (text(0), text(1))
    }

    /// A list of strings.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let Some(Variant::Array(items)) = self.0.get(name).map(|value| &**value) else { return Vec::new() };
        let text =
            |item: &Variant<'_>| if let Variant::Str(text) = item { Some(text.to_string()) } else { None };
        items.iter().filter_map(text).collect()
    }

    /// A whole number; what systemd gives for "not known", all ones, is none.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name).map(|value| &**value)? {
            Variant::U64(number) => (*number != u64::MAX).then_some(*number),
            Variant::U32(number) => (*number != u32::MAX).then_some(u64::from(*number)),
            Variant::I32(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        if let Variant::Bool(flag) = &**self.0.get(name)? { Some(*flag) } else { None }
    }

    /// Bytes as hex digits.
    pub fn hex(&self, name: &str) -> String {
        let Some(Variant::Array(items)) = self.0.get(name).map(|value| &**value) else {
            return String::new();
        };
        let byte = |item: &Variant<'_>| {
            if let Variant::U8(byte) = item { format!("{byte:02x}") } else { String::new() }
        };
        items.iter().map(byte).collect()
    }
}

pub(crate) use bus::ManagerProxy;

mod bus {
    use zbus::OwnedObjectPath;

    use super::UnitRow;

    #[zbus::proxy(
        interface = "org.freedesktop.systemd1.Manager",
        default_service = "org.freedesktop.systemd1",
        default_path = "/org/freedesktop/systemd1"
    )]
    pub(crate) trait Manager {
        fn subscribe(&self) -> zbus::Result<()>;
        fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
        fn list_units(&self) -> zbus::Result<Vec<UnitRow>>;
        fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
        fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
        fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
        fn reload_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
        #[zbus(signal)]
        fn job_removed(
            &self,
            id: u32,
            job: OwnedObjectPath,
            unit: String,
            result: String,
        ) -> zbus::Result<()>;
    }
}
