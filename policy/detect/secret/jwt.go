package secret

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// jwtForm is a signed token (RFC 7515, 7.1) as far as it is looked at: a header
// and a payload that are objects of JSON. The payload may be longer.
const jwtForm = "ey<k15-1200>.ey<j8-1800>"

// jwtAnchor is the beginning of each: `{"` in base64, and more of it.
const jwtAnchor = `eyJ[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-][A-Za-z0-9_\-]`

// jwt finds JSON web tokens: those of Kubernetes' service accounts, or the others.
type jwt struct {
	form form
	kind string
	kube bool
}

func (j *jwt) judge(h *detect.Hit, s *detect.Sink) {
	end, ok := j.form.match(h.Text, h.At)
	if !ok || !begins(h.Text, h.At) {
		return
	}
	value := h.Text[h.At:end]
	head, body, _ := bytes.Cut(value, []byte("."))
	if !bytes.Contains(unpadded(head), []byte(`"alg"`)) {
		return
	}
	payload := unpadded(body)
	if bytes.HasPrefix(payload, []byte(`{"`)) && ofServiceAccount(payload) == j.kube && !publishedClaims(payload) && !published(value) {
		report(h, h.At, value, j.kind, s)
	}
}

// ofServiceAccount says whether a token is one of those that Kubernetes puts
// into each pod.
func ofServiceAccount(payload []byte) bool {
	return bytes.Contains(payload, []byte(`kubernetes.io`)) || bytes.Contains(payload, []byte(`kubernetes/serviceaccount`))
}

// publishedClaims says whether the token is the one that everybody shows: that
// of jwt.io (RFC 7519 has another), Supabase's for trying things out, or one of
// Amazon's manuals.
func publishedClaims(payload []byte) bool {
	return bytes.Contains(payload, []byte(`"1234567890"`)) && bytes.Contains(payload, []byte(`"John Doe"`)) ||
		bytes.Contains(payload, []byte(`"supabase-demo"`)) || bytes.Contains(payload, []byte(`"EXAMPLE`))
}

// wrapped says whether base64 holds a JSON web token in base64.
func wrapped(value []byte) bool {
	inner := unpadded(value)
	if len(inner) < 16 {
		return false
	}
	head, _, _ := bytes.Cut(inner[:min(len(inner), 200)], []byte("."))
	plain := unpadded(head)
	if !bytes.HasPrefix(plain, []byte(`{"`)) {
		return false
	}
	for _, b := range plain {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
