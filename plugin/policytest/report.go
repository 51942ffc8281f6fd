package policytest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/phigate/phigate/policy"
)

// Text writes the cases that failed, each with what was found, and one line of
// summary; all of them where verbose is set.
func Text(w io.Writer, results []Result, verbose bool) error {
	var b strings.Builder
	failed := 0
	for _, r := range results {
		name := policy.Printable(r.Test + ": " + r.Case)
		if r.Pass {
			if verbose {
				fmt.Fprintf(&b, "ok    %s\n", name)
			}
			continue
		}
		failed++
		fmt.Fprintf(&b, "FAIL  %s (%s)\n", name, policy.Printable(r.Source))
		writeLines(&b, "      ", r.lines())
	}
	if failed == 0 {
		fmt.Fprintf(&b, "ok: %s\n", cases(len(results)))
	} else {
		fmt.Fprintf(&b, "%d of %s failed\n", failed, cases(len(results)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cases(n int) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}

func writeLines(b *strings.Builder, indent string, lines []string) {
	for _, line := range lines {
		b.WriteString(indent + line + "\n")
	}
}

// lines say why a case failed.
func (r *Result) lines() []string {
	if r.Error != "" {
		return []string{policy.Printable(r.Error)}
	}
	out := append([]string{}, r.Failures...)
	if len(r.Got) == 0 {
		return append(out, "found: nothing")
	}
	out = append(out, "found:")
	for _, g := range r.Got {
		out = append(out, "  "+g)
	}
	return out
}

// Failed says whether a case did not pass.
func Failed(results []Result) bool {
	for _, r := range results {
		if !r.Pass {
			return true
		}
	}
	return false
}

// The elements of JUnit's XML that CI systems read; there is no specification,
// this is the common part of what Jenkins, GitLab and GitHub's actions take.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the results for CI systems: a suite for each document, in their
// order. Times are in seconds.
func JUnit(w io.Writer, results []Result) error {
	var out junitSuites
	var took time.Duration
	for _, r := range results {
		if n := len(out.Suites); n == 0 || out.Suites[n-1].Name != r.Test {
			out.Suites, took = append(out.Suites, junitSuite{Name: r.Test}), 0
		}
		s := &out.Suites[len(out.Suites)-1]
		c := junitCase{Class: r.Test, Name: r.Case, File: r.Source, Time: seconds(r.Took)}
		text := strings.Join(r.lines(), "\n")
		switch {
		case r.Error != "":
			s.Errors++
			c.Error = &junitMessage{Message: policy.Printable(r.Error), Text: text}
		case !r.Pass:
			s.Failures++
			c.Failure = &junitMessage{Message: r.Failures[0], Text: text}
		}
		s.Tests++
		took += r.Took
		s.Time = seconds(took)
		s.Cases = append(s.Cases, c)
	}
	data, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("writing JUnit's XML: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
