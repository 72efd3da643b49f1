//! `POST /auth/register`: checks all fields, makes the weak record, and answers once the user is committed.

use crate::{
    account::{Bucket, Email, Password, Status, UserId, Username},
    fail_points::{self, FailPoint},
    handlers::{
        Rejection, Reply, Request, ask,
        fields::{present, refused},
        json,
        rejection::{Field, FieldProblem},
        user::User,
    },
    hardening::Salt,
    http::status,
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
    postgres::statements::{register::NewUser, register::Registered, register_once},
    server::Server,
    telemetry::SecurityEventKind,
};
use std::borrow::Cow;

/// The fields, each valid.
struct Registration {
    email: Email,
    username: Username,
    password: Password,
}

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let key = request.head.idempotency_key.map(idempotency_key).transpose()?;
    let registration = validate(server, json::read(request, ["email", "username", "password"])?)?;
    admit(server, request)?;
    match key {
        None => register(server, request, registration).await,
        Some(key) => register_once(server, request, registration, key).await,
    }
}

/// Only what could be stored is counted: a form that is corrected costs nobody anything.
fn admit(server: &Server, request: Request<'_>) -> Result<(), Rejection> {
    server.rate_limiter().register(request.client, server.uptime_ms()).map_err(|refused| {
        let event = request.event(SecurityEventKind::RegistrationRateLimited);
        server.record(&event.reason(refused.limit.name()));
        Rejection::RateLimited { retry_after_s: refused.seconds }
    })
}

fn idempotency_key(value: &[u8]) -> Result<&[u8], Rejection> {
    let well_formed = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if well_formed { Ok(value) } else { Err(Rejection::IdempotencyKeyMalformed) }
}

fn validate(
    server: &Server,
    [email, username, password]: [Option<Cow<'_, str>>; 3],
) -> Result<Registration, Rejection> {
    let email = present(email, |email| Email::parse(&email).map_err(FieldProblem::Email));
    let username = present(username, |name| Username::parse(&name).map_err(FieldProblem::Username));
    let policy = server.password_policy();
    let password = present(password, |text| Password::parse(text, policy).map_err(FieldProblem::Password));
    match (email, username, password) {
        (Ok(email), Ok(username), Ok(password)) => Ok(Registration { email, username, password }),
        (email, username, password) => Err(refused([
            (Field::Email, email.err()),
            (Field::Username, username.err()),
            (Field::Password, password.err()),
        ])),
    }
}

async fn register(server: &Server, request: Request<'_>, registration: Registration) -> Result<Reply, Rejection> {
    let user = new_user(server, registration)?;
    // Written before the answer is known: nearly all are good, and afterwards the user belongs to the batch.
    let body = new_user_json(&user.id, user.email.as_str(), user.username.as_str());
    let weak = server.hardener().has_room().then(|| (user.id, user.weak.clone()));
    match ask(request, &server.statements().register, user).await? {
        Registered::Created => {
            fail_points::pass(FailPoint::Committed);
            weak.into_iter().for_each(|(user, weak)| server.hardener().fresh(user, &weak));
            Ok(created(body))
        }
        Registered::EmailTaken => Err(Rejection::EmailTaken),
    }
}

async fn register_once(
    server: &Server,
    request: Request<'_>,
    registration: Registration,
    key: &[u8],
) -> Result<Reply, Rejection> {
    let fingerprints = server.peppers().fingerprints(&[
        registration.email.as_str().as_bytes(),
        registration.username.as_str().as_bytes(),
        registration.password.as_bytes(),
    ]);
    let key = register_once::Key::of(key);
    let user = new_user(server, registration)?;
    let body = new_user_json(&user.id, user.email.as_str(), user.username.as_str());
    let item = register_once::Item { user, key, fingerprint: fingerprints[0] };
    match ask(request, &server.statements().register_once, item).await? {
        register_once::Outcome::Created => {
            fail_points::pass(FailPoint::Committed);
            Ok(created(body))
        }
        register_once::Outcome::EmailTaken => Err(Rejection::EmailTaken),
        register_once::Outcome::Earlier(earlier) if !fingerprints.contains(&earlier.fingerprint) => {
            Err(Rejection::IdempotencyKeyReused)
        }
        register_once::Outcome::Earlier(earlier) => match earlier.user {
            Some(user) => Ok(created(new_user_json(&user.id, &user.email, &user.username))),
            None => Err(Rejection::EmailTaken),
        },
    }
}

fn new_user(server: &Server, registration: Registration) -> Result<NewUser, Rejection> {
    let Registration { email, username, password } = registration;
    let mut random = server.random();
    let salt = random.bytes().map_err(|_| Rejection::Internal)?;
    let id = random.bytes().map_err(|_| Rejection::Internal)?;
    let id = UserId::new(server.unix_ms(), Bucket::of(server.routing_key(), &email), id);
    let weak = server.peppers().newest().record(Salt::new(salt), &password);
    Ok(NewUser { id, email, username, weak })
}

fn created(body: Vec<u8>) -> Reply {
    Reply::json(status::Status::Created, body)
}

fn new_user_json(id: &UserId, email: &str, username: &str) -> Vec<u8> {
    User { id, email, username, status: Status::Pending }.to_json()
}
