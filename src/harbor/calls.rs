//! The calls of the API: projects, and the robot accounts in them.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::client::HarborClient;
use super::error::HarborError;

const PROJECTS: &str = "/api/v2.0/projects";
const ROBOTS: &str = "/api/v2.0/robots";

#[derive(Deserialize)]
struct Project {
    project_id: i64,
    name: String,
}

/// A robot account.
#[derive(Debug, Clone, Deserialize)]
pub struct Robot {
    /// Its number.
    pub id: i64,
    /// The name with which it logs in.
    pub name: String,
    /// Whether somebody has switched it off.
    #[serde(default)]
    pub disable: bool,
    /// When it ends, in seconds since 1970; -1 is never.
    #[serde(default = "never")]
    pub expires_at: i64,
    /// What it may do, and where.
    #[serde(default)]
    permissions: Vec<Permission>,
}

#[derive(Debug, Clone, Deserialize)]
struct Permission {
    #[serde(default)]
    access: Vec<RobotAccess>,
}

#[derive(Debug, Clone, Deserialize)]
struct RobotAccess {
    resource: String,
    action: String,
}

#[derive(Deserialize)]
struct CreatedRobot {
    name: String,
}

fn never() -> i64 {
    -1
}

impl Robot {
    /// Whether it may do this (`pull`, `push`) with images.
    pub fn may(&self, action: &str) -> bool {
        let mut access = self.permissions.iter().flat_map(|permission| &permission.access);
        access.any(|access| access.resource == "repository" && access.action == action)
    }
}

impl HarborClient {
    /// The number of the project of this name.
    pub async fn project(&self, name: &str) -> Result<Option<i64>, HarborError> {
        self.log_in().await?;
        // Harbor looks for names that contain this one. Asked for the project itself, it would say of a missing one that it is forbidden.
        let found: Vec<Project> = self.list(&format!("{PROJECTS}?name={name}")).await?;
        let project = found.into_iter().find(|project| project.name == name);
        Ok(project.map(|project| project.project_id))
    }

    /// Makes a project that only its members see. One that somebody else made in the meantime is as good.
    pub async fn create_project(&self, name: &str) -> Result<(), HarborError> {
        let body = json!({"project_name": name, "metadata": {"public": "false"}});
        match self.change(&Method::POST, PROJECTS, &body).await {
            Err(error) if error.is_conflict() => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// The robot accounts of a project.
    pub async fn robots(&self, project: i64) -> Result<Vec<Robot>, HarborError> {
        self.list(&format!("{ROBOTS}?q=Level%3Dproject%2CProjectID%3D{project}"))
            .await
    }

    /// Makes a robot account of a project that pulls and pushes for ever, and gives its full name; `None` when there is one already.
    pub async fn create_robot(&self, project: &str, name: &str) -> Result<Option<String>, HarborError> {
        let access = |action: &str| json!({"resource": "repository", "action": action});
        let body = json!({
            "name": name,
            "description": "made by ci-bootstrap",
            "level": "project",
            "duration": -1,
            "disable": false,
            "permissions": [{"kind": "project", "namespace": project, "access": [access("pull"), access("push")]}],
        });
        match self.change(&Method::POST, ROBOTS, &body).await {
            Err(error) if error.is_conflict() => Ok(None),
            answer => {
                let created: CreatedRobot = self.parse(&Method::POST, ROBOTS, &answer?)?;
                Ok(Some(created.name))
            }
        }
    }

    /// Gives a robot account another secret.
    pub async fn set_secret(&self, robot: i64, secret: &SecretString) -> Result<(), HarborError> {
        let body = json!({"secret": secret.expose_secret()});
        let path = format!("{ROBOTS}/{robot}");
        self.change(&Method::PATCH, &path, &body).await.map(drop)
    }
}
