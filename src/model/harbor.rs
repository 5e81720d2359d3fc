//! What is made in a Harbor.

use serde::Serialize;

use super::check::RuleContext;
use super::code;
use super::site::{Login, login};
use crate::diagnostic::Diagnostic;
use crate::inventory;

/// A project of Harbor and its robot account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Harbor {
    /// The project.
    pub project: String,
    /// The robot account's name within the project; its full name is the registry's login.
    pub robot: String,
    /// Who makes both.
    pub admin: Login,
}

/// Outer `None`: it is wrong, and reported. Inner `None`: there is none.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
pub(super) fn check(
    written: &inventory::RegistrySpec,
    check: &mut RuleContext<'_>,
) -> Option<Option<Harbor>> {
    let Some(harbor) = &written.harbor else {
        return Some(None);
    };
    let project = check.parse(&harbor.project, &code::BAD_NAME, "Harbor project", name);
    let admin = login(&harbor.admin, check);
    let project = project?;
    let robot = robot(written, &project, check);
    Some(Some(Harbor {
        robot: robot?,
        project,
        admin: admin?,
    }))
}

/// The last part of the login, when that is a robot account's of this project.
fn robot(written: &inventory::RegistrySpec, project: &str, check: &mut RuleContext<'_>) -> Option<String> {
    let place = written.harbor.as_ref().map(|harbor| harbor.project.span)?;
    let help = format!("`credentials: {{ username: \"robot${project}+NAME\", password: … }}`");
    let Some(credentials) = &written.credentials else {
        let title = format!(
            "`{}` has no login for which a robot account could be made",
            written.name.value
        );
        let problem = Diagnostic::error(&code::HARBOR_ROBOT, title).at(place, "made for nobody");
        check.report(problem.help(help));
        return None;
    };
    // What stands before the project is the same for all of one Harbor, and not everywhere `robot$`.
    let login = &credentials.username;
    let parts = login.rsplit_once('+');
    let robot = parts.filter(|(before, _)| {
        before
            .strip_suffix(project)
            .is_some_and(|prefix| !prefix.is_empty())
    });
    let robot = robot.and_then(|(_, robot)| name(robot).ok());
    if robot.is_none() {
        let title = format!(
            "`{}` is not a robot account of the project `{project}`",
            login.value
        );
        let problem = Diagnostic::error(&code::HARBOR_ROBOT, title).at(login.span, "this login");
        check.report(problem.at(place, "this project").help(help));
    }
    robot
}

/// A name as Harbor takes it for projects and robot accounts.
fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let parts = text.split(['.', '_', '-']);
    if text.len() > 255
        || !parts
            .into_iter()
            .all(|part| !part.is_empty() && part.bytes().all(plain))
    {
        return Err("lower-case letters and digits, with single `.`, `_` or `-` between them".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_are_those_that_harbor_takes() {
        for good in ["ci", "ci-2", "a.b_c", "1"] {
            assert_eq!(name(good), Ok(good.to_owned()));
        }
        for bad in ["", "CI", "-ci", "ci-", "a--b", "a+b", "a/b"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
