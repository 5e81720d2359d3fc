package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// policyRules writes the table that enforces the policies for the pods of one node.
//
// A packet of a pod passes the pod's chain of each direction that concerns it: `return` goes on, `drop` is the end. What the node
// itself says to its pods passes `output`, where nothing is: so do kubelet's probes. A pod that is not known yet may say nothing.
func policyRules(w *world, node string) (string, error) {
	var refused []error
	var chains, from, to strings.Builder
	for _, pod := range localPods(w.pods, node) {
		name := vethName(pod.Namespace, pod.Name)
		for _, d := range []struct {
			direction
			dispatch           *strings.Builder
			prefix, interface_ string
			address            string
		}{{outOf, &from, "from-", "iifname", "daddr"}, {into, &to, "to-", "oifname", "saddr"}} {
			v, err := w.judge(&pod, d.direction)
			refused = append(refused, err...)
			if !v.isolated {
				fmt.Fprintf(d.dispatch, "\t\t%s \"%s\" return\n", d.interface_, name)
				continue
			}
			fmt.Fprintf(d.dispatch, "\t\t%s \"%s\" goto %s%s\n", d.interface_, name, d.prefix, name)
			fmt.Fprintf(&chains, "\tchain %s%s { # %s/%s\n%s\t\tcounter drop\n\t}\n", d.prefix, name, pod.Namespace, pod.Name, lines(v.rules, d.address))
		}
	}
	return fmt.Sprintf(policyTable, chains.String(), from.String(), to.String()), errors.Join(unique(refused)...)
}

const policyTable = `add table ip calico-standin-policy
delete table ip calico-standin-policy
table ip calico-standin-policy {
	comment "stand-in, not Calico"
%s	chain from-pods {
%s		counter drop
	}
	chain to-pods {
%s		counter drop
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname "cali*" jump from-pods
		oifname "cali*" jump to-pods
	}
	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		iifname "cali*" jump from-pods
	}
}
`

// localPods are those of this node that have a network of their own, in an order that stays.
func localPods(all []corev1.Pod, node string) (local []corev1.Pod) {
	for i := range all {
		if all[i].Spec.NodeName == node && isEndpoint(&all[i]) {
			local = append(local, all[i])
		}
	}
	sort.Slice(local, func(i, j int) bool {
		return local[i].Namespace+"/"+local[i].Name < local[j].Namespace+"/"+local[j].Name
	})
	return local
}

func lines(rules []allowed, address string) string {
	var out strings.Builder
	for _, r := range rules {
		for _, ports := range portExpressions(r.ports) {
			words := strings.Fields(peerExpression(&r, address) + " " + ports + " return")
			fmt.Fprintf(&out, "\t\t%s\n", strings.Join(words, " "))
		}
	}
	return out.String()
}

func peerExpression(r *allowed, address string) string {
	if r.any {
		return ""
	}
	if r.block == nil {
		return fmt.Sprintf("ip %s { %s }", address, strings.Join(r.hosts, ", "))
	}
	var text string
	if ones, _ := r.block.Mask.Size(); ones > 0 {
		text = fmt.Sprintf("ip %s %s ", address, r.block)
	}
	for _, e := range merged(r.except) {
		text += fmt.Sprintf("ip %s != %s ", address, e)
	}
	return text
}

// merged leaves out networks that lie in others.
func merged(networks []*net.IPNet) (kept []*net.IPNet) {
	for i, n := range networks {
		inside := false
		for j, other := range networks {
			inside = inside || i != j && contains(other, n) && (!contains(n, other) || j < i)
		}
		if !inside {
			kept = append(kept, n)
		}
	}
	return kept
}

// portExpressions has one for each protocol. No ports at all is one for everything.
func portExpressions(ports []portMatch) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var out []string
	for _, protocol := range []string{"tcp", "udp"} {
		var numbers []string
		asked, all := false, false
		for _, p := range ports {
			if p.protocol != protocol {
				continue
			}
			asked = true
			all = all || p.first == 0
			numbers = append(numbers, portRange(p))
		}
		switch {
		case all:
			out = append(out, "ip protocol "+protocol)
		case asked:
			out = append(out, overlapping(protocol, numbers)...)
		}
	}
	return out
}

// overlapping gives each range a rule of its own: a set of nft takes no two that overlap.
func overlapping(protocol string, numbers []string) (out []string) {
	seen := map[string]bool{}
	for _, n := range numbers {
		if !seen[n] {
			out = append(out, protocol+" dport "+n)
		}
		seen[n] = true
	}
	return out
}

func portRange(p portMatch) string {
	if p.last > p.first {
		return fmt.Sprintf("%d-%d", p.first, p.last)
	}
	return fmt.Sprint(p.first)
}

// unique keeps the first of errors that say the same: a policy is evaluated for each of its pods.
func unique(all []error) (kept []error) {
	seen := map[string]bool{}
	for _, e := range all {
		if !seen[e.Error()] {
			kept = append(kept, e)
		}
		seen[e.Error()] = true
	}
	return kept
}

// nftables keeps one table, written whole in one transaction.
type nftables struct {
	applied string
	at      time.Time
}

// ensure applies the rules when they differ from the last ones, and once a minute in case somebody flushed them.
func (t *nftables) ensure(rules string) error {
	if rules == t.applied && time.Since(t.at) < time.Minute {
		return nil
	}
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(out)))
	}
	t.applied, t.at = rules, time.Now()
	return nil
}
