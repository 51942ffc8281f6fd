package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/phigate/phigate/policy"
)

// registry is an image in a registry, with Docker's credentials of the user.
// Its layers are read as they come over the network and not kept.
func (t *Target) registry(ctx context.Context, text string) error {
	shown := policy.Printable(Redact(text))
	if Redact(text) != text {
		return input("%s was given with credentials: log in with `docker login` and name the image alone", shown)
	}
	ref, err := name.ParseReference(text)
	if err != nil {
		return input("%s is no reference to an image; write NAME:TAG or HOST/NAME:TAG", shown)
	}
	from := remoteBlobs{repo: ref.Context(), options: []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("phigate"), remote.WithTransport(transportOf()),
	}}
	// Docker Hub by the name that containerd and the kubelet give it.
	t.Image.Ref = strings.Replace(ref.Name(), "index.docker.io/", "docker.io/", 1)
	desc, err := remote.Get(ref, from.options...)
	if err != nil {
		return explain(shown, ref.Context().RegistryStr(), err)
	}
	if err := t.resolve(ctx, from, desc.Digest); err != nil {
		return fmt.Errorf("reading %s: %w", shown, err)
	}
	return nil
}

// remoteBlobs is a repository of a registry.
type remoteBlobs struct {
	repo    name.Repository
	options []remote.Option
}

func (r remoteBlobs) manifest(_ context.Context, digest v1.Hash) (io.ReadCloser, error) {
	desc, err := remote.Get(r.repo.Digest(digest.String()), r.options...)
	if err != nil {
		return nil, explain("the manifest "+digest.String(), r.repo.RegistryStr(), err)
	}
	return io.NopCloser(bytes.NewReader(desc.Manifest)), nil
}

func (r remoteBlobs) blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	layer, err := remote.Layer(r.repo.Digest(digest.String()), append(slices.Clone(r.options), remote.WithContext(ctx))...)
	var stream io.ReadCloser
	if err == nil {
		stream, err = layer.Compressed()
	}
	if err != nil {
		cancel(nil)
		return nil, explain("blob "+digest.String(), r.repo.RegistryStr(), err)
	}
	return &lively{ctx: ctx, stream: stream, cancel: cancel, patience: patience}, nil
}

// patience is how long a registry may be silent in an answer.
const patience = time.Minute

var errSilent = errors.New("the registry stopped sending: try again")

// lively is a stream that fails when it stalls.
type lively struct {
	ctx      context.Context
	stream   io.ReadCloser
	cancel   context.CancelCauseFunc
	patience time.Duration
}

func (l *lively) Read(p []byte) (int, error) {
	timer := time.AfterFunc(l.patience, func() { l.cancel(errSilent) })
	defer timer.Stop()
	n, err := l.stream.Read(p)
	if err != nil && err != io.EOF && context.Cause(l.ctx) == errSilent {
		err = errSilent
	}
	return n, err
}

func (l *lively) Close() error {
	l.cancel(nil)
	return l.stream.Close()
}

// transportOf is the usual transport with an end to waiting for an answer.
func transportOf() http.RoundTripper {
	t, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return remote.DefaultTransport
	}
	t = t.Clone()
	t.ResponseHeaderTimeout = patience
	return t
}

// explain adds the next step to a registry's answer.
func explain(what, host string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	host = policy.Printable(host)
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return input("reading %s from %s: %w", what, host, errors.New(policy.Printable(oneLine(err))))
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return input("%s is not in the registry %s: check name and tag", what, host)
	case http.StatusUnauthorized, http.StatusForbidden:
		return input("the registry %s does not let you read %s: check the name, and log in with `docker login %s`", host, what, host)
	case http.StatusTooManyRequests:
		return input("the registry %s answers that there were too many requests: log in with `docker login %s`, or try later", host, host)
	}
	return input("reading %s from %s: the registry answered %d %s", what, host, answer.StatusCode, http.StatusText(answer.StatusCode))
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
