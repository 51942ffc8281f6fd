package filename

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Tools finds programs for attacking, debugging and building, which a container
// in production has no need of. BusyBox' small applets do not count.
//
// The exemption that the row has for images that build: in a step of a build,
// which BuildKit runs, such tools are audited whatever a profile says (see
// Building of [policy.Info]). Of any other container it cannot be told from its
// files, since a compiler is all that tells such an image apart; a policy selects
// it by name, or an exception by its digest.
func Tools() detect.Detector {
	return detect.Detector{
		Info: policy.Info{
			ID:       "extraneous-tool",
			Aliases:  []string{"SEC-018"},
			Title:    "Tool for attacking, debugging or building",
			Cites:    []hipaa.Citation{hipaa.RiskManagement},
			Controls: []policy.Control{{Benchmark: "CIS Docker Benchmark", Version: "1.6.0", ID: "4.3"}},
			Proposed: []hipaa.Proposal{hipaa.ProposedConfiguration},
			Severity: policy.Low,
			Default:  policy.Audit,
			Visible:  true,
			Building: true,
			Rationale: "Risks must be reduced to a reasonable level (164.308(a)(1)(ii)(B)). Whoever gets into the container finds there what " +
				"reads other programs' memory and traffic, or builds what does.",
			Fix: "Build in another stage (FROM ... AS build) and copy only the result; debug with an ephemeral container. An image whose " +
				"purpose is to build gets a policy of its own (selector.images), or an exception by its digest.",
		},
		Name: tool,
	}
}

func tool(e detect.Entry) string {
	if !executable(e) {
		return ""
	}
	switch unversioned(program(e)) {
	case "nmap", "zenmap", "masscan", "tcpdump", "tshark", "dumpcap", "wireshark", "ettercap", "bettercap", "nping", "hping3":
		return "Network scanner or sniffer"
	case "mimikatz", "hydra", "john", "hashcat", "sqlmap", "msfconsole", "msfvenom", "responder", "crackmapexec", "impacket-secretsdump", "chisel":
		return "Tool of attackers"
	case "nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "socat":
		return "Tool that opens any connection"
	case "gdb", "gdbserver", "lldb", "strace", "ltrace", "bpftrace", "perf":
		return "Debugger"
	case "gcc", "g++", "cc1", "clang", "clang++", "tcc", "rustc", "javac", "as", "ld", "gfortran":
		return "Compiler"
	}
	return ""
}

// unversioned takes a target and a version off: "x86_64-linux-gnu-gcc-12" is gcc.
func unversioned(name string) string {
	if i := strings.LastIndex(name, "linux-gnu-"); i >= 0 {
		name = name[i+len("linux-gnu-"):]
	} else if i := strings.LastIndex(name, "linux-musl-"); i >= 0 {
		name = name[i+len("linux-musl-"):]
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 && strings.Trim(name[i+1:], "0123456789.") == "" {
		name = name[:i]
	}
	return name
}
