package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/rules"
)

// portEntry is an entry of scanner network: "23", "20-23", "161/udp". Without
// a protocol it means TCP, as Docker's EXPOSE and Kubernetes' containerPort do.
type portEntry struct {
	low, high uint16
	protocol  string
}

func (e portEntry) matches(p policy.Port) bool {
	return e.low <= p.Number && p.Number <= e.high && e.protocol == protocolOf(p)
}

func (s *source) portEntry(e entry) (portEntry, bool) {
	numbers, protocol, said := strings.Cut(e.value, "/")
	protocol = strings.ToLower(strings.TrimSpace(protocol))
	if !said {
		protocol = "tcp"
	}
	known := []string{"tcp", "udp", "sctp"}
	if !slices.Contains(known, protocol) {
		s.suggest(e.at, protocol, known, "port: has protocol tcp, udp or sctp, and here is %s", shown(e.value))
		return portEntry{}, false
	}
	first, last, isRange := strings.Cut(numbers, "-")
	if !isRange {
		last = first
	}
	low, errLow := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	high, errHigh := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if errLow != nil || errHigh != nil || low == 0 || high < low {
		s.problem(e.at, "port: is a number from 1 to 65535 or a range such as 20-23, with /udp or /sctp for these, and here is %s; write each port as an entry of its own", shown(e.value))
		return portEntry{}, false
	}
	return portEntry{uint16(low), uint16(high), protocol}, true
}

const factCommand = policy.FactArgs | policy.FactEnv

// compileNetwork makes rules on the ports that a container offers. With any,
// what image and pod say and what arguments and environment say are judged
// apart, so that each gate answers for what it sees; with all they are one
// question. Every offered port that an entry fits is a finding.
func compileNetwork(src *source, r *parsedRule, d *policy.Document) {
	var entries []portEntry
	for _, e := range r.entries {
		pe, ok := src.portEntry(e)
		if !ok {
			return
		}
		entries = append(entries, pe)
	}
	if r.all {
		d.Rules = append(d.Rules, policy.Rule{
			Info: r.info, Needs: policy.FactPorts | factCommand, Early: policy.FactPorts,
			Check: func(s *policy.Subject) []policy.Finding { return allPorts(r.info.ID, entries, s) },
		})
		return
	}
	check := func(declared bool) func(*policy.Subject) []policy.Finding {
		return func(s *policy.Subject) []policy.Finding {
			ports := slices.DeleteFunc(slices.Clone(rules.OfferedPorts(s)), func(p policy.Port) bool { return declares(s, p) != declared })
			return portFindings(r.info.ID, entries, ports)
		}
	}
	d.Rules = append(d.Rules,
		policy.Rule{Info: r.info, Needs: policy.FactPorts, Check: check(true)},
		policy.Rule{Info: r.info, Needs: factCommand, Check: check(false)})
}

// declares says whether image or pod name the port.
func declares(s *policy.Subject, p policy.Port) bool {
	return s.Sees.Has(policy.FactPorts) && slices.ContainsFunc(s.Ports, func(q policy.Port) bool {
		return p.Number == q.Number && protocolOf(p) == protocolOf(q)
	})
}

// protocolOf is a port's protocol in lower case, TCP where none is said.
func protocolOf(p policy.Port) string {
	if p.Protocol == "" {
		return "tcp"
	}
	return strings.ToLower(p.Protocol)
}

func allPorts(rule string, entries []portEntry, s *policy.Subject) []policy.Finding {
	ports := rules.OfferedPorts(s)
	for _, e := range entries {
		if !slices.ContainsFunc(ports, e.matches) {
			return nil
		}
	}
	return portFindings(rule, entries, ports)
}

func portFindings(rule string, entries []portEntry, ports []policy.Port) []policy.Finding {
	var out []policy.Finding
	for _, p := range ports {
		if !slices.ContainsFunc(entries, func(e portEntry) bool { return e.matches(p) }) {
			continue
		}
		by := ""
		if p.WholePod {
			by = " by the pod"
		}
		out = append(out, policy.Finding{
			Rule: rule, Message: fmt.Sprintf("port %d/%s offered%s", p.Number, protocolOf(p), by), Where: policy.Where{Field: p.Field},
		})
	}
	return out
}

// compileSecrets makes rules on how secrets reach a container. A Kubernetes
// Secret that arrives as an environment variable cannot be told apart in the
// OCI spec, so provider env reports it.
func compileSecrets(src *source, r *parsedRule, d *policy.Document) {
	checks := map[string]func(*policy.Subject) []policy.Finding{
		"env":        func(s *policy.Subject) []policy.Finding { return envFindings(r.info.ID, s) },
		"kubernetes": func(s *policy.Subject) []policy.Finding { return mountFindings(r.info.ID, s) },
	}
	needs := map[string]policy.Facts{"env": policy.FactEnv, "kubernetes": policy.FactMounts}
	known := []string{"env", "kubernetes"}
	var asked []string
	for _, e := range r.entries {
		if !slices.Contains(known, e.value) {
			src.suggest(e.at, e.value, known, "secrets.provider must be env or kubernetes, and here is %s", shown(e.value))
			return
		}
		if !slices.Contains(asked, e.value) {
			asked = append(asked, e.value)
		}
	}
	if r.all && len(asked) > 1 {
		d.Rules = append(d.Rules, policy.Rule{
			Info: r.info, Needs: policy.FactEnv | policy.FactMounts,
			Check: func(s *policy.Subject) []policy.Finding {
				env, mounts := checks["env"](s), checks["kubernetes"](s)
				if len(env) == 0 || len(mounts) == 0 {
					return nil
				}
				return append(env, mounts...)
			},
		})
		return
	}
	for _, provider := range asked {
		d.Rules = append(d.Rules, policy.Rule{Info: r.info, Needs: needs[provider], Check: checks[provider]})
	}
}

func envFindings(rule string, s *policy.Subject) []policy.Finding {
	if s.Spec == nil || s.Spec.Process == nil {
		return nil
	}
	var out []policy.Finding
	for _, secret := range rules.EnvSecrets(s.Spec.Process.Env) {
		out = append(out, policy.Finding{
			Rule: rule, Message: "secret in environment variable " + policy.Printable(secret.Key),
			Where: policy.Where{Field: fmt.Sprintf("process.env[%d]", secret.Index)},
		})
	}
	return out
}

func mountFindings(rule string, s *policy.Subject) []policy.Finding {
	if s.Spec == nil {
		return nil
	}
	var out []policy.Finding
	for _, i := range rules.SecretMounts(s) {
		out = append(out, policy.Finding{
			Rule: rule, Message: "Kubernetes secret mounted at " + policy.Printable(s.Spec.Mounts[i].Destination),
			Where: policy.Where{Field: fmt.Sprintf("mounts[%d].source", i)},
		})
	}
	return out
}
