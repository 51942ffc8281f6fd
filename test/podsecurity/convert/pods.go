package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// standard is the version of the standards whose pods are converted, and by
// which they are checked.
var standard = psapi.MajorMinorVersion(1, 37)

// fixture is one test pod.
type fixture struct {
	name  string // level/pass/file, as the standard's test data has it
	level psapi.Level
	pod   *corev1.Pod
	fails []string // the checks that refuse it, at whatever level, in the order of their names
	// mounted: no container of the standard's pod mounts its volumes, so that none
	// of them would be seen; here each container mounts each.
	mounted bool
}

// readPods reads the pods of both levels. Those with volumes come twice, the
// second time with the volumes mounted.
func readPods(dir string) ([]fixture, error) {
	var all []fixture
	for _, level := range []psapi.Level{psapi.LevelBaseline, psapi.LevelRestricted} {
		for _, outcome := range []string{"pass", "fail"} {
			files, err := filepath.Glob(filepath.Join(dir, string(level), standard.String(), outcome, "*.yaml"))
			if err != nil || len(files) == 0 {
				return nil, fmt.Errorf("no pods of %s in %s: %v", standard.String(), dir, err)
			}
			for _, file := range files {
				name := fmt.Sprintf("%s/%s/%s", level, outcome, strings.TrimSuffix(filepath.Base(file), ".yaml"))
				f, err := readPod(file, name, level)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				if refused := refuses(f, level); refused != (outcome == "fail") {
					return nil, fmt.Errorf("%s: the standard's own checks do not agree with its test data", name)
				}
				all = append(all, f)
				if len(f.pod.Spec.Volumes) > 0 {
					all = append(all, mounted(f))
				}
			}
		}
	}
	return all, nil
}

func readPod(file, name string, level psapi.Level) (fixture, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return fixture{}, err
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(data, pod); err != nil {
		return fixture{}, err
	}
	pod.Namespace, pod.UID = "clinic-a", podUID
	for i := range pod.Spec.Volumes { // the API server's default
		if v := &pod.Spec.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	return fixture{name: name, level: level, pod: pod, fails: failing(pod)}, nil
}

// failing are the checks that refuse a pod.
func failing(pod *corev1.Pod) (ids []string) {
	for _, check := range policy.DefaultChecks() {
		if version := current(check); version != nil && !version.CheckPod(&pod.ObjectMeta, &pod.Spec).Allowed {
			ids = append(ids, string(check.ID))
		}
	}
	slices.Sort(ids)
	return ids
}

// current is a check as it is since the newest version that is not after the standard's.
func current(check policy.Check) *policy.VersionedCheck {
	var found *policy.VersionedCheck
	for i := range check.Versions {
		if v := &check.Versions[i]; !standard.Older(v.MinimumVersion) {
			found = v
		}
	}
	return found
}

// refuses says whether a level refuses the pod: restricted has the checks of
// baseline too, but for those that its own override.
func refuses(f fixture, level psapi.Level) bool {
	for _, check := range policy.DefaultChecks() {
		inLevel := check.Level == psapi.LevelBaseline || level == psapi.LevelRestricted
		if inLevel && slices.Contains(f.fails, string(check.ID)) && !slices.Contains(overridden(level), string(check.ID)) {
			return true
		}
	}
	return false
}

// overridden are the checks of baseline that restricted's own replace.
func overridden(level psapi.Level) (ids []string) {
	if level != psapi.LevelRestricted {
		return nil
	}
	for _, check := range policy.DefaultChecks() {
		if version := current(check); version != nil {
			for _, id := range version.OverrideCheckIDs {
				ids = append(ids, string(id))
			}
		}
	}
	return ids
}

// mounted is the pod with each volume mounted in each container.
func mounted(f fixture) fixture {
	f.name, f.mounted, f.pod = f.name+"+mounted", true, f.pod.DeepCopy()
	for _, list := range [][]corev1.Container{f.pod.Spec.Containers, f.pod.Spec.InitContainers} {
		for i := range list {
			for _, v := range f.pod.Spec.Volumes {
				list[i].VolumeMounts = append(list[i].VolumeMounts, corev1.VolumeMount{Name: v.Name, MountPath: "/mnt/" + v.Name})
			}
		}
	}
	f.fails = failing(f.pod)
	return f
}
