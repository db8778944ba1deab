package iam

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// Wire returns the operations for the server.
func (s *Service) Wire() wire.Service {
	ops := s.userOperations()
	ops = append(ops, s.groupOperations()...)
	ops = append(ops, s.roleOperations()...)
	ops = append(ops, s.profileOperations()...)
	ops = append(ops, s.policyOperations()...)
	ops = append(ops, s.accountOperations()...)
	ops = append(ops, s.oidcOperations()...)
	ops = append(ops, s.certificateOperations()...)
	ops = append(ops, s.absentOperations(s.onEntity(userKind, "UserName"))...)
	return wire.Service{Model: api.Model(), Operations: ops, Invalid: func(_ *model.Operation, list []validate.Violation) error {
		return awserr.New("ValidationError", "%s", validate.Terse(list))
	}}
}

// on is a row whose action has the operation's name and whose resource t finds.
func on[I, O any](name string, h func(context.Context, *I) (*O, error), t target) wire.Operation {
	return wire.Op(name, "iam:"+name, h, func(ctx context.Context, in *I) ([]aws.Check, error) {
		c, err := t(ctx, in)
		return []aws.Check{c}, err
	})
}

func (s *Service) userOperations() []wire.Operation {
	user := s.onEntity(userKind, "UserName")
	return []wire.Operation{
		on("CreateUser", s.CreateUser, onNew(userKind, "UserName")),
		on("GetUser", s.GetUser, user),
		on("ListUsers", s.ListUsers, onList(userKind)),
		on("UpdateUser", s.UpdateUser, user),
		on("DeleteUser", s.DeleteUser, user),
		on("PutUserPolicy", s.PutUserPolicy, user),
		on("GetUserPolicy", s.GetUserPolicy, user),
		on("ListUserPolicies", s.ListUserPolicies, user),
		on("DeleteUserPolicy", s.DeleteUserPolicy, user),
		on("AttachUserPolicy", s.AttachUserPolicy, user),
		on("DetachUserPolicy", s.DetachUserPolicy, user),
		on("ListAttachedUserPolicies", s.ListAttachedUserPolicies, user),
		on("PutUserPermissionsBoundary", s.PutUserPermissionsBoundary, user),
		on("DeleteUserPermissionsBoundary", s.DeleteUserPermissionsBoundary, user),
		on("TagUser", s.TagUser, user),
		on("UntagUser", s.UntagUser, user),
		on("ListUserTags", s.ListUserTags, user),
		on("CreateAccessKey", s.CreateAccessKey, user),
		on("ListAccessKeys", s.ListAccessKeys, user),
		on("UpdateAccessKey", s.UpdateAccessKey, user),
		on("DeleteAccessKey", s.DeleteAccessKey, user),
		on("ListGroupsForUser", s.ListGroupsForUser, user),
		on("GetAccessKeyLastUsed", s.GetAccessKeyLastUsed, s.onKeyOwner),
	}
}

func (s *Service) accountOperations() []wire.Operation {
	return []wire.Operation{
		on("CreateAccountAlias", s.CreateAccountAlias, onAll),
		on("DeleteAccountAlias", s.DeleteAccountAlias, onAll),
		on("ListAccountAliases", s.ListAccountAliases, onAll),
		on("GetAccountSummary", s.GetAccountSummary, onAll),
		on("GetAccountAuthorizationDetails", s.GetAccountAuthorizationDetails, onAll),
		on("GenerateCredentialReport", s.GenerateCredentialReport, onAll),
		on("GetCredentialReport", s.GetCredentialReport, onAll),
	}
}

func (s *Service) oidcOperations() []wire.Operation {
	return []wire.Operation{
		on("CreateOpenIDConnectProvider", s.CreateOpenIDConnectProvider, onNewIssuer),
		on("GetOpenIDConnectProvider", s.GetOpenIDConnectProvider, s.onIssuer),
		on("ListOpenIDConnectProviders", s.ListOpenIDConnectProviders, onAll),
		on("DeleteOpenIDConnectProvider", s.DeleteOpenIDConnectProvider, s.onIssuer),
		on("UpdateOpenIDConnectProviderThumbprint", s.UpdateOpenIDConnectProviderThumbprint, s.onIssuer),
		on("AddClientIDToOpenIDConnectProvider", s.AddClientIDToOpenIDConnectProvider, s.onIssuer),
		on("RemoveClientIDFromOpenIDConnectProvider", s.RemoveClientIDFromOpenIDConnectProvider, s.onIssuer),
		on("TagOpenIDConnectProvider", s.TagOpenIDConnectProvider, s.onIssuer),
		on("UntagOpenIDConnectProvider", s.UntagOpenIDConnectProvider, s.onIssuer),
		on("ListOpenIDConnectProviderTags", s.ListOpenIDConnectProviderTags, s.onIssuer),
	}
}

func (s *Service) groupOperations() []wire.Operation {
	group := s.onEntity(groupKind, "GroupName")
	return []wire.Operation{
		on("CreateGroup", s.CreateGroup, onNew(groupKind, "GroupName")),
		on("GetGroup", s.GetGroup, group),
		on("ListGroups", s.ListGroups, onList(groupKind)),
		on("UpdateGroup", s.UpdateGroup, group),
		on("DeleteGroup", s.DeleteGroup, group),
		on("AddUserToGroup", s.AddUserToGroup, group),
		on("RemoveUserFromGroup", s.RemoveUserFromGroup, group),
		on("PutGroupPolicy", s.PutGroupPolicy, group),
		on("GetGroupPolicy", s.GetGroupPolicy, group),
		on("ListGroupPolicies", s.ListGroupPolicies, group),
		on("DeleteGroupPolicy", s.DeleteGroupPolicy, group),
		on("AttachGroupPolicy", s.AttachGroupPolicy, group),
		on("DetachGroupPolicy", s.DetachGroupPolicy, group),
		on("ListAttachedGroupPolicies", s.ListAttachedGroupPolicies, group),
	}
}

