//! Each bound of a head, at its edge.

use super::*;

#[test]
fn each_bound_is_exact_and_holds_for_a_head_that_never_ends() {
    let target = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(len - 1));
    good(target(8_000).as_bytes());
    let fields = |count: usize| with_fields(&"X: a\r\n".repeat(count - 1));
    for count in [1, 31, 32, 33, 64] {
        good(&fields(count));
    }
    let head = |len: usize| with_fields(&format!("X: {}\r\n", "a".repeat(len - 32)));
    assert_eq!(head(16 * 1024).len(), 16 * 1024);
    good(&head(16 * 1024));

    for (bytes, error) in [
        (target(8_001).into_bytes(), HeadError::UriTooLong),
        (format!("GET /{}", "a".repeat(8_050)).into_bytes(), HeadError::UriTooLong),
        (fields(65), HeadError::TooManyHeaders),
        (head(16 * 1024 + 1), HeadError::HeadersTooLarge),
        (head(16 * 1024 + 1)[..16 * 1024].to_vec(), HeadError::HeadersTooLarge),
        (head(64 * 1024), HeadError::HeadersTooLarge),
        ("A".repeat(9_000).into_bytes(), HeadError::MethodTooLong),
    ] {
        assert_eq!(parse_whole(&bytes), Err(error));
        for step in [1, 100, 5_000] {
            assert_eq!(in_pieces(&bytes, step), Err(()), "{error}");
        }
    }
    let method = |len: usize| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "A".repeat(len));
    good(method(32).as_bytes());
    assert_errors(&[(&method(33), HeadError::MethodTooLong)]);
}
