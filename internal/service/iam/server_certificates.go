package iam

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// serverCertificate is what a load balancer may show. Only its key is secret.
type serverCertificate struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	ID       string    `json:"id"` // ASCA...
	Body     string    `json:"body"`
	Chain    string    `json:"chain,omitempty"`
	Key      []byte    `json:"key"` // sealed for the id
	Uploaded time.Time `json:"uploaded"`
	Expires  time.Time `json:"expires"`
	Tags     []tag     `json:"tags,omitempty"`
	Token    string    `json:"token,omitempty"`
}

const certificateKind = "server-certificate"

func (c *serverCertificate) arn(account string) string {
	return iamARN(account, certificateKind, c.Path, c.Name)
}

var certificates = store.Table[serverCertificate]{Name: "iam.cert", Version: 1}

func (s *Service) certificateOperations() []wire.Operation {
	return []wire.Operation{
		on("UploadServerCertificate", s.UploadServerCertificate, onNew(certificateKind, "ServerCertificateName")),
		on("GetServerCertificate", s.GetServerCertificate, s.onCertificate),
		on("ListServerCertificates", s.ListServerCertificates, onAll),
		on("UpdateServerCertificate", s.UpdateServerCertificate, s.onCertificate),
		on("DeleteServerCertificate", s.DeleteServerCertificate, s.onCertificate),
		on("TagServerCertificate", s.TagServerCertificate, s.onCertificate),
		on("UntagServerCertificate", s.UntagServerCertificate, s.onCertificate),
		on("ListServerCertificateTags", s.ListServerCertificateTags, s.onCertificate),
	}
}

// onCertificate is the certificate that the input names, or would have the ARN.
func (s *Service) onCertificate(ctx context.Context, in any) (aws.Check, error) {
	account, name := accountOf(ctx), member(in, "ServerCertificateName")
	check := aws.Check{Resource: iamARN(account, certificateKind, "/", name), Context: requestKeys(in)}
	c, err := view(ctx, s, func(tx *store.Tx) (*serverCertificate, error) { return getCertificate(tx, account, name) })
	if err != nil { // absent; a broken store shows in the operation itself
		return check, nil //nolint:nilerr // see above
	}
	check.Resource = c.arn(account)
	tagKeys(check.Context, c.Tags)
	return check, nil
}

func getCertificate(tx *store.Tx, account, name string) (*serverCertificate, error) {
	c, err := certificates.Get(tx, nameKey(account, name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuch("The Server Certificate with name %s cannot be found.", name)
	}
	return c, err
}

func (s *Service) editCertificate(ctx context.Context, name string, edit func(*store.Tx, *serverCertificate) error) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		c, err := getCertificate(tx, account, name)
		if err != nil {
			return "", err
		}
		if err := edit(tx, c); err != nil {
			return "", err
		}
		return c.arn(account), certificates.Put(tx, nameKey(account, name), c)
	})
}

