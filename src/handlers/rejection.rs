//! Every way in which a request can be turned down: the one place that knows statuses, public texts and codes.
//! Replies are problem details (RFC 9457); their `code` is stable, and no text of a library or a database gets here.

mod profiling;

pub use profiling::NoProfile;

use crate::{
    account::{EmailError, PasswordError, UsernameError},
    batch::Unanswered,
    handlers::Reply,
    hardening::Unchecked,
    http::{
        body::BodyError,
        field::{self, FieldName, FieldValue},
        head::HeadError,
        media_type::MediaTypeError,
        status::Status,
    },
    limits::RETRY_AFTER_S,
    tokens::TokenRejected,
};
use serde::Serialize;
use serde_json::error::Category;
use std::{borrow::Cow, sync::LazyLock};

const PROBLEM: FieldValue<'static> = FieldValue::from_static("application/problem+json");

/// The challenge for each class of token that is not accepted, by its place in [`TokenRejected::ALL`].
static CHALLENGES: LazyLock<[String; TokenRejected::ALL.len()]> = LazyLock::new(|| {
    TokenRejected::ALL
        .map(|rejected| format!("Bearer error=\"invalid_token\", error_description=\"{}\"", rejected.description()))
});

/// Why a request was turned down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rejection {
    Head(HeadError),
    Body(BodyError),
    NotFound,
    MethodNotAllowed(&'static str),
    MethodUnknown,
    MediaType(MediaTypeError),
    ContentCoding,
    /// The body is no JSON, or JSON of another shape; which, where and why in words of our own.
    Json(JsonProblem),
    InvalidFields(Vec<(Field, FieldProblem)>),
    IdempotencyKeyMalformed,
    IdempotencyKeyReused,
    EmailTaken,
    HeaderTimeout,
    BodyTimeout,
    TooManyConnections,
    TooManyConnectionsOfAddress,
    QueueFull,
    Unanswered(Unanswered),
    Internal,
    InvalidCredentials,
    /// It went on changing while it was checked.
    CredentialChanging,
    AccountPending,
    AccountBlocked,
    AccountDeleted,
    TokenMissing,
    Token(TokenRejected),
    /// The token is good, but its session has ended.
    SessionEnded,
    SessionNotFound,
    RefreshTokenInvalid,
    RefreshTokenReused,
    /// Too many attempts; seconds until another is allowed.
    RateLimited {
        retry_after_s: u64,
    },
    /// No password core was free in time.
    Unchecked(Unchecked),
    NoProfile(NoProfile),
}

/// What is wrong with a body that should have been JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonProblem {
    category: Category,
    line: usize,
    column: usize,
}

/// A member of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Field {
    Email,
    Username,
    Password,
    RefreshToken,
}

/// What is wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FieldProblem {
    Missing,
    Email(EmailError),
    Username(UsernameError),
    Password(PasswordError),
}

impl FieldProblem {
    fn code(&self) -> &'static str {
        match self {
            FieldProblem::Missing => "missing",
            FieldProblem::Email(EmailError::NoAt) => "email_without_at",
            FieldProblem::Email(EmailError::LocalPart) => "email_local_part_invalid",
            FieldProblem::Email(EmailError::LocalPartTooLong) => "email_local_part_too_long",
            FieldProblem::Email(EmailError::Domain) => "email_domain_invalid",
            FieldProblem::Email(EmailError::DomainNotQualified) => "email_domain_not_qualified",
            FieldProblem::Email(EmailError::TooLong) => "email_too_long",
            FieldProblem::Username(UsernameError::Empty) => "username_empty",
            FieldProblem::Username(UsernameError::TooLong) => "username_too_long",
            FieldProblem::Username(UsernameError::Padded) => "username_padded",
            FieldProblem::Username(UsernameError::Control) => "username_control_character",
            FieldProblem::Password(PasswordError::TooShort { .. }) => "password_too_short",
            FieldProblem::Password(PasswordError::TooLong { .. }) => "password_too_long",
            FieldProblem::Password(PasswordError::Nul) => "password_nul",
            FieldProblem::Password(PasswordError::Common) => "password_too_common",
        }
    }

    fn detail(&self) -> String {
        match self {
            FieldProblem::Missing => "is missing".to_owned(),
            FieldProblem::Email(error) => error.to_string(),
            FieldProblem::Username(error) => error.to_string(),
            FieldProblem::Password(error) => error.to_string(),
        }
    }
}

