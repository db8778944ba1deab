package iam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/iam"
)

// selfSigned returns a certificate and its key in PEM.
func selfSigned(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestServerCertificatesAreChecked(t *testing.T) {
	s := newSystem(t)
	body, key := selfSigned(t, "a.example")
	other, otherKey := selfSigned(t, "b.example")
	for _, c := range []struct {
		name             string
		body, key, chain *string
		code, message    string
	}{
		{"no PEM", p("x"), p(key), nil, "MalformedCertificate", "Unable to parse certificate. Please ensure the certificate is in PEM format."},
		{"key for certificate", p(key), p(key), nil, "MalformedCertificate", "Unable to parse certificate. Please ensure the certificate is in PEM format."},
		{"no key", p(body), p("x"), nil, "MalformedCertificate", "Unable to parse key; the body is encrypted or is not in PEM format."},
		{"encrypted key", p(body), p(strings.ReplaceAll(key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")), nil, "MalformedCertificate", "Unable to parse key; the body is encrypted or is not in PEM format."},
		{"key encrypted by OpenSSL", p(body), p(strings.Replace(key, "PRIVATE KEY-----\n", "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1)), nil, "MalformedCertificate",
			"Unable to parse key; the body is encrypted or is not in PEM format."},
		{"another's key", p(body), p(otherKey), nil, "KeyPairMismatch", "Private key doesn't match certificate"},
		{"another's chain", p(body), p(key), p(other), "MalformedCertificate", "Unable to validate certificate chain. The certificate chain must start " +
			"with the immediate signing certificate, followed by any intermediaries in order. The index within the chain of the invalid certificate is: 0"},
		{"good", p(body), p(key), p(body), "", ""},
		{"twice", p(body), p(key), nil, "EntityAlreadyExists", "The Server Certificate with name cert already exists."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.server.Invoke(s.root(), "iam", "UploadServerCertificate", &api.UploadServerCertificateInput{
				ServerCertificateName: p("cert"), CertificateBody: c.body, PrivateKey: c.key, CertificateChain: c.chain})
			wantError(t, err, c.code, c.message)
		})
	}
}

// TestServerCertificateIsHandedToBalancers: with its key, by its ARN and no other,
// and it cannot be deleted while one shows it.
func TestServerCertificateIsHandedToBalancers(t *testing.T) {
	s := newSystem(t)
	body, key := selfSigned(t, "a.example")
	out := must[api.UploadServerCertificateOutput](s, s.root(), "iam", "UploadServerCertificate", &api.UploadServerCertificateInput{
		ServerCertificateName: p("cert"), Path: p("/x/"), CertificateBody: &body, PrivateKey: &key})
	at := *out.ServerCertificateMetadata.Arn
	shown, err := s.iam.ServerCertificate(t.Context(), at)
	if err != nil || shown.PrivateKey == nil || shown.Leaf.DNSNames[0] != "a.example" {
		t.Fatalf("certificate %+v, %v", shown, err)
	}
	for _, wrong := range []string{"arn:aws:iam::" + account + ":server-certificate/cert", "arn:aws:iam::" + foreign + ":server-certificate/x/cert",
		"arn:aws:acm:us-east-1:" + account + ":certificate/x", "cert"} {
		if _, err := s.iam.ServerCertificate(t.Context(), wrong); err == nil {
			t.Errorf("%s is a certificate", wrong)
		}
	}
	s.iam.CertificatesUsedBy(func(_ context.Context, certificate string) (string, error) {
		if certificate == at {
			return "arn:aws:elasticloadbalancing:us-east-1:" + account + ":loadbalancer/lb", nil
		}
		return "", nil
	})
	_, err = s.server.Invoke(s.root(), "iam", "UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: p("cert"), NewPath: p("/y/")})
	wantError(t, err, "NotImplemented", "hardstand does not implement another name or path for a certificate that arn:aws:elasticloadbalancing:us-east-1:"+account+":loadbalancer/lb shows.")
	_, err = s.server.Invoke(s.root(), "iam", "DeleteServerCertificate", &api.DeleteServerCertificateInput{ServerCertificateName: p("cert")})
	wantError(t, err, "DeleteConflict", "Certificate: "+*out.ServerCertificateMetadata.ServerCertificateId+" is currently in use by arn:aws:elasticloadbalancing:us-east-1:"+
		account+":loadbalancer/lb. Please remove it first before deleting it from IAM.")
}
