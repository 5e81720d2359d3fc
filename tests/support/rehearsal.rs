//! Cases of minutes that show little which shorter ones don't: part of `make rehearsals` alone.

use super::cases::Cases;
use super::lab::Lab;

/// Runs the case there, and says that it is skipped elsewhere.
pub(crate) fn rehearse(cases: &mut Cases<'_>, name: &'static str, case: impl FnOnce(&Lab)) {
    if std::env::var_os("REHEARSE").is_some() {
        cases.case(name, case);
    } else {
        cases.skip(name, "part of `make rehearsals`");
    }
}