/// The body of a problem reply. `type` is left out, which means `about:blank` (RFC 9457 section 4.2.1): the title is
/// then the status's own phrase, and `code` says which problem it is.
#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
struct FieldError {
    field: Field,
    code: &'static str,
    detail: String,
}

impl Rejection {
    /// From what the JSON reader says.
    pub(super) fn json(error: &serde_json::Error) -> Rejection {
        Rejection::Json(JsonProblem { category: error.classify(), line: error.line(), column: error.column() })
    }

    /// The status, and the stable code.
    pub fn status_and_code(&self) -> (Status, &'static str) {
        match self {
            Rejection::Head(error) => head_status_and_code(*error),
            Rejection::Body(BodyError::TooLarge) => (Status::ContentTooLarge, "body_too_large"),
            Rejection::Body(BodyError::TrailersTooLarge) => (Status::RequestHeaderFieldsTooLarge, "trailers_too_large"),
            Rejection::Body(_) => (Status::BadRequest, "body_malformed"),
            Rejection::NotFound => (Status::NotFound, "not_found"),
            Rejection::MethodNotAllowed(_) => (Status::MethodNotAllowed, "method_not_allowed"),
            Rejection::MethodUnknown => (Status::NotImplemented, "method_unknown"),
            Rejection::MediaType(_) => (Status::UnsupportedMediaType, "media_type_unsupported"),
            Rejection::ContentCoding => (Status::UnsupportedMediaType, "content_coding_unsupported"),
            Rejection::Json(_) => (Status::BadRequest, "json_invalid"),
            Rejection::InvalidFields(_) => (Status::UnprocessableContent, "invalid_fields"),
            Rejection::IdempotencyKeyMalformed => (Status::BadRequest, "idempotency_key_malformed"),
            Rejection::IdempotencyKeyReused => (Status::UnprocessableContent, "idempotency_key_reused"),
            Rejection::EmailTaken => (Status::Conflict, "email_taken"),
            Rejection::HeaderTimeout => (Status::RequestTimeout, "header_timeout"),
            Rejection::BodyTimeout => (Status::RequestTimeout, "body_timeout"),
            Rejection::TooManyConnections => (Status::ServiceUnavailable, "too_many_connections"),
            Rejection::TooManyConnectionsOfAddress => (Status::ServiceUnavailable, "too_many_connections_of_address"),
            Rejection::QueueFull => (Status::ServiceUnavailable, "overloaded"),
            Rejection::Unanswered(Unanswered::Unavailable) => (Status::ServiceUnavailable, "database_unavailable"),
            Rejection::Unanswered(Unanswered::Unknown) => (Status::ServiceUnavailable, "outcome_unknown"),
            Rejection::Unanswered(Unanswered::Refused) => (Status::InternalServerError, "not_storable"),
            Rejection::Internal => (Status::InternalServerError, "internal"),
            Rejection::InvalidCredentials => (Status::Unauthorized, "invalid_credentials"),
            Rejection::CredentialChanging => (Status::Conflict, "credential_changing"),
            Rejection::AccountPending => (Status::Forbidden, "account_pending"),
            Rejection::AccountBlocked => (Status::Forbidden, "account_blocked"),
            Rejection::AccountDeleted => (Status::Forbidden, "account_deleted"),
            Rejection::TokenMissing => (Status::Unauthorized, "token_missing"),
            Rejection::Token(TokenRejected::Expired) => (Status::Unauthorized, "token_expired"),
            Rejection::Token(_) => (Status::Unauthorized, "token_invalid"),
            Rejection::SessionEnded => (Status::Unauthorized, "session_ended"),
            Rejection::SessionNotFound => (Status::NotFound, "session_not_found"),
            Rejection::RefreshTokenInvalid => (Status::Unauthorized, "refresh_token_invalid"),
            Rejection::RefreshTokenReused => (Status::Unauthorized, "refresh_token_reused"),
            Rejection::RateLimited { .. } => (Status::TooManyRequests, "rate_limited"),
            Rejection::Unchecked(_) => (Status::ServiceUnavailable, "overloaded"),
            Rejection::NoProfile(reason) => reason.status_and_code(),
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Rejection::Head(error) => error.to_string().into(),
            Rejection::Body(error) => error.to_string().into(),
            Rejection::MediaType(error) => error.to_string().into(),
            Rejection::Json(problem) => problem.detail().into(),
            Rejection::NotFound => "there is nothing at this path".into(),
            Rejection::MethodNotAllowed(allow) => format!("this path answers to {allow}").into(),
            Rejection::MethodUnknown => "no path answers to this method".into(),
            Rejection::ContentCoding => "send the body without Content-Encoding".into(),
            Rejection::InvalidFields(_) => "one or more fields are not acceptable".into(),
            Rejection::IdempotencyKeyMalformed => "Idempotency-Key must be 1 to 255 printable ASCII characters".into(),
            Rejection::IdempotencyKeyReused => {
                "this Idempotency-Key was used with another request: take a new key for a new request".into()
            }
            Rejection::EmailTaken => "a user with this email address exists".into(),
            Rejection::HeaderTimeout => "the request's header took too long to arrive".into(),
            Rejection::BodyTimeout => "the request's body took too long to arrive".into(),
            Rejection::TooManyConnections => "too many connections are open: try again".into(),
            Rejection::TooManyConnectionsOfAddress => {
                "too many connections of your address are open: close some, or try again".into()
            }
            Rejection::QueueFull => "too many requests are waiting: try again".into(),
            Rejection::Unanswered(Unanswered::Unavailable) => {
                "the request could not be stored now and was not: try again".into()
            }
            Rejection::Unanswered(Unanswered::Unknown) => {
                "it is not known whether this was done: try again, a registration with the same Idempotency-Key".into()
            }
            Rejection::Unanswered(Unanswered::Refused) => "the request cannot be stored".into(),
            Rejection::Internal => "something went wrong here".into(),
            Rejection::InvalidCredentials => "the email address or the password is wrong".into(),
            Rejection::CredentialChanging => "the account is being changed: try again".into(),
            Rejection::AccountPending => "this account is not confirmed yet".into(),
            Rejection::AccountBlocked => "this account is blocked".into(),
            Rejection::AccountDeleted => "this account was deleted".into(),
            Rejection::TokenMissing => "send an access token: Authorization: Bearer TOKEN".into(),
            Rejection::Token(rejected) => rejected.description().into(),
            Rejection::SessionEnded => "the session of this access token has ended: log in again".into(),
            Rejection::SessionNotFound => "this user has no session of that id".into(),
            Rejection::RefreshTokenInvalid => "this refresh token is not valid: log in again".into(),
            Rejection::RefreshTokenReused => "this refresh token was used before; its session has been ended".into(),
            Rejection::RateLimited { .. } => "too many attempts: wait before the next one".into(),
            Rejection::Unchecked(_) => "too many passwords are being checked: try again".into(),
            Rejection::NoProfile(reason) => reason.detail(),
        }
    }

