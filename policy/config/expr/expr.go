// Package expr compiles the expressions of policies: conditions of own rules
// and a selector's `when`, in the Common Expression Language
// (github.com/google/cel-spec). An expression reads typed variables and does
// nothing else; what it may cost is bounded when it is compiled and again when
// it is asked.
package expr

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/phigate/phigate/policy"
)

// Bounds of an expression. Costs are in units of CEL's cost model.
const (
	maxText     = 4 << 10   // bytes
	maxDepth    = 32        // of the syntax tree
	maxNodes    = 1000      // of it
	maxEstimate = 4_000_000 // the most that it can cost, as far as sizes are known
	maxCost     = 1_000_000 // what one answer may cost
)

// Language knows the variables. It is made once for all expressions of a policy.
type Language struct{ condition, when *cel.Env }

// New makes the language.
func New() (*Language, error) {
	base, err := cel.NewEnv(append(declarations(),
		cel.ParserRecursionLimit(maxDepth), cel.ParserExpressionSizeLimit(maxText),
		cel.ExpressionNodeLimit(maxNodes), cel.ExpressionNestingDepthLimit(maxDepth),
		cel.EnableMacroCallTracking(), cel.DefaultUTCTimeZone(true),
	)...)
	if err != nil {
		return nil, fmt.Errorf("declaring the variables of expressions: %w", err)
	}
	more, err := base.Extend(cel.Variable("findings", cel.ListType(cel.ObjectType(findingType))), cel.Variable("now", cel.TimestampType))
	if err != nil {
		return nil, fmt.Errorf("declaring the variables of conditions: %w", err)
	}
	return &Language{condition: more, when: base}, nil
}

// Constant says what an expression is whatever its variables are, where that is
// one thing: "false && image.name == 'a'". It is for those who check policies and
// takes as long as compiling does.
func (l *Language) Constant(text string, when bool) (value, constant bool) {
	env := l.condition
	if when {
		env = l.when
	}
	checked, issues := env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return false, false
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return false, false
	}
	var unknown []*cel.AttributePatternType
	for _, name := range []string{"spec", "container", "pod", "image", "node", "findings", "now"} {
		unknown = append(unknown, cel.AttributePattern(name))
	}
	vars, err := cel.PartialVars(map[string]any{}, unknown...)
	if err != nil {
		return false, false
	}
	answer, _, err := program.Eval(vars)
	is, ok := answer.(types.Bool)
	return bool(is), ok && err == nil
}

// Problem is something wrong with an expression, at one place in it.
type Problem struct {
	Line, Column int // in characters, from 1; 0: the expression as a whole
	Message      string
}

// Program is a compiled expression.
type Program struct {
	Needs policy.Facts
	// Field is the first thing that it reads, "image.name".
	Field string
	// OverFindings says that it reads what was found.
	OverFindings bool
	// ByAuthor says that it reads what the pod's or the image's author writes.
	ByAuthor bool
	program  cel.Program
	reads    []string // paths
}

// Condition compiles the condition of a rule, which is true for a violation.
func (l *Language) Condition(text string) (*Program, []Problem) { return compile(l.condition, text) }

// When compiles a selector's `when`. It cannot read findings, which are made
// after documents were selected, nor the time, for which enforceAfter is there.
func (l *Language) When(text string) (*Program, []Problem) { return compile(l.when, text) }

func compile(env *cel.Env, text string) (*Program, []Problem) {
	if strings.TrimSpace(text) == "" || len(text) > maxText {
		return nil, []Problem{{Message: fmt.Sprintf("an expression has 1 to %d bytes", maxText)}}
	}
	checked, issues := env.Compile(text)
	if issues != nil && len(issues.Errors()) > 0 {
		return nil, problems(issues)
	}
	if out := checked.OutputType(); out != cel.BoolType {
		return nil, []Problem{{Message: "the expression must be true or false, and is of type " + cel.FormatCELType(out)}}
	}
	tree := checked.NativeRep()
	p := reading(tree)
	if p.OverFindings {
		if at, ok := monotone(tree); !ok {
			where := tree.SourceInfo().GetStartLocation(at)
			return nil, []Problem{{where.Line(), where.Column() + 1, "findings can only be asked by findings.exists(f, ...) or findings.filter(f, ...).size() > n, " +
				"joined by && and ||, so that a finding more never softens a verdict"}}
		}
	}
	cost, err := env.EstimateCost(checked, sizes{})
	if err != nil || cost.Max > maxEstimate {
		return nil, []Problem{{Message: "the expression can cost too much: a loop within a loop, or over long texts; make it narrower, or two rules of it"}}
	}
	if p.program, err = env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost)); err != nil {
		return nil, []Problem{{Message: "the expression cannot be run: " + err.Error()}}
	}
	return p, nil
}

func problems(issues *cel.Issues) (out []Problem) {
	for _, e := range issues.Errors() {
		// The parser lists what it expected over several lines; the first says enough.
		message, _, _ := strings.Cut(e.Message, "\n")
		out = append(out, Problem{e.Location.Line(), e.Location.Column() + 1, message})
	}
	return out
}

// Reasons why an expression gave no answer. What CEL says itself could hold a
// value of the environment, so it is dropped.
var (
	errCost    = errors.New("the expression costs more than it may")
	errBudget  = errors.New("the expressions of all rules together cost more than they may")
	errAnswer  = errors.New("the expression gave no answer: a key or an element that it asks for is not there, or types do not fit")
	errDigest  = errors.New("not seen here: image digest")
	errNode    = errors.New("not seen here: name of the node")
	errNowhere = fmt.Errorf("%w: what lies at rest is on no node", policy.ErrNothing)
	errNoTruth = errors.New("the expression gave neither true nor false")
)

// Ask evaluates the expression. It fails where something that it reads is not
// known, and says what it cost.
func (p *Program) Ask(c policy.Circumstances, budget uint64) (truth bool, spent uint64, err error) {
	switch s := c.Subject; {
	case budget == 0:
		return false, 0, errBudget
	case s.Image.Digest == "" && p.readsPath("image.digest"):
		return false, 0, errDigest
	case s.Host.Name == "" && p.readsPath("node.name") && s.Never.Has(policy.FactHostKernel):
		return false, 0, errNowhere
	case s.Host.Name == "" && p.readsPath("node.name"):
		return false, 0, errNode
	}
	answer, details, err := p.program.Eval(&activation{given: c})
	if details != nil && details.ActualCost() != nil {
		spent = *details.ActualCost()
	}
	if err != nil {
		if strings.Contains(err.Error(), "cost limit exceeded") {
			return false, maxCost, errCost
		}
		return false, max(spent, 1), errAnswer
	}
	is, ok := answer.(types.Bool)
	if !ok {
		return false, spent, errNoTruth
	}
	return bool(is), spent, nil
}

func (p *Program) readsPath(path string) bool {
	for _, read := range p.reads {
		if read == path || strings.HasPrefix(path, read+".") {
			return true
		}
	}
	return false
}
