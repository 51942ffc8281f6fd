package podsecurity

import (
	"path"
	"slices"
)

// Reason is why a check and its rules differ on some pods.
type Reason struct {
	Check, Kind string
	Pods        []string // patterns of path.Match
	Why         string
}

// Explains says whether it is the reason of a disagreement.
func (r Reason) Explains(d Disagreement) bool {
	return r.Check == d.Check && r.Kind == d.Kind && slices.ContainsFunc(r.Pods, func(pattern string) bool {
		ok, err := path.Match(pattern, d.Pod)
		return ok && err == nil
	})
}

// unmounted is the reason of pods whose containers mount none of their volumes,
// as the standards' own do.
const unmounted = "No container mounts the volume: none reaches it, and the runtime is told of none. With the volume mounted the pod is listed as `+mounted`."

// harmless is the reason of the pod that mounts a path which is no secret and no way in.
const harmless = "The path is `/dev/null`: it tells nothing and changes nothing, and every container has one."

// reasons are all disagreements that are known and why each is as it should be.
func reasons() []Reason {
	return []Reason{
		{"hostProbesAndHostLifecycle", Missed, []string{"*/fail/hostprobesandhostlifecycle?"},
			"The kubelet itself makes the probe; nothing of it reaches the runtime."},
		{"windowsHostProcess", Missed, []string{"*/fail/windowshostprocess?"},
			"The kubelet of a Linux node passes over `windowsOptions` and refuses a pod that is for Windows; what is left is the host's network, which `host-network` objects to."},
		{"hostPathVolumes", Missed, []string{"*/fail/hostpathvolumes?", "restricted/fail/restrictedvolumes19"}, unmounted},
		{"restrictedVolumes", Missed, []string{"*/fail/hostpathvolumes?", "restricted/fail/restrictedvolumes?", "restricted/fail/restrictedvolumes1?"}, unmounted},
		{"hostPathVolumes", Missed, []string{"restricted/fail/restrictedvolumes19+mounted"}, harmless},
		{"restrictedVolumes", Missed, []string{"restricted/fail/restrictedvolumes19+mounted"}, harmless},
		{"restrictedVolumes", Missed, []string{"restricted/fail/restrictedvolumes?+mounted", "restricted/fail/restrictedvolumes1[0-8]+mounted"},
			"The runtime sees a folder below the pod's own, named after the volume's plug-in. Such storage behind a claim, which the level allows, looks the same."},
		{"capabilities_baseline", Missed, []string{"*/fail/capabilities_baseline[01]"},
			"NET_RAW is among what containerd and Docker give every container, so that adding it shows only where all was dropped before; `capabilities-kept`, a rule of the level restricted, objects to it wherever it is."},
		{"capabilities_baseline", Missed, []string{"*/fail/capabilities_baseline2"},
			"The standard refuses the spelling `chown`; containerd reads it as CHOWN, which the level lets a pod add."},
		{"procMount", Stricter, []string{"baseline/pass/procmount1", "restricted/fail/procmount_restricted?"},
			"In a user namespace of its own a pod may unmask /proc since 1.35; `unmasked-kernel-paths` asks for the masks at every level, as restricted does."},
		{"seccompProfile_baseline", Stricter,
			[]string{"baseline/pass/apparmorprofile0", "baseline/pass/base", "baseline/pass/capabilities_baseline0", "baseline/pass/hostports0",
				"baseline/pass/hostprobesandhostlifecycle?", "baseline/pass/privileged0", "baseline/pass/procmount?", "baseline/pass/selinuxoptions?",
				"baseline/pass/sysctls?", "restricted/fail/seccompprofile_restricted[023]"},
			"A pod that names no profile passes. Without `seccompDefault` the kubelet starts it unconfined, and the runtime cannot tell it from one that asked for that."},
	}
}
