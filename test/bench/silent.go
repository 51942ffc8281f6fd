package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"

	"github.com/phigate/phigate/test/node"
)

// silentName is the plugin that answers nil at once. It subscribes to what phigate
// does, so that what it costs is what NRI costs whoever answers.
const silentName = "silent"

func (b *bench) all() []*node.Node { return []*node.Node{b.with, b.silent, b.without} }

// beginSilent starts the node whose required plugin is this program again.
func (b *bench) beginSilent(ctx context.Context) (err error) {
	if b.silent, err = node.Start(ctx, node.Options{Require: []string{silentName}}); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	b.plugin, err = node.Run(node.Command{Path: self, Args: []string{"-silent", b.silent.NRISocket}, Log: filepath.Join(b.silent.Dir, silentName+".log")})
	if err != nil {
		return err
	}
	return b.silentRegistered(ctx)
}

// silentRegistered waits until containers are created there.
func (b *bench) silentRegistered(ctx context.Context) error {
	for {
		data, err := os.ReadFile(b.plugin.Log())
		if err == nil && string(data) == registered {
			return nil
		}
		if !b.plugin.Running() {
			return fmt.Errorf("the plugin that answers nil has ended: %s", data)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// registered is what the plugin prints once the runtime has synchronised with it.
const registered = "registered\n"

// answerNil is the plugin.
func answerNil(ctx context.Context, socket string) error {
	st, err := stub.New(answersNil{}, stub.WithSocketPath(socket), stub.WithPluginName(silentName), stub.WithPluginIdx("99"), stub.WithLogger(quiet{}))
	if err != nil {
		return fmt.Errorf("making the plugin that answers nil: %w", err)
	}
	if err := st.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

type answersNil struct{}

func (answersNil) Synchronize(context.Context, []*api.PodSandbox, []*api.Container) ([]*api.ContainerUpdate, error) {
	fmt.Print(registered)
	return nil, nil
}

func (answersNil) ValidateContainerAdjustment(context.Context, *api.ValidateContainerAdjustmentRequest) error {
	return nil
}

func (answersNil) StartContainer(context.Context, *api.PodSandbox, *api.Container) error { return nil }

func (answersNil) RemoveContainer(context.Context, *api.PodSandbox, *api.Container) error { return nil }

// quiet keeps the stub's own words out of what the plugin prints.
type quiet struct{}

func (quiet) Debugf(context.Context, string, ...any) {}
func (quiet) Infof(context.Context, string, ...any)  {}
func (quiet) Warnf(context.Context, string, ...any)  {}
func (quiet) Errorf(context.Context, string, ...any) {}
