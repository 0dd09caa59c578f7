//! Numbers as people read them.

/// Seconds as their two largest units: `3d 4h`, `12m 5s`.
pub(crate) fn duration(secs: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| secs >= *size).unwrap_or(units.len() - 1);
    let mut rest = secs;
    let parts = units[first..].iter().take(2).map(|(size, name)| {
        let count = rest / size;
        rest %= size;
        (count, name)
    });
    let parts: Vec<_> = parts.collect();
    let shown = parts.iter().enumerate().filter(|(place, (count, _))| *place == 0 || *count > 0);
    shown.map(|(_, (count, name))| format!("{count}{name}")).collect::<Vec<_>>().join(" ")
}

/// Bytes in binary units: `1.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    // Tenths, so that no float decides what is shown.
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, units[unit]) }
}

/// The share of `part` in `whole`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 0 } else { u128::from(part) * 100 / u128::from(whole) };
    format!("{share} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_say_them() {
        let durations = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (725, "12m 5s"),
            (3600, "1h"),
            (273_600, "3d 4h"),
            (86_401, "1d"),
        ];
        for (secs, text) in durations {
            assert_eq!(duration(secs), text);
        }
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (25_769_803_776, "24.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (size, text) in sizes {
            assert_eq!(bytes(size), text);
        }
        assert_eq!(percent(1, 0), "0 %");
        assert_eq!(percent(u64::MAX, u64::MAX), "100 %");
    }
}
