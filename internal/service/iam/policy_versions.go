package iam

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// CreatePolicyVersion adds a version and may make it the default.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *api.CreatePolicyVersionInput) (*api.CreatePolicyVersionOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	var out *api.PolicyVersion
	err := s.editPolicy(ctx, *in.PolicyArn, func(_ *store.Tx, m *managed) error {
		if len(m.Versions) >= maxVersions {
			return quota("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		v := version{"v" + strconv.Itoa(m.Next), *in.PolicyDocument, s.clock.Now().UTC()}
		m.Next++
		m.Versions = append(m.Versions, v)
		m.Updated = v.Created
		if aws.Val(in.SetAsDefault) {
			m.Default = v.ID
		}
		out = versionOut(m, v)
		out.Document = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreatePolicyVersionOutput{PolicyVersion: out}, nil
}

func findVersion(m *managed, policyARN, id string) (int, error) {
	i := slices.IndexFunc(m.Versions, func(v version) bool { return v.ID == id })
	if i < 0 {
		return 0, noVersion(policyARN, id)
	}
	return i, nil
}

func noVersion(policyARN, id string) error {
	return noSuch("Policy %s version %s does not exist or is not attachable.", policyARN, id)
}

// GetPolicyVersion returns a version with its document.
func (s *Service) GetPolicyVersion(ctx context.Context, in *api.GetPolicyVersionInput) (*api.GetPolicyVersionOutput, error) {
	m, err := s.viewPolicy(ctx, *in.PolicyArn)
	if awserr.Is(err, "NoSuchEntity") {
		return nil, noVersion(*in.PolicyArn, *in.VersionId)
	}
	if err != nil {
		return nil, err
	}
	i, err := findVersion(m, *in.PolicyArn, *in.VersionId)
	if err != nil {
		return nil, err
	}
	return &api.GetPolicyVersionOutput{PolicyVersion: versionOut(m, m.Versions[i])}, nil
}

// ListPolicyVersions lists a policy's versions, newest first.
func (s *Service) ListPolicyVersions(ctx context.Context, in *api.ListPolicyVersionsInput) (*api.ListPolicyVersionsOutput, error) {
	m, err := s.viewPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	newest := slices.Clone(m.Versions)
	slices.Reverse(newest)
	p, err := paginate(newest, func(v version) string { return versionOrder(v.ID) }, in.Marker, in.MaxItems)
	out := &api.ListPolicyVersionsOutput{Versions: []api.PolicyVersion{}, IsTruncated: p.truncated, Marker: p.marker}
	for _, v := range p.items {
		o := versionOut(m, v)
		o.Document = nil
		out.Versions = append(out.Versions, *o)
	}
	return out, err
}

// versionOrder sorts version ids from the newest to the oldest.
func versionOrder(id string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "v"))
	if err != nil {
		return id
	}
	return fmt.Sprintf("%012d", 1_000_000_000-n)
}

// SetDefaultPolicyVersion makes a version the one in force.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *api.SetDefaultPolicyVersionInput) (*api.SetDefaultPolicyVersionOutput, error) {
	err := s.editPolicy(ctx, *in.PolicyArn, func(_ *store.Tx, m *managed) error {
		_, err := findVersion(m, *in.PolicyArn, *in.VersionId)
		m.Default = *in.VersionId
		return err
	})
	if awserr.Is(err, "NoSuchEntity") {
		err = noVersion(*in.PolicyArn, *in.VersionId)
	}
	return &api.SetDefaultPolicyVersionOutput{}, err
}

// DeletePolicyVersion deletes a version that is not the default.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *api.DeletePolicyVersionInput) (*api.DeletePolicyVersionOutput, error) {
	return &api.DeletePolicyVersionOutput{}, s.editPolicy(ctx, *in.PolicyArn, func(_ *store.Tx, m *managed) error {
		i, err := findVersion(m, *in.PolicyArn, *in.VersionId)
		switch {
		case err != nil:
			return err
		case m.Default == *in.VersionId:
			return conflict("Cannot delete the default version of a policy.")
		}
		m.Versions = slices.Delete(m.Versions, i, i+1)
		return nil
	})
}

func versionOut(m *managed, v version) *api.PolicyVersion {
	return &api.PolicyVersion{VersionId: aws.Ptr(v.ID), IsDefaultVersion: aws.Ptr(v.ID == m.Default), CreateDate: aws.Ptr(v.Created), Document: aws.Ptr(encoded(v.Document))}
}
