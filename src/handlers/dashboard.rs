//! `GET /` for the operator: a page that draws the metrics as they change, from `dashboard.html`. Holds no figure
//! itself; the page asks for `/metrics` like everybody else.

use crate::{
    handlers::Reply,
    http::{
        field::{Field, FieldName, FieldValue},
        status::Status,
    },
};

const PAGE: &str = include_str!("dashboard.html");

const HTML: FieldValue<'static> = FieldValue::from_static("text/html; charset=utf-8");

/// Nothing runs or is drawn with but what stands in the page, by its hash, and nothing is asked but this server
/// (Content Security Policy level 3, section 2.3.1). The icon is an empty one, in the page too.
const POLICY: FieldValue<'static> = FieldValue::from_static(
    "default-src 'none'; connect-src 'self'; img-src data:; \
     script-src 'sha256-F4lMarjVX5qm8RDiqB7l6XWUQzTfHKbgAxD+dZ8gb3M='; \
     style-src 'sha256-/coIezUlf+5+A6yZhsjSolrAlLS+HYcCR1KwPl5kmsA='; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(super) fn page() -> Reply {
    Reply {
        content_type: Some(HTML),
        fields: vec![Field::new(FieldName::CONTENT_SECURITY_POLICY, POLICY)],
        ..Reply::json(Status::Ok, PAGE.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64, Encoding};
    use sha2::{Digest, Sha256};

    #[test]
    fn policy_admits_the_script_and_the_style_of_the_page() {
        let policy = format!("{POLICY:?}");
        for (source, tag) in [("script-src", "script"), ("style-src", "style")] {
            let (_, rest) = PAGE.split_once(&format!("<{tag}>")).unwrap();
            let (text, rest) = rest.split_once(&format!("</{tag}>")).unwrap();
            assert!(!rest.contains(&format!("<{tag}")), "one of each");
            let hash = Base64::encode_string(&Sha256::digest(text));
            assert!(policy.contains(&format!("{source} 'sha256-{hash}'")), "{source} 'sha256-{hash}'");
        }
    }

    #[test]
    fn page_names_no_other_place() {
        // The name of SVG's elements is no place that is asked.
        let text = PAGE.replace("http://www.w3.org/2000/svg", "");
        for reference in ["http:", "https:", "//www", "src=", "@import", "url("] {
            assert!(!text.contains(reference), "{reference}");
        }
    }
}
