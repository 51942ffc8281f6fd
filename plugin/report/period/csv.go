package period

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// JSON writes the report, indented.
func JSON(w io.Writer, r *Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return wrote(enc.Encode(r))
}

func wrote(err error) error {
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

// CSV writes the violations as a table (RFC 4180), one a row, for a spreadsheet.
// The first row names the columns; times are RFC 3339 in UTC; lists are separated
// by a blank and a bar.
func CSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	write := func(cells ...string) error {
		for i, cell := range cells {
			cells[i] = harmless(cell)
		}
		return out.Write(cells)
	}
	err := write("rule", "title", "severity", "action", "citations", "image", "image digest", "targets", "places", "findings", "decisions",
		"first seen", "last seen", "people low", "people point", "people high", "test data", "exceptions", "fix", "evidence")
	for _, v := range r.Violations {
		if err != nil {
			break
		}
		err = write(v.Rule, v.Title, v.Severity.String(), v.Action.String(), bars(v.Citations), v.Image, v.ImageDigest, bars(v.Targets), bars(v.Places),
			strconv.Itoa(v.Findings), strconv.Itoa(v.Decisions), v.First.Format(time.RFC3339), v.Last.Format(time.RFC3339),
			strconv.Itoa(v.Individuals.Low), strconv.Itoa(v.Individuals.Point), strconv.Itoa(v.Individuals.High),
			strconv.FormatBool(v.Synthetic), bars(v.Exceptions), v.Fix, bars(named(v.Evidence)))
	}
	if err == nil {
		out.Flush()
		err = out.Error()
	}
	return wrote(err)
}

func bars(list []string) string { return strings.Join(list, " | ") }

func named(list []Evidence) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Log+" "+strconv.FormatUint(e.Seq, 10))
	}
	return out
}

// harmless keeps a spreadsheet from taking text for a formula: what begins like
// one gets an apostrophe before it, which spreadsheets hide.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
