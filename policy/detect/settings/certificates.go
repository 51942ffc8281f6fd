package settings

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Certificates judges the bundle of certificate authorities that programs trust.
// It is a violation from the day on which the last of them expires; that an image
// has no bundle at all is not seen.
func Certificates() detect.Detector {
	info := policy.Info{
		ID:       "stale-ca-bundle",
		Aliases:  []string{"SEC-017"},
		Title:    "Certificate authorities that have all expired",
		Cites:    []hipaa.Citation{hipaa.Authentication},
		Severity: policy.Medium,
		Default:  policy.Audit,
		Visible:  true,
		Rationale: "Who is at the other end must be verified (164.312(d)). With a bundle whose certificates have expired programs cannot, and " +
			"people then switch verification off.",
		Fix: "Update ca-certificates in the image.",
	}
	return detect.Detector{Info: info, Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
		switch m.Path {
		case "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/certs/ca-bundle.crt",
			"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem":
			b := &bundle{sink: s}
			b.lines = detect.NewLines(maxPEMLine, b.line)
			return b
		}
		return nil
	}}
}

// Bounds of a certificate in a bundle; RFC 7468 has 64 characters in a line.
const (
	maxPEMLine     = 1024
	maxCertificate = 64 << 10
)

// bundle collects one certificate at a time.
type bundle struct {
	sink    *detect.Sink
	lines   *detect.Lines
	block   []byte
	inside  bool
	certs   int
	expires time.Time // the last
}

func (b *bundle) Window(w detect.Window) { b.lines.Window(w) }

func (b *bundle) line(l detect.Line) {
	switch {
	case bytes.HasPrefix(l.Text, []byte("-----BEGIN ")):
		b.block, b.inside = b.block[:0], true
	case !b.inside:
		return
	}
	if b.block = append(append(b.block, l.Text...), '\n'); len(b.block) > maxCertificate {
		b.inside = false
	}
	if b.inside && bytes.HasPrefix(l.Text, []byte("-----END ")) {
		b.inside = false
		if p, _ := pem.Decode(b.block); p != nil {
			if c, err := x509.ParseCertificate(p.Bytes); err == nil {
				b.certs++
				if c.NotAfter.After(b.expires) {
					b.expires = c.NotAfter
				}
			}
		}
	}
}

func (b *bundle) Close() {
	b.lines.Close()
	if b.certs > 0 {
		b.sink.FoundFrom("Certificate authorities that have all expired", 0, b.expires)
	}
}
