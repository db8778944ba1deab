package ssm

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

const (
	maxStandard = 4096 // bytes of a value
	maxAdvanced = 8192
	maxDepth    = 15 // levels of a path
	defaultKey  = "alias/aws/ssm"
)

const (
	namePath = `Parameter name: can't be prefixed with %s (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`
	tooLong  = "Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
	noReturn = "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter."
	image    = "aws:ec2:image"
)

// PutParameter makes a parameter, or gives it another value.
func (s *Service) PutParameter(ctx context.Context, in *api.PutParameterInput) (*api.PutParameterOutput, error) {
	policies, err := judgePut(in)
	if err != nil {
		return nil, err
	}
	if err := s.judgeImage(ctx, in); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	var p *parameter
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, old, err := find(tx, c, *in.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if p = old; p == nil {
			p = created(in, k.ID, c.Token)
		} else if c.Token != "" && c.Token == p.Token && !aws.Val(in.Overwrite) {
			return nil // a creation repeated after a crash
		} else if !aws.Val(in.Overwrite) {
			return awserr.New("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		if err := p.describe(in, policies); err != nil {
			return err
		}
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

// created is a parameter without a value yet.
func created(in *api.PutParameterInput, name, token string) *parameter {
	p := &parameter{Name: name, Token: token, Tags: map[string]string{}}
	p.DataType = "text"
	for _, t := range in.Tags {
		p.Tags[aws.Val(t.Key)] = aws.Val(t.Value)
	}
	return p
}

// describe copies what a request says beside the value. What it does not say stays.
func (p *parameter) describe(in *api.PutParameterInput, policies []inlinePolicy) error {
	switch {
	case in.Type != "":
		p.Type = string(in.Type)
	case p.Type == "":
		return invalid("A parameter type is required when you create a parameter.")
	}
	if in.KeyId != nil && p.Type != string(api.ParameterTypeSecureString) {
		return invalid("KeyId is required for SecureString type parameter only.")
	}
	if in.Description != nil {
		p.Description = *in.Description
	}
	if in.AllowedPattern != nil {
		p.AllowedPattern = *in.AllowedPattern
	}
	if in.DataType != nil {
		p.DataType = *in.DataType
	}
	if aws.Val(in.Policies) != "" {
		p.Policies = policies
	}
	return p.settle(in.Tier, len(*in.Value))
}

// settle finds the tier: the one asked for, or with Intelligent-Tiering the one
// that value and policies need. There is no way back from Advanced.
func (p *parameter) settle(asked api.ParameterTier, length int) error {
	advanced := string(api.ParameterTierAdvanced)
	switch {
	case asked == api.ParameterTierStandard && p.Tier == advanced:
		return invalid(noReturn)
	case asked == api.ParameterTierAdvanced, asked == api.ParameterTierIntelligentTiering && (length > maxStandard || len(p.Policies) > 0):
		p.Tier = advanced
	case p.Tier == "":
		p.Tier = string(api.ParameterTierStandard)
	}
	if len(p.Policies) > 0 && p.Tier != advanced {
		return invalid("Parameter policies are supported for parameters of the advanced-parameter tier only.")
	}
	return nil
}

// accepts holds a value to the parameter's pattern and size.
func (p *parameter) accepts(value string) error {
	switch {
	case p.Tier != string(api.ParameterTierAdvanced) && len(value) > maxStandard:
		return invalid(tooLong, maxStandard)
	case len(value) > maxAdvanced:
		return invalid("Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvanced)
	case p.AllowedPattern == "":
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

// judgePut refuses what is wrong whatever there is already.
func judgePut(in *api.PutParameterInput) ([]inlinePolicy, error) {
	if err := judgeName(aws.Val(in.Name)); err != nil {
		return nil, err
	}
	switch {
	case aws.Val(in.Value) == "":
		return nil, invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	case len(in.Tags) > 0 && aws.Val(in.Overwrite):
		return nil, invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case in.KeyId != nil && *in.KeyId != defaultKey && !strings.HasSuffix(*in.KeyId, ":"+defaultKey):
		return nil, awserr.Status(501, "NotImplemented", "hardstand does not implement KMS keys: SecureString parameters are sealed with the server's own key.")
	case aws.Val(in.DataType) == "aws:ssm:integration":
		return nil, awserr.Status(501, "NotImplemented", "hardstand does not implement the parameter data type aws:ssm:integration.")
	case in.DataType != nil && *in.DataType != "text" && *in.DataType != image:
		return nil, invalid("The following data type is not supported: %s (Data type names are all lowercase.)", *in.DataType)
	case aws.Val(in.Policies) == "":
		return nil, nil
	}
	return parsePolicies(*in.Policies)
}

// judgeName holds the name of a new parameter to AWS's rules.
func judgeName(name string) error {
	low := strings.ToLower(name)
	path := strings.Contains(name, "/")
	switch first := strings.TrimPrefix(low, "/"); {
	case strings.HasPrefix(low, "/aws"):
		return awserr.New("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case path && strings.HasPrefix(first, "ssm"):
		return invalid(namePath, `"ssm"`)
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return invalid(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`)
	case path && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case !nameForm.MatchString(name), strings.Contains(name, "//"), strings.HasSuffix(name, "/"):
		return invalid(namePath, `"ssm"`)
	case strings.Count(name, "/") > maxDepth:
		return awserr.New("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of %d levels.", maxDepth)
	}
	return nil
}

// judgeImage looks whether the image exists that a parameter of type aws:ec2:image
// names, as the caller. AWS does so after it has answered; a put that would come to
// nothing is refused here.
func (s *Service) judgeImage(ctx context.Context, in *api.PutParameterInput) error {
	if aws.Val(in.DataType) != image {
		return nil
	}
	_, err := wire.Call[ec2.DescribeImagesOutput](ctx, s.cfg.Invoker, "ec2", "DescribeImages", &ec2.DescribeImagesInput{ImageIds: []string{*in.Value}})
	if awserr.Is(err, "InvalidAMIID.Malformed") || awserr.Is(err, "InvalidAMIID.NotFound") {
		return invalid("The value of a parameter of data type aws:ec2:image must be the ID of an image that exists: %s", *in.Value)
	}
	return err
}

// DeleteParameter removes a parameter.
func (s *Service) DeleteParameter(ctx context.Context, in *api.DeleteParameterInput) (*api.DeleteParameterOutput, error) {
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return remove(ctx, tx, *in.Name) })
	return &api.DeleteParameterOutput{}, orNoParameter(err, *in.Name)
}

// DeleteParameters removes several and says which did not exist.
func (s *Service) DeleteParameters(ctx context.Context, in *api.DeleteParametersInput) (*api.DeleteParametersOutput, error) {
	var out *api.DeleteParametersOutput
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		out = &api.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			err := remove(ctx, tx, name)
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

func remove(ctx context.Context, tx *store.Tx, name string) error {
	k, _, err := find(tx, aws.CallFrom(ctx), name)
	if err != nil {
		return err
	}
	return parameters.Delete(tx, k)
}
