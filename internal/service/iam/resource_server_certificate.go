package iam

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceServerCertificate is AWS::IAM::ServerCertificate. Its physical id is its name.
type resourceServerCertificate struct{ c client }

type serverCertificateProperties struct {
	CertificateBody       *string
	CertificateChain      *string
	Path                  *string
	PrivateKey            *string
	ServerCertificateName *string
	Tags                  []stack.Tag
}

// Schema implements stack.Resource.
func (resourceServerCertificate) Schema() stack.Schema {
	sc := stack.SchemaOf(serverCertificateProperties{})
	sc.Attributes = []string{"Arn"}
	sc.Taggable, sc.NameProperty = true, "ServerCertificateName"
	return sc
}

// Create implements stack.Resource.
func (t resourceServerCertificate) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p serverCertificateProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.UploadServerCertificateOutput](ctx, t.c, "UploadServerCertificate", &api.UploadServerCertificateInput{
		ServerCertificateName: aws.Ptr(nameOr(p.ServerCertificateName, r, 128)), Path: p.Path, CertificateBody: p.CertificateBody,
		CertificateChain: p.CertificateChain, PrivateKey: p.PrivateKey, Tags: apiTags(r.TagsWith(p.Tags))})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.ServerCertificateMetadata.ServerCertificateName)
	return certificateResult(out.ServerCertificateMetadata), nil
}

func certificateResult(m *api.ServerCertificateMetadata) stack.Result {
	return stack.Result{PhysicalID: *m.ServerCertificateName, Attributes: map[string]any{"Arn": *m.Arn}}
}

func (t resourceServerCertificate) get(ctx context.Context, r stack.Request) (*api.ServerCertificate, error) {
	out, err := call[api.GetServerCertificateOutput](ctx, t.c, "GetServerCertificate", &api.GetServerCertificateInput{ServerCertificateName: &r.PhysicalID})
	if err != nil {
		return nil, absent(err)
	}
	return out.ServerCertificate, nil
}

// Read implements stack.Resource.
func (t resourceServerCertificate) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	c, err := t.get(ctx, r)
	if err != nil {
		return stack.Result{}, err
	}
	return certificateResult(c.ServerCertificateMetadata), nil
}

// Update implements stack.Resource: the path and the tags may change.
func (t resourceServerCertificate) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[serverCertificateProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	if pathOr(p.Path) != pathOr(old.Path) {
		err := t.c.do(ctx, "UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: &r.PhysicalID, NewPath: aws.Ptr(pathOr(p.Path))})
		if err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.c.retag(ctx, certificateKind, r.PhysicalID, r, p.Tags, old.Tags); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

// Delete implements stack.Resource.
func (t resourceServerCertificate) Delete(ctx context.Context, r stack.Request) error {
	return unlessGone(t.c.do(ctx, "DeleteServerCertificate", &api.DeleteServerCertificateInput{ServerCertificateName: &r.PhysicalID}))
}

// Live implements stack.Live. The key is never told.
func (t resourceServerCertificate) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	c, err := t.get(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ServerCertificateName": *c.ServerCertificateMetadata.ServerCertificateName, "Path": *c.ServerCertificateMetadata.Path, "CertificateBody": *c.CertificateBody,
		"CertificateChain": orNil(c.CertificateChain), "PrivateKey": r.Properties["PrivateKey"], "Tags": liveTags(c.Tags)}, nil
}
