package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/phigate/phigate/policy"
)

// facts are what must be seen for a path to mean something. The longest path
// that fits counts; one that ends above a line of the table needs all below it.
func facts() map[string]policy.Facts {
	return map[string]policy.Facts{
		"spec":                         policy.FactSpec,
		"spec.mounts":                  policy.FactMounts,
		"spec.process.args":            policy.FactArgs,
		"spec.process.env":             policy.FactEnv,
		"spec.process.user":            policy.FactUser,
		"spec.process.capabilities":    policy.FactCapabilities,
		"spec.process.noNewPrivileges": policy.FactNoNewPrivileges,
		"spec.process.terminal":        policy.FactTerminal,
		"spec.process.rlimits":         policy.FactRlimits,
		"spec.process.apparmorProfile": policy.FactLSM,
		"spec.process.selinuxLabel":    policy.FactLSM,
		"spec.root.readonly":           policy.FactReadonlyRoot,
		"spec.hostname":                policy.FactMetadata,
		"spec.annotations":             policy.FactMetadata,
		"spec.linux.namespaces":        policy.FactNamespaces,
		"spec.linux.devices":           policy.FactDevices,
		"spec.linux.resources.devices": policy.FactDeviceRules,
		"spec.linux.resources.memory":  policy.FactLimits,
		"spec.linux.resources.pids":    policy.FactLimits,
		"spec.linux.seccomp":           policy.FactSeccomp,
		"spec.linux.maskedPaths":       policy.FactMaskedPaths,
		"spec.linux.readonlyPaths":     policy.FactMaskedPaths,
		"spec.linux.sysctl":            policy.FactSysctls,
		"spec.linux.rootfsPropagation": policy.FactPropagation,
		"spec.linux.mountLabel":        policy.FactLSM,
		"container":                    policy.FactArgs | policy.FactEnv | policy.FactUser | policy.FactMounts | policy.FactPorts,
		"container.id":                 0,
		"container.name":               0,
		"container.runtime":            0,
		"container.args":               policy.FactArgs,
		"container.env":                policy.FactEnv,
		"container.uid":                policy.FactUser,
		"container.gid":                policy.FactUser,
		"container.mounts":             policy.FactMounts,
		"container.ports":              policy.FactPorts | policy.FactArgs | policy.FactEnv,
		"pod":                          policy.FactPrivilegedPod,
		"pod.namespace":                0,
		"pod.name":                     0,
		"pod.uid":                      0,
		"pod.labels":                   0,
		"pod.privileged":               policy.FactPrivilegedPod,
		"image":                        policy.FactImage,
		"node":                         0,
		"findings":                     0,
		"now":                          0,
	}
}

// nobodys are what the pod's author does not choose freely: where a container
// runs, and which image, by what it holds or is named.
func nobodys() []string {
	return []string{"container.runtime", "pod.namespace", "image.ref", "image.name", "image.registry", "image.tag", "image.digest", "node.name"}
}

// reading finds what an expression reads: each chain of fields that begins with
// a variable.
func reading(tree *ast.AST) *Program {
	p := &Program{}
	var visit func(e ast.Expr, bound []string)
	visit = func(e ast.Expr, bound []string) {
		if chain, ok := chainOf(e); ok {
			if !slices.Contains(bound, strings.Split(chain, ".")[0]) && !slices.Contains(p.reads, chain) {
				p.reads = append(p.reads, chain)
			}
			return
		}
		switch e.Kind() {
		case ast.SelectKind:
			visit(e.AsSelect().Operand(), bound)
		case ast.CallKind:
			call := e.AsCall()
			if call.IsMemberFunction() {
				visit(call.Target(), bound)
			}
			for _, arg := range call.Args() {
				visit(arg, bound)
			}
		case ast.ListKind:
			for _, item := range e.AsList().Elements() {
				visit(item, bound)
			}
		case ast.MapKind:
			for _, entry := range e.AsMap().Entries() {
				visit(entry.AsMapEntry().Key(), bound)
				visit(entry.AsMapEntry().Value(), bound)
			}
		case ast.StructKind:
			for _, f := range e.AsStruct().Fields() {
				visit(f.AsStructField().Value(), bound)
			}
		case ast.ComprehensionKind:
			c := e.AsComprehension()
			visit(c.IterRange(), bound)
			inner := append(slices.Clone(bound), c.IterVar(), c.IterVar2(), c.AccuVar())
			for _, part := range []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
				visit(part, inner)
			}
		}
	}
	visit(tree.Expr(), nil)
	table := facts()
	for _, chain := range p.reads {
		p.Needs |= needs(table, chain)
		p.OverFindings = p.OverFindings || chain == "findings"
		p.ByAuthor = p.ByAuthor || !slices.Contains(nobodys(), chain)
	}
	p.Field = fieldOf(p.reads)
	return p
}

