package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

// offered are the ports as "number/protocol field".
func offered(s *policy.Subject) []string {
	out := []string{}
	for _, p := range OfferedPorts(s) {
		out = append(out, fmt.Sprintf("%d/%s %s", p.Number, p.Protocol, p.Field))
	}
	return out
}

func TestOfferedPortsOfArguments(t *testing.T) {
	for _, tt := range []struct {
		args string // split at "~"
		want string // joined by ", "
	}{
		{"/usr/sbin/sshd~-D~-p~2222", "2222/tcp process.args[2]"},
		{"sshd~-p2222", "2222/tcp process.args[1]"},
		{"sshd~-D~-o~Port=2200", "2200/tcp process.args[3]"},
		{"sshd~-D", "22/tcp process.args[0]"},
		{"nginx~-g~daemon off;", "80/tcp process.args[0]"},
		{"redis-server~--port~6380", "6380/tcp process.args[1]"},
		{"redis-server~--port~0~--unixsocket~/run/r.sock", ""},
		{"docker-entrypoint.sh~redis-server", "6379/tcp process.args[1]"},
		{"vsftpd~/etc/vsftpd.conf", "21/tcp process.args[0]"},
		{"vsftpd~-olisten_port=2121", "2121/tcp process.args[1]"},
		{"in.ftpd", "21/tcp process.args[0]"},
		{"telnetd", "23/tcp process.args[0]"},
		{"busybox~telnetd~-F~-p~2323", "2323/tcp process.args[3]"},
		{"tini~--~busybox~telnetd", "23/tcp process.args[3]"},
		{"tcpsvd~0~21~ftpd~-w~/srv", "21/tcp process.args[2]"},
		{"busybox~tcpsvd~-vE~0.0.0.0~2121~ftpd", "2121/tcp process.args[4]"},
		{"tcpsvd~-c~10~0~21~ftpd", "21/tcp process.args[4]"},
		{"udpsvd~-E~0~69~tftpd", "69/udp process.args[3]"},
		{"httpd~-f~-p~8080", "8080/tcp process.args[2]"},
		{"httpd~-f~-p~127.0.0.1:8080", "8080/tcp process.args[2]"},
		{"mysqld~--port=3307", "3307/tcp process.args[1]"},
		{"postgres~-p~5433", "5433/tcp process.args[1]"},
		{"postgres~-c~port=5434", "5434/tcp process.args[2]"},
		{"rsync~--daemon~--no-detach", "873/tcp process.args[0]"},
		{"rsync~-a~/a~/b", ""},
		{"nc~-l~-p~23", "23/tcp process.args[3]"},
		{"nc~db~5432", ""},
		{"python3~-m~http.server~8081", "8081/tcp process.args[3]"},
		{"python3~-m~pyftpdlib~-p~21", "21/tcp process.args[3]"},
		{"storescp~-aet~CLINIC~104", "104/tcp process.args[3]"},
		{"/app~--port=21~--http-port~8080", "21/tcp process.args[1], 8080/tcp process.args[2]"},
		{"/app~--listen=:21", "21/tcp process.args[1]"},
		{"/app~--bind~[::]:21", "21/tcp process.args[1]"},
		{"/app~--bind~::1", ""},
		{"/app~--listen~tcp://0.0.0.0:23", "23/tcp process.args[1]"},
		{"/app~--listen~udp://0.0.0.0:69", "69/udp process.args[1]"},
		{"/app~--port=70000", ""},
		{"/app~--report=21~--transport~21", ""},
		{"psql~--port~5432~-h~db", ""},
		{"sh~-c~set -e; exec busybox telnetd -F -p 23 & tcpsvd 0 21 ftpd", "23/tcp process.args[2], 21/tcp process.args[2]"},
		{"/bin/sh~-ec~sshd -p '2022' && sleep inf", "2022/tcp process.args[2]"},
		{"sh~/start.sh~--port~21", "21/tcp process.args[2]"},
		{"sh~-c", ""},
		{"sh", ""},
		{"", ""},
	} {
		t.Run(strings.ReplaceAll(tt.args, "~", " "), func(t *testing.T) {
			s := &policy.Subject{Sees: policy.FactArgs, Spec: &specs.Spec{Process: &specs.Process{}}}
			if tt.args != "" {
				s.Spec.Process.Args = strings.Split(tt.args, "~")
			}
			if got := strings.Join(offered(s), ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOfferedPortsOfEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name, env, want string
	}{
		{"port", "PORT=21", "21/tcp process.env[0]"},
		{"some_port", "FTP_PORT=21 http_port=8080", "21/tcp process.env[0], 8080/tcp process.env[1]"},
		{"service_links", "FTP_SERVICE_HOST=10.0.0.1 FTP_SERVICE_PORT=21 FTP_PORT=tcp://10.0.0.1:21 FTP_PORT_21_TCP_PORT=21 FTP_SERVICE_PORT_FTP=21", ""},
		{"of_another_host", "DB_HOST=db.clinic DB_PORT=5432", ""},
		{"of_this_host", "DB_HOST=0.0.0.0 DB_PORT=5432 X_HOST=:: X_PORT=23", "5432/tcp process.env[1], 23/tcp process.env[3]"},
		{"listen_address", "LISTEN_ADDR=:21 APP_BIND=0.0.0.0:23 BIND=0.0.0.0", "21/tcp process.env[0], 23/tcp process.env[1]"},
		{"no_numbers", "PORT= PORT=http A_PORT=0 B_PORT=99999 SUPPORT=21 EXPORT=21", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &policy.Subject{Sees: policy.FactEnv, Spec: &specs.Spec{Process: &specs.Process{Env: strings.Fields(tt.env)}}}
			if got := strings.Join(offered(s), ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOfferedPortsAreMerged(t *testing.T) {
	s := &policy.Subject{
		Sees: policy.FactArgs | policy.FactEnv | policy.FactPorts,
		Ports: []policy.Port{
			{Number: 21, Protocol: "tcp", Field: "pod.portMappings[0]", WholePod: true},
			{Number: 23, Protocol: "tcp", Field: "image.config.ExposedPorts"},
			{Number: 23, Protocol: "udp", Field: "image.config.ExposedPorts"},
			{Number: 25, Protocol: "tcp", Field: "pod.portMappings[1]", WholePod: true},
		},
		Spec: &specs.Spec{Process: &specs.Process{Args: []string{"telnetd"}, Env: []string{"PORT=21"}}},
	}
	want := []policy.Port{
		{Number: 21, Protocol: "tcp", Field: "process.env[0]"},
		{Number: 23, Protocol: "tcp", Field: "image.config.ExposedPorts"},
		{Number: 23, Protocol: "udp", Field: "image.config.ExposedPorts"},
		{Number: 25, Protocol: "tcp", Field: "pod.portMappings[1]", WholePod: true},
	}
	if diff := cmp.Diff(want, OfferedPorts(s)); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	s.Sees = 0
	if got := OfferedPorts(s); len(got) != 0 {
		t.Errorf("a gate that sees nothing offers %d ports", len(got))
	}
}

func TestSecretMounts(t *testing.T) {
	bind := func(source string) specs.Mount { return specs.Mount{Type: "bind", Source: source, Destination: "/x"} }
	s := &policy.Subject{
		Sees: policy.FactMounts | policy.FactHostPaths,
		Spec: &specs.Spec{Mounts: []specs.Mount{
			bind("/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/db"),
			bind("/var/lib/kubelet/pods/u/volumes/kubernetes.io~configmap/db"),
			bind("/data/kubelet/pods/u/volumes/kubernetes.io~projected/token"),
			bind("/srv/link"),
			{Type: "tmpfs", Source: "/volumes/kubernetes.io~secret/x", Destination: "/y"},
		}},
		Host: policy.Host{RealPath: map[string]string{"/srv/link": "/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/other"}},
	}
	if diff := cmp.Diff([]int{0, 2, 3}, SecretMounts(s)); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	if got := SecretMounts(&policy.Subject{}); len(got) != 0 {
		t.Errorf("no spec, and %d mounts", len(got))
	}
}

// FuzzOfferedPorts gives any arguments (split at NUL) and environment: nothing
// panics, no port is 0, none is listed twice.
func FuzzOfferedPorts(f *testing.F) {
	for _, args := range []string{"", "sh", "sh\x00-c", "sh\x00-c\x00;&|(){}", "tcpsvd\x000\x0021", "nc\x00-l", "python\x00-m\x00http.server", "gosu", "-"} {
		f.Add(args, "PORT=21\x00A_PORT=\x00=\x00LISTEN=:")
	}
	f.Fuzz(func(t *testing.T, args, env string) {
		p := &specs.Process{Args: strings.Split(args, "\x00"), Env: strings.Split(env, "\x00")}
		seen := map[portKey]bool{}
		for _, port := range OfferedPorts(&policy.Subject{Sees: policy.FactArgs | policy.FactEnv, Spec: &specs.Spec{Process: p}}) {
			key := portKey{port.Number, port.Protocol}
			if port.Number == 0 || seen[key] || port.Field == "" {
				t.Errorf("port %d/%s at %q, seen before: %t", port.Number, port.Protocol, port.Field, seen[key])
			}
			seen[key] = true
		}
	})
}
