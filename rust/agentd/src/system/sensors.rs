//! Sensors of the hardware, from /sys/class/hwmon (kernel docs, hwmon/sysfs-interface).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use osmoda_types::api::agentd::kernel::{Sensor, SensorKind};

/// More channels than any chip has.
const MOST: usize = 4096;

/// Every sensor that shows a value; none on most virtual machines.
pub(super) fn sensors() -> Vec<Sensor> {
    below(Path::new("/sys/class/hwmon"))
}

fn below(root: &Path) -> Vec<Sensor> {
    let mut chips: Vec<_> =
        fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    chips.sort();
    let mut all = Vec::new();
    for chip in chips {
        let name = text(&chip.join("name")).unwrap_or_else(|| "unknown".into());
        let files = fs::read_dir(&chip).into_iter().flatten().flatten();
        let channels: BTreeSet<String> = files
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix("_input").map(str::to_owned))
            .take(MOST)
            .collect();
        all.extend(channels.iter().filter_map(|channel| sensor(&chip, &name, channel)));
    }
    all.truncate(MOST);
    all
}

/// `temp1` has its value in `temp1_input`, its name in `temp1_label`. A sensor that is switched off gives an error.
fn sensor(chip: &Path, name: &str, channel: &str) -> Option<Sensor> {
    let (kind, scale) = match channel.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
        "temp" => (SensorKind::Temperature, 1e3),
        "fan" => (SensorKind::Fan, 1.0),
        "in" => (SensorKind::Voltage, 1e3),
        "curr" => (SensorKind::Current, 1e3),
        "power" => (SensorKind::Power, 1e6),
        _ => return None,
    };
    let number = |what: &str| {
        let number: i32 = text(&chip.join(format!("{channel}_{what}")))?.parse().ok()?;
        Some(f64::from(number) / scale)
    };
    Some(Sensor {
        chip: name.to_owned(),
        label: text(&chip.join(format!("{channel}_label"))).unwrap_or_else(|| channel.to_owned()),
        kind,
        value: number("input")?,
        high: number("max"),
        critical: number("crit"),
    })
}

fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_shown_in_its_unit_with_its_name() {
        let root = tempfile::tempdir().unwrap();
        let chip = root.path().join("hwmon0");
        fs::create_dir(&chip).unwrap();
        for (file, content) in [
            ("name", "coretemp\n"),
            ("temp1_input", "45500\n"),
            ("temp1_label", "Core 0\n"),
            ("temp1_crit", "100000\n"),
            ("fan2_input", "1200\n"),
            ("in0_input", "no number\n"),
            ("intrusion0_input", "1\n"),
        ] {
            fs::write(chip.join(file), content).unwrap();
        }
        let [fan, temperature] = &below(root.path())[..] else { panic!("two sensors") };
        assert_eq!((fan.label.as_str(), fan.kind, fan.value), ("fan2", SensorKind::Fan, 1200.0));
        assert_eq!(
            (temperature.label.as_str(), temperature.value, temperature.critical),
            ("Core 0", 45.5, Some(100.0))
        );
        assert!(below(&root.path().join("nothing")).is_empty());
    }
}
