package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(a)(1)(ii)(B): "Implement security measures sufficient to reduce
// risks and vulnerabilities to a reasonable and appropriate level ..."
var unsafeSysctl = policy.Rule{
	Info: policy.Info{
		ID: "unsafe-sysctl", Aliases: []string{"OCI-020"},
		Title:    "The container changes a kernel setting that is not its own",
		Cites:    []hipaa.Citation{hipaa.RiskManagement},
		Controls: []policy.Control{podSecurity("baseline: sysctls")},
		Severity: policy.Medium, Default: policy.Warn, Isolation: true,
		Rationale: "Risks must be reduced to a reasonable level (164.308(a)(1)(ii)(B)). Settings outside of the safe set switch off " +
			"protections or reach other containers; kernel.core_pattern runs a program as the node's root.",
		Fix: "Remove the sysctl from the pod's securityContext, or set it on the node where all agree to it.",
	},
	Needs: policy.FactSysctls,
	Check: checkSysctls,
}

// safeSysctls belong to a container or pod and reach no other: the set of the
// Pod Security Standards of Kubernetes 1.37.
var safeSysctls = []string{
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem",
	"net.ipv4.tcp_wmem", "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat",
}

func checkSysctls(s *policy.Subject) []policy.Finding {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(linux(s).Sysctl)) {
		if name = strings.ReplaceAll(name, "/", "."); !slices.Contains(safeSysctls, name) {
			names = append(names, policy.Printable(name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	f := at("linux.sysctl", "kernel setting %s", strings.Join(names[:min(len(names), maxNamed)], ", "))
	f.Count = len(names)
	return []policy.Finding{f}
}
