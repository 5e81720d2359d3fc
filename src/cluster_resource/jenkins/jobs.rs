//! Pipeline jobs of the inventory.

use futures::future::BoxFuture;

use super::{JenkinsWorkload, if_up};
use crate::cluster_api::Api;
use crate::cluster_resource::{ClusterResource, ClusterStepError, ProgressSink};
use crate::jenkins::{GitPipeline, JenkinsClient, MARK, differences};
use crate::model;
use crate::resource::{Change, Comparison};

/// The jobs of the inventory. Others are left alone.
#[derive(Debug)]
pub(in crate::cluster_resource) struct Jobs {
    place: JenkinsWorkload,
    jobs: Vec<GitPipeline>,
}

/// What has to be done with one job.
enum JobChange<'a> {
    Create(&'a GitPipeline),
    Update(&'a GitPipeline, Vec<String>),
    /// A job of this name is somebody else's.
    Leave(&'a GitPipeline),
}

impl Jobs {
    pub(in crate::cluster_resource) fn from_jenkins(jenkins: &model::Jenkins) -> Self {
        let job = |job: &model::Job| GitPipeline {
            name: job.name.clone(),
            repository: job.repository.clone(),
            branch: job.branch.clone(),
            jenkinsfile: job.jenkinsfile.clone(),
            credential: job.credential.clone(),
        };
        Self {
            place: JenkinsWorkload::from_jenkins(jenkins),
            jobs: jenkins.jobs.iter().map(job).collect(),
        }
    }

    async fn deeds<'a>(&'a self, jenkins: &JenkinsClient) -> Result<Vec<JobChange<'a>>, ClusterStepError> {
        let mut deeds = Vec::new();
        for job in &self.jobs {
            let Some(live) = jenkins.job(&job.name).await? else {
                deeds.push(JobChange::Create(job));
                continue;
            };
            let found = differences(&job.xml(), &live)?;
            match (found.is_empty(), live.contains(MARK)) {
                (true, _) => {}
                (false, true) => deeds.push(JobChange::Update(job, found)),
                (false, false) => deeds.push(JobChange::Leave(job)),
            }
        }
        Ok(deeds)
    }

    async fn look<'a>(&'a self, api: &Api) -> Result<Vec<JobChange<'a>>, ClusterStepError> {
        self.deeds(&self.place.client(api).await?).await
    }
}

fn lines(deeds: &[JobChange]) -> Vec<String> {
    let line = |deed: &JobChange| match deed {
        JobChange::Create(job) => vec![format!("+job {}", job.name)],
        JobChange::Update(job, found) => {
            let found = found.iter().map(|line| format!("   {line}"));
            std::iter::once(format!(" job {}", job.name))
                .chain(found)
                .collect()
        }
        JobChange::Leave(_) => Vec::new(),
    };
    deeds.iter().flat_map(line).collect()
}

fn foreign(deeds: &[JobChange]) -> Option<String> {
    let names = deeds.iter().filter_map(|deed| match deed {
        JobChange::Leave(job) => Some(job.name.as_str()),
        _ => None,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| {
        format!("Jenkins has jobs that this program did not make and would have to change: {names}\nrename them there, or in the inventory")
    })
}

impl ClusterResource for Jobs {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            if self.jobs.is_empty() {
                return Ok(Comparison::InSync);
            }
            let Some(deeds) = if_up(self.look(api).await)? else {
                return Ok(Comparison::Differs(Change::new(
                    "make sure of the jobs, when Jenkins answers",
                )));
            };
            if let Some(foreign) = foreign(&deeds) {
                return Ok(Comparison::Refused(foreign));
            }
            Ok(match deeds.len() {
                0 => Comparison::InSync,
                1 => Comparison::Differs(Change::new("set up a job").with_detail(lines(&deeds))),
                many => {
                    Comparison::Differs(Change::new(format!("set up {many} jobs")).with_detail(lines(&deeds)))
                }
            })
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            let jenkins = self.place.client(api).await?;
            for deed in self.deeds(&jenkins).await? {
                match deed {
                    JobChange::Create(job) => jenkins.create_job(&job.name, &job.xml()).await?,
                    JobChange::Update(job, _) => jenkins.update_job(&job.name, &job.xml()).await?,
                    JobChange::Leave(_) => {}
                }
            }
            say(format!("{} jobs", self.jobs.len()));
            Ok(())
        })
    }
}
