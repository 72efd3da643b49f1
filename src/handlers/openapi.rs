//! `GET /openapi.json`: the description of this API, as it stands in `openapi.json`. Made by hand; tests keep it true.

use crate::{handlers::Reply, http::status::Status};

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("../../openapi.json");

pub(super) fn document() -> Reply {
    Reply::json(Status::Ok, DOCUMENT.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// Where the codes are; a test of the document has to see those that nobody has thought of.
    const CATALOGUE: &str = include_str!("rejection.rs");

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    fn strings(array: &Value) -> impl Iterator<Item = String> {
        array.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned())
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = document();
        let described: BTreeSet<_> = (document["paths"].as_object().unwrap().iter())
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path)))
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        let served: BTreeSet<_> =
            routes::PUBLIC.iter().map(|route| format!("{} {}", route.method.as_str(), route.path)).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_code_is_described_with_its_status() {
        let document = document();
        let responses = document["components"]["responses"].as_object().unwrap();
        let described: BTreeSet<_> = responses
            .values()
            .map(|response| &response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"])
            .filter(|properties| properties["code"].is_object())
            .flat_map(|of| strings(&of["code"]["enum"]).map(|code| (of["status"]["const"].as_u64().unwrap(), code)))
            .collect();
        // What the catalogue says in the form `(Status::Name, "code")`.
        let pairs = CATALOGUE.split("(Status::").skip(1).filter_map(|rest| {
            let (name, rest) = rest.split_once(',')?;
            let code = rest.trim_start().strip_prefix('"')?.split('"').next()?;
            let status = Status::ALL.iter().find(|status| format!("{status:?}") == name)?;
            Some((u64::from(status.code()), code.to_owned()))
        });
        assert_eq!(described, pairs.collect());
    }

    #[test]
    fn every_code_of_a_field_is_described() {
        let document = document();
        let described = strings(&document["components"]["schemas"]["FieldError"]["properties"]["code"]["enum"]);
        let codes = CATALOGUE.lines().filter(|line| line.trim_start().starts_with("FieldProblem::"));
        let codes = codes.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
        // Its detail is a text, not a code.
        let codes: BTreeSet<_> = codes.filter(|code| !code.contains(' ')).map(str::to_owned).collect();
        assert_eq!(described.collect::<BTreeSet<_>>(), codes);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let references = DOCUMENT.split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
