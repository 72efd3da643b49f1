//! What is swept: profiles and values of single settings, and every combination of them. Pure; reads no file.

use super::super::CliError;
use crate::config::settings::{self, SETTINGS};
use serde::{Deserialize, Serialize};

/// More points than this take hours: whoever wants them sweeps one setting after the other.
pub(super) const POINTS_MAX: usize = 64;

/// One setting and the values to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variation {
    pub(super) key: &'static str,
    pub(super) values: Vec<String>,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    /// As people tell it from the others.
    pub(super) name: String,
    /// The profile's file, below the folder of the results.
    pub(super) profile: Option<String>,
    /// Keys with values, as `--set` takes them.
    pub(super) settings: Vec<(String, String)>,
}

impl Variation {
    /// Reads `key=value,value`. Only what a tuning profile may set can be varied, because the result is a profile.
    pub(super) fn parse(text: &str) -> Result<Variation, CliError> {
        let form = "--vary takes a setting and its values, such as registration.batch_size=100,200,400";
        let (key, values) = text.split_once('=').ok_or_else(|| CliError::usage(form))?;
        let key = key.trim();
        let Some(setting) = settings::find(key) else {
            let unknown = CliError::usage(format!("--vary: there is no setting {key:?}"));
            return Err(match settings::nearest_key(key) {
                Some(meant) => unknown.with_hint(format!("did you mean {meant}?")),
                None => unknown.with_hint("jeday config --defaults lists every setting"),
            });
        };
        if !setting.tuning {
            let tuning: Vec<_> = SETTINGS.iter().filter(|setting| setting.tuning).map(|setting| setting.key).collect();
            return Err(CliError::usage(format!("--vary: {key} is not a tuning setting"))
                .with_hint(format!("these are: {}", tuning.join(", "))));
        }
        let mut distinct: Vec<String> = Vec::new();
        for value in values.split(',').map(str::trim) {
            if value.is_empty() || distinct.iter().any(|known| known == value) {
                return Err(CliError::usage(format!("--vary {key}: {value:?} is empty or given twice")).with_hint(form));
            }
            distinct.push(value.to_owned());
        }
        Ok(Variation { key: setting.key, values: distinct })
    }
}

/// Every combination: the profiles outermost, then the variations in their order. `profiles` holds what each is called
/// and where it lies; without any, the settings as they are configured count as one.
pub(super) fn product(profiles: &[(String, String)], variations: &[Variation]) -> Result<Vec<Point>, CliError> {
    if let Some(twice) = variations
        .iter()
        .enumerate()
        .find_map(|(at, one)| variations[..at].iter().any(|other| other.key == one.key).then_some(one.key))
    {
        return Err(CliError::usage(format!("--vary {twice} is given twice")).with_hint("give all its values at once"));
    }
    let sizes = variations.iter().map(|variation| variation.values.len());
    let size = sizes.fold(profiles.len().max(1), usize::saturating_mul);
    if size > POINTS_MAX {
        return Err(CliError::usage(format!("these are {size} points, {POINTS_MAX} at most")).with_hint(
            "vary one setting after the other, each time with the profile that the last sweep has written",
        ));
    }
    if size < 2 {
        return Err(CliError::usage("there is nothing to compare")
            .with_hint("give --profile several times, or --vary key=value,value; jeday tune --help has examples"));
    }
    let mut points: Vec<Point> = match profiles {
        [] => vec![Point { name: String::new(), profile: None, settings: Vec::new() }],
        _ => profiles
            .iter()
            .map(|(name, file)| Point { name: name.clone(), profile: Some(file.clone()), settings: Vec::new() })
            .collect(),
    };
    for Variation { key, values } in variations {
        points = points.iter().flat_map(|point| values.iter().map(move |value| point.with(key, value))).collect();
    }
    Ok(points)
}

impl Point {
    fn with(&self, key: &str, value: &str) -> Point {
        let mut point = self.clone();
        let assignment = format!("{key}={value}");
        point.name = if point.name.is_empty() { assignment } else { format!("{} {assignment}", point.name) };
        point.settings.push((key.to_owned(), value.to_owned()));
        point
    }

    /// What `--set` takes.
    pub(super) fn assignments(&self) -> impl Iterator<Item = String> {
        self.settings.iter().map(|(key, value)| format!("{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(profiles: &[&str], variations: &[&str]) -> Result<Vec<String>, String> {
        let profiles: Vec<_> =
            profiles.iter().map(|name| ((*name).to_owned(), format!("profiles/{name}.toml"))).collect();
        let variations: Vec<_> = variations.iter().map(|text| Variation::parse(text).unwrap()).collect();
        let points = product(&profiles, &variations).map_err(|error| error.report())?;
        Ok(points.into_iter().map(|point| point.name).collect())
    }

    #[test]
    fn every_combination_is_a_point_once() {
        let sizes = "registration.batch_size=100,200";
        assert_eq!(
            names(&[], &[sizes, "database.write_connections=1,2"]).unwrap(),
            [
                "registration.batch_size=100 database.write_connections=1",
                "registration.batch_size=100 database.write_connections=2",
                "registration.batch_size=200 database.write_connections=1",
                "registration.batch_size=200 database.write_connections=2",
            ]
        );
        assert_eq!(names(&["a", "b"], &[]).unwrap(), ["a", "b"]);
        assert_eq!(
            names(&["a"], &[sizes]).unwrap(),
            ["a registration.batch_size=100", "a registration.batch_size=200"]
        );
    }

    #[test]
    fn too_many_points_and_too_few_are_refused() {
        let many = (1..=65).map(|size| size.to_string()).collect::<Vec<_>>().join(",");
        let refusal = names(&[], &[&format!("registration.batch_size={many}")]).unwrap_err();
        assert!(refusal.contains("65 points, 64 at most"), "{refusal}");
        for (profiles, variations) in [(&[][..], &[][..]), (&["a"], &[]), (&[], &["registration.batch_size=100"])] {
            assert!(names(profiles, variations).unwrap_err().contains("nothing to compare"));
        }
        let twice = ["registration.batch_size=1,2", "registration.batch_size=3,4"];
        assert!(names(&[], &twice).unwrap_err().contains("given twice"));
    }

    #[test]
    fn only_what_a_profile_may_set_can_be_varied() {
        let refusal = |text| Variation::parse(text).unwrap_err().report();
        assert!(refusal("batch_size=1,2").contains("did you mean registration.batch_size?"));
        assert!(refusal("server.address=:1,:2").contains("these are: server.backlog"));
        assert!(refusal("registration.batch_size").contains("--vary takes"));
        assert!(refusal("registration.batch_size=1,,2").contains("empty or given twice"));
        assert!(refusal("registration.batch_size=1,1").contains("empty or given twice"));
    }
}
