package config

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/phigate/phigate/policy"
)

// fileEntry is an entry of scanner file.
//
// `name:` is a glob on the base name, in the case that it is written in.
// `path:` with a slash at the end is the folder and all below it. Without the
// slash it is the file of exactly that path and, where that is a folder, all
// below it too: leaving the slash out never lets more through.
type fileEntry struct {
	glob   string
	path   string // cleaned, without the slash at the end; "/" is the root itself
	folder bool
}

func (e fileEntry) String() string {
	switch {
	case e.glob != "":
		return e.glob
	case e.folder && e.path != "/":
		return e.path + "/"
	default:
		return e.path
	}
}

// matches says whether a file, as an absolute path in the root, fits.
func (e fileEntry) matches(file string) bool {
	if e.glob != "" {
		return matchName(e.glob, file)
	}
	return below(file, e.path) || !e.folder && file == e.path
}

// matchName says whether a file's base name fits a glob. Plain names and
// endings, "*.csv", are most globs, and a million names are asked about.
func matchName(glob, file string) bool {
	name := path.Base(file)
	if ending, ok := strings.CutPrefix(glob, "*"); ok && !strings.ContainsAny(ending, globSigns) {
		return strings.HasSuffix(name, ending)
	}
	if !strings.ContainsAny(glob, globSigns) {
		return name == glob
	}
	ok, err := doublestar.Match(glob, name)
	return ok && err == nil
}

// globSigns are what doublestar does not take literally.
const globSigns = `*?[]{}\`

// below says whether a path lies under a folder and is not the folder itself.
func below(file, folder string) bool {
	if folder == "/" {
		return strings.HasPrefix(file, "/") && file != "/"
	}
	return len(file) > len(folder) && file[len(folder)] == '/' && file[:len(folder)] == folder
}

// compileFile makes a rule on file names and, where it names folders, one of
// the same ID on mounts to and from there.
func compileFile(src *source, r *parsedRule, d *policy.Document) {
	var entries []fileEntry
	for _, e := range r.entries {
		fe, ok := src.fileEntry(e)
		if !ok {
			return
		}
		entries = append(entries, fe)
	}
	src.warnStock(r, entries)
	d.FileRules = append(d.FileRules, policy.FileRule{
		Info: r.info, Prefixes: prefixes(entries), Message: "forbidden file",
		Match: func(file string) bool {
			return holds(entries, r.all, func(e fileEntry) bool { return e.matches(file) })
		},
	})
	if len(prefixes(entries)) > 0 {
		d.Rules = append(d.Rules, mountRule(r, entries))
	}
}

// holds says whether one, or every, entry passes a test.
func holds[T any](entries []T, all bool, test func(T) bool) bool {
	for _, e := range entries {
		if test(e) != all {
			return !all
		}
	}
	return all
}

func (s *source) fileEntry(e entry) (fileEntry, bool) {
	if e.key == "name" {
		if strings.Contains(e.value, "/") {
			s.problem(e.at, "name: is a glob on a file's base name and holds no slash, and here is %s; use path: for folders", shown(e.value))
			return fileEntry{}, false
		}
		return fileEntry{glob: e.value}, s.glob(e.at, e.value)
	}
	clean := path.Clean(e.value)
	switch {
	case !strings.HasPrefix(e.value, "/"):
		s.problem(e.at, "path: must be absolute, and here is %s; begin it with /", shown(e.value))
	case strings.ContainsAny(e.value, "*?"):
		s.problem(e.at, "path: is no glob, and here is %s; name the folder, and use name: for file names", shown(e.value))
	case strings.Contains(e.value+"/", "/../"):
		s.problem(e.at, "path: must not hold .., and here is %s", shown(e.value))
	case len(e.value) > 4096:
		s.problem(e.at, "path: is longer than 4096 bytes, so no file can have it")
	default:
		return fileEntry{path: clean, folder: strings.HasSuffix(e.value, "/")}, true
	}
	return fileEntry{}, false
}

// prefixes are the folders that paths lead through, for the image's links.
func prefixes(entries []fileEntry) []string {
	var out []string
	for _, e := range entries {
		switch {
		case e.path == "":
		case e.path == "/":
			out = append(out, "/")
		default:
			out = append(out, e.path+"/")
			if parent := path.Dir(e.path); !e.folder && parent != "/" {
				out = append(out, parent+"/")
			}
		}
	}
	return out
}

// mountRule finds mounts whose target lies in a folder of the rule, and mounts
// of a host's path there. A mount of a parent of it from the host brings the
// folder along, and counts too. With match.all a mount must also bear the name.
func mountRule(r *parsedRule, entries []fileEntry) policy.Rule {
	return policy.Rule{
		Info: r.info, Needs: policy.FactMounts,
		Check: func(s *policy.Subject) []policy.Finding {
			if s.Spec == nil {
				return nil
			}
			var out []policy.Finding
			for i, m := range s.Spec.Mounts {
				to := path.Clean("/" + m.Destination)
				from := sources(s, m.Source)
				message, field := "", ""
				if holds(entries, r.all, func(e fileEntry) bool {
					what, where := e.mount(to, from)
					if what != "" && (message == "" || e.path != "") {
						message, field = what, where
					}
					return what != ""
				}) {
					out = append(out, policy.Finding{
						Rule: r.info.ID, Message: message,
						Where: policy.Where{Field: fmt.Sprintf("mounts[%d].%s", i, field)},
					})
				}
			}
			return out
		},
	}
}

// sources are a mount's host path as written and with its links resolved;
// none for file systems that come from no path, such as proc.
func sources(s *policy.Subject, source string) []string {
	if !strings.HasPrefix(source, "/") {
		return nil
	}
	out := []string{path.Clean(source)}
	if real, ok := s.Host.RealPath[source]; ok && s.Sees.Has(policy.FactHostPaths) && strings.HasPrefix(real, "/") {
		out = append(out, path.Clean(real))
	}
	return out
}

// mount says how a mount fits the entry and in which of its fields; empty: not.
func (e fileEntry) mount(to string, from []string) (message, field string) {
	if e.glob != "" {
		if matchName(e.glob, to) {
			return "forbidden name of a mount", "destination"
		}
		for _, f := range from {
			if matchName(e.glob, f) {
				return "forbidden name of a mount", "source"
			}
		}
		return "", ""
	}
	if to == e.path || below(to, e.path) {
		return "mount to the forbidden path " + policy.Printable(to), "destination"
	}
	for _, f := range from {
		switch {
		case f == e.path || below(f, e.path):
			return "mount from the forbidden path " + policy.Printable(f), "source"
		case below(e.path, f):
			return "mount from " + policy.Printable(f) + ", which holds the forbidden path " + policy.Printable(e.path), "source"
		}
	}
	return "", ""
}
