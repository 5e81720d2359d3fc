package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// pod is NAMESPACE/NAME with an address, on node n1, with the port http and the label app=NAME.
func pod(key, ip string) corev1.Pod {
	namespace, name, _ := strings.Cut(key, "/")
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 8080}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}}}}},
		Status: corev1.PodStatus{PodIP: ip},
	}
}

func testWorld(t *testing.T, policies ...string) *world {
	t.Helper()
	w := &world{
		pods: []corev1.Pod{pod("a/web", "10.1.0.1"), pod("a/db", "10.1.0.2"), pod("b/web", "10.1.0.3")},
		namespaces: map[string]labels.Set{
			"a": {"kubernetes.io/metadata.name": "a"}, "b": {"kubernetes.io/metadata.name": "b", "team": "x"}},
	}
	for _, text := range policies {
		var p netv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte("metadata: {name: p, namespace: a}\nspec:\n  "+strings.ReplaceAll(text, "\n", "\n  ")), &p); err != nil {
			t.Fatal(err)
		}
		w.policies = append(w.policies, p)
	}
	return w
}

// chain is what a pod's chain holds, without its end; "open" where the pod has none.
func chain(t *testing.T, rules, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(rules, "\tchain "+name+" {")
	if !found {
		return "open"
	}
	body, _, _ := strings.Cut(rest, "\n\t}")
	lines := strings.Split(body, "\n")[1:]
	if len(lines) == 0 || strings.TrimSpace(lines[len(lines)-1]) != "counter drop" {
		t.Fatalf("%s does not end in a drop: %q", name, body)
	}
	var kept []string
	for _, l := range lines[:len(lines)-1] {
		kept = append(kept, strings.TrimSpace(l))
	}
	return strings.Join(kept, "; ")
}

func TestPolicies(t *testing.T) {
	for _, c := range []struct{ name, policy, from, to string }{
		{"none", "", "open", "open"},
		{"of another pod", "podSelector: {matchLabels: {app: db}}\npolicyTypes: [Ingress, Egress]", "open", "open"},
		{"default deny", "podSelector: {}\npolicyTypes: [Ingress, Egress]", "", ""},
		{"types by default", "podSelector: {}\negress: [{}]", "return", ""},
		{"egress alone", "podSelector: {}\npolicyTypes: [Egress]", "", "open"},
		{"everything", "podSelector: {}\npolicyTypes: [Ingress]\ningress: [{}]", "open", "return"},
		{"same namespace", "podSelector: {}\ningress: [{from: [{podSelector: {}}]}]", "open", "ip saddr { 10.1.0.1, 10.1.0.2 } return"},
		{"namespace", "podSelector: {}\ningress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]", "open", "ip saddr { 10.1.0.3 } return"},
		{"not in", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [a]}]}}]}]",
			"ip daddr { 10.1.0.3 } return", "open"},
		{"both selectors", "podSelector: {}\ningress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}]", "open", "ip saddr { 10.1.0.1, 10.1.0.3 } return"},
		{"nobody matches", "podSelector: {}\ningress: [{from: [{podSelector: {matchLabels: {app: none}}}]}]", "open", ""},
		{"block", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 10.0.0.0/8, 10.0.0.5/32]}}], ports: [{port: 1, endPort: 110}, {port: 53, protocol: UDP}]}]",
			"ip daddr != 169.254.0.0/16 ip daddr != 10.0.0.0/8 tcp dport 1-110 return; ip daddr != 169.254.0.0/16 ip daddr != 10.0.0.0/8 udp dport 53 return", "open"},
		{"IPv6 block", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: '::/0'}}]}]", "", "open"},
		{"ports of every peer", "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{port: 443}, {protocol: UDP}]}]", "tcp dport 443 return; ip protocol udp return", "open"},
		{"own named port", "podSelector: {}\ningress: [{ports: [{port: http}]}]", "open", "tcp dport 8080 return"},
		{"own named port of another protocol", "podSelector: {}\ningress: [{ports: [{port: dns}]}]", "open", ""},
		{"a peer's named port", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: dns, protocol: UDP}, {port: 9}]}]",
			"ip daddr { 10.1.0.2 } udp dport 53 return; ip daddr { 10.1.0.2 } tcp dport 9 return", "open"},
		{"an absent named port opens nothing", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{podSelector: {}}], ports: [{port: absent}]}]", "", "open"},
	} {
		var policies []string
		if c.policy != "" {
			policies = append(policies, c.policy)
		}
		rules, err := policyRules(testWorld(t, policies...), "n1")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		veth := vethName("a", "web")
		if from, to := chain(t, rules, "from-"+veth), chain(t, rules, "to-"+veth); from != c.from || to != c.to {
			t.Errorf("%s: from %q, to %q", c.name, from, to)
		}
		if other := chain(t, rules, "to-"+vethName("b", "web")); other != "open" {
			t.Errorf("%s reaches into another namespace: %q", c.name, other)
		}
		checkedByNft(t, c.name, rules)
	}
}

