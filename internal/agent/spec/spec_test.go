package spec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/hardstand/hardstand/internal/clock"
)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = certify(t, nil, "test CA")
	return a
}

// certify makes a certificate for name, self-signed without a parent.
func certify(t *testing.T, by *authority, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: by == nil, BasicConstraintsValid: true}
	parent, parentKey := tmpl, key
	if by != nil {
		parent, parentKey = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func sealed(t *testing.T, content string, cert *x509.Certificate, key *ecdsa.PrivateKey) *Envelope {
	t.Helper()
	sd, err := pkcs7.NewSignedData([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := sd.AddSigner(cert, key, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return &Envelope{"PKCS7/JSON", string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der}))}
}

func detached(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	sd, err := pkcs7.NewSignedData([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sd.AddSigner(cert, key, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	sd.Detach()
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestVerifier(t *testing.T) {
	const name = "codedeploy-signer-us-east-1.amazonaws.com"
	ca, other := newAuthority(t), newAuthority(t)
	good, goodKey := certify(t, ca, name)
	foreign, foreignKey := certify(t, other, name)
	misnamed, misnamedKey := certify(t, ca, "evil.example.com")
	envelope := sealed(t, `{"DeploymentId":"d-1"}`, good, goodKey)
	tampered := *envelope
	block, _ := pem.Decode([]byte(envelope.Payload))
	tampered.Payload = string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: []byte(strings.Replace(string(block.Bytes), "d-1", "d-2", 1))}))
	tests := []struct {
		name    string
		env     *Envelope
		lenient bool // no CA file, transport proven
		want    string
	}{
		{"good", envelope, false, ""},
		{"none", nil, false, "Provided deployment spec was nil"},
		{"text", &Envelope{"TEXT/JSON", "{}"}, false, "Unsupported DeploymentSpecification format: TEXT/JSON"},
		{"no PEM", &Envelope{"PKCS7/JSON", "{}"}, false, "Could not parse the PKCS7: no start line"},
		{"tampered", &tampered, false, "signature does not verify"},
		{"tampered, lenient", &tampered, true, "signature does not verify"},
		{"another CA", sealed(t, "{}", foreign, foreignKey), false, "signer's certificate is not trusted"},
		{"another CA, lenient", sealed(t, "{}", foreign, foreignKey), true, ""},
		{"no content", &Envelope{"PKCS7/JSON", string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: detached(t, good, goodKey)}))}, false, "carries no content"},
		{"not PKCS7", &Envelope{"PKCS7/JSON", string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: []byte("x")}))}, false, "Could not parse the PKCS7: "},
		{"another name", sealed(t, "{}", misnamed, misnamedKey), false, `signed by "evil.example.com", not by CodeDeploy`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ca.pem")
			if !tc.lenient {
				data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			warned := 0
			v, err := NewVerifier([]string{file}, tc.lenient, clock.System{}, func(string) { warned++ })
			if err != nil {
				t.Fatal(err)
			}
			content, err := v.Open(tc.env)
			if tc.want == "" && (err != nil || len(content) == 0) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("content %q, error %v, want %q", content, err, tc.want)
			}
			if tc.lenient && tc.want == "" && warned != 1 {
				t.Error("accepted without a warning")
			}
		})
	}
}

func TestParse(t *testing.T) {
	const base = `"DeploymentId":"arn:aws:codedeploy:r:a:deployment/d-1","DeploymentGroupId":"g","DeploymentGroupName":"n","ApplicationName":"a"`
	s, err := Parse([]byte(`{` + base + `,"Revision":{"RevisionType":"S3","S3Revision":{"Bucket":"b","Key":"k","BundleType":"zip","ETag":"e"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.DeploymentID != "d-1" || s.Creator != "user" || s.Type != "IN_PLACE" || s.AppSpecFile != "appspec.yml" || s.FileExists != "DISALLOW" || s.Revision.ETag != "e" {
		t.Errorf("got %+v", s)
	}
	for text, want := range map[string]string{
		`[]`:                           "deployment specification is not JSON",
		`{}`:                           "Deployment Spec has no DeploymentId",
		`{"DeploymentId":"d-1"}`:       "Deployment Spec has no DeploymentGroupId",
		`{` + base + `}`:               "Must specify a revison",
		`{` + base + `,"Revision":{}}`: "Must specify a revision source",
		`{` + base + `,"Revision":{"RevisionType":"Tape"}}`:                                                         "Exactly one of S3Revision, GitHubRevision, or LocalRevision must be specified",
		`{` + base + `,"Revision":{"RevisionType":"S3","S3Revision":{}}}`:                                           "S3Revision in Deployment Spec must specify Bucket, Key and BundleType",
		`{` + base + `,"Revision":{"RevisionType":"GitHub"}}`:                                                       "GitHubRevision in Deployment Spec must specify Account, Repository and CommitId",
		`{` + base + `,"AppSpecFilename":"../x"}`:                                                                   "leaves the revision",
		strings.Replace(`{`+base+`}`, `"g"`, `"deployment-logs"`, 1):                                                "which are no ids",
		strings.Replace(`{`+base+`}`, `"g"`, `"../../etc"`, 1):                                                      "which are no ids",
		`{` + base + `,"Revision":{"RevisionType":"S3","S3Revision":{"Bucket":"b","Key":"k","BundleType":"JSON"}}}`: "BundleType in S3Revision must be tar, tgz or zip",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%s): %v, want %q", text, err, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for want, r := range map[string]Revision{
		"BUNDLE_BUCKET=b BUNDLE_KEY=k":                                    {Type: "S3", Bucket: "b", Key: "k"},
		"BUNDLE_BUCKET=b BUNDLE_KEY=k BUNDLE_VERSION=v BUNDLE_ETAG=\"e\"": {Type: "S3", Bucket: "b", Key: "k", Version: "v", ETag: `"e"`},
		"BUNDLE_COMMIT=c": {Type: "GitHub", Account: "a", Repository: "r", CommitID: "c"},
		"":                {Type: "Local File", Location: "/x"},
	} {
		if got := strings.Join(r.Environment(), " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
