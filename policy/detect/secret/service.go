package secret

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// ServiceToken finds tokens and keys of services by their forms or labels.
func ServiceToken() detect.Detector {
	k := &kinds{}
	k.tokens(serviceTokens)
	k.keyed(serviceKeys)
	web := &jwt{form: newForm(jwtForm), kind: "JSON web token"}
	k.add(jwtAnchor, web.judge)
	return k.detector(policy.Info{
		ID:       "service-token",
		Title:    "Token or key of a service",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Passwords, and tokens that serve as such, must be safeguarded (164.308(a)(5)(ii)(D)). Whoever pulls the image can act " +
			"as its owner at the service: read messages, code and mail, where health information often is, or send them.",
		Fix: "Revoke the token at the service, remove it from the image and the layers below, and mount a new one at run time from a secret store.",
	})
}
