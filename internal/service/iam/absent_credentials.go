package iam

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Passwords, MFA devices, signing certificates, SSH keys and SAML providers do not exist
// here, and nothing makes them. Clients ask for them before they delete a user, so
// the questions are answered as by an account that has none.

// absentOperations are the questions about what nobody has.
func (s *Service) absentOperations(user target) []wire.Operation {
	return []wire.Operation{
		on("GetLoginProfile", s.GetLoginProfile, user),
		on("DeleteLoginProfile", s.DeleteLoginProfile, user),
		on("GetAccountPasswordPolicy", s.GetAccountPasswordPolicy, onAll),
		on("DeleteAccountPasswordPolicy", s.DeleteAccountPasswordPolicy, onAll),
		on("ListMFADevices", s.ListMFADevices, user),
		on("DeactivateMFADevice", s.DeactivateMFADevice, user),
		on("ListVirtualMFADevices", s.ListVirtualMFADevices, onAll),
		on("DeleteVirtualMFADevice", s.DeleteVirtualMFADevice, onDevice),
		on("ListSSHPublicKeys", s.ListSSHPublicKeys, user),
		on("GetSSHPublicKey", s.GetSSHPublicKey, user),
		on("DeleteSSHPublicKey", s.DeleteSSHPublicKey, user),
		on("ListSigningCertificates", s.ListSigningCertificates, user),
		on("DeleteSigningCertificate", s.DeleteSigningCertificate, user),
		on("ListServiceSpecificCredentials", s.ListServiceSpecificCredentials, user),
		on("DeleteServiceSpecificCredential", s.DeleteServiceSpecificCredential, user),
		on("ListSAMLProviders", s.ListSAMLProviders, onAll),
		on("GetSAMLProvider", s.GetSAMLProvider, onProvider),
		on("DeleteSAMLProvider", s.DeleteSAMLProvider, onProvider),
	}
}

// hasUser is an error unless the user that an operation means exists. Root, who
// has no name, always does.
func (s *Service) hasUser(ctx context.Context, named *string) error {
	return s.db.View(ctx, func(tx *store.Tx) error {
		_, err := s.keyOwner(ctx, tx, named)
		return err
	})
}

// lacking is the error about a thing of a user that does not exist either way.
func (s *Service) lacking(ctx context.Context, user *string, format string, args ...any) error {
	if err := s.hasUser(ctx, user); err != nil {
		return err
	}
	return noSuch(format, args...)
}

// GetLoginProfile says that the user has no password.
func (s *Service) GetLoginProfile(ctx context.Context, in *api.GetLoginProfileInput) (*api.GetLoginProfileOutput, error) {
	return nil, s.noPassword(ctx, in.UserName)
}

// DeleteLoginProfile finds no password to delete.
func (s *Service) DeleteLoginProfile(ctx context.Context, in *api.DeleteLoginProfileInput) (*api.DeleteLoginProfileOutput, error) {
	return nil, s.noPassword(ctx, in.UserName)
}

func (s *Service) noPassword(ctx context.Context, named *string) error {
	name, err := s.userName(ctx, named)
	if err != nil {
		return err
	}
	return s.lacking(ctx, &name, "Login Profile for User %s cannot be found.", name)
}

// GetAccountPasswordPolicy says that the account has no password policy.
func (s *Service) GetAccountPasswordPolicy(ctx context.Context, _ *api.GetAccountPasswordPolicyInput) (*api.GetAccountPasswordPolicyOutput, error) {
	return nil, noPasswordPolicy(ctx)
}

// DeleteAccountPasswordPolicy finds no password policy to delete.
func (s *Service) DeleteAccountPasswordPolicy(_ context.Context, _ *api.DeleteAccountPasswordPolicyInput) (*api.DeleteAccountPasswordPolicyOutput, error) {
	return nil, noSuch("The account policy with name PasswordPolicy cannot be found.")
}

func noPasswordPolicy(ctx context.Context) error {
	return noSuch("The Password Policy with domain name %s cannot be found.", accountOf(ctx))
}

// ListMFADevices lists none.
func (s *Service) ListMFADevices(ctx context.Context, in *api.ListMFADevicesInput) (*api.ListMFADevicesOutput, error) {
	return &api.ListMFADevicesOutput{MFADevices: []api.MFADevice{}, IsTruncated: aws.Ptr(false)}, s.hasUser(ctx, in.UserName)
}

