// Package ssm is the parameter store of Systems Manager: parameters, their
// versions, labels, policies and tags, the public parameters that name images,
// references to secrets, and the resource type AWS::SSM::Parameter.
//
// It owns the table ssm.parameter. It imports store, stack (its resource type),
// wire and the API's types. The flow enters through Wire's operations, and through
// Run, which removes parameters that expire; it leaves to EC2 (images) and Secrets
// Manager through the Invoker. Public parameters are answered from a pattern,
// without rows, and values of type SecureString are sealed on disk. There is no KMS: who may call the operation
// may decrypt, and a KeyId other than the default is refused.
package ssm

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Sealer  *store.Sealer
	Invoker Invoker
	// ImageID gives the image id that a public parameter's name stands for.
	ImageID func(name string) string
}

// Service implements the operations.
type Service struct{ cfg Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Wire lists the operations, each judged on the ARNs of its parameters.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Operations: wire.Completed([]wire.Operation{
		wire.Op("PutParameter", "ssm:PutParameter", s.PutParameter,
			asking(func(in *api.PutParameterInput) []string { return []string{aws.Val(in.Name)} }, func(in *api.PutParameterInput, c *aws.Check) {
				c.Offer("ssm:Overwrite", strconv.FormatBool(aws.Val(in.Overwrite)))
			})),
		wire.Op("GetParameter", "ssm:GetParameter", s.GetParameter,
			onNames(func(in *api.GetParameterInput) []string { return []string{aws.Val(in.Name)} })),
		wire.Op("GetParameters", "ssm:GetParameters", s.GetParameters,
			onNames(func(in *api.GetParametersInput) []string { return in.Names })),
		wire.Op("GetParametersByPath", "ssm:GetParametersByPath", s.GetParametersByPath,
			asking(func(in *api.GetParametersByPathInput) []string { return []string{aws.Val(in.Path)} }, func(in *api.GetParametersByPathInput, c *aws.Check) {
				c.Offer("ssm:Recursive", strconv.FormatBool(aws.Val(in.Recursive)))
			})),
		wire.Op("GetParameterHistory", "ssm:GetParameterHistory", s.GetParameterHistory,
			onNames(func(in *api.GetParameterHistoryInput) []string { return []string{aws.Val(in.Name)} })),
		wire.Op("LabelParameterVersion", "ssm:LabelParameterVersion", s.LabelParameterVersion,
			onNames(func(in *api.LabelParameterVersionInput) []string { return []string{aws.Val(in.Name)} })),
		wire.Op("UnlabelParameterVersion", "ssm:UnlabelParameterVersion", s.UnlabelParameterVersion,
			onNames(func(in *api.UnlabelParameterVersionInput) []string { return []string{aws.Val(in.Name)} })),
		wire.Op("GetMaintenanceWindow", "ssm:GetMaintenanceWindow", s.GetMaintenanceWindow, func(ctx context.Context, in *api.GetMaintenanceWindowInput) ([]aws.Check, error) {
			c := aws.CallFrom(ctx)
			return []aws.Check{{Resource: "arn:aws:ssm:" + c.Region + ":" + c.Account + ":maintenancewindow/" + aws.Val(in.WindowId)}}, nil
		}),
		wire.Op("DeleteParameter", "ssm:DeleteParameter", s.DeleteParameter,
			onNames(func(in *api.DeleteParameterInput) []string { return []string{aws.Val(in.Name)} })),
		wire.Op("DeleteParameters", "ssm:DeleteParameters", s.DeleteParameters,
			onNames(func(in *api.DeleteParametersInput) []string { return in.Names })),
		wire.Op("DescribeParameters", "ssm:DescribeParameters", s.DescribeParameters, nil),
		wire.Op("AddTagsToResource", "ssm:AddTagsToResource", s.AddTagsToResource,
			onNames(func(in *api.AddTagsToResourceInput) []string { return []string{aws.Val(in.ResourceId)} })),
		wire.Op("RemoveTagsFromResource", "ssm:RemoveTagsFromResource", s.RemoveTagsFromResource,
			onNames(func(in *api.RemoveTagsFromResourceInput) []string { return []string{aws.Val(in.ResourceId)} })),
		wire.Op("ListTagsForResource", "ssm:ListTagsForResource", s.ListTagsForResource,
			onNames(func(in *api.ListTagsForResourceInput) []string { return []string{aws.Val(in.ResourceId)} })),
	}, s.tagCheck)}
}

// tagCheck adds the tags of the parameter that the check is on.
func (s *Service) tagCheck(ctx context.Context, _ any, check *aws.Check) error {
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k := key(aws.CallFrom(ctx), check.Resource)
		p, err := parameters.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) && !strings.Contains(k.ID, "/") { // /a and a have the same ARN
			k.ID = "/" + k.ID
			p, err = parameters.Get(tx, k)
		}
		if err != nil {
			return err
		}
		for k, v := range p.Tags {
			check.OfferTag(k, v)
			check.Offer("ssm:resourceTag/"+k, v)
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// asking is onNames with what else the input says.
func asking[I any](names func(*I) []string, keys func(*I, *aws.Check)) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		checks, err := onNames(names)(ctx, in)
		for i := range checks {
			keys(in, &checks[i])
		}
		return checks, err
	}
}

// onNames checks the operation's action on each parameter that the input names.
func onNames[I any](names func(*I) []string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		var checks []aws.Check
		for _, n := range names(in) {
			name, _ := splitSelector(n)
			checks = append(checks, aws.Check{Resource: parameterARN(aws.CallFrom(ctx), name)})
		}
		if len(checks) == 0 {
			checks = []aws.Check{{Resource: "*"}}
		}
		return checks, nil
	}
}

// parameterARN is the ARN of a parameter. Public ones belong to no account.
func parameterARN(c aws.Call, name string) string {
	account := c.Account
	if isPublic(name) {
		account = ""
	}
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return "arn:aws:ssm:" + c.Region + ":" + account + ":parameter/" + strings.TrimPrefix(name, "/")
}

// key returns where a parameter lives; a name may also be its ARN.
func key(c aws.Call, name string) store.Key {
	if _, path, ok := strings.Cut(name, ":parameter/"); ok && strings.HasPrefix(name, "arn:aws:ssm:"+c.Region+":"+c.Account+":") {
		name = path
		if strings.Contains(path, "/") {
			name = "/" + path
		}
	}
	return store.Key{Account: c.Account, Region: c.Region, ID: name}
}

func errNoParameter(name string) error {
	return awserr.New("ParameterNotFound", "Parameter %s not found.", name)
}

func errNoVersion(selector, name string) error {
	return awserr.New("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
}

var errToken = awserr.New("InvalidNextToken", "The specified token isn't valid.")

// GetMaintenanceWindow tells that there are no maintenance windows: none can be made.
func (s *Service) GetMaintenanceWindow(_ context.Context, in *api.GetMaintenanceWindowInput) (*api.GetMaintenanceWindowOutput, error) {
	return nil, awserr.New("DoesNotExistException", "Maintenance window %s does not exist", aws.Val(in.WindowId))
}

func invalid(format string, args ...any) error {
	return awserr.New("ValidationException", format, args...)
}

func orNoParameter(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return errNoParameter(name)
	}
	return err
}