func (s *Service) roleOperations() []wire.Operation {
	role := s.onEntity(roleKind, "RoleName")
	return []wire.Operation{
		on("CreateRole", s.CreateRole, onNew(roleKind, "RoleName")),
		on("GetRole", s.GetRole, role),
		on("ListRoles", s.ListRoles, onList(roleKind)),
		on("UpdateRole", s.UpdateRole, role),
		on("UpdateRoleDescription", s.UpdateRoleDescription, role),
		on("UpdateAssumeRolePolicy", s.UpdateAssumeRolePolicy, role),
		on("DeleteRole", s.DeleteRole, role),
		on("PutRolePolicy", s.PutRolePolicy, role),
		on("GetRolePolicy", s.GetRolePolicy, role),
		on("ListRolePolicies", s.ListRolePolicies, role),
		on("DeleteRolePolicy", s.DeleteRolePolicy, role),
		on("AttachRolePolicy", s.AttachRolePolicy, role),
		on("DetachRolePolicy", s.DetachRolePolicy, role),
		on("ListAttachedRolePolicies", s.ListAttachedRolePolicies, role),
		on("PutRolePermissionsBoundary", s.PutRolePermissionsBoundary, role),
		on("DeleteRolePermissionsBoundary", s.DeleteRolePermissionsBoundary, role),
		on("TagRole", s.TagRole, role),
		on("UntagRole", s.UntagRole, role),
		on("ListRoleTags", s.ListRoleTags, role),
		on("ListInstanceProfilesForRole", s.ListInstanceProfilesForRole, role),
		on("CreateServiceLinkedRole", s.CreateServiceLinkedRole, onLinkedRole),
		on("DeleteServiceLinkedRole", s.DeleteServiceLinkedRole, role),
		on("GetServiceLinkedRoleDeletionStatus", s.GetServiceLinkedRoleDeletionStatus, onDeletion),
	}
}

func (s *Service) profileOperations() []wire.Operation {
	return []wire.Operation{
		on("CreateInstanceProfile", s.CreateInstanceProfile, onNew("instance-profile", "InstanceProfileName")),
		on("GetInstanceProfile", s.GetInstanceProfile, s.onProfile),
		on("ListInstanceProfiles", s.ListInstanceProfiles, onList("instance-profile")),
		wire.Op("AddRoleToInstanceProfile", "iam:AddRoleToInstanceProfile", s.AddRoleToInstanceProfile, s.addRoleChecks),
		on("RemoveRoleFromInstanceProfile", s.RemoveRoleFromInstanceProfile, s.onProfile),
		on("DeleteInstanceProfile", s.DeleteInstanceProfile, s.onProfile),
		on("TagInstanceProfile", s.TagInstanceProfile, s.onProfile),
		on("UntagInstanceProfile", s.UntagInstanceProfile, s.onProfile),
		on("ListInstanceProfileTags", s.ListInstanceProfileTags, s.onProfile),
	}
}

// addRoleChecks: whoever puts a role into a profile hands it to EC2.
func (s *Service) addRoleChecks(ctx context.Context, in *api.AddRoleToInstanceProfileInput) ([]aws.Check, error) {
	c, err := s.onProfile(ctx, in)
	if err != nil {
		return nil, err
	}
	role, err := s.onEntity(roleKind, "RoleName")(ctx, in)
	return []aws.Check{c, aws.PassRole(role.Resource, "ec2.amazonaws.com")}, err
}

func (s *Service) policyOperations() []wire.Operation {
	return []wire.Operation{
		on("CreatePolicy", s.CreatePolicy, onNew("policy", "PolicyName")),
		on("GetPolicy", s.GetPolicy, s.onPolicy),
		on("ListPolicies", s.ListPolicies, onAll),
		on("DeletePolicy", s.DeletePolicy, s.onPolicy),
		on("ListEntitiesForPolicy", s.ListEntitiesForPolicy, s.onPolicy),
		on("CreatePolicyVersion", s.CreatePolicyVersion, s.onPolicy),
		on("GetPolicyVersion", s.GetPolicyVersion, s.onPolicy),
		on("ListPolicyVersions", s.ListPolicyVersions, s.onPolicy),
		on("SetDefaultPolicyVersion", s.SetDefaultPolicyVersion, s.onPolicy),
		on("DeletePolicyVersion", s.DeletePolicyVersion, s.onPolicy),
		on("TagPolicy", s.TagPolicy, s.onPolicy),
		on("UntagPolicy", s.UntagPolicy, s.onPolicy),
		on("ListPolicyTags", s.ListPolicyTags, s.onPolicy),
		on("ListPoliciesGrantingServiceAccess", s.ListPoliciesGrantingServiceAccess, s.onARN("Arn")),
		on("SimulateCustomPolicy", s.SimulateCustomPolicy, onAll),
		on("SimulatePrincipalPolicy", s.SimulatePrincipalPolicy, s.onARN("PolicySourceArn")),
		on("GetContextKeysForCustomPolicy", s.GetContextKeysForCustomPolicy, onAll),
		on("GetContextKeysForPrincipalPolicy", s.GetContextKeysForPrincipalPolicy, s.onARN("PolicySourceArn")),
	}
}
