package spec

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/clock"
)

// FuzzOpen changes a signed specification: whatever is opened is what was signed.
func FuzzOpen(f *testing.F) {
	t := &testing.T{}
	ca := newAuthority(t)
	cert, key := certify(t, ca, "codedeploy-signer-us-east-1.amazonaws.com")
	const content = `{"DeploymentId":"d-1"}`
	good := sealed(t, content, cert, key)
	v := &Verifier{roots: poolOf(ca.cert), clock: clock.System{}, strict: true, warn: func(string) {}}
	block, _ := pem.Decode([]byte(good.Payload))
	f.Add("PKCS7/JSON", block.Bytes, "PKCS7")
	f.Add("PKCS7/JSON", []byte{0x30, 0x80, 0x06, 0x09}, "PKCS7")
	f.Add("TEXT/JSON", []byte("{}"), "")
	f.Fuzz(func(t *testing.T, format string, der []byte, label string) {
		if strings.ContainsAny(label, "\n:-") {
			return // no PEM
		}
		payload := string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
		if got, err := v.Open(&Envelope{format, payload}); err == nil && string(got) != content {
			t.Errorf("opened %q", got)
		}
		_, _ = v.Open(&Envelope{format, string(der)})
	})
}

func poolOf(c *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return pool
}

// FuzzParse reads specifications: what is accepted names directories below
// root_dir and files inside the revision.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"DeploymentId":"arn:aws:codedeploy:r:a:deployment/d-1","DeploymentGroupId":"g","DeploymentGroupName":"n","ApplicationName":"a","AppSpecFilename":"x/y.yml",` +
		`"AllPossibleLifecycleEvents":["A"],"Revision":{"RevisionType":"S3","S3Revision":{"Bucket":"b","Key":"k","BundleType":"zip","ETag":"e"}}}`))
	f.Add([]byte(`{"DeploymentId":"d-1","DeploymentGroupId":"g","DeploymentGroupName":"n","ApplicationName":"a","Revision":{"RevisionType":"GitHub","GitHubRevision":{"Account":"a","Repository":"r","CommitId":"c"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		dir := filepath.Join("/root", s.GroupID, s.DeploymentID)
		if filepath.Dir(filepath.Dir(dir)) != "/root" || strings.ContainsRune(s.GroupID+s.DeploymentID, os.PathSeparator) || !filepath.IsLocal(s.AppSpecFile) {
			t.Errorf("accepted %+v", s)
		}
		if s.Revision.Type == "" {
			t.Errorf("no revision in %+v", s)
		}
	})
}
