package iam

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

func malformedCertificate(format string, args ...any) error {
	return awserr.New("MalformedCertificate", format, args...)
}

// parseCertificate checks what is to be uploaded and returns the certificate.
func parseCertificate(body, chain, key string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(body))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, malformedCertificate("Unable to parse certificate. Please ensure the certificate is in PEM format.")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, malformedCertificate("Unable to parse certificate. Please ensure the certificate is in PEM format.")
	}
	if block, _ := pem.Decode([]byte(key)); block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") || encrypted(block) {
		return nil, malformedCertificate("Unable to parse key; the body is encrypted or is not in PEM format.")
	}
	if _, err := tls.X509KeyPair([]byte(body), []byte(key)); err != nil {
		return nil, awserr.New("KeyPairMismatch", "Private key doesn't match certificate")
	}
	return leaf, checkChain(leaf, chain)
}

// encrypted tells the two forms of keys that need a passphrase: PKCS #8's and OpenSSL's.
func encrypted(block *pem.Block) bool {
	return block.Type == "ENCRYPTED PRIVATE KEY" || strings.HasSuffix(block.Headers["Proc-Type"], ",ENCRYPTED")
}

// checkChain wants each certificate to have been signed by the next.
func checkChain(leaf *x509.Certificate, chain string) error {
	signed := leaf
	for i, rest := 0, []byte(chain); len(strings.TrimSpace(string(rest))) > 0; i++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return badChain(i)
		}
		signer, err := x509.ParseCertificate(block.Bytes)
		if err != nil || signed.CheckSignatureFrom(signer) != nil {
			return badChain(i)
		}
		signed = signer
	}
	return nil
}

func badChain(index int) error {
	return malformedCertificate("Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "+
		"followed by any intermediaries in order. The index within the chain of the invalid certificate is: %d", index)
}
