//! Pipeline jobs as Jenkins keeps them: `config.xml`.

/// What the description of our jobs begins with: a job without it is somebody else's.
pub const MARK: &str = "Kept by ci-bootstrap";

/// A Pipeline whose script lies in a Git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitPipeline {
    /// The job's name.
    pub name: String,
    /// URL of the repository.
    pub repository: String,
    /// Branch, such as `main`.
    pub branch: String,
    /// Path of the script in the repository.
    pub jenkinsfile: String,
    /// Identifier of a credential in Jenkins, where the repository wants one.
    pub credential: Option<String>,
}

impl GitPipeline {
    /// The job's `config.xml`. What it leaves out (triggers, parameters, whether it is disabled) is for users and their
    /// Jenkinsfiles to say.
    pub fn xml(&self) -> String {
        let url = escaped(&self.repository);
        let branch = escaped(&self.branch);
        let script = escaped(&self.jenkinsfile);
        let credential = escaped(self.credential.as_deref().unwrap_or_default());
        format!(
            r#"<?xml version='1.1' encoding='UTF-8'?>
<flow-definition plugin="workflow-job">
  <description>{MARK}: a change of what its inventory says is undone by the next apply.</description>
  <definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition" plugin="workflow-cps">
    <scm class="hudson.plugins.git.GitSCM" plugin="git">
      <configVersion>2</configVersion>
      <userRemoteConfigs>
        <hudson.plugins.git.UserRemoteConfig>
          <url>{url}</url>
          <credentialsId>{credential}</credentialsId>
        </hudson.plugins.git.UserRemoteConfig>
      </userRemoteConfigs>
      <branches>
        <hudson.plugins.git.BranchSpec>
          <name>*/{branch}</name>
        </hudson.plugins.git.BranchSpec>
      </branches>
    </scm>
    <scriptPath>{script}</scriptPath>
    <lightweight>true</lightweight>
  </definition>
</flow-definition>
"#
        )
    }
}

/// The `config.xml` of a Pipeline whose script is part of the job. It runs in the sandbox, so that nobody has to approve it.
pub fn inline_pipeline_xml(description: &str, script: &str) -> String {
    let (description, script) = (escaped(description), escaped(script));
    format!(
        r#"<?xml version='1.1' encoding='UTF-8'?>
<flow-definition plugin="workflow-job">
  <description>{description}</description>
  <definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition" plugin="workflow-cps">
    <script>{script}</script>
    <sandbox>true</sandbox>
  </definition>
</flow-definition>
"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
