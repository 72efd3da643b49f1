//! `POST /auth/login`: checks a password on a password core and opens a session. Unknown addresses, wrong passwords and
//! accounts without a password take the same work and get the same answer.

use super::{
    Rejection, Reply, Request, ask,
    authenticated::may_enter,
    fields::{present, refused},
    json,
    rejection::{Field, FieldProblem},
    tokens::{self, Grant},
    user::User,
};
use crate::{
    account::{Bucket, Email, Password, SessionId},
    hardening::{Checked, salt_text},
    limits::CREDENTIAL_CHANGES_MAX,
    postgres::statements::{
        find_credentials::{self, Credentials},
        start_session::{NewSession, Started},
    },
    rate_limit::{Attempt, network},
    server::Server,
    telemetry::{Part, SecurityEvent, SecurityEventKind},
};
use std::borrow::Cow;

/// The fields, each as it could be stored.
struct Login {
    email: Email,
    password: Password,
}

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let login = validate(json::read(request, ["email", "password"])?)?;
    // Before it costs the database a look-up, and before it is counted: a flood must be cheap to turn away, and whoever
    // is turned away has not tried.
    let origin = network(request.client);
    let mut place = Some(server.password_core().admit(origin)?);
    let account = login.email.as_str().as_bytes();
    let attempt = server.rate_limiter().login(account, request.client, server.uptime_ms()).map_err(|refused| {
        let event = request.event(SecurityEventKind::LoginRateLimited);
        server.record(&event.reason(refused.limit.name()));
        Rejection::RateLimited { retry_after_s: refused.seconds }
    })?;
    // Dropped on the way out by an error of ours, the attempt does not count.
    let mut attempt = Some(attempt);
    for _ in 0..CREDENTIAL_CHANGES_MAX {
        let bucket = Bucket::of(server.routing_key(), &login.email);
        let found = ask(
            request,
            &server.statements().find_credentials,
            find_credentials::Item { email: login.email.clone(), bucket },
        )
        .await?;
        let stored = found.as_ref().and_then(|found| found.password_hash.as_deref().map(String::as_str));
        let core = server.password_core();
        let own = place.take().map_or_else(|| core.admit(origin), Ok)?;
        let checking = core.check(own, server.peppers(), stored, &login.password);
        let checked = request.trace.timed(Part::Password, checking).await?;
        request.trace.waited(checked.waited);
        server.metrics().password_wait.observe(u64::try_from(checked.waited.as_micros()).unwrap_or(u64::MAX));
        let user = found.as_ref().map(|found| found.user);
        let Some(credentials) = found.filter(|_| checked.right) else {
            attempt.take().into_iter().for_each(Attempt::failed);
            let event = failed(request).reason("wrong_credentials");
            server.record(&match &user {
                Some(user) => event.user(user),
                None => event,
            });
            return Err(Rejection::InvalidCredentials);
        };
        attempt.take().into_iter().for_each(Attempt::succeeded);
        may_enter(credentials.status, server.policy().pending_may_log_in).inspect_err(|_| {
            server.record(&failed(request).user(&credentials.user).reason(credentials.status.as_str()));
        })?;
        if let Some(reply) = open(server, request, &login, credentials, checked).await? {
            return Ok(reply);
        }
        // The password was changed between the look-up and now: what was right may not be any more.
    }
    Err(Rejection::CredentialChanging)
}

fn failed(request: Request<'_>) -> SecurityEvent<'_> {
    request.event(SecurityEventKind::LoginFailed)
}

fn validate([email, password]: [Option<Cow<'_, str>>; 2]) -> Result<Login, Rejection> {
    let email = present(email, |email| Email::parse(&email).map_err(FieldProblem::Email));
    let password = present(password, |text| Password::attempt(text).map_err(FieldProblem::Password));
    match (email, password) {
        (Ok(email), Ok(password)) => Ok(Login { email, password }),
        (email, password) => Err(refused([(Field::Email, email.err()), (Field::Password, password.err())])),
    }
}

/// Opens a session for a password that was right; `None` when it was changed meanwhile.
async fn open(
    server: &Server,
    request: Request<'_>,
    login: &Login,
    credentials: Credentials,
    checked: Checked,
) -> Result<Option<Reply>, Rejection> {
    let Credentials { user, username, status, password_hash } = credentials;
    let (seed, random) = {
        let mut stock = server.random();
        let seed = stock.bytes().map_err(|_| Rejection::Internal)?;
        (seed, stock.bytes().map_err(|_| Rejection::Internal)?)
    };
    let session = SessionId::new(server.unix_ms(), user.bucket(), random);
    // Hardening keeps the salt, and whoever changes a password draws another.
    let salt = password_hash.as_deref().and_then(|stored| salt_text(stored)).unwrap_or_default();
    let credential = format!("${salt}$");
    let policy = server.policy();
    let item = NewSession {
        id: session,
        user,
        seed,
        ip: request.known_client(),
        user_agent: request.user_agent(),
        idle: policy.sessions.idle,
        absolute: policy.sessions.absolute,
        per_user_max: policy.sessions.per_user_max,
        credential,
    };
    match ask(request, &server.statements().start_session, item).await? {
        Started::Started => {}
        Started::CredentialChanged => return Ok(None),
        Started::UserShutOut(status) => return Err(may_enter(status, false).err().unwrap_or(Rejection::Internal)),
        Started::UserGone => return Err(Rejection::InvalidCredentials),
    }
    let event = request.event(SecurityEventKind::LoginSucceeded).user(&user).session(&session);
    server.record(&event);
    if let (Some(upgrade), Some(old)) = (checked.upgrade, password_hash) {
        server.hardener().after_login(user, old, upgrade);
    }
    let user = User { id: &user, email: login.email.as_str(), username: &username, status };
    let grant = Grant { user: user.id, session: &session, generation: 0, seed: &seed };
    tokens::reply(server, &grant, Some(&user)).map(Some)
}
