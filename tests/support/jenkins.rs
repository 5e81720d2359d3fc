//! Jenkins' REST API as its administrator has it, from this machine through the port of a node.

#![expect(
    clippy::unwrap_used,
    reason = "a Jenkins that does not answer is a failed test"
)]

use std::time::{Duration, Instant};

use serde_json::Value;

use super::lab::Lab;

/// Longest wait for a build: its pod is made, images are pulled, and an emulated machine may have the files.
const BUILD: Duration = Duration::from_secs(300);

/// Longest answer, in seconds: Jenkins hangs while its volume does.
const LIMIT: &str = "10";

/// The Jenkins of a lab, and a login.
pub(crate) struct Jenkins<'a> {
    pub(crate) lab: &'a Lab,
    url: String,
    /// Of the files with its login and with its session.
    netrc: String,
    cookies: String,
}

impl<'a> Jenkins<'a> {
    /// With the password that was generated for the administrator.
    pub(crate) fn of(lab: &'a Lab) -> Self {
        Self::at(lab, "cp1", &lab.address("cp1"))
    }

    /// By way of the node at `address`; `cp1` is where the password is read.
    pub(crate) fn at(lab: &'a Lab, cp1: &str, address: &str) -> Self {
        Self::with(lab, address, &password(lab, cp1))
    }

    pub(crate) fn with(lab: &'a Lab, address: &str, password: &str) -> Self {
        let netrc = lab.path("netrc");
        fs_err::write(
            &netrc,
            format!("machine {address} login admin password {password}\n"),
        )
        .unwrap();
        Self {
            lab,
            url: format!("http://{address}:30080"),
            netrc: netrc.display().to_string(),
            cookies: lab.path("cookies").display().to_string(),
        }
    }

    /// The status of the answer to a login.
    pub(crate) fn status(&self) -> String {
        let page = format!("{}/api/json", self.url);
        let curl = ["run", "curl", "-s", "-m", LIMIT, "--netrc-file", &self.netrc];
        self.lab
            .lab(&[&curl[..], &["-o", "/dev/null", "-w", "%{http_code}", &page]].concat())
    }

    /// What it answers, if it does.
    pub(crate) fn try_get(&self, path: &str) -> Option<String> {
        self.answer(path, &[]).ok()
    }

    /// What it answers. On a busy node kube-proxy learns a second after the API server that the pod is ready.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> String {
        let patient = ["--retry", "20", "--retry-delay", "1", "--retry-connrefused"];
        self.answer(path, &patient).unwrap()
    }

    fn answer(&self, path: &str, more: &[&str]) -> Result<String, String> {
        let answer = self.lab.path("answer").display().to_string();
        self.curl(path, &[more, &["-o", &answer]].concat())?;
        Ok(fs_err::read_to_string(answer).unwrap())
    }

    /// A POST, with the proof that it is the user's own.
    pub(crate) fn post(&self, path: &str, more: &[&str]) {
        let crumb: Value = serde_json::from_str(&self.get("/crumbIssuer/api/json")).unwrap();
        let text = |key: &str| crumb[key].as_str().unwrap().to_owned();
        let header = format!("{}: {}", text("crumbRequestField"), text("crumb"));
        self.curl(path, &[&["-X", "POST", "-H", &header], more].concat())
            .unwrap();
    }

    /// Makes a job of this script, which is part of XML.
    pub(crate) fn create(&self, job: &str, script: &str) {
        let xml = self.lab.path("job.xml");
        let text = format!(
            "<flow-definition><definition class=\"org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition\">\
             <script>{script}</script><sandbox>true</sandbox></definition></flow-definition>"
        );
        fs_err::write(&xml, text).unwrap();
        let body = format!("@{}", xml.display());
        let created = ["-H", "Content-Type: application/xml", "--data-binary", &body];
        self.post(&format!("/createItem?name={job}"), &created);
    }

    /// Makes a job of this script and lets it build.
    pub(crate) fn build(&self, job: &str, script: &str) {
        self.create(job, script);
        self.post(&format!("/job/{job}/build"), &[]);
    }

    /// What the job's first build has said, once it has passed.
    #[track_caller]
    pub(crate) fn passed(&self, job: &str) -> String {
        let (result, log) = (self.built(job)["result"].clone(), self.log(job).unwrap());
        assert_eq!(result, "SUCCESS", "{job}: {log}");
        log
    }

    /// The job's first build, once it has ended.
    fn built(&self, job: &str) -> Value {
        let (began, path) = (Instant::now(), format!("/job/{job}/1/api/json"));
        loop {
            let answer = self.try_get(&path);
            let build: Option<Value> = answer.map(|text| serde_json::from_str(&text).unwrap());
            if let Some(build) = build.filter(|build| build["building"] == false) {
                return build;
            }
            assert!(began.elapsed() < BUILD, "{job} is not built: {:?}", self.log(job));
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// What the job's first build has said.
    pub(crate) fn log(&self, job: &str) -> Option<String> {
        self.try_get(&format!("/job/{job}/1/consoleText"))
    }

    fn curl(&self, path: &str, more: &[&str]) -> Result<(), String> {
        let url = format!("{}{path}", self.url);
        let login = [
            "--netrc-file",
            &self.netrc,
            "-b",
            &self.cookies,
            "-c",
            &self.cookies,
        ];
        let words = [&["run", "curl", "-sSfg", "-m", LIMIT][..], &login, more, &[&url]];
        self.lab.attempt(&words.concat())
    }
}

/// The password that was generated for the administrator, as `cp1` reads it.
pub(crate) fn password(lab: &Lab, cp1: &str) -> String {
    lab.kubectl_on(
        cp1,
        "-n kube-ops get secret jenkins-admin -o 'jsonpath={.data.password}' | base64 -d",
    )
}
