package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPortForAgents(t *testing.T) {
	fifty := 50000
	for name, x := range map[string]struct {
		java, port string
		configured *int
		want       int
	}{
		"jenkins.sh adds it":               {"-Xmx1g", "50000", nil, 50000},
		"websocket":                        {"", "-1", nil, -1},
		"the configuration's counts":       {"", "-1", &fifty, 50000},
		"without either any free one":      {"", "", nil, 0},
		"Enforce hides it from jenkins.sh": {"-Djenkins.model.Jenkins.slaveAgentPortEnforce=true", "50000", &fifty, 0},
		"Enforce with the port beside it":  {"-Djenkins.model.Jenkins.slaveAgentPort=50001 -Djenkins.model.Jenkins.slaveAgentPortEnforce=true", "50000", &fifty, 50001},
		"Enforce that is off":              {"-Djenkins.model.Jenkins.slaveAgentPortEnforce=false", "50001", &fifty, 50000},
	} {
		env := map[string]string{"JENKINS_JAVA_OPTS": x.java, "JENKINS_SLAVE_AGENT_PORT": x.port}
		o, err := parseOptions(nil, func(k string) string { return env[k] })
		if err != nil {
			t.Fatal(name, err)
		}
		if got := o.agentPort(x.configured); got != x.want {
			t.Errorf("%s: %d, want %d", name, got, x.want)
		}
	}
}

