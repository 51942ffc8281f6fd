package gate

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// Image is the name of an image for tests: a local one, which nobody pulls.
func Image(name string) string { return "localhost/" + name + ":1" }

// Make builds an image on top of busybox.
func Make(changes ...images.Change) (v1.Image, error) {
	base, err := images.Base()
	if err != nil {
		return nil, err
	}
	return images.With(base, changes...)
}

// Patients is a table of n synthetic patients, the same at each call. No value
// belongs to anybody: the names are numbered, and social security numbers
// beginning with 9 are never given out (20 CFR 422.103).
func Patients(n int) string {
	table := "mrn,last_name,first_name,dob,ssn,diagnosis\n"
	for i := range n {
		table += fmt.Sprintf("MRN%07d,Testpatient%d,Synthetic,19%02d-%02d-%02d,%03d-%02d-%04d,E11.9\n",
			1000000+i, i, 30+i%60, 1+i%12, 1+i%28, 900+i%99, 10+i%89, 1000+i%8999)
	}
	return table
}

// Sleeps is a container that stays, and is as compliant as can be, with what
// the edits change.
func Sleeps(image string, edits ...func(*node.ContainerOptions)) node.ContainerOptions {
	o := node.ContainerOptions{
		Name: "app-" + strings.ToLower(rand.Text()[:8]), Image: image, Command: []string{"/bin/sleep", "1000"},
		User: 1000, ReadonlyRoot: true, NoNewPrivs: true,
	}
	for _, edit := range edits {
		edit(&o)
	}
	return o
}

// Unasked says whether the runtime refused without an answer of phigated's.
func Unasked(err error) bool {
	return err != nil && (strings.Contains(err.Error(), `required plugin "phigate" not present`) ||
		strings.Contains(err.Error(), "validator plugin 99-phigate failed"))
}

// Do runs the steps until one fails.
func Do(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
