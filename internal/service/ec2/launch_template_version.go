package ec2

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateLaunchTemplateVersion makes the next version of a template, from nothing or
// from another version of it, of which it keeps what the request leaves out.
func (s *Service) CreateLaunchTemplateVersion(ctx context.Context, in *api.CreateLaunchTemplateVersionInput) (*api.CreateLaunchTemplateVersionOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkTemplateData(c, in.LaunchTemplateData); err != nil {
		return nil, err
	}
	copied := *in
	copied.ClientToken, copied.DryRun = nil, nil
	tok, hash, err := creationToken(c, in.ClientToken, copied)
	if err != nil {
		return nil, err
	}
	var shown *api.LaunchTemplateVersion
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		t, err := templateRef{id: in.LaunchTemplateId, name: in.LaunchTemplateName}.find(tx, c)
		if err != nil {
			return err
		}
		v, err := madeWith(tx, c, &templateVersions, tok, hash, func(v *templateVersion) string { return v.TokenHash })
		if err == nil && v == nil {
			v, err = s.addVersion(tx, c, t, in, tok, hash)
		}
		if err != nil {
			return err
		}
		shown, err = s.apiVersion(t, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if data := shown.LaunchTemplateData; aws.Val(in.ResolveAlias) && data.ImageId != nil {
		image, err := s.imageNamed(ctx, *data.ImageId)
		if err != nil {
			return nil, err
		}
		data.ImageId = &image
	}
	return &api.CreateLaunchTemplateVersionOutput{LaunchTemplateVersion: shown}, nil
}

func (s *Service) addVersion(tx *store.Tx, c aws.Call, t *launchTemplate, in *api.CreateLaunchTemplateVersionInput, tok, hash string) (*templateVersion, error) {
	rows, err := templateVersions.Lookup(tx, "template", t.ID)
	if err != nil {
		return nil, err
	}
	if len(rows) >= maxTemplateVersions {
		return nil, awserr.New("LaunchTemplateVersionLimitExceeded", "You have reached the maximum number of versions (%d) for the launch template with ID %s.", maxTemplateVersions, t.ID)
	}
	data := *in.LaunchTemplateData
	if source := aws.Val(in.SourceVersion); source != "" {
		n, err := t.number(source)
		if err != nil {
			return nil, err
		}
		from, err := getVersion(tx, c, t, n)
		if err != nil {
			return nil, err
		}
		base, err := s.templateData(from)
		if err != nil {
			return nil, err
		}
		data = over(base, data)
	}
	v, err := s.newVersion(c, t, in.VersionDescription, data)
	if err != nil {
		return nil, err
	}
	v.Token, v.TokenHash = tok, hash
	t.Made, t.Latest = v.Number, v.Number
	if err := templateVersions.Insert(tx, key(c, versionID(t.ID, v.Number)), v); err != nil {
		return nil, fmt.Errorf("insert version %d of %s: %w", v.Number, t.ID, err)
	}
	emitPart(tx, c, t.ID, "launch-template-version-created")
	return v, launchTemplates.Put(tx, key(c, t.ID), t)
}

// over returns base with each member that data sets in place of its own.
func over[T any](base, data T) T {
	into, from := reflect.ValueOf(&base).Elem(), reflect.ValueOf(&data).Elem()
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsZero() {
			into.Field(i).Set(f)
		}
	}
	return base
}

// DeleteLaunchTemplateVersions removes versions, each for itself; the default one
// stays.
func (s *Service) DeleteLaunchTemplateVersions(ctx context.Context, in *api.DeleteLaunchTemplateVersionsInput) (*api.DeleteLaunchTemplateVersionsOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.Versions) > maxTemplatePage {
		return nil, awserr.New("InvalidParameterValue", "No more than %d launch template versions can be deleted in a single request.", maxTemplatePage)
	}
	var out *api.DeleteLaunchTemplateVersionsOutput
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		out = &api.DeleteLaunchTemplateVersionsOutput{
			SuccessfullyDeletedLaunchTemplateVersions:   []api.DeleteLaunchTemplateVersionsResponseSuccessItem{},
			UnsuccessfullyDeletedLaunchTemplateVersions: []api.DeleteLaunchTemplateVersionsResponseErrorItem{},
		}
		t, err := templateRef{id: in.LaunchTemplateId, name: in.LaunchTemplateName}.find(tx, c)
		if err != nil {
			return err
		}
		for _, version := range in.Versions {
			n, err := versionNumber(version)
			if err != nil {
				return err
			}
			if err := deleteVersion(tx, c, t, n, out); err != nil {
				return err
			}
		}
		return putLatest(tx, c, t)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func deleteVersion(tx *store.Tx, c aws.Call, t *launchTemplate, n int64, out *api.DeleteLaunchTemplateVersionsOutput) error {
	failed := func(code api.LaunchTemplateErrorCode, message string) {
		out.UnsuccessfullyDeletedLaunchTemplateVersions = append(out.UnsuccessfullyDeletedLaunchTemplateVersions, api.DeleteLaunchTemplateVersionsResponseErrorItem{
			LaunchTemplateId: aws.Ptr(t.ID), LaunchTemplateName: aws.Ptr(t.Name), VersionNumber: aws.Ptr(n), ResponseError: &api.ResponseError{Code: code, Message: &message},
		})
	}
	if n == t.Default {
		failed(api.LaunchTemplateErrorCodeUnexpectedError, fmt.Sprintf("The version %d of the launch template with ID %s cannot be deleted because it is the default version.", n, t.ID))
		return nil
	}
	err := templateVersions.Delete(tx, key(c, versionID(t.ID, n)))
	if isNotFound(err) {
		failed(api.LaunchTemplateErrorCodeLaunchTemplateVersionDoesNotExist, awserr.As(versionNotFound(t.ID, n)).Message)
		return nil
	}
	if err != nil {
		return err
	}
	emitPart(tx, c, t.ID, "launch-template-version-deleted")
	out.SuccessfullyDeletedLaunchTemplateVersions = append(out.SuccessfullyDeletedLaunchTemplateVersions, api.DeleteLaunchTemplateVersionsResponseSuccessItem{
		LaunchTemplateId: aws.Ptr(t.ID), LaunchTemplateName: aws.Ptr(t.Name), VersionNumber: aws.Ptr(n),
	})
	return nil
}

// putLatest stores the template after some of its versions have gone.
func putLatest(tx *store.Tx, c aws.Call, t *launchTemplate) error {
	rows, err := templateVersions.Lookup(tx, "template", t.ID)
	if err != nil {
		return err
	}
	t.Latest = 0
	for _, row := range rows {
		t.Latest = max(t.Latest, row.Value.Number)
	}
	return launchTemplates.Put(tx, key(c, t.ID), t)
}
