package elbv2

import (
	"context"
	"crypto/tls"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// maxCertificates is the quota of a listener, the default one not counted.
const maxCertificates = 25

// Certificates finds the server certificates of IAM with their keys. An ARN that it
// does not know is refused with NoSuchEntity.
type Certificates interface {
	ServerCertificate(ctx context.Context, name string) (tls.Certificate, error)
}

// judgeCertificate wants a certificate of the account's. Those of Certificate Manager
// do not exist here.
func (s *Service) judgeCertificate(ctx context.Context, name string) error {
	c := aws.CallFrom(ctx)
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iam" && a.Service != "acm" {
		return invalid("Certificate ARN '%s' is not valid", name)
	}
	if a.Service == "iam" && a.Account == c.Account && s.cfg.Certificates != nil {
		_, err := s.cfg.Certificates.ServerCertificate(ctx, name)
		if err == nil || !awserr.Is(err, "NoSuchEntity") {
			return err
		}
	}
	return awserr.New("CertificateNotFound", "Certificate '%s' not found", name)
}

// AddListenerCertificates adds certificates to those that a listener shows by name.
func (s *Service) AddListenerCertificates(ctx context.Context, in *api.AddListenerCertificatesInput) (*api.AddListenerCertificatesOutput, error) {
	l, _, err := s.peekListener(ctx, *in.ListenerArn)
	if err != nil {
		return nil, err
	}
	if !l.secured() {
		return nil, notPermitted("Certificates cannot be added to a listener with the protocol '%s'", l.Protocol)
	}
	out := &api.AddListenerCertificatesOutput{}
	for _, c := range in.Certificates {
		if c.IsDefault != nil {
			return nil, invalid("The IsDefault parameter cannot be specified when certificates are added")
		}
		if err := s.judgeCertificate(ctx, aws.Val(c.CertificateArn)); err != nil {
			return nil, err
		}
	}
	err = s.changeListener(ctx, *in.ListenerArn, "certificates", func(_ *store.Tx, _ store.Key, l *listener) error {
		for _, c := range in.Certificates {
			if !slices.Contains(l.Certificates, *c.CertificateArn) {
				l.Certificates = append(l.Certificates, *c.CertificateArn)
			}
			out.Certificates = append(out.Certificates, api.Certificate{CertificateArn: c.CertificateArn, IsDefault: aws.Ptr(false)})
		}
		if len(l.Certificates) > maxCertificates {
			return awserr.New("TooManyCertificates", "The maximum number of certificates has been reached on listener '%s'", *in.ListenerArn)
		}
		return nil
	})
	return out, err
}

// RemoveListenerCertificates takes certificates away again, but for the default one.
func (s *Service) RemoveListenerCertificates(ctx context.Context, in *api.RemoveListenerCertificatesInput) (*api.RemoveListenerCertificatesOutput, error) {
	err := s.changeListener(ctx, *in.ListenerArn, "certificates", func(_ *store.Tx, _ store.Key, l *listener) error {
		for _, c := range in.Certificates {
			name := aws.Val(c.CertificateArn)
			i := slices.Index(l.Certificates, name)
			if i < 0 && name == l.Certificate {
				return notPermitted("Default certificate '%s' cannot be removed from listener '%s'", name, *in.ListenerArn)
			}
			if i >= 0 {
				l.Certificates = slices.Delete(l.Certificates, i, i+1)
			}
		}
		return nil
	})
	return &api.RemoveListenerCertificatesOutput{}, err
}

// DescribeListenerCertificates lists the certificates of a listener, the default one
// first.
func (s *Service) DescribeListenerCertificates(ctx context.Context, in *api.DescribeListenerCertificatesInput) (*api.DescribeListenerCertificatesOutput, error) {
	out := &api.DescribeListenerCertificatesOutput{}
	err := view(ctx, s, listeners, kindListener, *in.ListenerArn, func(_ *store.Tx, _ store.Key, l *listener) (err error) {
		list := []api.Certificate{}
		if l.Certificate != "" {
			list = append(list, api.Certificate{CertificateArn: &l.Certificate, IsDefault: aws.Ptr(true)})
		}
		for _, name := range l.Certificates {
			list = append(list, api.Certificate{CertificateArn: &name, IsDefault: aws.Ptr(false)})
		}
		out.Certificates, out.NextMarker, err = page(list, in.Marker, in.PageSize)
		return err
	})
	return out, err
}

// CertificateUser tells which listener shows a certificate, "" for none: one that is
// shown is not deleted.
func (s *Service) CertificateUser(ctx context.Context, name string) (listenerName string, err error) {
	a, err := arn.Parse(name)
	if err != nil {
		return "", err
	}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := listeners.List(tx, store.Scope{Account: a.Account}, "", 0)
		for _, r := range rows {
			if r.Value.Certificate == name || slices.Contains(r.Value.Certificates, name) {
				listenerName = listenerARN(r.Key)
			}
		}
		return err
	})
	return listenerName, err
}
