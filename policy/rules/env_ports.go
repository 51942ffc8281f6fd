package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/phigate/phigate/policy"
)

// environment takes PORT and *_PORT, and addresses to listen on. What the
// kubelet sets for each Service speaks of others, and so does X_PORT beside an
// X_HOST that is elsewhere.
func (o *offer) environment(env []string) {
	values := make(map[string]string, len(env))
	for _, entry := range env {
		key, value := splitEnv(entry)
		values[strings.ToUpper(key)] = value
	}
	for i, entry := range env {
		key, value := splitEnv(entry)
		key = strings.ToUpper(key)
		if kubernetesService(key, value) || !namesPort(key, value) || callsElsewhere(key, values) {
			continue
		}
		if n, protocol, ok := portOf(strings.TrimSpace(value)); ok {
			o.add(policy.Port{Number: n, Protocol: protocol, Field: fmt.Sprintf("process.env[%d]", i)})
		}
	}
}

// listenNames end the names of variables that hold an address to listen on.
var listenNames = []string{"LISTEN", "LISTEN ADDR", "LISTEN ADDRESS", "BIND", "BIND ADDR", "BIND ADDRESS", "LISTENADDR"}

func namesPort(key, value string) bool {
	if key == "PORT" || strings.HasSuffix(key, "_PORT") {
		return digits(value) > 0 && !strings.Contains(value, "://")
	}
	return endsWith(words(key), listenNames) && strings.Contains(value, ":")
}

// callsElsewhere says whether the environment names, beside X_PORT, the host
// that it is the port of, and that is not this container.
func callsElsewhere(key string, values map[string]string) bool {
	prefix, ok := strings.CutSuffix(key, "PORT")
	if !ok || prefix == "" {
		return false
	}
	for _, name := range []string{"HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS", "SERVICE_HOST"} {
		if host := strings.TrimSpace(values[prefix+name]); host != "" && !isHere(host) {
			return true
		}
	}
	return false
}

func isHere(host string) bool {
	if host == "localhost" || host == "*" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && (ip.IsUnspecified() || ip.IsLoopback())
}
