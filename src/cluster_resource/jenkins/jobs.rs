//! Pipeline jobs of the inventory.

use futures::future::BoxFuture;

use super::{JenkinsPlace, if_up};
use crate::cluster_api::Api;
use crate::cluster_resource::{ClusterResource, Error, Say};
use crate::jenkins::{GitPipeline, Jenkins, MARK, differences};
use crate::model;
use crate::resource::{Change, Verdict};

/// The jobs of the inventory. Others are left alone.
#[derive(Debug)]
pub(in crate::cluster_resource) struct Jobs {
    place: JenkinsPlace,
    jobs: Vec<GitPipeline>,
}

/// What has to be done with one job.
enum Deed<'a> {
    Create(&'a GitPipeline),
    Update(&'a GitPipeline, Vec<String>),
    /// A job of this name is somebody else's.
    Leave(&'a GitPipeline),
}

impl Jobs {
    pub(in crate::cluster_resource) fn of(jenkins: &model::Jenkins) -> Self {
        let job = |job: &model::Job| GitPipeline {
            name: job.name.clone(),
            repository: job.repository.clone(),
            branch: job.branch.clone(),
            jenkinsfile: job.jenkinsfile.clone(),
            credential: job.credential.clone(),
        };
        Self {
            place: JenkinsPlace::of(jenkins),
            jobs: jenkins.jobs.iter().map(job).collect(),
        }
    }

    async fn deeds<'a>(&'a self, jenkins: &Jenkins) -> Result<Vec<Deed<'a>>, Error> {
        let mut deeds = Vec::new();
        for job in &self.jobs {
            let Some(live) = jenkins.job(&job.name).await? else {
                deeds.push(Deed::Create(job));
                continue;
            };
            let found = differences(&job.xml(), &live)?;
            match (found.is_empty(), live.contains(MARK)) {
                (true, _) => {}
                (false, true) => deeds.push(Deed::Update(job, found)),
                (false, false) => deeds.push(Deed::Leave(job)),
            }
        }
        Ok(deeds)
    }

    async fn look<'a>(&'a self, api: &Api) -> Result<Vec<Deed<'a>>, Error> {
        self.deeds(&self.place.client(api).await?).await
    }
}

fn lines(deeds: &[Deed]) -> Vec<String> {
    let line = |deed: &Deed| match deed {
        Deed::Create(job) => vec![format!("+job {}", job.name)],
        Deed::Update(job, found) => {
            let found = found.iter().map(|line| format!("   {line}"));
            std::iter::once(format!(" job {}", job.name))
                .chain(found)
                .collect()
        }
        Deed::Leave(_) => Vec::new(),
    };
    deeds.iter().flat_map(line).collect()
}

fn foreign(deeds: &[Deed]) -> Option<String> {
    let names = deeds.iter().filter_map(|deed| match deed {
        Deed::Leave(job) => Some(job.name.as_str()),
        _ => None,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| {
        format!("Jenkins has jobs that this program did not make and would have to change: {names}\nrename them there, or in the inventory")
    })
}

impl ClusterResource for Jobs {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            if self.jobs.is_empty() {
                return Ok(Verdict::InSync);
            }
            let Some(deeds) = if_up(self.look(api).await)? else {
                return Ok(Verdict::Differs(Change::new(
                    "make sure of the jobs, when Jenkins answers",
                )));
            };
            if let Some(foreign) = foreign(&deeds) {
                return Ok(Verdict::Refused(foreign));
            }
            Ok(match deeds.len() {
                0 => Verdict::InSync,
                1 => Verdict::Differs(Change::new("set up a job").with_detail(lines(&deeds))),
                many => {
                    Verdict::Differs(Change::new(format!("set up {many} jobs")).with_detail(lines(&deeds)))
                }
            })
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: Say<'a>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let jenkins = self.place.client(api).await?;
            for deed in self.deeds(&jenkins).await? {
                match deed {
                    Deed::Create(job) => jenkins.create_job(&job.name, &job.xml()).await?,
                    Deed::Update(job, _) => jenkins.update_job(&job.name, &job.xml()).await?,
                    Deed::Leave(_) => {}
                }
            }
            say(format!("{} jobs", self.jobs.len()));
            Ok(())
        })
    }
}