    fn fields(&self) -> Vec<field::Field<'static>> {
        match self {
            Rejection::MethodNotAllowed(allow) => {
                vec![field::Field::new(FieldName::ALLOW, FieldValue::from_static(allow))]
            }
            Rejection::RateLimited { retry_after_s } | Rejection::Unchecked(Unchecked::Busy { retry_after_s }) => {
                vec![field::Field::retry_after(*retry_after_s)]
            }
            _ => match self.status_and_code().0 {
                Status::ServiceUnavailable => vec![field::Field::retry_after(RETRY_AFTER_S)],
                Status::Unauthorized => {
                    vec![field::Field::new(FieldName::WWW_AUTHENTICATE, FieldValue::from_static(self.challenge()))]
                }
                _ => Vec::new(),
            },
        }
    }

    /// What a 401 asks for (RFC 9110 section 11.6.1). Errors are named to those alone who sent a token (RFC 6750
    /// section 3.1).
    fn challenge(&self) -> &'static str {
        match self {
            Rejection::Token(rejected) => &CHALLENGES[*rejected as usize],
            Rejection::SessionEnded => "Bearer error=\"invalid_token\", error_description=\"the session has ended\"",
            _ => "Bearer",
        }
    }

    fn errors(&self) -> Vec<FieldError> {
        let Rejection::InvalidFields(problems) = self else { return Vec::new() };
        let error = |(field, problem): &(Field, FieldProblem)| FieldError {
            field: *field,
            code: problem.code(),
            detail: problem.detail(),
        };
        problems.iter().map(error).collect()
    }
}

