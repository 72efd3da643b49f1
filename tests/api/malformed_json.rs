//! Bodies that are no JSON object of the right shape: 400, the connection goes on, and nothing is stored.

use crate::support::{
    client::{request, user},
    server::Deployment,
};

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

#[test]
fn body_that_is_not_the_expected_json_is_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let good = user("ada@example.com");
    let with = |members: &str| format!("{},{members}}}", &good[..good.len() - 1]).into_bytes();
    let invalid_utf8 = [&good.as_bytes()[..10], &[0xff], &good.as_bytes()[10..]].concat();
    let overlong = [&good.as_bytes()[..10], &[0xc0, 0xaf], &good.as_bytes()[10..]].concat();
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (what, body) in [
        ("nothing", Vec::new()),
        ("white space", b" \r\n".to_vec()),
        ("half an object", good.as_bytes()[..good.len() - 1].to_vec()),
        ("half a string", good.as_bytes()[..good.len() - 3].to_vec()),
        ("no JSON", b"email=ada@example.com&username=Ada&password=correct+horse".to_vec()),
        ("single quotes", good.replace('"', "'").into_bytes()),
        ("a trailing comma", with("")),
        ("a comment", format!("/* hello */{good}").into_bytes()),
        ("something behind", format!("{good}x").into_bytes()),
        ("a second object", format!("{good}{good}").into_bytes()),
        ("a byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("UTF-16", utf16),
        ("invalid UTF-8", invalid_utf8),
        ("overlong UTF-8", overlong),
        ("a raw control character", good.replace("Ada", "A\nda").into_bytes()),
        ("an unknown escape", good.replace("Ada", "A\\da").into_bytes()),
        ("half an escape", good.replace("Ada", "A\\u00").into_bytes()),
        ("a lone high surrogate", good.replace("Ada", "\\ud83d").into_bytes()),
        ("a lone low surrogate", good.replace("Ada", "\\udd11").into_bytes()),
        ("surrogates in the wrong order", good.replace("Ada", "\\udd11\\ud83d").into_bytes()),
        ("a member that comes twice", with(r#""email":"eve@example.com""#)),
        ("a member that comes twice, once escaped", with(r#""\u0065mail":"eve@example.com""#)),
        ("a number for a string", good.replace("\"Ada\"", "1").into_bytes()),
        ("a boolean for a string", good.replace("\"Ada\"", "true").into_bytes()),
        ("an array for a string", good.replace("\"Ada\"", "[\"Ada\"]").into_bytes()),
        ("an object for a string", good.replace("\"Ada\"", "{}").into_bytes()),
        ("a number that JSON does not have", with(r#""more":NaN"#)),
        ("an unknown member that is broken", with(r#""more":[1,"#)),
        ("an array", format!("[{good}]").into_bytes()),
        ("a string", b"\"ada@example.com\"".to_vec()),
        ("null", b"null".to_vec()),
        ("arrays within arrays", "[".repeat(10_000).into_bytes()),
        ("NULs", vec![0; 100]),
    ] {
        let reply = client.request("POST", "/auth/register", JSON, &body);
        assert_eq!(reply.problem(), (400, "json_invalid".to_owned()), "{what}");
        assert!(reply.keeps_alive(), "{what}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains("serde") && !detail.contains("struct") && !detail.contains("Ada"), "{what}: {detail}");
    }
    // Whatever came before, the next good request on the same connection is served.
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
    assert_eq!(client.post(&good).status, 201);
}

#[test]
fn depth_of_what_is_ignored_harms_nothing() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let good = user("ada@example.com");
    let deep = format!("{},\"more\":{}{}}}", &good[..good.len() - 1], "[".repeat(7_000), "]".repeat(7_000));
    assert_eq!(client.post(&deep).status, 201);
    let half = &deep[..deep.len() - 2];
    assert_eq!(client.post(half).problem(), (400, "json_invalid".to_owned()));
}

#[test]
fn escaped_and_reordered_json_is_the_same_request() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = " {\"password\" : \"\\ud83d\\udd11 correct horse\",\r\n\t\"username\":\"\\u0041d\\u0061\\/\",\
                \"\\u0065mail\":\"ada@b\\u00fccher.example\"} \n";
    client.send(request("POST", "/auth/register", JSON, body.as_bytes()));
    let reply = client.reply();
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["email"], "ada@xn--bcher-kva.example");
    assert_eq!(reply.json()["username"], "Ada/");
}
