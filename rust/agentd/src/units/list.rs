//! The list of units: filtered by state and name, page by page.

use agentd_root::systemd::{Listed, Systemd};
use osmoda_types::api::agentd::service::{ServiceRow, ServiceStatusIn, ServiceStatusOut};
use osmoda_types::{Limit, Problem, UnitName};

const DEFAULT_ROWS: usize = 100;

pub(super) async fn page(asked: &ServiceStatusIn) -> Result<ServiceStatusOut, Problem> {
    let units = Systemd::connect().await?.list().await?;
    let row = |Listed { unit, load, active, sub, description, .. }| ServiceRow {
        unit,
        load,
        active,
        sub,
        description,
    };
    Ok(chosen(units.into_iter().map(row).collect(), asked))
}

fn chosen(mut rows: Vec<ServiceRow>, asked: &ServiceStatusIn) -> ServiceStatusOut {
    let pattern = with_kind(asked.pattern.as_deref().unwrap_or("*"));
    let after = asked.after.as_deref().unwrap_or_default();
    let limit = Limit::or(asked.limit, DEFAULT_ROWS);
    let in_state = |row: &ServiceRow| {
        asked
            .state
            .as_deref()
            .is_none_or(|state| [&row.load, &row.active, &row.sub].iter().any(|word| *word == state))
    };
    rows.retain(|row| {
        row.unit.as_str() > after && in_state(row) && fits(pattern.as_bytes(), row.unit.as_bytes())
    });
    rows.sort_by(|a, b| a.unit.cmp(&b.unit));
    let next = if rows.len() > limit { rows.get(limit - 1).map(|row| row.unit.clone()) } else { None };
    rows.truncate(limit);
    ServiceStatusOut { service: None, services: Some(rows), next }
}

/// A pattern that names no kind is for services.
fn with_kind(pattern: &str) -> String {
    let kind = pattern.rsplit_once('.').map(|(_, kind)| format!("a.{kind}"));
    let named = kind.is_some_and(|name| name.parse::<UnitName>().is_ok_and(|unit| unit.as_str() == name));
    if named { pattern.to_owned() } else { format!("{pattern}.service") }
}

/// Whether `*` (any text) and `?` (any byte) make the pattern fit. In time of pattern times name at the worst: this is
/// not left to systemd, which would match in the process that must never be busy.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut of, mut star) = (0, 0, None);
    while of < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, of));
            at += 1;
        } else if pattern.get(at).is_some_and(|byte| *byte == b'?' || *byte == name[of]) {
            (at, of) = (at + 1, of + 1);
        } else if let Some((star_at, star_of)) = star {
            star = Some((star_at, star_of + 1));
            (at, of) = (star_at + 1, star_of + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use osmoda_types::{Limit, Text};

    use super::*;

    #[test]
    fn a_pattern_fits_as_a_shell_has_it() {
        let fit = |pattern: &str, name: &str| fits(pattern.as_bytes(), name.as_bytes());
        for (pattern, name) in
            [("*", ""), ("*", "a"), ("a*c", "abbc"), ("a?c", "abc"), ("*b*b*", "abcb"), ("**a", "a")]
        {
            assert!(fit(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("a", ""), ("?", ""), ("a*c", "abcd"), ("a?c", "ac"), ("*a*a*b", "aaaa")]
        {
            assert!(!fit(pattern, name), "{pattern} {name}");
        }
        assert!(!fits(&b"*a".repeat(128), &[b'b'; 4096]), "and not in exponential time");
    }

    #[test]
    fn a_pattern_without_a_kind_is_for_services() {
        let full = |pattern: &str| with_kind(pattern);
        assert_eq!(
            (full("*"), full("ngin*"), full("php8.*")),
            ("*.service".into(), "ngin*.service".into(), "php8.*.service".into())
        );
        assert_eq!((full("*.timer"), full("a.service")), ("*.timer".into(), "a.service".into()));
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let unit = |name: &str, active: &str| ServiceRow {
            unit: name.into(),
            load: "loaded".into(),
            active: active.into(),
            sub: "dead".into(),
            description: String::new(),
        };
        let units = || {
            vec![
                unit("c.service", "failed"),
                unit("a.service", "active"),
                unit("b.service", "failed"),
                unit("d.timer", "failed"),
                unit("e.service", "failed"),
            ]
        };
        let mut asked = ServiceStatusIn {
            state: Some(Text::new("failed").unwrap()),
            limit: Limit::new(2),
            ..ServiceStatusIn::default()
        };
        let mut names = Vec::new();
        loop {
            let page = chosen(units(), &asked);
            names.push(page.services.unwrap().into_iter().map(|row| row.unit).collect::<Vec<_>>());
            let Some(next) = page.next else { break };
            asked.after = Some(Text::new(next).unwrap());
        }
        assert_eq!(names, [vec!["b.service", "c.service"], vec!["e.service"]]);
    }
}
