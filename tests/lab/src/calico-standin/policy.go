package main

import (
	"fmt"
	"net"
	"sort"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// podIPAnnotation is where upstream's CNI plugin, and ours, write a pod's address before kubelet reports it.
const podIPAnnotation = "cni.projectcalico.org/podIP"

// world is what policies are evaluated against. CONTRACT.md says what each rule was compared with.
type world struct {
	policies   []netv1.NetworkPolicy
	pods       []corev1.Pod
	namespaces map[string]labels.Set
}

// direction is what a policy speaks of: into a pod, or out of it.
type direction int

const (
	into direction = iota
	outOf
)

// allowed is one thing that a pod may do: peers and ports, all of which must match. An empty list of ports is every protocol.
type allowed struct {
	any    bool     // every peer
	hosts  []string // peers by address
	block  *net.IPNet
	except []*net.IPNet
	ports  []portMatch
}

// portMatch is a protocol, and a range of ports unless every port is meant.
type portMatch struct {
	protocol    string // tcp or udp
	first, last int    // 0: every port
}

// verdict is what holds for one pod in one direction.
type verdict struct {
	isolated bool
	rules    []allowed
}

// judge evaluates all policies for one pod. What can't be enforced is an error; its rule allows nothing then.
func (w *world) judge(pod *corev1.Pod, d direction) (v verdict, refused []error) {
	for i := range w.policies {
		p := &w.policies[i]
		if p.Namespace != pod.Namespace || !speaksOf(p, d) {
			continue
		}
		if !selects(&p.Spec.PodSelector, pod.Labels) {
			continue
		}
		v.isolated = true
		rules, err := w.rules(p, pod, d)
		v.rules = append(v.rules, rules...)
		for _, e := range err {
			refused = append(refused, fmt.Errorf("NetworkPolicy %s/%s: %w", p.Namespace, p.Name, e))
		}
	}
	return v, refused
}

// speaksOf follows policyTypes. The API server fills them in; a policy without any is one for ingress, and for egress if it has such rules.
func speaksOf(p *netv1.NetworkPolicy, d direction) bool {
	wanted := map[direction]netv1.PolicyType{into: netv1.PolicyTypeIngress, outOf: netv1.PolicyTypeEgress}[d]
	for _, t := range p.Spec.PolicyTypes {
		if t == wanted {
			return true
		}
	}
	return len(p.Spec.PolicyTypes) == 0 && (d == into || len(p.Spec.Egress) > 0)
}

// selects tells whether a selector has these labels. An empty one selects everything, one that can't be read nothing.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(set)
}

func (w *world) rules(p *netv1.NetworkPolicy, pod *corev1.Pod, d direction) (all []allowed, refused []error) {
	add := func(peers []netv1.NetworkPolicyPeer, ports []netv1.NetworkPolicyPort) {
		rules, err := w.rule(p.Namespace, pod, d, peers, ports)
		if err != nil {
			refused = append(refused, err)
			return
		}
		all = append(all, rules...)
	}
	if d == into {
		for _, r := range p.Spec.Ingress {
			add(r.From, r.Ports)
		}
		return all, refused
	}
	for _, r := range p.Spec.Egress {
		add(r.To, r.Ports)
	}
	return all, refused
}

