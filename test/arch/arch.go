// Package arch holds the house together: which package may import which, and
// what else no file may do. Its test reads the files themselves.
package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	module    = "github.com/phigate/phigate"
	mainLimit = 40  // lines of a main: it wires and does nothing
	fileLimit = 500 // lines of a file, beyond which it holds two topics
)

// Check reads all Go files below root and returns what breaks the rules, as
// "file:line: what: why", in the order of the files.
func Check(root fs.FS) ([]string, error) {
	c := checker{root: root, rules: rules()}
	if err := fs.WalkDir(root, ".", c.visit); err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	return c.broken, nil
}

type checker struct {
	root   fs.FS
	rules  []rule
	broken []string
}

func (c *checker) fail(name string, line int, format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf("%s:%d: %s", name, line, fmt.Sprintf(format, args...)))
}

func (c *checker) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if d.IsDir() {
		return c.folder(name)
	}
	if path.Ext(name) == ".go" {
		return c.file(name)
	}
	return nil
}

// folder judges a folder's name and says which ones hold no code of this module.
func (c *checker) folder(name string) error {
	base := path.Base(name)
	switch {
	case name == ".":
		return nil
	case strings.HasPrefix(base, ".") || base == "testdata" || name == "bin":
		return fs.SkipDir
	}
	if _, err := fs.Stat(c.root, name+"/go.mod"); err == nil {
		return fs.SkipDir // a module of its own
	}
	if !strings.Contains(name, "/") && !slices.Contains([]string{"policy", "plugin", "hooks", "deploy", "test"}, name) {
		c.fail(name, 1, "a sixth top-level folder: the house has policy, plugin, hooks, deploy and test")
	}
	if slices.Contains([]string{"util", "utils", "common", "helpers", "manager", "types", "models"}, base) {
		c.fail(name, 1, "a package named %s: a name that says nothing gathers everything", base)
	}
	return nil
}

func (c *checker) file(name string) error {
	data, err := fs.ReadFile(c.root, name)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, data, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	pkg := path.Dir(name)
	line := func(n ast.Node) int { return set.Position(n.Pos()).Line }
	lines := bytes.Count(data, []byte("\n"))
	if file.Name.Name == "main" && path.Base(path.Dir(pkg)) == "cmd" && lines > mainLimit {
		c.fail(name, lines, "a main of %d lines, over %d: mains do nothing, so that tests reach everything", lines, mainLimit)
	}
	if lines > fileLimit && !ast.IsGenerated(file) {
		c.fail(name, lines, "%d lines, over %d: a file is one topic", lines, fileLimit)
	}
	if pkg == "." {
		c.fail(name, 1, "Go code at the top: it belongs into one of the five folders")
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			c.fail(name, line(f), "an init function: what runs before main cannot be ordered, tested or left out")
		}
	}
	if strings.HasSuffix(name, "_test.go") {
		return nil
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		c.imports(name, line(spec), pkg, imported)
	}
	if matches([]string{"policy/..."}, pkg) {
		c.pure(name, file, line)
	}
	return nil
}

// imports judges one import by every rule that binds the package.
func (c *checker) imports(name string, line int, pkg, imported string) {
	if rest, ok := strings.CutPrefix(imported, module+"/"); ok {
		imported = rest
	}
	for _, r := range c.rules {
		bound := matches(r.of, pkg) && !matches(r.except, pkg)
		meant := r.about == nil || matches(r.about, imported)
		if bound && meant && !matches(r.only, imported) {
			c.fail(name, line, "%s imports %s: %s", pkg, imported, r.why)
		}
	}
}

// pure finds the clock and goroutines, which imports do not tell.
func (c *checker) pure(name string, file *ast.File, line func(ast.Node) int) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.fail(name, line(n), "a goroutine in policy: a verdict must not depend on which runs first")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
				c.fail(name, line(n), "time.%s in policy: time is a field of the report, so that a verdict can be made again", n.Sel.Name)
			}
		}
		return true
	})
}

// matches says whether one of the patterns names the import or package.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "std" {
			return standard(name)
		}
		prefix, below := strings.CutSuffix(p, "/...")
		return name == prefix || below && strings.HasPrefix(name, prefix+"/")
	})
}

// standard says whether an import is of the standard library: its first part
// has no dot, and it is none of our folders.
func standard(name string) bool {
	first, rest, _ := strings.Cut(name, "/")
	ours := slices.Contains([]string{"policy", "plugin", "hooks", "deploy", "test"}, first)
	return !strings.Contains(first, ".") && (!ours || name == "plugin" && rest == "")
}
