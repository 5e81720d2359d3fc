//! What can go wrong between this program and Harbor, in texts that stand alone.

use crate::transport::{HttpError, TlsFault, TransportError};

/// Why Harbor did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HarborError {
    /// No connection, or one that broke.
    #[error("{url} does not answer: {}{}", cause(url, source), remedy(source))]
    Unreachable {
        /// Its URL.
        url: String,
        /// What the network said.
        source: HttpError,
    },
    /// It answers, but not as Harbor.
    #[error(
        "{url} has no API of Harbor 2.2 or later: it answers {call} with status {status}\nleave `harbor` out for other registries"
    )]
    NotHarbor {
        /// Its URL.
        url: String,
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
    },
    /// User or password are not accepted.
    #[error(
        "{url} does not accept the password of `{user}`\ncorrect `harbor.admin` of this registry in the inventory"
    )]
    Login {
        /// Its URL.
        url: String,
        /// The administrator.
        user: String,
    },
    /// Somebody keeps Harbor from being changed.
    #[error(
        "{url} is in read-only mode, and can't do this: {call}\nan administrator of Harbor ends that mode (Administration, Configuration, System Settings); it is usual while it is backed up or cleaned"
    )]
    ReadOnly {
        /// Its URL.
        url: String,
        /// Method and path.
        call: String,
    },
    /// The user may not do this.
    #[error(
        "{url} does not let `{user}` do this: {call}: {message}\n`harbor.admin` must be allowed to make projects and robot accounts"
    )]
    Forbidden {
        /// Its URL.
        url: String,
        /// The administrator.
        user: String,
        /// Method and path.
        call: String,
        /// Harbor's own words.
        message: String,
    },
    /// Understood and refused.
    #[error("{url} answered {call} with status {status}: {message}")]
    Refused {
        /// Its URL.
        url: String,
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// Harbor's own words.
        message: String,
    },
    /// An answer that has not the form it should have.
    #[error("the answer of {url} to {call} is not understood: {reason}")]
    NotUnderstood {
        /// Its URL.
        url: String,
        /// Method and path.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Harbor puts another word before the names of its robot accounts.
    #[error(
        "Harbor calls this robot account `{given}`, and the inventory `{wanted}`\nwrite Harbor's name as `credentials.username` of this registry"
    )]
    OtherName {
        /// Harbor's name.
        given: String,
        /// The inventory's.
        wanted: String,
    },
    /// A password that can't be a robot account's secret.
    #[error(
        "Harbor does not take the password of `{0}` for a robot account\nit takes 8 to 128 characters with an upper-case letter, a lower-case one and a digit among them"
    )]
    NoSecret(String),
    /// An account that is there and of no use.
    #[error("the robot account `{robot}` of Harbor {why}")]
    Useless {
        /// Its name.
        robot: String,
        /// What is the matter with it, and what to do.
        why: &'static str,
    },
    /// It says that a robot account is there, and doesn't list it.
    #[error(
        "Harbor says that there is a robot account `{0}`, and does not list it\ndelete it in Harbor, or name another"
    )]
    Hidden(String),
}

impl HarborError {
    /// Whether it is Harbor's word for something that is there already.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }
}

/// What happened. A host that can be talked to and does not get through to Harbor is not itself out of reach.
fn cause(url: &str, source: &HttpError) -> String {
    if let HttpError::Transport(TransportError::Unreachable {
        host,
        address,
        reason,
    }) = source
    {
        let server = url.split_once("://").map_or(url, |(_, server)| server);
        if address.starts_with(server) {
            return format!("{host} does not get through to {address}: {reason}");
        }
    }
    source.to_string()
}

/// What to do about it.
fn remedy(source: &HttpError) -> &'static str {
    let HttpError::Tls { fault, .. } = source else {
        return "";
    };
    match fault {
        TlsFault::UnknownIssuer => {
            "\ngive the CA's certificate as `ca: { file: … }` of this registry; if one is there, the registry has got another"
        }
        TlsFault::Expired => {
            "\nrenew the registry's certificate; if it is fine, look at the clock of this machine"
        }
        TlsFault::OtherName => "\nuse a name that the registry's certificate has",
        TlsFault::NoTls => {
            "\nit speaks HTTP without TLS: give it a certificate, as `harbor` works with HTTPS alone"
        }
        TlsFault::Other => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(source: HttpError) -> String {
        let url = "https://harbor.example".to_owned();
        HarborError::Unreachable { url, source }.to_string()
    }

    #[test]
    fn each_fault_of_tls_has_its_remedy() {
        for (fault, remedy) in [
            (TlsFault::UnknownIssuer, "give the CA's certificate"),
            (TlsFault::Expired, "renew the registry's certificate"),
            (TlsFault::OtherName, "use a name that"),
            (TlsFault::NoTls, "speaks HTTP without TLS"),
        ] {
            let reason = "words of the library".to_owned();
            assert!(
                reported(HttpError::Tls { fault, reason }).contains(remedy),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn a_registry_out_of_reach_is_not_a_host_out_of_reach() {
        let unreachable = |address: &str| {
            reported(HttpError::Transport(TransportError::Unreachable {
                host: "cp1".to_owned(),
                address: address.to_owned(),
                reason: "no route".to_owned(),
            }))
        };
        assert_eq!(
            unreachable("harbor.example:443 through SSH"),
            "https://harbor.example does not answer: cp1 does not get through to harbor.example:443 through SSH: no route"
        );
        assert!(unreachable("10.0.0.1:22").contains("cannot reach cp1"));
    }
}
