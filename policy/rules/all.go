//go:generate go test -count=1 -run ^TestMarkdown$ . -update

// Package rules is the catalogue of checks on a container's OCI runtime spec,
// its environment and its ports. Each rule is a value with its documentation
// inside and stands in a file of its own, the normative text on top.
//
// A rule supports a safeguard of 45 CFR part 164; none names a container
// setting, and no rule makes anyone compliant.
//
// A section that a spec leaves out is judged as the runtime would treat it, so
// a missing one is never a compliant one: no namespaces means the host's, no
// process section means uid 0. Whether the door could see the section at all
// is not a rule's question: Needs and Early of a [policy.Rule] say what must
// have been seen before its Check is asked.
package rules

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// All is the catalogue, in the order of its row numbers.
func All() []policy.Rule {
	all := []policy.Rule{
		privileged,
		dangerousCapability,
		capabilityAdded,
		capabilitiesKept,
		runtimeSocketMounted,
		hostPathMounted,
		hostFolderMounted,
		phiVolumeNotGranted,
		phiVolumeWritable,
		phiVolumeOptions,
		phiVolumeUnencrypted,
		phiNotOnVolume,
		sharedMountPropagation,
		hostPID,
		hostNetwork,
		hostPort,
		hostIPC,
		hostUserNamespace,
		runAsRoot,
		noNewPrivilegesOff,
		seccompUnconfined,
		securityModuleUnconfined,
		writableRootFilesystem,
		unmaskedKernelPaths,
		unsafeSysctl,
		hostDevice,
		secretInEnv,
		secretInArgs,
		phiInEnv,
		phiInMetadata,
		imageNotPinned,
		publicRegistry,
		plaintextPort,
		encryptionUnknownPort,
		tlsVerificationOff,
		resourceLimitsMissing,
		coreDumpsEnabled,
		interactiveTerminal,
	}
	for i := range all {
		all[i].Check = named(all[i].ID, all[i].Check)
	}
	return all
}

// named makes a check sign its findings.
func named(id string, check func(*policy.Subject) []policy.Finding) func(*policy.Subject) []policy.Finding {
	return func(s *policy.Subject) []policy.Finding {
		found := check(s)
		for i := range found {
			found[i].Rule = id
		}
		return found
	}
}

// at is a finding at one field of the spec.
func at(field, format string, args ...any) policy.Finding {
	return policy.Finding{Where: policy.Where{Field: field}, Message: fmt.Sprintf(format, args...)}
}

// process is the process section of the subject's spec, empty where there is none.
func process(s *policy.Subject) *specs.Process {
	if s.Spec == nil || s.Spec.Process == nil {
		return &specs.Process{}
	}
	return s.Spec.Process
}

// linux is the Linux section of the subject's spec, empty where there is none.
func linux(s *policy.Subject) *specs.Linux {
	if s.Spec == nil || s.Spec.Linux == nil {
		return &specs.Linux{}
	}
	return s.Spec.Linux
}

// mounts are the mounts of the subject's spec.
func mounts(s *policy.Subject) []specs.Mount {
	if s.Spec == nil {
		return nil
	}
	return s.Spec.Mounts
}

// deviceRules are the device cgroup rules of the subject's spec, in order.
func deviceRules(s *policy.Subject) []specs.LinuxDeviceCgroup {
	if r := linux(s).Resources; r != nil {
		return r.Devices
	}
	return nil
}
