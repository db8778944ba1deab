package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// onTemplate is an operation that is judged on the launch template its input names.
func onTemplate[I, O any](s *Service, name string, h func(context.Context, *I) (*O, error), ref func(*I) (id, name *string)) wire.Operation {
	return wire.Op(name, "ec2:"+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		id, byName := ref(in)
		return s.templateChecks(ctx, templateRef{id: id, name: byName})
	})
}

// templateChecks judges the template by its id. One that there is not is judged as
// any: the operation reports it afterwards.
func (s *Service) templateChecks(ctx context.Context, ref templateRef) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	id := "*"
	err := s.db.View(ctx, func(tx *store.Tx) error {
		t, err := ref.find(tx, c)
		if awserr.As(err) != nil {
			return nil
		}
		if err == nil {
			id = t.ID
		}
		return err
	})
	return []aws.Check{{Resource: ec2ARN(c, "launch-template/"+id)}}, err
}

func (s *Service) launchTemplateOperations() []wire.Operation {
	return []wire.Operation{
		newPart("CreateLaunchTemplate", "launch-template", s.CreateLaunchTemplate, func(in *api.CreateLaunchTemplateInput) ([]api.TagSpecification, []string) {
			return in.TagSpecifications, nil
		}),
		onTemplate(s, "CreateLaunchTemplateVersion", s.CreateLaunchTemplateVersion, func(in *api.CreateLaunchTemplateVersionInput) (_, _ *string) {
			return in.LaunchTemplateId, in.LaunchTemplateName
		}),
		onTemplate(s, "ModifyLaunchTemplate", s.ModifyLaunchTemplate, func(in *api.ModifyLaunchTemplateInput) (_, _ *string) {
			return in.LaunchTemplateId, in.LaunchTemplateName
		}),
		onTemplate(s, "DeleteLaunchTemplate", s.DeleteLaunchTemplate, func(in *api.DeleteLaunchTemplateInput) (_, _ *string) {
			return in.LaunchTemplateId, in.LaunchTemplateName
		}),
		onTemplate(s, "DeleteLaunchTemplateVersions", s.DeleteLaunchTemplateVersions, func(in *api.DeleteLaunchTemplateVersionsInput) (_, _ *string) {
			return in.LaunchTemplateId, in.LaunchTemplateName
		}),
		onAnything("DescribeLaunchTemplates", s.DescribeLaunchTemplates),
		onAnything("DescribeLaunchTemplateVersions", s.DescribeLaunchTemplateVersions),
		onInstance("GetLaunchTemplateData", s.GetLaunchTemplateData, func(in *api.GetLaunchTemplateDataInput) *string { return in.InstanceId }),
	}
}
