package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// tell writes a pod's address where policies on other nodes find it at once; kubelet reports it seconds later. Without an API server
// the pod starts all the same, and is a peer from kubelet's report on.
func tell(conf *pluginConf, args *skel.CmdArgs, ip net.IP) {
	namespace, pod := podOf(args)
	if namespace == "" || pod == "" || conf.Kubernetes.Kubeconfig == "" {
		return
	}
	if err := annotatePod(conf.Kubernetes.Kubeconfig, namespace, pod, ip); err != nil {
		fmt.Fprintf(os.Stderr, "calico-standin: address of pod %s/%s: %v\n", namespace, pod, err)
	}
}

func annotatePod(kubeconfig, namespace, pod string, ip net.IP) error {
	cfg, err := readKubeconfig(kubeconfig)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{podIPAnnotation: ip.String()}}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err = client.Resource(podsGVR).Namespace(namespace).Patch(ctx, pod, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// readKubeconfig understands the one that writeKubeconfig writes.
func readKubeconfig(path string) (*rest.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	if len(file.Clusters) != 1 || len(file.Users) != 1 {
		return nil, fmt.Errorf("%s has not one cluster and one user", path)
	}
	cluster := file.Clusters[0].Cluster
	return &rest.Config{
		Host:            cluster.Server,
		BearerToken:     file.Users[0].User.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: cluster.CA},
		UserAgent:       "calico-standin-cni",
	}, nil
}
