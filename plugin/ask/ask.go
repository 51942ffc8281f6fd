// Package ask is what the commands say to phigated over its socket: HTTP/1.1
// with JSON on a unix socket that root alone may open.
package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// StatusPath is the resource that answers with a [Status].
const StatusPath = "/v1/status"

// ImagePath is the resource that answers with an [Image], for the parameters name and digest.
const ImagePath = "/v1/image"

// Image says whether an image may come to this node.
type Image struct {
	Refused bool   `json:"refused"`
	Line    string `json:"line"` // why not, or why it is let in; one line
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 4 << 20

// Status is how phigated is.
type Status struct {
	Version string        `json:"version"`
	Started time.Time     `json:"started"`
	Runtime RuntimeStatus `json:"runtime"`
	Policy  PolicyStatus  `json:"policy"`
	Scan    ScanStatus    `json:"scan"`
	Log     LogStatus     `json:"log"`
	Bypass  BypassStatus  `json:"bypass"`
	// Software says with what the software of images is compared.
	Software SoftwareStatus `json:"software"`
	// Journal is nil where nothing is sent there.
	Journal *JournalStatus `json:"journal,omitempty"`
}

// SoftwareStatus says how old the facts are that software is compared with.
type SoftwareStatus struct {
	Table      string    `json:"table"`           // the day of the built-in table, "2026-08-22"
	Given      bool      `json:"given"`           // the operator supplies advisories
	Advisories int       `json:"advisories"`      // that are in force
	Newest     time.Time `json:"newest,omitzero"` // when the newest of them was modified
	Error      string    `json:"error,omitempty"` // what of them cannot be read
}

// JournalStatus says how far the log has come into the journal.
type JournalStatus struct {
	Sent      uint64    `json:"sent"`            // the last record that journald has accepted
	Confirmed uint64    `json:"confirmed"`       // all up to it were read back
	Since     time.Time `json:"since,omitzero"`  // since when no more was, where something is waited for
	Error     string    `json:"error,omitempty"` // why the journal is not reached, or cannot be read back
	ReadBack  bool      `json:"readBack"`        // what is sent is read back at all
}

// RuntimeStatus says whether phigate stands in the runtime's way.
type RuntimeStatus struct {
	Connected bool      `json:"connected"`
	Name      string    `json:"name,omitempty"`
	Gate      string    `json:"gate,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Error     string    `json:"error,omitempty"`
}

// PolicyStatus says what is in force.
type PolicyStatus struct {
	Digest   string   `json:"digest"`
	Names    []string `json:"names"`
	LastGood bool     `json:"lastGood"`        // what is in force is not what the files say
	Error    string   `json:"error,omitempty"` // why what the files say is not in force
}

// ScanStatus says how far the scan of images is.
type ScanStatus struct {
	Idle    bool   `json:"idle"`
	Waiting int    `json:"waiting"`         // layers and chains
	Error   string `json:"error,omitempty"` // why containerd cannot be asked, and all is refused
}

// LogStatus says how the decision log is.
type LogStatus struct {
	Last  time.Time `json:"last,omitzero"`
	Error string    `json:"error,omitempty"` // why nothing can be recorded, and all is refused
	ID    string    `json:"id,omitempty"`    // of the log: the origin of its checkpoints
	Seq   uint64    `json:"seq"`             // of the last durable record
	// Bytes is the size of the segments on the node.
	Bytes      int64     `json:"bytes"`
	Checkpoint uint64    `json:"checkpoint"` // records that the newest checkpoint covers
	Signed     time.Time `json:"signed,omitzero"`
	// Enrolled says that the first key of the macs is with the auditor and not on
	// the node.
	Enrolled bool           `json:"enrolled"`
	Archive  string         `json:"archive,omitempty"` // why segments do not leave the node
	Outlets  []OutletStatus `json:"outlets,omitempty"`
}

// OutletStatus says how far checkpoints have come to one place off the node.
type OutletStatus struct {
	Name  string    `json:"name"`
	Size  uint64    `json:"size"` // records that the last checkpoint there covers
	Time  time.Time `json:"time,omitzero"`
	Error string    `json:"error,omitempty"`
	Alarm bool      `json:"alarm,omitempty"` // a witness contradicts the log
}

// BypassStatus says what ran, since phigated started, without having passed a gate.
type BypassStatus struct {
	Watching bool       `json:"watching"`
	Error    string     `json:"error,omitempty"` // why containerd's containers are not watched
	Unjudged int        `json:"unjudged"`        // containers that no gate has judged
	Killed   int        `json:"killed"`          // of those
	Pods     int        `json:"pods"`            // sandboxes of pods, whose containers are judged
	Builds   int        `json:"builds"`          // steps of BuildKit's builds
	Hint     string     `json:"hint,omitempty"`  // what to do about the unjudged
	Recent   []Bypasser `json:"recent,omitempty"`
}

// Bypasser is a container that no gate has judged.
type Bypasser struct {
	Namespace string    `json:"namespace"` // containerd's
	ID        string    `json:"id"`
	Image     string    `json:"image,omitempty"`
	Client    string    `json:"client"` // "docker", "nerdctl", "ctr": as it seems
	Time      time.Time `json:"time"`
	Seq       uint64    `json:"seq,omitempty"` // the decision
	Killed    bool      `json:"killed,omitempty"`
}

// GetStatus asks the phigated behind the socket. It takes at most 5 s.
func GetStatus(ctx context.Context, socket string) (*Status, error) {
	var s Status
	if err := get(ctx, socket, StatusPath, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// GetImage asks about an image that is about to be pulled. It takes at most 5 s.
func GetImage(ctx context.Context, socket, name, digest string) (Image, error) {
	var i Image
	err := get(ctx, socket, ImagePath+"?"+url.Values{"name": {name}, "digest": {digest}}.Encode(), &i)
	return i, err
}

func get(ctx context.Context, socket, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://phigated"+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return explain(socket, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking phigated at %s: it answered %s", socket, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("asking phigated at %s: its answer is not one: %w", socket, err)
	}
	return nil
}

// explain adds the next step to what the system says.
func explain(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("phigated does not answer at %s: is it running? (systemctl status phigated)", socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("phigated's socket %s may be opened by root alone: run this as root", socket)
	default:
		var request *url.Error
		if errors.As(err, &request) {
			err = request.Err // without the name of a host that is none
		}
		return fmt.Errorf("asking phigated at %s: %w", socket, err)
	}
}
