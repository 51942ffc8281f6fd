package rules

import (
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.312(c)(1): "Implement policies and procedures to protect electronic
// protected health information from improper alteration or destruction."
//
// A digest is the content itself (OCI image specification, descriptor.md); what a
// tag means, whoever can push changes. A container without an image's name, such
// as one of a plain folder, says no digest either. The steps of a build have none
// by their nature.
var imageNotPinned = policy.Rule{
	Info: policy.Info{
		ID: "image-not-pinned", Aliases: []string{"OCI-026"},
		Title:    "The image is not named by its digest",
		Cites:    []hipaa.Citation{hipaa.Integrity},
		Severity: policy.Low, Default: policy.Audit, WithPHI: new(policy.Warn),
		Rationale: "ePHI must be protected from improper alteration (164.312(c)(1)), and so must the programs that can alter it. A tag " +
			"means another image tomorrow; a digest is the image that was looked at.",
		Fix: "Deploy the image as name@sha256:..., for example with a controller that resolves tags.",
	},
	Needs: policy.FactImage,
	Check: checkPinned,
}

func checkPinned(s *policy.Subject) []policy.Finding {
	ref := s.Image.Ref
	if s.Runtime == policy.RuntimeBuildKit {
		return nil
	}
	if ref == "" {
		return []policy.Finding{at("image.name", "image without a name")}
	}
	if pinned(ref) {
		return nil
	}
	_, tag := splitTag(ref)
	if tag == "latest" || tag == "" {
		return []policy.Finding{at("image.name", "image by the tag latest")}
	}
	return []policy.Finding{at("image.name", "image by tag")}
}

// pinned says whether a reference names a digest, or is an image's ID.
func pinned(ref string) bool {
	_, digest, ok := strings.Cut(ref, "@")
	if !ok {
		digest = ref
	}
	for _, algorithm := range []string{"sha256:", "sha384:", "sha512:"} {
		if hex, found := strings.CutPrefix(digest, algorithm); found && len(hex) >= 64 && isHex(hex) {
			return true
		}
	}
	return false
}

func isHex(text string) bool {
	return strings.Trim(text, "0123456789abcdef") == ""
}

// splitTag splits a reference into name and tag; a colon before the last slash
// is a port's.
func splitTag(ref string) (name, tag string) {
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		return ref[:i], ref[i+1:]
	}
	return ref, ""
}
