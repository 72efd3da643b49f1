//! The description of the API is served, and says what the API does.

use crate::support::server::Deployment;
use serde_json::Value;

#[test]
fn description_is_served_and_names_what_is_answered() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let reply = client.get("/openapi.json");
    assert_eq!((reply.status, reply.field("Content-Type")), (200, Some("application/json")));
    assert_eq!(reply.text(), include_str!("../../openapi.json"), "the one that schemathesis reads");
    let document = reply.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{document}");
    let described = |path: &str, method: &str, status: u16| {
        !document["paths"][path][method]["responses"][status.to_string()].is_null()
    };
    for path in ["/health", "/health/live", "/health/ready", "/openapi.json"] {
        assert!(described(path, "get", client.get(path).status), "{path}");
    }
    for body in ["{", "{}"] {
        assert!(described("/auth/register", "post", client.post(body).status), "{body}");
    }
    for _ in 0..2 {
        assert!(described("/auth/register", "post", client.register("ada@example.com").status));
    }
    assert!(document["paths"].as_object().is_some_and(|paths| paths.values().all(Value::is_object)), "{document}");
}
