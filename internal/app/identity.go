package app

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/service/iam"
)

// identityKey signs the identity documents of instances. RSA keys take long to
// make, so it is made when the first signature is asked for, and kept sealed.
type identityKey struct {
	PKCS8, Certificate []byte
}

const (
	identityFile  = "instance-identity"
	identityTable = "app.instance-identity"
	identityBits  = 2048
	identityLife  = 20 * 365 * 24 * time.Hour
)

// identitySigner returns the certificate and the key, made at the first call.
func (s *System) identitySigner() (*x509.Certificate, crypto.Signer, error) {
	s.identityOnce.Lock()
	defer s.identityOnce.Unlock()
	if s.identityCert == nil {
		cert, key, err := s.loadIdentity()
		if errors.Is(err, fs.ErrNotExist) {
			cert, key, err = s.makeIdentity()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("identity document key: %w", err)
		}
		s.identityCert, s.identityKey = cert, key
	}
	return s.identityCert, s.identityKey, nil
}

func (s *System) loadIdentity() (*x509.Certificate, crypto.Signer, error) {
	sealed, err := os.ReadFile(s.dir.join("secrets", identityFile))
	if err != nil {
		return nil, nil, err
	}
	plain, err := s.sealer.Open(identityTable, identityFile, sealed)
	if err != nil {
		return nil, nil, err
	}
	var kept identityKey
	if err := json.Unmarshal(plain, &kept); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(kept.Certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(kept.PKCS8)
	if err != nil {
		return nil, nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("the kept key cannot sign")
	}
	return cert, signer, nil
}

func (s *System) makeIdentity() (*x509.Certificate, crypto.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, identityBits)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "hardstand instance identity"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(identityLife),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	plain, err := json.Marshal(identityKey{pkcs8, der})
	if err != nil {
		return nil, nil, err
	}
	sealed, err := s.sealer.Seal(identityTable, identityFile, plain)
	if err != nil {
		return nil, nil, err
	}
	if err := writeFile(s.dir.join("secrets", identityFile), sealed, 0o600); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// identities verifies identity documents that the helper scripts present.
type identities struct{ s *System }

func (i identities) VerifyIdentity(_ context.Context, document, signature []byte) (account, instance string, err error) {
	cert, _, err := i.s.identitySigner()
	if err != nil {
		return "", "", err
	}
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return "", "", errors.New("the identity certificate holds no RSA key")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(signature), "\n", ""))
	if err != nil {
		return "", "", fmt.Errorf("decode signature: %w", err)
	}
	sum := sha256.Sum256(document)
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], raw); err != nil {
		return "", "", fmt.Errorf("verify identity document: %w", err)
	}
	var doc struct{ AccountID, InstanceID string }
	if err := json.Unmarshal(document, &doc); err != nil {
		return "", "", fmt.Errorf("decode identity document: %w", err)
	}
	return doc.AccountID, doc.InstanceID, nil
}

// serviceRoles lets services act with the roles that they were given.
type serviceRoles struct{ iam *iam.Service }

// serviceSession is how long a service's session of a role lasts: longer than any
// deployment or stack operation. Policies are read at each call all the same.
const serviceSession = 12 * time.Hour

func (r serviceRoles) AssumeServiceRole(ctx context.Context, roleARN, service string) (aws.Principal, error) {
	name, _, _ := strings.Cut(service, ".")
	session, err := r.iam.SessionFor(ctx, aws.SessionRequest{RoleARN: roleARN, Name: name, Duration: serviceSession, Service: service})
	return session.Principal, err
}

// Principal tells who a session is that the service was given.
func (r serviceRoles) Principal(ctx context.Context, accessKeyID, sessionToken string) (aws.Principal, error) {
	found, err := r.iam.Lookup(ctx, accessKeyID, sessionToken)
	return found.Principal, err
}

// tokenKey is what the metadata service signs its session tokens with; kept, so
// that tokens stay valid over a restart.
func (s *System) tokenKey() ([]byte, error) {
	file := s.dir.join("secrets", "metadata-token")
	sealed, err := os.ReadFile(file)
	if err == nil {
		return s.sealer.Open("app.metadata-token", "key", sealed)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("metadata token key: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	if sealed, err = s.sealer.Seal("app.metadata-token", "key", key); err != nil {
		return nil, fmt.Errorf("metadata token key: %w", err)
	}
	return key, writeFile(file, sealed, 0o600)
}
