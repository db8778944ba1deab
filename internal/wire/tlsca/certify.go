package tlsca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"
)

// Certify certifies that pub belongs to name, for signatures (not for TLS), and
// returns the certificate in DER form. It is valid for life from now.
func (ca *CA) Certify(name string, pub crypto.PublicKey, life time.Duration) ([]byte, error) {
	number, err := serial()
	if err != nil {
		return nil, fmt.Errorf("certify %s: %w", name, err)
	}
	now := ca.clock.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: number,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, ca.cert, pub, ca.key)
	if err != nil {
		return nil, fmt.Errorf("certify %s: %w", name, err)
	}
	return der, nil
}
