package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// contestant is a program that is measured.
type contestant struct {
	name   string
	argv   []string
	warmUp []string // what runs before measuring; nil: argv
	fine   []int    // exit codes besides 0 that say that it ran well
	rounds int      // in how many it takes part; negative: all
	logs   bool     // what it found is in its log (stderr), not in its output
	// found reads from its output what it found, in few words and without content.
	found func(out *os.File) (string, error)

	result  string // of found
	samples []sample
}

// The names of contestants that goals are about.
const (
	nameScan    = "phigate scan"
	nameRaw     = "phigate scan, nothing inflated"
	nameOne     = "phigate scan, 1 worker"
	nameTwo     = "phigate scan, 2 workers"
	nameRead    = "reading alone, 1 thread"
	nameCat     = "find and cat"
	nameRipgrep = "ripgrep, 10 PHI expressions"
	nameSecrets = "gitleaks, defaults"
	nameOnce    = "phigate scan, a layer"
	nameTwice   = "phigate scan, the layer twice"
	nameSeven   = "phigate scan, 7 copies"
)

// blocked is what phigate ends with when something blocks.
const blocked = 3

func scanOf(name, phigate, target string, flags ...string) *contestant {
	argv := append([]string{phigate, "scan", "--quiet", "--format", "json"}, flags...)
	return &contestant{name: name, argv: append(argv, target), fine: []int{blocked}, rounds: -1, found: findings}
}

func scans(phigate, tree string) []*contestant {
	target := "dir:" + tree
	return []*contestant{
		scanOf(nameScan, phigate, target),
		scanOf(nameRaw, phigate, target, "--no-expand"),
		scanOf(nameOne, phigate, target, "--workers", "1"),
		scanOf(nameTwo, phigate, target, "--workers", "2"),
	}
}

func readers(self, tree string) []*contestant {
	return []*contestant{
		{name: nameRead, argv: []string{self, "-read", tree}, rounds: -1, found: lastLine},
		{name: nameCat, argv: []string{"sh", "-c", `find "$1" -type f -print0 | xargs -0 cat >/dev/null`, "sh", tree}, rounds: -1},
	}
}

// expressions are what a person who greps for PHI would take, each for one format
// or identifier.
func expressions() []string {
	return []string{
		`\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b`,                             // social security number
		`(?i)\b(mrn|medical[ _-]?record)[^0-9\n]{0,20}[0-9]{5,10}\b`, // medical record number
		`\b[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9][AC-HJKMNP-RT-Y]{2}[0-9]{2}\b`, // MBI
		`MSH\|\^~\\&\|`,                    // HL7 v2
		`ISA\*[0-9]{2}\*.{10}\*[0-9]{2}\*`, // X12
		`"resourceType"\s*:\s*"Patient"`,   // FHIR
		`urn:hl7-org:v3`,                   // CDA
		`\x00{16}DICM`,                     // DICOM
		`(?i)\b(dob|date[ _-]?of[ _-]?birth)\W{1,5}[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}\b`, // date of birth
		`(?i)\b(member|subscriber)[ _-]?id\W{1,5}[A-Z0-9]{6,12}\b`,                           // of a health plan
	}
}

func ripgrep(tree string) *contestant {
	argv := []string{"rg", "-a", "--no-unicode", "--no-ignore", "--hidden", "-uuu", "--no-config", "--count-matches", "--no-filename"}
	for _, e := range expressions() {
		argv = append(argv, "-e", e)
	}
	// It ends with 1 when nothing matches.
	return &contestant{name: nameRipgrep, argv: append(argv, tree), fine: []int{1}, rounds: -1, found: matches}
}

// secrets is gitleaks. The others have warmed the cache with the tree, and a round
// of it takes minutes, so that only the program itself is warmed.
func secrets(program, tree string, rounds int) *contestant {
	argv := []string{program, "dir", "--no-banner", "--no-color", "--redact", "--exit-code", "0"}
	return &contestant{name: nameSecrets, argv: append(argv, tree), warmUp: []string{program, "version"}, rounds: rounds, logs: true, found: leaks}
}

// findings counts what phigate found, by the rules of its report, and the files
// among them that were planted.
func findings(out *os.File) (string, error) {
	var report struct {
		Findings []struct {
			Rule string `json:"rule"`
			Path string `json:"path"`
		} `json:"findings"`
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&report); err != nil {
		return "", err
	}
	rules, files := map[string]bool{}, map[string]bool{}
	for _, f := range report.Findings {
		rules[f.Rule] = true
		if _, name, ok := strings.Cut(f.Path, plantedAt); ok {
			name, _, _ = strings.Cut(name, "!")
			files[name] = true
		}
	}
	return fmt.Sprintf("%d findings of %d rules, %d planted files", len(report.Findings), len(rules), len(files)), nil
}

// matches adds what ripgrep counted in each file.
func matches(out *os.File) (string, error) {
	sum, files := 0, 0
	err := eachLine(out, func(line string) error {
		n, err := strconv.Atoi(line)
		sum, files = sum+n, files+1
		return err
	})
	return fmt.Sprintf("%d matches in %d files", sum, files), err
}

// leakCount is how gitleaks ends its log.
var leakCount = regexp.MustCompile(`leaks found: (\d+)|(no leaks found)`)

func leaks(out *os.File) (string, error) {
	result := ""
	err := eachLine(out, func(line string) error {
		if m := leakCount.FindStringSubmatch(line); m != nil {
			result = "0 leaks"
			if m[1] != "" {
				result = m[1] + " leaks"
			}
		}
		return nil
	})
	return result, err
}

func lastLine(out *os.File) (string, error) {
	last := ""
	err := eachLine(out, func(line string) error {
		last = line
		return nil
	})
	return last, err
}

func eachLine(out *os.File, take func(line string) error) error {
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if err := take(strings.TrimSpace(lines.Text())); err != nil {
			// The line may quote what was matched; how it is wrong would tell it.
			return errors.New("a line of its output is not as expected")
		}
	}
	return lines.Err()
}

// readAll reads each regular file once and does nothing else with it: what any
// scan costs at least.
func readAll(out io.Writer, tree string) error {
	buf := make([]byte, 256<<10)
	files, size := 0, int64(0)
	err := eachFile(tree, func(path string) error {
		n, err := readFile(path, buf)
		files, size = files+1, size+n
		return err
	})
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(tree), err)
	}
	_, err = fmt.Fprintf(out, "%d files, %.1f MB\n", files, float64(size)/1e6)
	return err
}

func readFile(path string, buf []byte) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for {
		n, err := f.Read(buf)
		size += int64(n)
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}
