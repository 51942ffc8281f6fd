package rules

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(b)(1): "A covered entity may permit a business associate to
// create, receive, maintain, or transmit electronic protected health information
// on the covered entity's behalf only if the covered entity obtains satisfactory
// assurances ... that the business associate will appropriately safeguard the
// information." 164.314(a)(1) says what the contract must hold.
//
// Which registries are the operator's own, nobody but the operator can say: a
// rule with a condition on image.name says it. What is known to everybody is in
// which registries anyone can publish.
var publicRegistry = policy.Rule{
	Info: policy.Info{
		ID: "public-registry", Aliases: []string{"OCI-027"},
		Title:    "The image comes from a registry in which anybody can publish, or from an unknown one",
		Cites:    []hipaa.Citation{hipaa.BusinessAssociates, hipaa.AssociateContracts},
		Controls: []policy.Control{cisKubernetes("5.5.1"), cisDocker("4.2")},
		Severity: policy.Medium, Default: policy.Audit,
		Rationale: "Who handles ePHI for a covered entity must have assured to safeguard it (164.308(b)(1)), by a contract " +
			"(164.314(a)(1)). With whoever published an image in a public registry there is none.",
		Fix: "Copy the image to a registry of your own and deploy it from there; add a rule on image.name that demands it.",
	},
	Needs: policy.FactImage,
	Check: checkRegistry,
}

// publicRegistries take images of anybody who has an account.
var publicRegistries = []string{
	"docker.io", "index.docker.io", "registry-1.docker.io", "quay.io", "ghcr.io", "public.ecr.aws", "registry.gitlab.com", "ttl.sh", "docker.pkg.github.com",
}

func checkRegistry(s *policy.Subject) []policy.Finding {
	if s.Runtime == policy.RuntimeBuildKit { // a step of a build has no image
		return nil
	}
	switch host := registryOf(s.Image.Ref); {
	case host == "":
		return []policy.Finding{at("image.name", "image of an unknown registry")}
	case slices.Contains(publicRegistries, host):
		return []policy.Finding{at("image.name", "image of the public registry %s", host)}
	}
	return nil
}

// registryOf is the host of a reference, docker.io where it names none; empty
// where there is no name but an image's ID.
func registryOf(ref string) string {
	if ref == "" || strings.HasPrefix(ref, "sha256:") {
		return ""
	}
	host, _, ok := strings.Cut(ref, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "docker.io"
	}
	return strings.ToLower(host)
}