func options(t *testing.T, java string) *Options {
	t.Helper()
	o, err := parseOptions(nil, func(k string) string { return map[string]string{"JENKINS_JAVA_OPTS": java}[k] })
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestProvisionerTicks(t *testing.T) {
	up := time.Now()
	at := func(s float64) time.Time { return up.Add(time.Duration(s * float64(time.Second))) }
	for _, x := range []struct {
		java       string
		since, now float64
		want       bool
	}{
		{"", 1, 99, false},
		{"", 1, 101, true},
		{"", 102, 109, false},
		{"", 102, 111, true},
		{"-Dhudson.slaves.NodeProvisioner.initialDelay=0", 1, 9, false},
		{"-Dhudson.slaves.NodeProvisioner.initialDelay=0", 1, 11, true},
		{"-Dhudson.slaves.NodeProvisioner.initialDelay=0 -Dhudson.slaves.NodeProvisioner.recurrencePeriod=2000", 1, 1.5, false},
		{"-Dhudson.slaves.NodeProvisioner.initialDelay=0 -Dhudson.slaves.NodeProvisioner.recurrencePeriod=2000", 1, 2.5, true},
	} {
		c := &Controller{opt: options(t, x.java), upAt: up}
		if got := c.mayProvision(at(x.since), at(x.now)); got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
	if _, err := parseOptions(nil, func(k string) string {
		return map[string]string{"JAVA_OPTS": "-Dhudson.slaves.NodeProvisioner.initialDelay=10s"}[k]
	}); err == nil {
		t.Error("a unit that was not compared is taken")
	}
}

func TestNullListFailsTheLaunch(t *testing.T) {
	cl := &Cloud{Name: "k"}
	a := &Agent{AName: "t-abcde", Namespace: "ci"}
	for y, want := range map[string]string{
		"spec: {containers: [{name: jnlp}], initContainers: null}": "pod.spec.initContainers is null",
		"spec: {containers: [{name: jnlp, env: }]}":                "pod.spec.containers[0].env is null",
	} {
		_, err := cl.buildPod(newTemplate(map[string]any{"name": "t", "yaml": y}), a, "http://x/", "")
		var null *nullError
		if !errors.As(err, &null) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", y, err)
		}
	}
}

func template(m map[string]any) *Template { return newTemplate(m) }

func TestInheritanceOfYaml(t *testing.T) {
	parent := map[string]any{"name": "maven", "yamlMergeStrategy": "merge", "yaml": "spec: {enableServiceLinks: false, containers: [{name: maven, image: m}]}"}
	child := map[string]any{"name": "step", "inheritFrom": "maven", "yaml": "spec: {priorityClassName: high, containers: [{name: more, image: x}]}"}
	for _, inherit := range []bool{false, true} {
		parent["inheritYamlMergeStrategy"] = inherit
		cl := &Cloud{Templates: []*Template{template(parent)}}
		pod, err := cl.resolve(template(child)).yamlPod()
		if err != nil {
			t.Fatal(err)
		}
		spec := asMap(pod["spec"])
		if got, want := len(asList(spec["containers"])), map[bool]int{false: 1, true: 2}[inherit]; got != want {
			t.Errorf("inherit %v: %d containers, want %d", inherit, got, want)
		}
		// What PodTemplateUtils.combine does not know of the child is lost.
		if _, ok := spec["priorityClassName"]; ok == inherit {
			t.Errorf("inherit %v: %v", inherit, spec)
		}
	}
}

func TestDefaultsReachEachPodOfTheCloud(t *testing.T) {
	base := template(map[string]any{"name": "base", "runAsUser": "1000", "yamlMergeStrategy": "merge", "inheritYamlMergeStrategy": true,
		"envVars": []any{map[string]any{"envVar": map[string]any{"key": "JENKINS_JAVA_OPTS", "value": "-X"}}}})
	maven := template(map[string]any{"name": "maven", "yamlMergeStrategy": "merge", "inheritYamlMergeStrategy": true, "yaml": "spec: {containers: [{name: maven, image: m}]}"})
	ctl := &Controller{opt: &Options{Props: map[string]string{"org.csanchez.jenkins.plugins.kubernetes.pipeline.PodTemplateStepExecution.defaultImage": "ours:1"}}}
	cl := &Cloud{DefaultsTemplate: "base", Templates: []*Template{maven, base}, RestrictedPSS: true, ctl: ctl}
	for name, m := range map[string]map[string]any{
		"containers alone": {"name": "a", "containers": []any{map[string]any{"containerTemplate": map[string]any{"name": "jnlp", "image": "own:1"}}}},
		"yaml alone":       {"name": "b", "yaml": "spec: {priorityClassName: high, containers: [{name: x, image: x}]}"},
		"on another":       {"name": "c", "inheritFrom": "maven", "yaml": "spec: {containers: [{name: x, image: x}]}"},
	} {
		step := template(m)
		step.Step = true
		pod, err := cl.buildPod(cl.resolve(step), &Agent{AName: "a-1", Namespace: "ci"}, "http://x/", "")
		if err != nil {
			t.Fatal(name, err)
		}
		spec := asMap(pod["spec"])
		if asMap(spec["securityContext"])["runAsUser"] != 1000 {
			t.Errorf("%s: %v", name, spec["securityContext"])
		}
		for _, c := range asList(spec["containers"]) {
			if asMap(c)["name"] != "jnlp" {
				continue
			}
			if image := asMap(c)["image"]; image != "ours:1" && image != "own:1" {
				t.Errorf("%s: %v", name, image)
			}
			found := false
			for _, e := range asList(asMap(c)["env"]) {
				found = found || asMap(e)["name"] == "JENKINS_JAVA_OPTS"
			}
			if !found {
				t.Errorf("%s: no options for Java: %v", name, c)
			}
		}
		if name == "yaml alone" && spec["priorityClassName"] != "high" {
			t.Errorf("%s: lost a field: %v", name, spec)
		}
		if name == "on another" && len(asList(spec["containers"])) != 3 {
			t.Errorf("%s: %v", name, spec["containers"])
		}
	}
}

func TestWhatIsNoNumberBecomesZero(t *testing.T) {
	c, err := loadCasc(cascFile(t, "jenkins: {numExecutors: many, quietPeriod: \"7\"}\n"))
	if err != nil || c.NumExecutors != 0 || c.QuietPeriod != 7 {
		t.Errorf("%+v %v", c, err)
	}
	if c, err = loadCasc(cascFile(t, "jenkins: {systemMessage: x}\n")); err != nil || c.NumExecutors != 2 {
		t.Errorf("%+v %v", c, err)
	}
}