// rule is one rule of a policy, as a list: a named port of the peers is another port for each of them.
func (w *world) rule(namespace string, pod *corev1.Pod, d direction, peers []netv1.NetworkPolicyPeer, ports []netv1.NetworkPolicyPort) ([]allowed, error) {
	fixed, named, err := splitPorts(ports)
	if err != nil {
		return nil, err
	}
	if d == into { // they are ports of the pod itself
		for _, n := range named {
			fixed = append(fixed, namedPorts(pod, n)...)
		}
		named = nil
	}
	if len(peers) == 0 {
		if len(named) > 0 {
			return nil, fmt.Errorf("the named port %s towards every address", named[0].name)
		}
		return onlyWithPorts([]allowed{{any: true, ports: fixed}}, ports), nil
	}
	var all []allowed
	for i := range peers {
		rules, err := w.peer(namespace, &peers[i], fixed, named)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return onlyWithPorts(all, ports), nil
}

// onlyWithPorts leaves out what has no port although the rule asks for some: a name that no container has must not open everything.
func onlyWithPorts(rules []allowed, asked []netv1.NetworkPolicyPort) []allowed {
	if len(asked) == 0 {
		return rules
	}
	var kept []allowed
	for _, r := range rules {
		if len(r.ports) > 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

func (w *world) peer(namespace string, peer *netv1.NetworkPolicyPeer, fixed []portMatch, named []namedPort) ([]allowed, error) {
	if peer.IPBlock != nil {
		if len(named) > 0 {
			return nil, fmt.Errorf("the named port %s towards the ipBlock %s", named[0].name, peer.IPBlock.CIDR)
		}
		return ipBlock(peer.IPBlock, fixed)
	}
	var plain []string
	var all []allowed
	for i := range w.pods {
		other := &w.pods[i]
		ip := podIP(other)
		if ip == "" || !w.matches(namespace, peer, other) {
			continue
		}
		plain = append(plain, ip)
		for _, n := range named {
			all = append(all, allowed{hosts: []string{ip}, ports: namedPorts(other, n)})
		}
	}
	sort.Strings(plain)
	if len(plain) > 0 && (len(fixed) > 0 || len(named) == 0) {
		all = append(all, allowed{hosts: plain, ports: fixed})
	}
	return all, nil
}

func (w *world) matches(namespace string, peer *netv1.NetworkPolicyPeer, other *corev1.Pod) bool {
	if peer.NamespaceSelector == nil {
		if other.Namespace != namespace {
			return false
		}
	} else if set, known := w.namespaces[other.Namespace]; !known || !selects(peer.NamespaceSelector, set) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, other.Labels)
}

// ipBlock leaves out IPv6: no pod here has such an address.
func ipBlock(b *netv1.IPBlock, ports []portMatch) ([]allowed, error) {
	ip, cidr, err := net.ParseCIDR(b.CIDR)
	if err != nil {
		return nil, err
	}
	if ip.To4() == nil {
		return nil, nil
	}
	rule := allowed{block: cidr, ports: ports}
	for _, e := range b.Except {
		_, except, err := net.ParseCIDR(e)
		if err != nil {
			return nil, err
		}
		rule.except = append(rule.except, except)
	}
	return []allowed{rule}, nil
}

type namedPort struct{ name, protocol string }

// splitPorts parts ports by number from ports by name.
func splitPorts(ports []netv1.NetworkPolicyPort) (fixed []portMatch, named []namedPort, err error) {
	for _, p := range ports {
		protocol := "tcp"
		if p.Protocol != nil {
			switch *p.Protocol {
			case corev1.ProtocolTCP:
			case corev1.ProtocolUDP:
				protocol = "udp"
			default:
				return nil, nil, fmt.Errorf("the protocol %s", *p.Protocol)
			}
		}
		switch {
		case p.Port == nil:
			fixed = append(fixed, portMatch{protocol: protocol})
		case p.Port.Type == intstr.String:
			named = append(named, namedPort{p.Port.StrVal, protocol})
		default:
			m := portMatch{protocol, int(p.Port.IntVal), int(p.Port.IntVal)}
			if p.EndPort != nil {
				m.last = int(*p.EndPort)
			}
			fixed = append(fixed, m)
		}
	}
	return fixed, named, nil
}

// namedPorts are the ports of this name that a pod's containers declare. Init containers that go on beside them count.
func namedPorts(pod *corev1.Pod, n namedPort) (found []portMatch) {
	containers := append([]corev1.Container{}, pod.Spec.Containers...)
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			protocol := map[corev1.Protocol]string{"": "tcp", corev1.ProtocolTCP: "tcp", corev1.ProtocolUDP: "udp"}[p.Protocol]
			if p.Name == n.name && protocol == n.protocol {
				found = append(found, portMatch{protocol, int(p.ContainerPort), int(p.ContainerPort)})
			}
		}
	}
	return found
}

// podIP is a pod's own address: none for those in the host's network, and for those that have ended.
func podIP(pod *corev1.Pod) string {
	if !isEndpoint(pod) {
		return ""
	}
	ip := pod.Annotations[podIPAnnotation] // it knows of a new sandbox before kubelet's report does
	if ip == "" {
		ip = pod.Status.PodIP
	}
	if parsed := net.ParseIP(ip).To4(); parsed != nil {
		return parsed.String()
	}
	return ""
}

// isEndpoint tells whether a pod has, or will have, a network of its own.
func isEndpoint(pod *corev1.Pod) bool {
	return !pod.Spec.HostNetwork && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}