// DeactivateMFADevice finds no device.
func (s *Service) DeactivateMFADevice(ctx context.Context, in *api.DeactivateMFADeviceInput) (*api.DeactivateMFADeviceOutput, error) {
	return nil, s.lacking(ctx, in.UserName, "MFA Device invalid for user.")
}

// ListVirtualMFADevices lists none.
func (s *Service) ListVirtualMFADevices(context.Context, *api.ListVirtualMFADevicesInput) (*api.ListVirtualMFADevicesOutput, error) {
	return &api.ListVirtualMFADevicesOutput{VirtualMFADevices: []api.VirtualMFADevice{}, IsTruncated: aws.Ptr(false)}, nil
}

// DeleteVirtualMFADevice finds no device.
func (s *Service) DeleteVirtualMFADevice(_ context.Context, in *api.DeleteVirtualMFADeviceInput) (*api.DeleteVirtualMFADeviceOutput, error) {
	return nil, noSuch("VirtualMFADevice with serial number %s doesn't exist.", *in.SerialNumber)
}

// ListSSHPublicKeys lists none.
func (s *Service) ListSSHPublicKeys(ctx context.Context, in *api.ListSSHPublicKeysInput) (*api.ListSSHPublicKeysOutput, error) {
	return &api.ListSSHPublicKeysOutput{SSHPublicKeys: []api.SSHPublicKeyMetadata{}, IsTruncated: aws.Ptr(false)}, s.hasUser(ctx, in.UserName)
}

// GetSSHPublicKey finds no key.
func (s *Service) GetSSHPublicKey(ctx context.Context, in *api.GetSSHPublicKeyInput) (*api.GetSSHPublicKeyOutput, error) {
	return nil, s.lacking(ctx, in.UserName, "The Public Key with id %s cannot be found.", *in.SSHPublicKeyId)
}

// DeleteSSHPublicKey finds no key.
func (s *Service) DeleteSSHPublicKey(ctx context.Context, in *api.DeleteSSHPublicKeyInput) (*api.DeleteSSHPublicKeyOutput, error) {
	return nil, s.lacking(ctx, in.UserName, "The Public Key with id %s cannot be found.", *in.SSHPublicKeyId)
}

// ListSigningCertificates lists none.
func (s *Service) ListSigningCertificates(ctx context.Context, in *api.ListSigningCertificatesInput) (*api.ListSigningCertificatesOutput, error) {
	return &api.ListSigningCertificatesOutput{Certificates: []api.SigningCertificate{}, IsTruncated: aws.Ptr(false)}, s.hasUser(ctx, in.UserName)
}

// DeleteSigningCertificate finds no certificate.
func (s *Service) DeleteSigningCertificate(ctx context.Context, in *api.DeleteSigningCertificateInput) (*api.DeleteSigningCertificateOutput, error) {
	return nil, s.lacking(ctx, in.UserName, "The Certificate with id %s cannot be found.", *in.CertificateId)
}

// ListServiceSpecificCredentials lists none.
func (s *Service) ListServiceSpecificCredentials(ctx context.Context, in *api.ListServiceSpecificCredentialsInput) (*api.ListServiceSpecificCredentialsOutput, error) {
	return &api.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []api.ServiceSpecificCredentialMetadata{}}, s.hasUser(ctx, in.UserName)
}

// DeleteServiceSpecificCredential finds no credential.
func (s *Service) DeleteServiceSpecificCredential(ctx context.Context, in *api.DeleteServiceSpecificCredentialInput) (*api.DeleteServiceSpecificCredentialOutput, error) {
	return nil, s.lacking(ctx, in.UserName, "No such credential %s exists", *in.ServiceSpecificCredentialId)
}

// ListSAMLProviders lists none.
func (s *Service) ListSAMLProviders(context.Context, *api.ListSAMLProvidersInput) (*api.ListSAMLProvidersOutput, error) {
	return &api.ListSAMLProvidersOutput{SAMLProviderList: []api.SAMLProviderListEntry{}}, nil
}

// GetSAMLProvider finds no provider.
func (s *Service) GetSAMLProvider(_ context.Context, in *api.GetSAMLProviderInput) (*api.GetSAMLProviderOutput, error) {
	return nil, noSuch("Manifest not found for arn %s", *in.SAMLProviderArn)
}

// DeleteSAMLProvider finds no provider.
func (s *Service) DeleteSAMLProvider(_ context.Context, in *api.DeleteSAMLProviderInput) (*api.DeleteSAMLProviderOutput, error) {
	return nil, noSuch("Manifest not found for arn %s", *in.SAMLProviderArn)
}