// UploadServerCertificate keeps a certificate with its private key, which nobody
// gets to see again.
func (s *Service) UploadServerCertificate(ctx context.Context, in *api.UploadServerCertificateInput) (*api.UploadServerCertificateOutput, error) {
	leaf, err := parseCertificate(*in.CertificateBody, aws.Val(in.CertificateChain), *in.PrivateKey)
	if err != nil {
		return nil, err
	}
	tags, err := newTags(ctx, certificateKind, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	account := accountOf(ctx)
	c := &serverCertificate{
		Name: *in.ServerCertificateName, Path: pathOr(in.Path), ID: ids.IAM("ASCA"), Body: *in.CertificateBody, Chain: aws.Val(in.CertificateChain),
		Uploaded: s.clock.Now().UTC(), Expires: leaf.NotAfter.UTC(), Tags: tags, Token: aws.CallFrom(ctx).Token,
	}
	if c.Key, err = s.sealer.Seal(certificates.Name, c.ID, []byte(*in.PrivateKey)); err != nil {
		return nil, err
	}
	err = s.change(ctx, func(tx *store.Tx) (string, error) {
		made, err := certificates.Get(tx, nameKey(account, c.Name))
		if err == nil && c.Token != "" && made.Token == c.Token {
			c = made
			return "", nil // by the same call, before a crash
		}
		if err == nil {
			return "", alreadyExists("The Server Certificate with name %s already exists.", c.Name)
		}
		if err := withinQuota(tx, account, "ServerCertificatesPerAccount"); err != nil {
			return "", err
		}
		return c.arn(account), certificates.Insert(tx, nameKey(account, c.Name), c)
	})
	if err != nil {
		return nil, err
	}
	return &api.UploadServerCertificateOutput{ServerCertificateMetadata: c.metadata(account), Tags: tagsOut(c.Tags)}, nil
}

func (c *serverCertificate) metadata(account string) *api.ServerCertificateMetadata {
	return &api.ServerCertificateMetadata{Path: aws.Ptr(c.Path), ServerCertificateName: aws.Ptr(c.Name), ServerCertificateId: aws.Ptr(c.ID),
		Arn: aws.Ptr(c.arn(account)), UploadDate: aws.Ptr(c.Uploaded), Expiration: aws.Ptr(c.Expires)}
}

// GetServerCertificate returns a certificate without its key.
func (s *Service) GetServerCertificate(ctx context.Context, in *api.GetServerCertificateInput) (*api.GetServerCertificateOutput, error) {
	c, err := view(ctx, s, func(tx *store.Tx) (*serverCertificate, error) {
		return getCertificate(tx, accountOf(ctx), *in.ServerCertificateName)
	})
	if err != nil {
		return nil, err
	}
	out := &api.ServerCertificate{ServerCertificateMetadata: c.metadata(accountOf(ctx)), CertificateBody: aws.Ptr(c.Body), Tags: tagsOut(c.Tags)}
	if c.Chain != "" {
		out.CertificateChain = aws.Ptr(c.Chain)
	}
	return &api.GetServerCertificateOutput{ServerCertificate: out}, nil
}

// ListServerCertificates lists certificates by path.
func (s *Service) ListServerCertificates(ctx context.Context, in *api.ListServerCertificatesInput) (*api.ListServerCertificatesOutput, error) {
	account := accountOf(ctx)
	list, err := view(ctx, s, func(tx *store.Tx) ([]api.ServerCertificateMetadata, error) {
		rows, err := certificates.List(tx, store.Scope{Account: account}, "", 0)
		out := []api.ServerCertificateMetadata{}
		for _, r := range rows {
			if strings.HasPrefix(r.Value.Path, pathOr(in.PathPrefix)) {
				out = append(out, *r.Value.metadata(account))
			}
		}
		return out, err
	})
	if err != nil {
		return nil, err
	}
	name := func(m api.ServerCertificateMetadata) string { return strings.ToLower(*m.ServerCertificateName) }
	slices.SortFunc(list, func(a, b api.ServerCertificateMetadata) int { return strings.Compare(name(a), name(b)) })
	p, err := paginate(list, name, in.Marker, in.MaxItems)
	return &api.ListServerCertificatesOutput{ServerCertificateMetadataList: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// UpdateServerCertificate renames or moves a certificate, and so changes its ARN. Load
// balancers know it by that, so that one that is shown keeps its name.
func (s *Service) UpdateServerCertificate(ctx context.Context, in *api.UpdateServerCertificateInput) (*api.UpdateServerCertificateOutput, error) {
	account, name := accountOf(ctx), *in.ServerCertificateName
	_, user, err := s.certificateInUse(ctx, name)
	if err == nil && user != "" {
		err = awserr.Status(http.StatusNotImplemented, "NotImplemented", "hardstand does not implement another name or path for a certificate that %s shows.", user)
	}
	if err != nil {
		return nil, err
	}
	return &api.UpdateServerCertificateOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		c, err := getCertificate(tx, account, name)
		if err != nil {
			return "", err
		}
		if in.NewPath != nil {
			c.Path = *in.NewPath
		}
		if in.NewServerCertificateName == nil || *in.NewServerCertificateName == c.Name {
			return c.arn(account), certificates.Put(tx, nameKey(account, name), c)
		}
		c.Name = *in.NewServerCertificateName
		if !strings.EqualFold(c.Name, name) {
			if _, err := certificates.Get(tx, nameKey(account, c.Name)); err == nil {
				return "", alreadyExists("The Server Certificate with name %s already exists.", c.Name)
			}
			if err := certificates.Delete(tx, nameKey(account, name)); err != nil {
				return "", err
			}
		}
		return c.arn(account), certificates.Put(tx, nameKey(account, c.Name), c)
	})
}

// certificateInUse returns a certificate and the load balancer that shows it, or "".
func (s *Service) certificateInUse(ctx context.Context, name string) (c *serverCertificate, user string, err error) {
	c, err = view(ctx, s, func(tx *store.Tx) (*serverCertificate, error) { return getCertificate(tx, accountOf(ctx), name) })
	if err == nil && s.certificateUser != nil {
		user, err = s.certificateUser(ctx, c.arn(accountOf(ctx)))
	}
	return c, user, err
}

// CertificatesUsedBy has f asked, before a certificate is deleted, for the ARN of a
// load balancer that shows it; "" says that none does. It is called once, before the
// service is used: the load balancers are opened after IAM.
func (s *Service) CertificatesUsedBy(f func(ctx context.Context, certificate string) (string, error)) {
	s.certificateUser = f
}

// DeleteServerCertificate deletes a certificate that no load balancer shows.
func (s *Service) DeleteServerCertificate(ctx context.Context, in *api.DeleteServerCertificateInput) (*api.DeleteServerCertificateOutput, error) {
	account := accountOf(ctx)
	c, user, err := s.certificateInUse(ctx, *in.ServerCertificateName)
	if err != nil {
		return nil, err
	}
	if user != "" {
		return nil, conflict("Certificate: " + c.ID + " is currently in use by " + user + ". Please remove it first before deleting it from IAM.")
	}
	return &api.DeleteServerCertificateOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		err := certificates.Delete(tx, nameKey(account, c.Name))
		if errors.Is(err, store.ErrNotFound) {
			return "", nil // by somebody else, just now
		}
		return c.arn(account), err
	})
}

