package main

import (
	"context"
	"errors"
	"fmt"
	"sort"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

var (
	podsGVR       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	namespacesGVR = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	policiesGVR   = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
)

// foreignGVRs are policies that the stand-in does not enforce: that there is one keeps every node from being ready.
var foreignGVRs = []schema.GroupVersionResource{
	{Group: "crd.projectcalico.org", Version: "v1", Resource: "networkpolicies"},
	{Group: "crd.projectcalico.org", Version: "v1", Resource: "globalnetworkpolicies"},
}

// watched is what policies are evaluated against, as the API server tells it.
type watched struct {
	pods, namespaces, policies cache.SharedIndexInformer
	foreign                    []cache.SharedIndexInformer
}

func (o *watched) start(ctx context.Context, client dynamic.Interface, notify func()) (err error) {
	for _, w := range []struct {
		gvr  schema.GroupVersionResource
		into *cache.SharedIndexInformer
	}{{podsGVR, &o.pods}, {namespacesGVR, &o.namespaces}, {policiesGVR, &o.policies}} {
		if *w.into, err = watchAll(ctx, client, w.gvr, notify); err != nil {
			return err
		}
	}
	for _, gvr := range foreignGVRs {
		informer, err := watchAll(ctx, client, gvr, notify)
		if err != nil {
			return err
		}
		o.foreign = append(o.foreign, informer)
	}
	return nil
}

func (o *watched) synced() bool {
	all := append([]cache.SharedIndexInformer{o.pods, o.namespaces, o.policies}, o.foreign...)
	for _, informer := range all {
		if !informer.HasSynced() {
			return false
		}
	}
	return true
}

// world reads everything, sorted, so that the same objects make the same rules.
func (o *watched) world() (*world, error) {
	if !o.synced() {
		return nil, errors.New("pods, namespaces and policies have not been read yet")
	}
	w := &world{namespaces: map[string]labels.Set{}}
	for _, u := range o.namespaces.GetStore().List() {
		namespace := u.(*unstructured.Unstructured)
		w.namespaces[namespace.GetName()] = namespace.GetLabels()
	}
	for _, u := range o.pods.GetStore().List() {
		var pod corev1.Pod
		if err := fromUnstructured(u.(*unstructured.Unstructured), &pod); err != nil {
			return nil, err
		}
		w.pods = append(w.pods, pod)
	}
	for _, u := range o.policies.GetStore().List() {
		var policy netv1.NetworkPolicy
		if err := fromUnstructured(u.(*unstructured.Unstructured), &policy); err != nil {
			return nil, err
		}
		w.policies = append(w.policies, policy)
	}
	sort.Slice(w.pods, func(i, j int) bool {
		return w.pods[i].Namespace+"/"+w.pods[i].Name < w.pods[j].Namespace+"/"+w.pods[j].Name
	})
	sort.Slice(w.policies, func(i, j int) bool {
		return w.policies[i].Namespace+"/"+w.policies[i].Name < w.policies[j].Namespace+"/"+w.policies[j].Name
	})
	return w, nil
}

// unenforced names policies of kinds that the stand-in lacks.
func (o *watched) unenforced() (problems []error) {
	for i, informer := range o.foreign {
		for _, key := range informer.GetStore().ListKeys() {
			problems = append(problems, fmt.Errorf("%s %s: a limit of the stand-in, which enforces NetworkPolicies of networking.k8s.io/v1 only", foreignGVRs[i].GroupResource(), key))
		}
	}
	return problems
}
