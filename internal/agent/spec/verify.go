package spec

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/smallstep/pkcs7"

	"github.com/hardstand/hardstand/internal/agent/sentence"
	"github.com/hardstand/hardstand/internal/clock"
)

// Envelope is a document with the name of its form, as the service sends it.
type Envelope struct{ Format, Payload string }

// Verifier opens envelopes. The zero value checks the signature, the signer's
// name and nothing else; use NewVerifier.
type Verifier struct {
	roots  *x509.CertPool
	clock  clock.Clock
	strict bool
	warn   func(string)
}

// NewVerifier returns a verifier that accepts signers certified by the roots in
// the first of files that exists. Without such a file the system's roots are
// tried; a signer they do not certify is then accepted with a warning only
// where lenient says that the transport has already proved who sent it (AWS's
// own host over TLS, whose signing root AWS does not publish).
func NewVerifier(files []string, lenient bool, c clock.Clock, warn func(string)) (*Verifier, error) {
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) || f == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read signer's CA: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%s holds no certificate", f)
		}
		return &Verifier{roots: pool, clock: c, strict: true, warn: warn}, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	return &Verifier{roots: pool, clock: c, strict: !lenient, warn: warn}, nil
}

// Open checks e and returns its content.
func (v *Verifier) Open(e *Envelope) ([]byte, error) {
	if e == nil {
		return nil, sentence.Errorf("Provided deployment spec was nil")
	}
	if e.Format != "PKCS7/JSON" {
		return nil, sentence.Errorf("Unsupported DeploymentSpecification format: %s", e.Format)
	}
	block, _ := pem.Decode([]byte(e.Payload))
	if block == nil {
		return nil, sentence.Errorf("Could not parse the PKCS7: no start line")
	}
	p7, err := pkcs7.Parse(block.Bytes)
	if err != nil {
		return nil, sentence.Errorf("Could not parse the PKCS7: %w", err)
	}
	if len(p7.Content) == 0 {
		return nil, errors.New("deployment specification: the signed message carries no content")
	}
	if err := p7.Verify(); err != nil {
		return nil, fmt.Errorf("deployment specification: signature does not verify: %w", err)
	}
	return p7.Content, v.checkSigner(p7)
}

func (v *Verifier) checkSigner(p7 *pkcs7.PKCS7) error {
	signer := p7.GetOnlySigner()
	if signer == nil {
		return errors.New("deployment specification: not exactly one signer")
	}
	if name := signer.Subject.CommonName; !signerName().MatchString(name) {
		return fmt.Errorf("deployment specification: signed by %q, not by CodeDeploy", name)
	}
	between := x509.NewCertPool()
	for _, c := range p7.Certificates {
		between.AddCert(c)
	}
	_, err := signer.Verify(x509.VerifyOptions{
		Roots: v.roots, Intermediates: between, CurrentTime: v.clock.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err == nil {
		return nil
	}
	if v.strict {
		return fmt.Errorf("deployment specification: signer's certificate is not trusted: %w", err)
	}
	v.warn("the signer's certificate of the deployment specification is not certified by a known root (" + err.Error() +
		"); accepted because the service was reached over TLS; set :signer_ca_file: to require it")
	return nil
}