fn head_status_and_code(error: HeadError) -> (Status, &'static str) {
    match error {
        HeadError::BadRequest(_) => (Status::BadRequest, "request_malformed"),
        HeadError::UriTooLong => (Status::UriTooLong, "target_too_long"),
        HeadError::HeadersTooLarge => (Status::RequestHeaderFieldsTooLarge, "header_too_large"),
        HeadError::TooManyHeaders => (Status::RequestHeaderFieldsTooLarge, "too_many_fields"),
        HeadError::MethodTooLong => (Status::NotImplemented, "method_unknown"),
        HeadError::UnknownTransferCoding => (Status::NotImplemented, "transfer_coding_unknown"),
        HeadError::VersionNotSupported => (Status::HttpVersionNotSupported, "version_unsupported"),
        HeadError::UnknownExpectation => (Status::ExpectationFailed, "expectation_unknown"),
    }
}

impl JsonProblem {
    fn detail(self) -> String {
        let JsonProblem { category, line, column } = self;
        let what = match category {
            Category::Eof => "the body ends before its JSON does",
            Category::Data => "the body is not the object that is expected here: its fields are strings, each once",
            Category::Syntax | Category::Io => "the body is not valid JSON",
        };
        format!("{what} (line {line}, column {column})")
    }
}

impl From<Unanswered> for Rejection {
    fn from(unanswered: Unanswered) -> Rejection {
        Rejection::Unanswered(unanswered)
    }
}

impl From<Unchecked> for Rejection {
    fn from(unchecked: Unchecked) -> Rejection {
        Rejection::Unchecked(unchecked)
    }
}

impl From<NoProfile> for Rejection {
    fn from(reason: NoProfile) -> Rejection {
        Rejection::NoProfile(reason)
    }
}

impl From<Rejection> for Reply {
    fn from(rejection: Rejection) -> Reply {
        let (status, code) = rejection.status_and_code();
        let problem = Problem {
            title: status.reason(),
            status: status.code(),
            code,
            detail: rejection.detail(),
            errors: rejection.errors(),
        };
        let body = serde_json::to_vec(&problem).expect("plain data can be written as JSON");
        let is_refusal =
            matches!(rejection, Rejection::RateLimited { .. } | Rejection::Unchecked(Unchecked::Busy { .. }));
        Reply {
            status,
            content_type: Some(PROBLEM),
            fields: rejection.fields(),
            body: body.into(),
            is_refusal,
            problem: Some(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn body_of(rejection: Rejection) -> String {
        String::from_utf8(Reply::from(rejection).body.into_owned()).unwrap()
    }

    #[test]
    fn problem_carries_its_code_and_every_field_error() {
        let rejection = Rejection::InvalidFields(vec![
            (Field::Email, FieldProblem::Email(EmailError::NoAt)),
            (Field::Password, FieldProblem::Missing),
        ]);
        expect![[r#"{"title":"Unprocessable Content","status":422,"code":"invalid_fields","detail":"one or more fields are not acceptable","errors":[{"field":"email","code":"email_without_at","detail":"has no @"},{"field":"password","code":"missing","detail":"is missing"}]}"#]]
        .assert_eq(&body_of(rejection));
    }

    #[test]
    fn service_unavailable_says_when_to_try_again() {
        for rejection in [
            Rejection::QueueFull,
            Rejection::TooManyConnections,
            Rejection::TooManyConnectionsOfAddress,
            Rejection::Unanswered(Unanswered::Unavailable),
            Rejection::Unanswered(Unanswered::Unknown),
        ] {
            let reply = Reply::from(rejection);
            assert_eq!((reply.status, reply.fields.len()), (Status::ServiceUnavailable, 1));
        }
    }

    #[test]
    fn json_problem_is_told_in_our_own_words() {
        let error = serde_json::from_str::<Vec<u8>>("[1,").unwrap_err();
        expect![[r#"{"title":"Bad Request","status":400,"code":"json_invalid","detail":"the body ends before its JSON does (line 1, column 3)"}"#]]
            .assert_eq(&body_of(Rejection::json(&error)));
    }
}
