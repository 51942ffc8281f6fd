package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the command phigate for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"phigate": func() { os.Exit(Main(os.Args[1:], "v0.0.0-test", os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/*.txtar: what a person types and what they read.
func TestScripts(t *testing.T) {
	deploy, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scanCommands(),
		Setup: func(env *testscript.Env) error {
			env.Setenv("DEPLOY", deploy+"/../../deploy")
			return nil
		},
	})
}
