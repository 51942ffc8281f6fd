// Package gitleaks converts what gitleaks' configuration says to policies and
// exceptions of phigate, as far as they can say it, and lists what they cannot.
// The format is that of gitleaks 8 (its README, section Configuration).
package gitleaks

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/phigate/phigate/policy"
)

// MaxSize bounds a configuration, in bytes; gitleaks' own has some 100 kB.
const MaxSize = 2 << 20

// configuration is the file as gitleaks reads it.
type configuration struct {
	Title       string `toml:"title"`
	Description string `toml:"description"`
	MinVersion  string `toml:"minVersion"`
	Extend      struct {
		UseDefault    bool     `toml:"useDefault"`
		Path          string   `toml:"path"`
		URL           string   `toml:"url"`
		DisabledRules []string `toml:"disabledRules"`
	} `toml:"extend"`
	Rules      []rule      `toml:"rules"`
	Allowlist  *allowlist  `toml:"allowlist"` // before 8.25
	Allowlists []allowlist `toml:"allowlists"`
}

type rule struct {
	ID          string      `toml:"id"`
	Description string      `toml:"description"`
	Regex       string      `toml:"regex"`
	Path        string      `toml:"path"`
	SecretGroup int         `toml:"secretGroup"`
	Entropy     float64     `toml:"entropy"`
	Keywords    []string    `toml:"keywords"`
	Tags        []string    `toml:"tags"`
	Allowlist   *allowlist  `toml:"allowlist"` // before 8.21
	Allowlists  []allowlist `toml:"allowlists"`
}

// allowlist passes over what fits one of its parts, or with the condition AND
// each of them.
type allowlist struct {
	Description string   `toml:"description"`
	Condition   string   `toml:"condition"`
	TargetRules []string `toml:"targetRules"`
	Commits     []string `toml:"commits"`
	Paths       []string `toml:"paths"`
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
}

// read parses a configuration and names the keys that are not gitleaks'. Texts
// of the parser can hold values, so only its positions are passed on.
func read(data []byte) (c configuration, unknown []string, err error) {
	if len(data) > MaxSize {
		return c, nil, fmt.Errorf("the configuration has more than %d bytes", MaxSize)
	}
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	err = d.Decode(&c)
	var missing *toml.StrictMissingError
	var broken *toml.DecodeError
	switch {
	case errors.As(err, &missing):
		for _, e := range missing.Errors {
			unknown = append(unknown, policy.Printable(strings.Join(e.Key(), ".")))
		}
		return c, unknown, nil
	case errors.As(err, &broken):
		line, column := broken.Position()
		return c, nil, fmt.Errorf("not valid TOML of its kind at line %d, column %d", line, column)
	case err != nil:
		return c, nil, errors.New("not valid TOML of its kind")
	}
	return c, nil, nil
}

// all are the allowlists of a rule, in both of their spellings.
func (r *rule) all() []allowlist {
	if r.Allowlist != nil {
		return append([]allowlist{*r.Allowlist}, r.Allowlists...)
	}
	return r.Allowlists
}

func (c *configuration) all() []allowlist {
	if c.Allowlist != nil {
		return append([]allowlist{*c.Allowlist}, c.Allowlists...)
	}
	return c.Allowlists
}
