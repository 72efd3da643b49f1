//! The certificate of a server that speaks TLS: read at the start, again at each SIGHUP, and watched for its end.

use super::interrupts::Interrupts;
use crate::{
    cli::CliError, clock, config, limits::TLS_EXPIRY_WARNING, telemetry::CertificateFigures, tls::Certificates,
};
use std::sync::Arc;

/// Reads the configured files; none where none are.
pub(super) fn load(config: &config::Server) -> Result<Option<Arc<Certificates>>, CliError> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(None) };
    let certificates = Certificates::load(certificate, key).map_err(|error| {
        CliError::failed(&error).with_hint("TLS_CERT and TLS_KEY name the PEM files of certificate and key")
    })?;
    let certificates = Arc::new(certificates);
    warn_of_end(&certificates);
    Ok(Some(certificates))
}

/// Has SIGHUP read the files again, if there are any.
pub(super) fn reload_by(interrupts: &Interrupts, certificates: Option<Arc<Certificates>>) {
    interrupts.reload_by(move || match &certificates {
        Some(certificates) => reload(certificates),
        None => tracing::info!("SIGHUP is for certificates of TLS, and there are none"),
    });
}

/// What is shown of it at each scrape.
pub(super) fn figures(certificates: &Arc<Certificates>) -> impl Fn() -> CertificateFigures + Send + Sync + use<> {
    let certificates = certificates.clone();
    move || {
        let (reloaded, refused) = certificates.reloads();
        CertificateFigures { not_after: certificates.not_after(), reloaded, refused }
    }
}

fn reload(certificates: &Certificates) {
    match certificates.reload() {
        Ok(()) => {
            tracing::info!(valid_until = when(certificates.not_after()), "read the certificate of TLS again");
            warn_of_end(certificates);
        }
        Err(error) => tracing::error!(%error, "the certificate of TLS stays the one that it was"),
    }
}

fn warn_of_end(certificates: &Certificates) {
    if let Some(warning) = end(certificates.not_after(), clock::unix_ms() / 1000) {
        tracing::warn!(valid_until = when(certificates.not_after()), "{warning}");
    }
}

/// What is to be said of a certificate's end, which is to come soon or has come.
pub(in crate::cli) fn end(not_after: u64, now: u64) -> Option<&'static str> {
    if not_after < now {
        Some("the certificate of TLS has expired: clients refuse it")
    } else if not_after - now < TLS_EXPIRY_WARNING.as_secs() {
        Some("the certificate of TLS expires soon: renew it, then send SIGHUP")
    } else {
        None
    }
}

/// A time of certificates as RFC 3339 has it.
pub(in crate::cli) fn when(unix_seconds: u64) -> String {
    let timestamp = i64::try_from(unix_seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(|| "for ever".to_owned(), |timestamp| timestamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn a_certificate_is_complained_of_two_weeks_before_its_end() {
        assert_eq!(end(100 * DAY, 86 * DAY), None);
        assert!(end(100 * DAY, 86 * DAY + 1).is_some_and(|warning| warning.contains("soon")));
        assert!(end(100 * DAY, 100 * DAY).is_some_and(|warning| warning.contains("soon")));
        assert!(end(100 * DAY, 100 * DAY + 1).is_some_and(|warning| warning.contains("expired")));
    }

    #[test]
    fn the_end_is_told_as_a_time_for_people() {
        assert_eq!(when(0), "1970-01-01T00:00:00Z");
        assert_eq!(when(u64::MAX), "for ever");
    }
}
