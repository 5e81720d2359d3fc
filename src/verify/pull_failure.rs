//! Why a pull failed, distinguished by the words of containerd and of Go's TLS and network libraries, which have been the same for years.

/// Kinds of failed pulls, each with a remedy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PullFailure {
    /// The registry's certificate is signed by a CA that the node doesn't trust.
    UnknownCa,
    /// The registry's certificate is out of date, or the node's clock is.
    Expired,
    /// The registry's certificate is for other names.
    OtherName,
    /// The registry speaks HTTP without TLS.
    PlainHttp,
    /// A web page answers where a registry's API should.
    NoApi,
    /// The registry refuses user or password, or wants some.
    Refused,
    /// It takes user and password, and answers as if it didn't for what is not theirs to see. Harbor does.
    Denied,
    /// User and password are right and may not pull this image.
    Forbidden,
    /// The image is there, and a rule of the registry holds it back.
    HeldBack,
    /// There is no such image.
    NotFound,
    /// The registry's name can't be resolved.
    UnknownName,
    /// Nothing answers.
    Unreachable,
    /// The registry answers with an error of its own.
    Broken,
    /// Something else.
    Other,
}

use PullFailure::{
    Broken, Denied, Expired, Forbidden, HeldBack, NoApi, NotFound, Other, OtherName, PlainHttp, Refused,
    UnknownCa, UnknownName, Unreachable,
};

/// Words and what they mean; the first that is found decides.
const WORDS: &[(&str, PullFailure)] = &[
    ("certificate has expired or is not yet valid", Expired),
    ("certificate signed by unknown authority", UnknownCa),
    ("x509: certificate is valid for", OtherName),
    ("x509: certificate is not valid for", OtherName),
    ("x509: cannot validate certificate for", OtherName),
    ("server gave HTTP response to HTTPS client", PlainHttp),
    ("text/html", NoApi),
    ("403 Forbidden", Forbidden),
    ("412 Precondition Failed", HeldBack),
    ("401 Unauthorized", Refused),
    ("no basic auth credentials", Refused),
    ("insufficient_scope", Refused),
    ("authorization failed", Refused),
    ("pull access denied", Refused),
    ("no such host", UnknownName),
    ("connection refused", Unreachable),
    ("no route to host", Unreachable),
    ("network is unreachable", Unreachable),
    ("i/o timeout", Unreachable),
    ("connection reset by peer", Unreachable),
    ("context deadline exceeded", Unreachable),
    ("DeadlineExceeded", Unreachable),
    ("500 Internal Server Error", Broken),
    ("502 Bad Gateway", Broken),
    ("503 Service Unavailable", Broken),
    ("504 Gateway", Broken),
    ("429 Too Many Requests", Broken),
    ("not found", NotFound),
];

impl PullFailure {
    /// Reads what crictl printed.
    pub(super) fn from_output(said: &str) -> Self {
        let found = WORDS.iter().find(|(words, _)| said.contains(words));
        found.map_or(Other, |(_, failure)| *failure)
    }

    /// What went wrong, in one line.
    pub(super) fn message(self, registry: &str, image: &str) -> String {
        match self {
            UnknownCa => format!("{registry} has a certificate of a CA that the node doesn't trust"),
            Expired => format!("the certificate of {registry} has expired or is not yet valid"),
            OtherName => format!("the certificate of {registry} is for other names"),
            PlainHttp => format!("{registry} speaks HTTP without TLS"),
            NoApi => format!("{registry} answers with a web page, where a registry's API should be"),
            HeldBack => format!("{registry} has {image}, and a rule of it holds the image back"),
            Denied => format!(
                "{registry} takes the node's user and password, and doesn't let them pull {image}: the project is missing, or not theirs to read"
            ),
            Refused => format!("{registry} refuses the node's user and password, or wants some for {image}"),
            Forbidden => format!("{registry} doesn't let the node's user pull {image}"),
            NotFound => format!("{registry} answers, and has no image {image}"),
            UnknownName => format!("the node can't resolve the name of {registry}"),
            Unreachable => format!("the node doesn't reach {registry}"),
            Broken => format!("{registry} answers with an error of its own"),
            Other => format!("{image} can't be pulled"),
        }
    }

    /// What to do about it.
    pub(super) fn help(self, registry: &str) -> String {
        let entry = format!("`registries` in the inventory, at {registry}");
        match self {
            UnknownCa => format!(
                "give the CA's certificate as `ca: {{ file: … }}` ({entry}); if one is there, the registry has got another"
            ),
            Expired => {
                "renew the registry's certificate; if it is fine, look at the node's clock (`timedatectl`)"
                    .to_owned()
            }
            OtherName => format!(
                "use a name that the certificate has, or make one with this name in `subjectAltName` ({entry})"
            ),
            PlainHttp => format!(
                "give the registry a certificate, or name it among its own `mirrors` with http:// ({entry})"
            ),
            Refused => {
                format!("correct `credentials` ({entry}) and apply; `docker login {registry}` tries them")
            }
            NoApi => format!(
                "correct the address of the mirror: for Harbor it ends in /v2/PROJECT, the name of its proxy project ({entry})"
            ),
            HeldBack => {
                "see the rules of its project (Harbor: signatures wanted, or no known vulnerabilities), and what they say of the image"
                    .to_owned()
            }
            Denied => {
                "see whether the project is there, and give the user the right to pull from it (Harbor: a robot account reads its own project and public ones)"
                    .to_owned()
            }
            Forbidden => {
                "give the user the right to pull (Harbor: a member of the project, or a robot account of it)"
                    .to_owned()
            }
            NotFound => "push it there, or mirror it; look at its name and tag".to_owned(),
            UnknownName => {
                "see `resolvectl query` or `getent hosts` on the node, or add the name to its DNS".to_owned()
            }
            Unreachable => {
                "see whether the registry runs, and what is between it and the node: firewall, route, `proxy`"
                    .to_owned()
            }
            Broken => "look at the registry's own log".to_owned(),
            Other => "`crictl pull` on the node says the same".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart() {
        let head = "rpc error: code = Unknown desc = failed to resolve reference \"r:5000/a:1\": ";
        let all = [
            (
                "failed to do request: Head \"https://r:5000/v2/a\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
                UnknownCa,
            ),
            (
                "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-21T15:00:00Z is after 2026-01-01T00:00:00Z",
                Expired,
            ),
            (
                "tls: failed to verify certificate: x509: certificate is valid for a, not r",
                OtherName,
            ),
            ("http: server gave HTTP response to HTTPS client", PlainHttp),
            (
                "unexpected status from HEAD request to https://r:5000/v2/a/manifests/1: 401 Unauthorized",
                Refused,
            ),
            (
                "unexpected status from HEAD request to https://r:5000/v2/a/manifests/1: 403 Forbidden",
                Forbidden,
            ),
            (
                "unexpected status from HEAD request to https://r:5000/v2/a/manifests/1: 412 Precondition Failed",
                HeldBack,
            ),
            ("unexpected media type text/html for sha256:00: not found", NoApi),
            ("r:5000/a:1: not found", NotFound),
            ("dial tcp: lookup r on 10.0.0.1:53: no such host", UnknownName),
            ("dial tcp 10.0.0.1:5000: connect: connection refused", Unreachable),
            ("something new", Other),
        ];
        for (said, expected) in all {
            let failure = PullFailure::from_output(&format!("{head}{said}"));
            assert_eq!(failure, expected, "{said}");
            assert!(!failure.message("r", "r/a:1").is_empty() && !failure.help("r").is_empty());
        }
    }
}
