package settings

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// RuleCertificates is what an image without any bundle is reported under, too, by
// whoever sees the whole image.
const RuleCertificates = "stale-ca-bundle"

// Bundles are where distributions keep the certificate authorities that programs
// trust (crypto/x509, root_linux.go).
func Bundles() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"}
}

// Certificates judges the bundle of certificate authorities that programs trust.
// It is a violation from the day on which the last of them expires. How old the
// file is does not count: images set all times to one.
func Certificates() detect.Detector {
	info := policy.Info{
		ID:       RuleCertificates,
		Aliases:  []string{"SEC-017"},
		Title:    "Certificate authorities that have all expired, or are not there",
		Cites:    []hipaa.Citation{hipaa.Authentication},
		Severity: policy.Medium,
		Default:  policy.Audit,
		Visible:  true,
		Rationale: "Who is at the other end must be verified (164.312(d)). With a bundle whose certificates have expired, or without one, programs cannot, and " +
			"people then switch verification off.",
		Fix: "Install or update ca-certificates in the image.",
	}
	return detect.Detector{Info: info, Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
		if slices.Contains(Bundles(), m.Path) {
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
