package policy

import (
	"slices"
	"strings"
)

// LabelOperator is an operator of Kubernetes' label selectors
// (meta/v1, LabelSelectorRequirement).
type LabelOperator string

// The operators. A label that is not there is in no set, so NotIn holds.
const (
	LabelIn           LabelOperator = "In"
	LabelNotIn        LabelOperator = "NotIn"
	LabelExists       LabelOperator = "Exists"
	LabelDoesNotExist LabelOperator = "DoesNotExist"
)

// LabelExpression is one requirement on a pod's labels.
type LabelExpression struct {
	Key      string
	Operator LabelOperator
	Values   []string // of In and NotIn alone
}

// Holds says whether the labels fulfil it. An operator that is none of these
// holds for nothing.
func (e LabelExpression) Holds(labels map[string]string) bool {
	value, there := labels[e.Key]
	switch e.Operator {
	case LabelIn:
		return there && slices.Contains(e.Values, value)
	case LabelNotIn:
		return !there || !slices.Contains(e.Values, value)
	case LabelExists:
		return there
	case LabelDoesNotExist:
		return !there
	}
	return false
}

// String is the expression as people write it: "tier in (phi, lab)".
func (e LabelExpression) String() string {
	values := " (" + strings.Join(slices.Sorted(slices.Values(e.Values)), ", ") + ")"
	switch e.Operator {
	case LabelIn:
		return e.Key + " in" + values
	case LabelNotIn:
		return e.Key + " notin" + values
	case LabelDoesNotExist:
		return "!" + e.Key
	}
	return e.Key
}
