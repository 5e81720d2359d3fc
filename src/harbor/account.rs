//! A robot account as it shall be: in its project, with rights to pull and push, and with a secret that is known beforehand.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::calls::Robot;
use super::client::HarborClient;
use super::error::HarborError;

/// A robot account of a project.
#[derive(Debug, Clone)]
pub struct RobotAccount {
    /// The project.
    pub project: String,
    /// Its name within the project.
    pub robot: String,
    /// The name with which it logs in: a word of Harbor's, the project, `+`, the robot.
    pub username: String,
    /// The password with which it logs in.
    pub password: SecretString,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountProblem {
    /// The project.
    Project,
    /// The account.
    Robot,
    /// The password: the account of this number has another one.
    Password(i64),
}

impl RobotAccount {
    /// What is missing, in the order in which it can be made. Changes nothing.
    pub async fn missing(&self, harbor: &HarborClient) -> Result<Vec<AccountProblem>, HarborError> {
        let missing = match harbor.project(&self.project).await? {
            None => vec![AccountProblem::Project, AccountProblem::Robot],
            Some(project) => match self.find(harbor, project).await? {
                None => vec![AccountProblem::Robot],
                Some(robot) => self.missing_of(harbor, &robot).await?,
            },
        };
        // All of it ends with Harbor's taking the password for a secret.
        if missing.is_empty() || is_secret(self.password.expose_secret()) {
            Ok(missing)
        } else {
            Err(HarborError::NoSecret(self.username.clone()))
        }
    }

    /// Makes one thing that is missing.
    pub async fn make(&self, harbor: &HarborClient, missing: AccountProblem) -> Result<(), HarborError> {
        match missing {
            AccountProblem::Project => harbor.create_project(&self.project).await,
            AccountProblem::Robot => self.make_robot(harbor).await,
            AccountProblem::Password(robot) => harbor.set_secret(robot, &self.password).await,
        }
    }

    /// What is missing, as a plan shows it.
    pub fn line(&self, missing: AccountProblem) -> String {
        let Self {
            project, username, ..
        } = self;
        match missing {
            AccountProblem::Project => format!("+project {project}, for its members only"),
            AccountProblem::Robot => format!("+robot account {username}: pull, push"),
            AccountProblem::Password(_) => {
                format!(" robot account {username}: the password of the inventory")
            }
        }
    }

    async fn missing_of(
        &self,
        harbor: &HarborClient,
        robot: &Robot,
    ) -> Result<Vec<AccountProblem>, HarborError> {
        if let Some(why) = obstacle(robot, Timestamp::now().as_second()) {
            return Err(HarborError::Useless {
                robot: robot.name.clone(),
                why,
            });
        }
        let accepted = harbor.accepts(&self.username, &self.password).await?;
        Ok(if accepted {
            Vec::new()
        } else {
            vec![AccountProblem::Password(robot.id)]
        })
    }

    async fn find(&self, harbor: &HarborClient, project: i64) -> Result<Option<Robot>, HarborError> {
        let robots = harbor.robots(project).await?;
        if let Some(robot) = robots.iter().find(|robot| robot.name == self.username) {
            return Ok(Some(robot.clone()));
        }
        let end = format!("{}+{}", self.project, self.robot);
        match robots.into_iter().find(|robot| robot.name.ends_with(&end)) {
            Some(other) => Err(self.other_name(other.name)),
            None => Ok(None),
        }
    }

    async fn make_robot(&self, harbor: &HarborClient) -> Result<(), HarborError> {
        let created = harbor.create_robot(&self.project, &self.robot).await?;
        if let Some(given) = created.filter(|given| *given != self.username) {
            return Err(self.other_name(given));
        }
        // The secret that Harbor generated goes unread: the account gets ours, just as one that was there before.
        let robot = match harbor.project(&self.project).await? {
            Some(project) => self.find(harbor, project).await?,
            None => None,
        };
        let robot = robot.ok_or_else(|| HarborError::Hidden(self.username.clone()))?;
        harbor.set_secret(robot.id, &self.password).await
    }

    fn other_name(&self, given: String) -> HarborError {
        HarborError::OtherName {
            given,
            wanted: self.username.clone(),
        }
    }
}

/// What keeps an account from being of use, and is not this program's to change: somebody may have meant it.
fn obstacle(robot: &Robot, now: i64) -> Option<&'static str> {
    if robot.disable {
        Some("is disabled\nenable it in Harbor, or name another")
    } else if robot.expires_at >= 0 && robot.expires_at <= now {
        Some("has expired\ngive it more time in Harbor, or delete it there, and it is created again")
    } else if !robot.may("pull") || !robot.may("push") {
        Some(
            "may not both pull and push images\ngive it the permissions in Harbor, or delete it there, and it is created again",
        )
    } else {
        None
    }
}

/// Whether Harbor takes this text as a robot account's secret.
fn is_secret(text: &str) -> bool {
    (8..=128).contains(&text.len())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_secret_has_letters_of_both_kinds_and_a_digit() {
        assert!(is_secret("Lab-robot-1"));
        for bad in ["Short-1", "no-upper-1", "NO-LOWER-1", "No-digits"] {
            assert!(!is_secret(bad), "{bad}");
        }
        assert!(!is_secret(&"Aa1".repeat(50)));
    }

    #[test]
    fn what_somebody_has_changed_is_told_and_not_changed_back() {
        let access = |actions: &[&str]| -> Value {
            let access = actions
                .iter()
                .map(|action| json!({"resource": "repository", "action": action}));
            json!([{"kind": "project", "access": access.collect::<Vec<_>>()}])
        };
        let why = |change: Value| {
            let mut robot = json!({"id": 7, "name": "robot$ci+a", "permissions": access(&["pull", "push"])});
            for (key, value) in change.as_object().unwrap() {
                robot[key] = value.clone();
            }
            obstacle(&serde_json::from_value(robot).unwrap(), 1000).unwrap_or_default()
        };
        assert_eq!(why(json!({})), "");
        assert_eq!(why(json!({"expires_at": -1, "disable": false})), "");
        assert_eq!(why(json!({"expires_at": 1001})), "");
        assert!(why(json!({"disable": true})).starts_with("is disabled"));
        assert!(why(json!({"expires_at": 1000})).starts_with("has expired"));
        assert!(why(json!({"permissions": access(&["pull"])})).starts_with("may not"));
    }
}
