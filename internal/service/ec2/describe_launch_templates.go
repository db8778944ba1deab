package ec2

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeLaunchTemplates lists templates; those named in the order in which they are.
// None is managed by another service.
func (s *Service) DescribeLaunchTemplates(ctx context.Context, in *api.DescribeLaunchTemplatesInput) (*api.DescribeLaunchTemplatesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "create-time", "launch-template-name"); err != nil {
		return nil, err
	}
	if len(in.LaunchTemplateIds) > 0 && len(in.LaunchTemplateNames) > 0 {
		return nil, awserr.New("InvalidParameterCombination", "Either launch template IDs or launch template names may be specified in the request, but not both.")
	}
	list := []api.LaunchTemplate{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list = list[:0]
		all, err := namedTemplates(tx, c, in)
		for _, t := range all {
			f := fields{"create-time": {t.Created.Format(filterTime)}, "launch-template-name": {t.Name}}.withTags(t.Tags)
			if f.matches(in.Filters) {
				list = append(list, *apiTemplate(t))
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := paginateBetween(list, func(t api.LaunchTemplate) string { return *t.LaunchTemplateId }, in.NextToken, in.MaxResults, 1, maxTemplatePage)
	return &api.DescribeLaunchTemplatesOutput{LaunchTemplates: list, NextToken: next}, err
}

func namedTemplates(tx *store.Tx, c aws.Call, in *api.DescribeLaunchTemplatesInput) ([]*launchTemplate, error) {
	var out []*launchTemplate
	for _, id := range in.LaunchTemplateIds {
		t, err := templateRef{id: &id}.find(tx, c)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	for _, name := range in.LaunchTemplateNames {
		t, err := templateRef{name: &name}.find(tx, c)
		if awserr.As(err) != nil {
			return nil, awserr.New("InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if len(in.LaunchTemplateIds)+len(in.LaunchTemplateNames) > 0 {
		return out, nil
	}
	err := eachRow(tx, c, &launchTemplates, func(_ string, t *launchTemplate) { out = append(out, t) })
	slices.SortStableFunc(out, func(a, b *launchTemplate) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
	return out, err
}

// DescribeLaunchTemplateVersions lists versions of one template, the newest first, or
// the latest and default ones of all.
func (s *Service) DescribeLaunchTemplateVersions(ctx context.Context, in *api.DescribeLaunchTemplateVersionsInput) (*api.DescribeLaunchTemplateVersionsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, versionFilters...); err != nil {
		return nil, err
	}
	if len(in.Versions) > 0 && (in.MinVersion != nil || in.MaxVersion != nil) {
		return nil, awserr.New("InvalidParameterCombination", "Versions cannot be specified together with a minimum or a maximum version.")
	}
	list := []api.LaunchTemplateVersion{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list = list[:0]
		return eachVersionAsked(tx, c, in, func(t *launchTemplate, v *templateVersion) error {
			shown, err := s.apiVersion(t, v)
			if err == nil && versionFields(shown).matches(in.Filters) {
				list = append(list, *shown)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	list, next, err := paginateBetween(list, versionKey, in.NextToken, in.MaxResults, 1, maxTemplatePage)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if data := list[i].LaunchTemplateData; aws.Val(in.ResolveAlias) && data.ImageId != nil {
			image, err := s.imageNamed(ctx, *data.ImageId)
			if err != nil {
				return nil, err
			}
			data.ImageId = &image
		}
	}
	return &api.DescribeLaunchTemplateVersionsOutput{LaunchTemplateVersions: list, NextToken: next}, nil
}

// versionKey orders pages by template and then from the newest version down.
func versionKey(v api.LaunchTemplateVersion) string {
	return fmt.Sprintf("%s/%010d", *v.LaunchTemplateId, maxTemplateVersions*1000-*v.VersionNumber)
}

func eachVersionAsked(tx *store.Tx, c aws.Call, in *api.DescribeLaunchTemplateVersionsInput, f func(*launchTemplate, *templateVersion) error) error {
	if in.LaunchTemplateId == nil && in.LaunchTemplateName == nil {
		return eachMarked(tx, c, in.Versions, f)
	}
	t, err := templateRef{id: in.LaunchTemplateId, name: in.LaunchTemplateName}.find(tx, c)
	if err != nil {
		return err
	}
	for _, version := range in.Versions {
		n, err := t.number(version)
		if err != nil {
			return err
		}
		v, err := getVersion(tx, c, t, n)
		if err != nil {
			return err
		}
		if err := f(t, v); err != nil {
			return err
		}
	}
	if len(in.Versions) > 0 {
		return nil
	}
	return eachBetween(tx, t, in.MinVersion, in.MaxVersion, f)
}

// eachMarked visits the latest and the default versions of all templates.
func eachMarked(tx *store.Tx, c aws.Call, versions []string, f func(*launchTemplate, *templateVersion) error) error {
	if len(versions) == 0 {
		return missing("launch template ID or launch template name")
	}
	for _, version := range versions {
		if version != "$Latest" && version != "$Default" {
			return awserr.New("InvalidParameterValue", "Only $Latest and $Default are allowed as versions when neither a launch template ID nor a launch template name is specified.")
		}
	}
	all, err := namedTemplates(tx, c, &api.DescribeLaunchTemplatesInput{})
	if err != nil {
		return err
	}
	for _, t := range all {
		numbers := []int64{}
		for _, version := range versions {
			if n, err := t.number(version); err == nil && !slices.Contains(numbers, n) {
				numbers = append(numbers, n)
			}
		}
		for _, n := range numbers {
			v, err := getVersion(tx, c, t, n)
			if err != nil {
				return err
			}
			if err := f(t, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func eachBetween(tx *store.Tx, t *launchTemplate, minVersion, maxVersion *string, f func(*launchTemplate, *templateVersion) error) error {
	from, to := int64(1), t.Latest
	var err error
	if minVersion != nil {
		if from, err = t.number(*minVersion); err != nil {
			return err
		}
	}
	if maxVersion != nil {
		if to, err = t.number(*maxVersion); err != nil {
			return err
		}
	}
	rows, err := templateVersions.Lookup(tx, "template", t.ID)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b store.Row[templateVersion]) int { return cmp.Compare(b.Value.Number, a.Value.Number) })
	for _, row := range rows {
		if n := row.Value.Number; n < from || n > to {
			continue
		}
		if err := f(t, row.Value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) apiVersion(t *launchTemplate, v *templateVersion) (*api.LaunchTemplateVersion, error) {
	data, err := s.templateData(v)
	if err != nil {
		return nil, err
	}
	shown, err := shownData(data)
	if err != nil {
		return nil, err
	}
	out := &api.LaunchTemplateVersion{
		LaunchTemplateId: aws.Ptr(t.ID), LaunchTemplateName: aws.Ptr(t.Name), VersionNumber: aws.Ptr(v.Number), CreateTime: aws.Ptr(v.Created),
		CreatedBy: aws.Ptr(v.CreatedBy), DefaultVersion: aws.Ptr(v.Number == t.Default), LaunchTemplateData: shown,
		Operator: &api.OperatorResponse{Managed: aws.Ptr(false)},
	}
	if v.Description != "" {
		out.VersionDescription = aws.Ptr(v.Description)
	}
	return out, nil
}

var versionFilters = []string{
	"create-time", "ebs-optimized", "host-resource-group-arn", "http-endpoint", "http-protocol-ipv4", "http-tokens", "iam-instance-profile", "image-id",
	"instance-type", "is-default-version", "kernel-id", "license-configuration-arn", "network-card-index", "ram-disk-id",
}

func versionFields(v *api.LaunchTemplateVersion) fields {
	d := v.LaunchTemplateData
	f := fields{"create-time": {v.CreateTime.Format(filterTime)}, "is-default-version": {boolText(*v.DefaultVersion)}}
	f.offer("image-id", aws.Val(d.ImageId))
	f.offer("instance-type", string(d.InstanceType))
	f.offer("kernel-id", aws.Val(d.KernelId))
	f.offer("ram-disk-id", aws.Val(d.RamDiskId))
	if d.EbsOptimized != nil {
		f.add("ebs-optimized", boolText(*d.EbsOptimized))
	}
	if p := d.IamInstanceProfile; p != nil {
		f.offer("iam-instance-profile", aws.Val(p.Arn))
	}
	if m := d.MetadataOptions; m != nil {
		f.offer("http-endpoint", string(m.HttpEndpoint))
		f.offer("http-tokens", string(m.HttpTokens))
	}
	if p := d.Placement; p != nil {
		f.offer("host-resource-group-arn", aws.Val(p.HostResourceGroupArn))
	}
	for _, l := range d.LicenseSpecifications {
		f.offer("license-configuration-arn", aws.Val(l.LicenseConfigurationArn))
	}
	for _, n := range d.NetworkInterfaces {
		if n.NetworkCardIndex != nil {
			f.add("network-card-index", itoa(*n.NetworkCardIndex))
		}
	}
	return f
}

// offer adds a value, unless it is empty.
func (f fields) offer(name, value string) {
	if value != "" {
		f.add(name, value)
	}
}
