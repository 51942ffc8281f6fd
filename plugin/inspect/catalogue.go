package inspect

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect/catalogue"
	"github.com/phigate/phigate/policy/rules"
)

// Catalogue lists the documentation of all built-in rules and detectors, which
// policies refer to.
func Catalogue() []policy.Info {
	var infos []policy.Info
	for _, r := range rules.All() {
		infos = append(infos, r.Info)
	}
	return append(infos, catalogue.Infos()...)
}
