//! Why Jenkins did not start, out of its log or its error page.

use super::page::shortened;

/// Java packages whose exceptions are the cause; what wraps them only says that something failed.
const CAUSES: [&str; 2] = ["io.jenkins.plugins.casc.", "hudson.util.HudsonFailedToLoad"];

/// The exception that ended the start, `None` when the text tells of none. Jenkins goes on running after such an end and
/// answers every request with status 503.
pub fn boot_failure(text: &str) -> Option<String> {
    let failed = ["BootFailure", "Failed to initialize Jenkins", "ReactorException"]
        .iter()
        .any(|sign| text.contains(sign));
    failed.then(|| cause(text)).flatten()
}

/// The cause in a stack trace: the exception of configuration as code where there is one, else the innermost.
pub(super) fn cause(trace: &str) -> Option<String> {
    let lines: Vec<_> = trace.lines().map(str::trim).collect();
    let known = lines
        .iter()
        .rposition(|line| CAUSES.iter().any(|name| starts(line, name)));
    let at = known.or_else(|| lines.iter().rposition(|line| line.starts_with("Caused by: ")));
    let at = at.or_else(|| lines.iter().position(|line| !line.is_empty()))?;
    // A message may have several lines; the frames of the trace begin after it.
    let message = lines[at..]
        .iter()
        .enumerate()
        .take_while(|(index, line)| {
            *index == 0 || !(line.starts_with("at ") || line.starts_with("Caused by: ") || is_log_head(line))
        })
        .map(|(_, line)| line.trim_start_matches("Caused by: "))
        .filter(|line| !line.is_empty());
    Some(shortened(&message.collect::<Vec<_>>().join(" ")))
}

fn starts(line: &str, name: &str) -> bool {
    line.trim_start_matches("Caused by: ").starts_with(name)
}

/// Whether a line of the log begins an entry of its own: `2026-11-21 10:00:00.000+0000 [id=…] …`.
fn is_log_head(line: &str) -> bool {
    line.len() > 10 && line.as_bytes()[..4].iter().all(u8::is_ascii_digit) && line.as_bytes()[4] == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-21 10:00:01.000+0000 [id=31]\tSEVERE\thudson.util.BootFailure#publish: Failed to initialize Jenkins
io.jenkins.plugins.casc.UnknownAttributesException: jenkins: Invalid configuration elements for type: class jenkins.model.Jenkins : bogus.
Available attributes : agentProtocols, mode
\tat io.jenkins.plugins.casc.BaseConfigurator.handleUnknown(BaseConfigurator.java:1)
Caused: java.lang.reflect.InvocationTargetException
\tat java.base/x
Caused: org.jvnet.hudson.reactor.ReactorException
2026-11-21 10:00:02.000+0000 [id=32]\tINFO\tx: y
";

    #[test]
    fn the_exception_of_the_configuration_is_the_cause() {
        assert_eq!(
            boot_failure(LOG).as_deref(),
            Some(
                "io.jenkins.plugins.casc.UnknownAttributesException: jenkins: Invalid configuration elements for type: class jenkins.model.Jenkins : bogus. Available attributes : agentProtocols, mode"
            )
        );
        assert_eq!(boot_failure("INFO: Jenkins is fully up and running"), None);
    }

    #[test]
    fn without_a_known_exception_the_innermost_counts() {
        let trace = "a.B: outer\n\tat x\nCaused by: java.io.IOException: Read-only file system\n\tat y";
        assert_eq!(
            cause(trace).as_deref(),
            Some("java.io.IOException: Read-only file system")
        );
    }
}
