package main

import (
	"fmt"
	"slices"
)

// nullError is what becomes of a list that is null: the plugin throws a NullPointerException, at each launch anew.
type nullError struct{ path string }

func (n *nullError) Error() string {
	return "java.lang.NullPointerException: " + n.path + " is null"
}

// findNull names the first key without a value. Of some the real plugin would not die; which, was not compared.
func findNull(path string, v any) error {
	switch x := v.(type) {
	case nil:
		return &nullError{path}
	case map[string]any:
		for k, e := range x {
			if err := findNull(path+"."+k, e); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range x {
			if err := findNull(fmt.Sprintf("%s[%d]", path, i), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// combinePods lays a pod over another as PodTemplateUtils.combine does: what it does not know of the child is lost.
func combinePods(parent, child obj) obj {
	if len(parent) == 0 {
		return child
	}
	meta := mergeObj(asMap(parent["metadata"]), obj{})
	for _, k := range []string{"annotations", "labels"} {
		if m := mergeObj(asMap(meta[k]), asMap(asMap(child["metadata"])[k])); len(m) > 0 {
			meta[k] = m
		}
	}
	for _, k := range []string{"name", "namespace"} {
		if s := str(asMap(child["metadata"])[k]); s != "" {
			meta[k] = s
		}
	}
	spec, over := mergeObj(asMap(parent["spec"]), obj{}), asMap(child["spec"])
	for _, k := range []string{"serviceAccount", "serviceAccountName", "schedulerName", "activeDeadlineSeconds", "hostNetwork", "shareProcessNamespace"} {
		if v, ok := over[k]; ok && str(v) != "" {
			spec[k] = v
		}
	}
	if m := mergeObj(asMap(spec["nodeSelector"]), asMap(over["nodeSelector"])); len(m) > 0 {
		spec["nodeSelector"] = m
	}
	for _, k := range []string{"containers", "initContainers"} {
		if l := combineContainers(asList(spec[k]), asList(over[k])); len(l) > 0 {
			spec[k] = l
		}
	}
	for _, k := range []string{"volumes", "imagePullSecrets"} {
		if l := replaceNamed(asList(spec[k]), asList(over[k]), "name"); len(l) > 0 {
			spec[k] = l
		}
	}
	if l := append(append([]any{}, asList(spec["tolerations"])...), asList(over["tolerations"])...); len(l) > 0 {
		spec["tolerations"] = l
	}
	security := mergeObj(asMap(spec["securityContext"]), obj{})
	for _, k := range []string{"runAsUser", "runAsGroup"} {
		if v, ok := asMap(over["securityContext"])[k]; ok {
			security[k] = v
		}
	}
	if len(security) > 0 {
		spec["securityContext"] = security
	}
	return mergeObj(parent, obj{"metadata": meta, "spec": spec})
}

func combineContainers(parent, child []any) []any {
	out := append([]any{}, parent...)
	for _, c := range child {
		i := slices.IndexFunc(out, func(p any) bool { return asMap(p)["name"] == asMap(c)["name"] })
		if i < 0 {
			out = append(out, c)
			continue
		}
		out[i] = combineContainer(asMap(out[i]), asMap(c))
	}
	return out
}

func combineContainer(parent, child obj) obj {
	out := mergeObj(parent, obj{})
	for _, k := range []string{"image", "imagePullPolicy", "command", "args", "workingDir", "tty"} {
		if v, ok := child[k]; ok && str(v) != "" && str(v) != "[]" {
			out[k] = v
		}
	}
	resources := obj{}
	for _, k := range []string{"requests", "limits"} {
		if m := mergeObj(asMap(asMap(parent["resources"])[k]), asMap(asMap(child["resources"])[k])); len(m) > 0 {
			resources[k] = m
		}
	}
	out["resources"] = resources
	for k, key := range map[string]string{"env": "name", "volumeMounts": "mountPath"} {
		if l := replaceNamed(asList(parent[k]), asList(child[k]), key); len(l) > 0 {
			out[k] = l
		}
	}
	if l := append(append([]any{}, asList(parent["envFrom"])...), asList(child["envFrom"])...); len(l) > 0 {
		out["envFrom"] = l
	}
	security := mergeObj(asMap(parent["securityContext"]), obj{})
	for _, k := range []string{"privileged", "runAsUser", "runAsGroup", "capabilities"} {
		if v, ok := asMap(child["securityContext"])[k]; ok {
			security[k] = v
		}
	}
	if len(security) > 0 {
		out["securityContext"] = security
	}
	return out
}

func replaceNamed(a, b []any, key string) []any {
	out := append([]any{}, a...)
	for _, v := range b {
		i := slices.IndexFunc(out, func(p any) bool { return str(asMap(p)[key]) == str(asMap(v)[key]) })
		if i < 0 {
			out = append(out, v)
		} else {
			out[i] = v
		}
	}
	return out
}
