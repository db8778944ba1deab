package ec2

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

var (
	templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)
	templateID   = regexp.MustCompile(`^lt-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

// CreateLaunchTemplate makes a template whose first version holds the data. What the
// data says is judged when an instance is launched with it, as on EC2.
func (s *Service) CreateLaunchTemplate(ctx context.Context, in *api.CreateLaunchTemplateInput) (*api.CreateLaunchTemplateOutput, error) {
	c := aws.CallFrom(ctx)
	if err := refuse(asked{"Operator", in.Operator != nil}); err != nil {
		return nil, err
	}
	if !templateName.MatchString(aws.Val(in.LaunchTemplateName)) {
		return nil, awserr.New("InvalidLaunchTemplateName.MalformedException", "The specified launch template name is invalid. A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.")
	}
	if err := checkTemplateData(c, in.LaunchTemplateData); err != nil {
		return nil, err
	}
	tags, err := newTags(c, in.TagSpecifications, "launch-template")
	if err != nil {
		return nil, err
	}
	t := &launchTemplate{
		ID: ids.Resource("lt"), Name: *in.LaunchTemplateName, CreatedBy: c.Principal.ARN, Created: s.clock.Now().UTC().Truncate(time.Second), Default: 1, Latest: 1, Tags: tags,
	}
	copied := *in
	copied.ClientToken, copied.DryRun = nil, nil
	if t.Token, t.TokenHash, err = creationToken(c, in.ClientToken, copied); err != nil {
		return nil, err
	}
	version, err := s.newVersion(c, t, in.VersionDescription, *in.LaunchTemplateData)
	if err != nil {
		return nil, err
	}
	t.Made = 1
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		made, err := madeWith(tx, c, &launchTemplates, t.Token, t.TokenHash, func(t *launchTemplate) string { return t.TokenHash })
		if err != nil || made != nil {
			if made != nil {
				t = made
			}
			return err
		}
		return insertTemplate(tx, c, t, version)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateLaunchTemplateOutput{LaunchTemplate: apiTemplate(t)}, nil
}

func insertTemplate(tx *store.Tx, c aws.Call, t *launchTemplate, version *templateVersion) error {
	all, err := launchTemplates.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	if err != nil {
		return err
	}
	if len(all) >= maxTemplates {
		return awserr.New("LaunchTemplateLimitExceeded", "You have reached the maximum number of launch templates (%d) for this region.", maxTemplates)
	}
	err = launchTemplates.Insert(tx, key(c, t.ID), t)
	if errors.Is(err, store.ErrExists) {
		return awserr.New("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	}
	if err != nil {
		return err
	}
	emitPart(tx, c, t.ID, "launch-template-created")
	return templateVersions.Insert(tx, key(c, versionID(t.ID, version.Number)), version)
}

// checkTemplateData judges the little that EC2 judges before a launch.
func checkTemplateData(c aws.Call, data *api.RequestLaunchTemplateData) error {
	if data == nil {
		return missing("LaunchTemplateData")
	}
	b, err := base64.StdEncoding.DecodeString(aws.Val(data.UserData))
	if err != nil {
		return awserr.New("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	}
	if err := checkUserData(b); err != nil {
		return err
	}
	for _, spec := range data.TagSpecifications {
		if err := reservedTags(c, spec.Tags); err != nil {
			return err
		}
	}
	return nil
}

func apiTemplate(t *launchTemplate) *api.LaunchTemplate {
	return &api.LaunchTemplate{
		LaunchTemplateId: aws.Ptr(t.ID), LaunchTemplateName: aws.Ptr(t.Name), CreateTime: aws.Ptr(t.Created), CreatedBy: aws.Ptr(t.CreatedBy),
		DefaultVersionNumber: aws.Ptr(t.Default), LatestVersionNumber: aws.Ptr(t.Latest), Tags: apiTags(t.Tags),
		Operator: &api.OperatorResponse{Managed: aws.Ptr(false)},
	}
}

// number reads a version: a number, $Latest or $Default, which is also what "" means.
func (t *launchTemplate) number(version string) (int64, error) {
	switch version {
	case "", "$Default":
		return t.Default, nil
	case "$Latest":
		return t.Latest, nil
	}
	return versionNumber(version)
}

func versionNumber(version string) (int64, error) {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n < 1 || strings.HasPrefix(version, "+") {
		return 0, awserr.New("InvalidLaunchTemplateId.VersionMalformed", "The launch template version '%s' is invalid. It must be a positive number, $Latest or $Default.", version)
	}
	return n, nil
}

// ModifyLaunchTemplate chooses the default version. A repetition of an earlier call, by
// its token, does not undo what came in between.
func (s *Service) ModifyLaunchTemplate(ctx context.Context, in *api.ModifyLaunchTemplateInput) (*api.ModifyLaunchTemplateOutput, error) {
	c := aws.CallFrom(ctx)
	if in.DefaultVersion == nil {
		return nil, missing("SetDefaultVersion")
	}
	copied := *in
	copied.ClientToken, copied.DryRun = nil, nil
	tok, hash, err := creationToken(c, in.ClientToken, copied)
	if err != nil {
		return nil, err
	}
	var t *launchTemplate
	err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
		ref := templateRef{in.LaunchTemplateId, in.LaunchTemplateName, in.DefaultVersion}
		if t, err = ref.find(tx, c); err != nil {
			return err
		}
		if done, err := t.modifiedWith(tok, hash); done || err != nil {
			return err
		}
		var v *templateVersion
		if t, v, err = ref.findVersion(tx, c); err != nil {
			return err
		}
		t.Default = v.Number
		t.noteModification(tok, hash)
		emitPart(tx, c, t.ID, "launch-template-modified")
		return launchTemplates.Put(tx, key(c, t.ID), t)
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyLaunchTemplateOutput{LaunchTemplate: apiTemplate(t)}, nil
}

// DeleteLaunchTemplate removes a template with all its versions. Instances that it
// has launched do not mind.
func (s *Service) DeleteLaunchTemplate(ctx context.Context, in *api.DeleteLaunchTemplateInput) (*api.DeleteLaunchTemplateOutput, error) {
	c := aws.CallFrom(ctx)
	var t *launchTemplate
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if t, err = (templateRef{id: in.LaunchTemplateId, name: in.LaunchTemplateName}).find(tx, c); err != nil {
			return err
		}
		rows, err := templateVersions.Lookup(tx, "template", t.ID)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := templateVersions.Delete(tx, row.Key); err != nil {
				return err
			}
		}
		emitPart(tx, c, t.ID, "launch-template-deleted")
		return launchTemplates.Delete(tx, key(c, t.ID))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteLaunchTemplateOutput{LaunchTemplate: apiTemplate(t)}, nil
}
