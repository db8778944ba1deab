package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
)

// GetTemplate returns a stack's template as it was sent, or as JSON.
func (s *Service) GetTemplate(ctx context.Context, in *api.GetTemplateInput) (*api.GetTemplateOutput, error) {
	var spec *stack.Spec
	switch {
	case in.ChangeSetName != nil:
		if in.StackName == nil && !isARN(*in.ChangeSetName) {
			return nil, invalid("StackName is a required parameter.")
		}
		cs, err := s.changeSet(ctx, in.StackName, in.ChangeSetName)
		if err != nil {
			return nil, err
		}
		spec = &cs.Spec
	case in.StackName == nil:
		return nil, invalid("StackName is required if ChangeSetName is not specified.")
	default:
		st, err := s.find(ctx, in.StackName, noStackWithID)
		if err != nil {
			return nil, err
		}
		spec = st.Current()
	}
	out := &api.GetTemplateOutput{TemplateBody: &spec.Template,
		StagesAvailable: []api.TemplateStage{api.TemplateStageOriginal, api.TemplateStageProcessed}}
	if in.TemplateStage == api.TemplateStageProcessed && spec.Processed != "" { // without transforms both are as sent
		m, err := template.Read(spec.Effective())
		if err != nil {
			return nil, asAWS(err)
		}
		delete(m, "Transform") // has run
		out.TemplateBody = aws.Ptr(template.JSON(m))
	}
	return out, nil
}

// ValidateTemplate judges a template without values.
func (s *Service) ValidateTemplate(ctx context.Context, in *api.ValidateTemplateInput) (*api.ValidateTemplateOutput, error) {
	body, err := s.source(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	t, err := s.summary(body, s.judgeTemplate)
	if err != nil {
		return nil, err
	}
	out := &api.ValidateTemplateOutput{Description: optional(t.Description), DeclaredTransforms: t.Transforms, Parameters: []api.TemplateParameter{}}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t, s.engine.Types())
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		out.Parameters = append(out.Parameters, api.TemplateParameter{ParameterKey: aws.Ptr(name), DefaultValue: shownDefault(p),
			NoEcho: aws.Ptr(p.NoEcho), Description: optional(p.Description)})
	}
	return out, nil
}

// shownDefault is a parameter's default; a NoEcho one is masked.
func shownDefault(p *template.Parameter) *string {
	if p.NoEcho && p.Default != nil {
		return aws.Ptr("****")
	}
	return p.Default
}

func capabilitiesOf(t *template.Template, types stack.Registry) (list []api.Capability, reason *string) {
	var because []string
	if needed, types := neededCapabilities(t, types); needed != "" {
		list, because = append(list, api.Capability(needed)), types
	}
	if len(t.Transforms) > 0 {
		list = append(list, "CAPABILITY_AUTO_EXPAND")
	}
	if len(because) > 0 {
		reason = aws.Ptr(fmt.Sprintf("The following resource(s) require capabilities: [%s]", strings.Join(because, ", ")))
	}
	return list, reason
}

// GetTemplateSummary says what a template, or a stack's, takes and holds.
func (s *Service) GetTemplateSummary(ctx context.Context, in *api.GetTemplateSummaryInput) (*api.GetTemplateSummaryOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	body, err := s.summarised(ctx, in)
	if err != nil {
		return nil, err
	}
	t, err := s.summary(body, template.Parse)
	if err != nil {
		return nil, asAWS(err)
	}
	out := &api.GetTemplateSummaryOutput{Description: optional(t.Description), ResourceTypes: t.Types(),
		Parameters: []api.ParameterDeclaration{}, DeclaredTransforms: t.Transforms}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t, s.engine.Types())
	if t.Body["AWSTemplateFormatVersion"] != nil {
		out.Version = aws.Ptr(template.Version)
	}
	if t.Metadata != nil {
		text, err := json.Marshal(t.Metadata)
		if err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
		out.Metadata = aws.Ptr(string(text))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		out.Parameters = append(out.Parameters, api.ParameterDeclaration{ParameterKey: aws.Ptr(name), DefaultValue: shownDefault(p),
			ParameterType: aws.Ptr(p.Type), NoEcho: aws.Ptr(p.NoEcho), Description: optional(p.Description),
			ParameterConstraints: &api.ParameterConstraints{AllowedValues: append([]string{}, p.AllowedValues...)}})
	}
	if c := in.TemplateSummaryConfig; c != nil && aws.Val(c.TreatUnrecognizedResourceTypesAsWarnings) {
		out.Warnings = &api.Warnings{UnrecognizedResourceTypes: s.unrecognized(t)}
	}
	if in.StackSetName == nil {
		out.ResourceIdentifierSummaries = s.identifierSummaries(t)
	}
	return out, nil
}

func (s *Service) summarised(ctx context.Context, in *api.GetTemplateSummaryInput) (string, error) {
	if in.StackSetName != nil {
		if in.StackName != nil || in.TemplateBody != nil || in.TemplateURL != nil {
			return "", invalid("You must specify only one of StackName, StackSetName, TemplateBody and TemplateURL.")
		}
		set, err := s.set(ctx, in.StackSetName)
		if err != nil {
			return "", err
		}
		return set.Spec.Template, nil
	}
	if in.StackName == nil {
		return s.source(ctx, in.TemplateBody, in.TemplateURL)
	}
	st, err := s.find(ctx, in.StackName, noStackWithID)
	if err != nil {
		return "", err
	}
	if st.Status == stack.ReviewInProgress {
		return "", invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
	}
	return st.Current().Template, nil
}