// fieldOf is the place that a finding names: the first path that is one.
func fieldOf(reads []string) string {
	for _, chain := range reads {
		if chain != "findings" && chain != "now" {
			return strings.TrimPrefix(chain, "spec.")
		}
	}
	return "findings"
}

// chainOf is "image.name" for an expression of identifiers and fields alone.
func chainOf(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return strings.TrimPrefix(e.AsIdent(), "."), true
	case ast.SelectKind:
		chain, ok := chainOf(e.AsSelect().Operand())
		return chain + "." + e.AsSelect().FieldName(), ok
	}
	return "", false
}

// needs are the facts of the longest known path that a chain begins with, or,
// where the chain ends above, of all that lie below it.
func needs(table map[string]policy.Facts, chain string) (out policy.Facts) {
	below := false
	for path, need := range table {
		if strings.HasPrefix(path, chain+".") {
			out |= need
			below = true
		}
	}
	if need, ok := table[chain]; ok {
		return out | need
	}
	if below {
		return out
	}
	for at := chain; ; {
		dot := strings.LastIndexByte(at, '.')
		if dot < 0 {
			return 0
		}
		at = at[:dot]
		if need, ok := table[at]; ok {
			return need
		}
	}
}

// monotone says whether findings are asked only in ways in which one more can
// make the expression true and never false, and where not.
func monotone(tree *ast.AST) (at int64, ok bool) { return monotoneIn(tree.Expr()) }

func monotoneIn(e ast.Expr) (at int64, ok bool) {
	if !mentions(e) {
		return 0, true
	}
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		args := call.Args()
		switch call.FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr:
			for _, arg := range args {
				if at, ok := monotoneIn(arg); !ok {
					return at, false
				}
			}
			return 0, true
		case operators.Greater, operators.GreaterEquals:
			if counts(args[0]) && !mentions(args[1]) {
				return 0, true
			}
		case operators.Less, operators.LessEquals:
			if counts(args[1]) && !mentions(args[0]) {
				return 0, true
			}
		}
	case ast.ComprehensionKind:
		if loops(e, operators.LogicalOr) {
			return 0, true
		}
	}
	return e.ID(), false
}

// counts: the size of findings, or of those that a filter lets through.
func counts(e ast.Expr) bool {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "size" {
		return false
	}
	of := e.AsCall().Target()
	if !e.AsCall().IsMemberFunction() {
		of = e.AsCall().Args()[0]
	}
	return isFindings(of) || loops(of, operators.Conditional)
}

// loops says whether an expression is the macro exists (whose step joins by or)
// or filter (whose step is a choice) over findings, whose body reads them only
// one by one.
func loops(e ast.Expr, step string) bool {
	if e.Kind() != ast.ComprehensionKind {
		return false
	}
	c := e.AsComprehension()
	if !isFindings(c.IterRange()) || c.LoopStep().Kind() != ast.CallKind || c.LoopStep().AsCall().FunctionName() != step || mentions(c.LoopStep()) {
		return false
	}
	if step == operators.LogicalOr {
		return true
	}
	return c.AccuInit().Kind() == ast.ListKind && len(c.AccuInit().AsList().Elements()) == 0
}

func isFindings(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "findings" }

// mentions says whether findings are named anywhere in an expression.
func mentions(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) { found = found || isFindings(e) }))
	return found
}

// sizes are what lists and texts of a subject hold at most, for the estimate of
// costs; what is larger is stopped by the limit of the answer itself.
type sizes struct{}

const (
	mostItems = 1000
	mostBytes = 1024
)

func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	if len(element.Path()) == 0 {
		return nil
	}
	switch element.Type().Kind() {
	case types.ListKind, types.MapKind:
		return &cost.SizeEstimate{Max: mostItems}
	}
	return &cost.SizeEstimate{Max: mostBytes}
}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
