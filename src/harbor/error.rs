//! What can go wrong between this program and Harbor, in texts that stand alone.

use crate::transport::HttpError;

/// Why Harbor did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HarborError {
    /// No connection, or one that broke.
    #[error("{url} does not answer: {source}{}", remedy(source))]
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

/// What to do about the failures of TLS, which are told apart by their words only.
fn remedy(source: &HttpError) -> &'static str {
    let text = source.to_string();
    if text.contains("UnknownIssuer") {
        "\ngive the CA's certificate as `ca: { file: … }` of this registry; if one is there, the registry has got another"
    } else if text.contains("Expired") {
        "\nrenew the registry's certificate"
    } else if text.contains("NotValidForName") {
        "\nuse a name that the registry's certificate has"
    } else {
        ""
    }
}
