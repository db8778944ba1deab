package ssm

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

const (
	maxStandard = 4096 // bytes of a value
	maxAdvanced = 8192
	maxDepth    = 15 // levels of a path
	defaultKey  = "alias/aws/ssm"
)

// PutParameter makes a parameter, or gives it another value.
func (s *Service) PutParameter(ctx context.Context, in *api.PutParameterInput) (*api.PutParameterOutput, error) {
	if err := judgePut(in); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	k := key(c, *in.Name)
	var p *parameter
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		var err error
		p, err = parameters.Get(tx, k)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if in.Type == "" {
				return invalid("A parameter type is required when you create a parameter.")
			}
			p = &parameter{Name: k.ID, Type: string(in.Type), Token: c.Token, Tags: map[string]string{}}
			for _, t := range in.Tags {
				p.Tags[aws.Val(t.Key)] = aws.Val(t.Value)
			}
		case err != nil:
			return err
		case c.Token != "" && c.Token == p.Token && !aws.Val(in.Overwrite):
			return nil // a creation repeated after a crash
		case !aws.Val(in.Overwrite):
			return awserr.New("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		case in.Type != "" && string(in.Type) != p.Type:
			return awserr.New("HierarchyTypeMismatchException", "The specified parameter type does not match the type of the parameter: %s.", p.Type)
		}
		p.describe(in)
		if err := p.accepts(*in.Value); err != nil {
			return err
		}
		if err := s.put(p, k, *in.Value, tx.Now(), c.Principal.ARN); err != nil {
			return err
		}
		tx.Emit(store.Event{Account: c.Account, Region: c.Region, Service: "ssm", Resource: k.ID, Kind: "parameter", RequestID: c.RequestID})
		return parameters.Put(tx, k, p)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutParameterOutput{Version: aws.Ptr(p.last().Number), Tier: api.ParameterTier(p.Tier)}, nil
}

// describe copies what a request says beside the value.
func (p *parameter) describe(in *api.PutParameterInput) {
	if in.Description != nil {
		p.Description = *in.Description
	}
	if in.AllowedPattern != nil {
		p.AllowedPattern = *in.AllowedPattern
	}
	p.DataType, p.Tier = "text", string(api.ParameterTierStandard)
	if in.DataType != nil {
		p.DataType = *in.DataType
	}
	if in.Tier == api.ParameterTierAdvanced || in.Tier == api.ParameterTierIntelligentTiering && len(*in.Value) > maxStandard {
		p.Tier = string(api.ParameterTierAdvanced)
	}
}

// accepts holds a value to the parameter's pattern and size.
func (p *parameter) accepts(value string) error {
	limit := maxStandard
	if p.Tier == string(api.ParameterTierAdvanced) {
		limit = maxAdvanced
	}
	if len(value) > limit {
		return invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.", limit)
	}
	if p.AllowedPattern == "" {
		return nil
	}
	re, err := regexp.Compile(`\A(?:` + p.AllowedPattern + `)\z`)
	if err != nil {
		return awserr.New("InvalidAllowedPatternException", "The regular expression %s is not valid.", p.AllowedPattern)
	}
	if !re.MatchString(value) {
		return awserr.New("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", p.AllowedPattern)
	}
	return nil
}

func judgePut(in *api.PutParameterInput) error {
	name := aws.Val(in.Name)
	first := strings.ToLower(strings.Trim(name, "/"))
	switch {
	case strings.HasPrefix(first, "aws") || strings.HasPrefix(first, "ssm"):
		return invalid(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case !nameForm.MatchString(name) || strings.Contains(name, "//") || strings.HasSuffix(name, "/"):
		return invalid("Parameter name: can be only letters, numbers and the symbols .-_ and, as a path, /.")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxDepth:
		return awserr.New("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of %d levels.", maxDepth)
	case aws.Val(in.Value) == "":
		return invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(in.Tags) > 0 && aws.Val(in.Overwrite):
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case in.KeyId != nil && *in.KeyId != defaultKey:
		return awserr.Status(501, "NotImplemented", "hardstand does not implement KMS keys: SecureString parameters are sealed with the server's own key.")
	case aws.Val(in.Policies) != "":
		return awserr.Status(501, "NotImplemented", "hardstand does not implement parameter policies.")
	case in.DataType != nil && *in.DataType != "text" && *in.DataType != "aws:ec2:image":
		return awserr.Status(501, "NotImplemented", "hardstand does not implement the parameter data type %s.", *in.DataType)
	}
	return nil
}

// DeleteParameter removes a parameter.
func (s *Service) DeleteParameter(ctx context.Context, in *api.DeleteParameterInput) (*api.DeleteParameterOutput, error) {
	k := key(aws.CallFrom(ctx), *in.Name)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return parameters.Delete(tx, k) })
	return &api.DeleteParameterOutput{}, orNoParameter(err, *in.Name)
}

// DeleteParameters removes several and says which did not exist.
func (s *Service) DeleteParameters(ctx context.Context, in *api.DeleteParametersInput) (*api.DeleteParametersOutput, error) {
	var out *api.DeleteParametersOutput
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		out = &api.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			err := parameters.Delete(tx, key(aws.CallFrom(ctx), name))
			switch {
			case err == nil:
				out.DeletedParameters = append(out.DeletedParameters, name)
			case errors.Is(err, store.ErrNotFound):
				out.InvalidParameters = append(out.InvalidParameters, name)
			default:
				return err
			}
		}
		return nil
	})
	return out, err
}
