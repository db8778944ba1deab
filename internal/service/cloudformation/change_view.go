package cloudformation

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

// changeView shows a change; values only to who asks for them.
func changeView(c stack.Change, values bool) *api.ResourceChange {
	v := &api.ResourceChange{Action: api.ChangeAction(c.Action), LogicalResourceId: aws.Ptr(c.LogicalID), PhysicalResourceId: optional(c.PhysicalID),
		ResourceType: aws.Ptr(c.Type), Replacement: api.Replacement(c.Replacement), ChangeSetId: optional(c.ChangeSetID), PolicyAction: api.PolicyAction(c.PolicyAction),
		Scope: []api.ResourceAttribute{}, Details: []api.ResourceChangeDetail{}}
	if values {
		v.BeforeContext, v.AfterContext = optional(c.Before), optional(c.After)
	}
	for _, d := range c.Details {
		if !values && follows(d, c.Details) {
			continue
		}
		if a := api.ResourceAttribute(d.Attribute); !slices.Contains(v.Scope, a) {
			v.Scope = append(v.Scope, a)
		}
		detail := detailView(d, values)
		if !slices.ContainsFunc(v.Details, func(have api.ResourceChangeDetail) bool { return sameDetail(have, detail) }) {
			v.Details = append(v.Details, detail)
		}
	}
	return v
}

// follows tells whether d says of a property only that its value will follow that
// of another resource, where another detail names that resource and is certain.
// Without values AWS shows such a detail for parameters alone.
func follows(d stack.Detail, all []stack.Detail) bool {
	return d.Source == "DirectModification" && d.Dynamic && slices.ContainsFunc(all, func(cause stack.Detail) bool {
		return cause.Attribute == d.Attribute && cause.Name == d.Name && strings.HasPrefix(cause.Source, "Resource") && !cause.Dynamic
	}) && !slices.ContainsFunc(all, func(cause stack.Detail) bool {
		return cause.Attribute == d.Attribute && cause.Name == d.Name && cause.Source == "ParameterReference"
	})
}

func detailView(d stack.Detail, values bool) api.ResourceChangeDetail {
	v := api.ResourceChangeDetail{Evaluation: api.EvaluationTypeStatic, ChangeSource: api.ChangeSource(d.Source), CausingEntity: optional(d.Entity),
		Target: &api.ResourceTargetDefinition{Attribute: api.ResourceAttribute(d.Attribute), Name: optional(d.Name),
			RequiresRecreation: api.RequiresRecreation(d.Recreation)}}
	if d.Dynamic {
		v.Evaluation = api.EvaluationTypeDynamic
	}
	if values {
		v.Target.Path, v.Target.AttributeChangeType = optional(d.Path), api.AttributeChangeType(d.Kind)
		v.Target.BeforeValue, v.Target.AfterValue = optional(d.Before), optional(d.After)
	}
	return v
}

// sameDetail tells whether two details read the same: without values, those of one
// property do.
func sameDetail(a, b api.ResourceChangeDetail) bool {
	return a.ChangeSource == b.ChangeSource && a.Evaluation == b.Evaluation && aws.Val(a.CausingEntity) == aws.Val(b.CausingEntity) &&
		a.Target.Attribute == b.Target.Attribute && aws.Val(a.Target.Name) == aws.Val(b.Target.Name) && aws.Val(a.Target.Path) == aws.Val(b.Target.Path)
}