// checkedByNft has nft read the rules, where there is one that may.
func checkedByNft(t *testing.T, name, rules string) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil || os.Geteuid() != 0 {
		t.Logf("%s: not read by nft, which needs root", name)
		return
	}
	cmd := exec.Command("unshare", "--net", "nft", "--check", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s\n%s", name, err, out, rules)
	}
}

func TestSeveralPoliciesAdd(t *testing.T) {
	w := testWorld(t, "podSelector: {}\npolicyTypes: [Egress]", "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]")
	rules, err := policyRules(w, "n1")
	if err != nil {
		t.Fatal(err)
	}
	if web, db := chain(t, rules, "from-"+vethName("a", "web")), chain(t, rules, "from-"+vethName("a", "db")); web != "ip daddr { 10.1.0.2 } return" || db != "" {
		t.Errorf("web %q, db %q", web, db)
	}
}

func TestWhatCantBeEnforcedIsRefusedAndAllowsNothing(t *testing.T) {
	for what, policy := range map[string]string{
		"the protocol SCTP": "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{protocol: SCTP}]}]",
		"the named port http towards the ipBlock 10.0.0.0/8": "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: http}]}]",
		"the named port http towards every address":          "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{port: http}]}]",
	} {
		rules, err := policyRules(testWorld(t, policy), "n1")
		if err == nil || err.Error() != "NetworkPolicy a/p: "+what {
			t.Errorf("%s: %v", what, err)
		}
		if from := chain(t, rules, "from-"+vethName("a", "web")); from != "" {
			t.Errorf("%s: %q", what, from)
		}
	}
}

func TestPodsThatHaveNoNetworkOfTheirOwn(t *testing.T) {
	w := testWorld(t, "podSelector: {}\ningress: [{from: [{podSelector: {}}]}]")
	w.pods[1].Spec.HostNetwork = true
	w.pods = append(w.pods, pod("a/done", "10.1.0.9"), pod("a/elsewhere", "10.1.0.8"), pod("a/starting", ""))
	w.pods[3].Status.Phase = corev1.PodSucceeded
	w.pods[4].Spec.NodeName = "n2"
	w.pods[5].Annotations = map[string]string{podIPAnnotation: "10.1.0.7"}
	rules, err := policyRules(w, "n1")
	if err != nil {
		t.Fatal(err)
	}
	if to := chain(t, rules, "to-"+vethName("a", "web")); to != "ip saddr { 10.1.0.1, 10.1.0.7, 10.1.0.8 } return" {
		t.Errorf("peers: %q", to)
	}
	for _, name := range []string{"db", "done", "elsewhere"} {
		if strings.Contains(rules, vethName("a", name)) {
			t.Errorf("%s has rules", name)
		}
	}
	for _, dispatch := range []string{"chain from-pods {", "chain to-pods {"} {
		_, rest, _ := strings.Cut(rules, dispatch)
		body, _, _ := strings.Cut(rest, "}")
		if !strings.HasSuffix(strings.TrimSpace(body), "counter drop") {
			t.Errorf("a pod that is not known passes %s", dispatch)
		}
	}
}
