package cli

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

// infos documents every rule and every detector, in the catalogue's order.
func infos() []policy.Info {
	var out []policy.Info
	for _, r := range rules.All() {
		out = append(out, r.Info)
	}
	for _, d := range catalogue.All() {
		out = append(out, d.Info)
	}
	return out
}
