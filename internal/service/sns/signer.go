package sns

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of the signature is SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// Authority certifies the key that signs messages.
type Authority interface {
	Certify(name string, public crypto.PublicKey, life time.Duration) ([]byte, error)
}

const (
	signerLife = 10 * 365 * 24 * time.Hour
	signerBits = 2048
	// CertificatePrefix begins the path that the certificate is served at.
	CertificatePrefix = "/SimpleNotificationService-"
)

// signer signs messages. Its key is made when it is first used, and sealed at rest.
type signer struct {
	mu   sync.Mutex
	key  *rsa.PrivateKey
	pem  []byte
	path string
}

// signingKey returns the key and the path of its certificate.
func (s *Service) signingKey(ctx context.Context) (*rsa.PrivateKey, string, error) {
	g := &s.signer
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.key != nil {
		return g.key, g.path, nil
	}
	row, err := s.loadSigner(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("signer of messages: %w", err)
	}
	plain, err := s.cfg.Sealer.Open(signerRows.Name, signerKey.ID, row.Key)
	if err != nil {
		return nil, "", fmt.Errorf("signer of messages: %w", err)
	}
	key, err := x509.ParsePKCS1PrivateKey(plain)
	if err != nil {
		return nil, "", fmt.Errorf("signer of messages: %w", err)
	}
	sum := sha256.Sum256(row.Certificate)
	g.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: row.Certificate})
	g.key, g.path = key, CertificatePrefix+hex.EncodeToString(sum[:16])+".pem"
	return g.key, g.path, nil
}

var signerKey = store.Key{ID: "signer"}

func (s *Service) loadSigner(ctx context.Context) (*signerRow, error) {
	var row *signerRow
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		row, err = signerRows.Get(tx, signerKey)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return row, err
	}
	key, err := rsa.GenerateKey(rand.Reader, signerBits)
	if err != nil {
		return nil, err
	}
	row = &signerRow{Ends: s.cfg.Clock.Now().Add(signerLife)}
	if row.Certificate, err = s.cfg.Authority.Certify("sns.amazonaws.com", key.Public(), signerLife); err != nil {
		return nil, err
	}
	if row.Key, err = s.cfg.Sealer.Seal(signerRows.Name, signerKey.ID, x509.MarshalPKCS1PrivateKey(key)); err != nil {
		return nil, err
	}
	return row, s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return signerRows.Put(tx, signerKey, row) })
}

// sign returns the signature of a text in a version, and the address of the
// certificate that verifies it.
func (s *Service) sign(ctx context.Context, version, text string) (signature, certificate string, err error) {
	key, path, err := s.signingKey(ctx)
	if err != nil {
		return "", "", err
	}
	hash, digest := crypto.SHA1, sha1.Sum([]byte(text)) //nolint:gosec // the protocol's
	sum := digest[:]
	if version == "2" {
		long := sha256.Sum256([]byte(text))
		hash, sum = crypto.SHA256, long[:]
	}
	b, err := rsa.SignPKCS1v15(rand.Reader, key, hash, sum)
	if err != nil {
		return "", "", fmt.Errorf("sign a message: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), s.cfg.Endpoint + path, nil
}

// CertificateHandler serves the certificate, to everybody.
func (s *Service) CertificateHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, path, err := s.signingKey(r.Context()); err != nil || strings.TrimSuffix(r.URL.Path, "/") != path {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.signer.pem) // a client that has gone away
	})
}
