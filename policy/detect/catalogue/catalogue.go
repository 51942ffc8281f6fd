// Package catalogue lists the detectors.
package catalogue

import (
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/format"
	"github.com/phigate/phigate/policy/detect/phi"
	"github.com/phigate/phigate/policy/detect/secret"
)

// All returns the detectors, in the order in which they are documented.
func All() []detect.Detector {
	return []detect.Detector{
		format.HL7v2(),
		phi.Table(),
		secret.PrivateKey(),
	}
}
