//! What makes two connections the same.

use std::path::PathBuf;

use super::target::{Agent, SshTarget};

/// How a target is reached, whom it trusts and what it logs in with: the same for two targets if one connection does for both.
///
/// Passwords are left out: they are as good for the same account, and are kept in no table.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ConnectionRoute {
    endpoint: String,
    user: String,
    known_hosts: Option<Vec<PathBuf>>,
    revoked_host_keys: Vec<PathBuf>,
    host_key_alias: Option<String>,
    fingerprints: Vec<String>,
    identities: Vec<PathBuf>,
    certificates: Vec<PathBuf>,
    identities_only: bool,
    agent: Agent,
    jump: Option<Box<ConnectionRoute>>,
}

impl ConnectionRoute {
    pub(super) fn from_target(target: &SshTarget) -> Self {
        Self {
            endpoint: target.endpoint(),
            user: target.user().to_owned(),
            known_hosts: target.known_hosts.clone(),
            revoked_host_keys: target.revoked_host_keys.clone(),
            host_key_alias: target.host_key_alias.clone(),
            fingerprints: target.fingerprints.clone(),
            identities: target.identities.clone(),
            certificates: target.certificates.clone(),
            identities_only: target.identities_only,
            agent: target.agent.clone(),
            jump: target
                .jump
                .as_deref()
                .map(|jump| Box::new(Self::from_target(jump))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_trusts_others_or_is_somebody_else_goes_another_way() {
        let plain = || {
            let mut target = SshTarget::new("the jump host of cp1", "10.0.0.1");
            target.jump = Some(Box::new(SshTarget::new("outer", "10.0.0.2")));
            target
        };
        let mut named = plain();
        named.name = "the jump host of cp2".to_owned();
        assert_eq!(
            ConnectionRoute::from_target(&plain()),
            ConnectionRoute::from_target(&named),
            "a name is no difference"
        );
        let different: [fn(&mut SshTarget); 8] = [
            |target| target.fingerprints.push("SHA256:x".to_owned()),
            |target| target.identities.push("id".into()),
            |target| target.known_hosts = Some(vec!["known".into()]),
            |target| target.host_key_alias = Some("alias".to_owned()),
            |target| target.agent = Agent::Environment,
            |target| target.user = Some("ann".to_owned()),
            |target| target.port = Some(2222),
            |target| target.jump = None,
        ];
        for (index, change) in different.iter().enumerate() {
            let mut changed = plain();
            change(&mut changed);
            assert_ne!(
                ConnectionRoute::from_target(&plain()),
                ConnectionRoute::from_target(&changed),
                "change {index}"
            );
        }
    }
}