// TagServerCertificate adds tags to a certificate or changes them.
func (s *Service) TagServerCertificate(ctx context.Context, in *api.TagServerCertificateInput) (*api.TagServerCertificateOutput, error) {
	return &api.TagServerCertificateOutput{}, s.editCertificate(ctx, *in.ServerCertificateName, addTags[*serverCertificate](ctx, certificateKind, in.Tags))
}

// UntagServerCertificate removes tags by key.
func (s *Service) UntagServerCertificate(ctx context.Context, in *api.UntagServerCertificateInput) (*api.UntagServerCertificateOutput, error) {
	return &api.UntagServerCertificateOutput{}, s.editCertificate(ctx, *in.ServerCertificateName, dropTags[*serverCertificate](certificateKind, in.TagKeys))
}

// ListServerCertificateTags lists a certificate's tags.
func (s *Service) ListServerCertificateTags(ctx context.Context, in *api.ListServerCertificateTagsInput) (*api.ListServerCertificateTagsOutput, error) {
	c, err := view(ctx, s, func(tx *store.Tx) (*serverCertificate, error) {
		return getCertificate(tx, accountOf(ctx), *in.ServerCertificateName)
	})
	if err != nil {
		return nil, err
	}
	p, err := tagPage(c.Tags, in.Marker, in.MaxItems)
	return &api.ListServerCertificateTagsOutput{Tags: someTags(p.items), IsTruncated: p.truncated, Marker: p.marker}, err
}

// ServerCertificate returns a certificate with its key for the load balancers, which
// show it. An ARN that names none is NoSuchEntity.
func (s *Service) ServerCertificate(ctx context.Context, certificate string) (tls.Certificate, error) {
	a, err := arn.Parse(certificate)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, certificateKind+"/") {
		return tls.Certificate{}, noSuch("The Server Certificate with ARN %s cannot be found.", certificate)
	}
	c, err := view(ctx, s, func(tx *store.Tx) (*serverCertificate, error) {
		return getCertificate(tx, a.Account, arn.Name(certificate))
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	if c.arn(a.Account) != certificate {
		return tls.Certificate{}, noSuch("The Server Certificate with ARN %s cannot be found.", certificate)
	}
	key, err := s.sealer.Open(certificates.Name, c.ID, c.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair([]byte(strings.TrimSpace(c.Body)+"\n"+c.Chain), key)
}
