package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/settings"
)

// TestWithoutTrust: a client needs a bundle in any layer that no higher one takes
// away.
func TestWithoutTrust(t *testing.T) {
	const bundle = "etc/ssl/certs/ca-certificates.crt"
	for name, c := range map[string]struct {
		layers [][]string
		want   []string
	}{
		"neither":      {[][]string{{"usr/bin/app"}}, []string{}},
		"client_alone": {[][]string{{"usr/bin/app"}, {"usr/bin/curl"}}, []string{"1 /usr/bin/curl"}},
		"both":         {[][]string{{"usr/bin/curl", bundle}}, []string{}},
		"above":        {[][]string{{"usr/bin/curl"}, {bundle}}, []string{}},
		"taken_away":   {[][]string{{"usr/bin/curl", bundle}, {"-" + bundle}}, []string{"0 /usr/bin/curl"}},
		"client_gone":  {[][]string{{"usr/bin/curl"}, {"-usr/bin/curl"}}, []string{}},
		"red_hat":      {[][]string{{"usr/bin/curl", "etc/pki/tls/certs/ca-bundle.crt>/etc/pki/ca.pem", "etc/pki/ca.pem"}}, []string{}},
		"busybox":      {[][]string{{"usr/bin/wget>/bin/busybox", "bin/busybox"}}, []string{}},
		"link_to_none": {[][]string{{"usr/bin/curl", "etc/pki/tls/certs/ca-bundle.crt>/etc/pki/ca.pem"}}, []string{"0 /usr/bin/curl"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := store(t)
			keys, _ := image(t, s, c.layers...)
			f := &Files{Store: s}
			r := f.Inspect(t.Context(), subject(keys...), &policy.Policy{Digest: "sha256:p"})
			if diff := cmp.Diff(c.want, places(r, settings.RuleCertificates)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			r = f.Inspect(t.Context(), subject(append(keys, "sha256:unknown")...), &policy.Policy{Digest: "sha256:p"})
			if got := places(r, settings.RuleCertificates); len(got) > 0 {
				t.Errorf("judged without a layer that is not known: %q", got)
			}
		})
	}
}
