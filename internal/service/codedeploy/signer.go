package codedeploy

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"sync"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	// signerLife is how long a signer's certificate lasts; it is renewed, with
	// its key, when renewBefore of it is left.
	signerLife  = 365 * 24 * time.Hour
	renewBefore = 30 * 24 * time.Hour
	signerBits  = 2048
)

// signers sign deployment specifications, one key per region. The key is RSA,
// which official agents verify, and is made when first used; at rest it is
// sealed.
type signers struct {
	db        *store.DB
	sealer    *store.Sealer
	clock     clock.Clock
	authority Authority
	mu        sync.Mutex
	ready     map[string]*signer
}

// signer is a region's key. signed are the envelopes it made lately, by their
// content: the hosts of a deployment all get the same, once per event, and a
// signature costs a millisecond.
type signer struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
	mu          sync.Mutex
	signed      map[string]string
}

// keepSigned bounds signed; it is emptied when full.
const keepSigned = 64

func newSigners(cfg Config) *signers {
	return &signers{db: cfg.DB, sealer: cfg.Sealer, clock: cfg.Clock, authority: cfg.Authority, ready: map[string]*signer{}}
}

// sign returns content as PKCS #7 SignedData in PEM form, content and
// certificate attached.
func (s *signers) sign(ctx context.Context, region string, content []byte) (string, error) {
	k, err := s.get(ctx, region)
	if err != nil {
		return "", fmt.Errorf("deployment signer: %w", err)
	}
	return k.sign(content)
}

// sign makes or finds the envelope. Hosts that ask at the same time wait for one
// signature.
func (k *signer) sign(content []byte) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if text, has := k.signed[string(content)]; has {
		return text, nil
	}
	text, err := k.envelope(content)
	if err != nil {
		return "", err
	}
	if len(k.signed) >= keepSigned {
		clear(k.signed)
	}
	k.signed[string(content)] = text
	return text, nil
}

func (k *signer) envelope(content []byte) (string, error) {
	sd, err := pkcs7.NewSignedData(content)
	if err != nil {
		return "", fmt.Errorf("sign specification: %w", err)
	}
	sd.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := sd.AddSigner(k.certificate, k.key, pkcs7.SignerInfoConfig{}); err != nil {
		return "", fmt.Errorf("sign specification: %w", err)
	}
	der, err := sd.Finish()
	if err != nil {
		return "", fmt.Errorf("sign specification: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der})), nil
}

func (s *signers) get(ctx context.Context, region string) (*signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if k := s.ready[region]; k != nil && now.Before(k.certificate.NotAfter.Add(-renewBefore)) {
		return k, nil
	}
	row, err := s.load(ctx, region, now)
	if err != nil {
		return nil, err
	}
	return s.use(region, row)
}

// use makes row the region's signer.
func (s *signers) use(region string, row *signerRow) (*signer, error) {
	plain, err := s.sealer.Open(signerRows.Name, region, row.Key)
	if err != nil {
		return nil, err
	}
	k := &signer{signed: map[string]string{}}
	if k.key, err = x509.ParsePKCS1PrivateKey(plain); err != nil {
		return nil, err
	}
	if k.certificate, err = x509.ParseCertificate(row.Certificate); err != nil {
		return nil, err
	}
	s.ready[region] = k
	return k, nil
}

// load returns the stored signer, or a new one that it has stored.
func (s *signers) load(ctx context.Context, region string, now time.Time) (*signerRow, error) {
	k := store.Key{Region: region, ID: region}
	var row *signerRow
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = signerRows.Get(tx, k)
		return err
	})
	if err == nil && now.Before(row.Ends.Add(-renewBefore)) {
		return row, nil
	}
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	return s.replace(ctx, region)
}

// replace stores a new signer in the place of the region's.
func (s *signers) replace(ctx context.Context, region string) (*signerRow, error) {
	row, err := s.make(region)
	if err != nil {
		return nil, err
	}
	return row, s.db.Update(ctx, func(tx *store.Tx) error { return signerRows.Put(tx, store.Key{Region: region, ID: region}, row) })
}

// rotate makes a new signer and signs with it from now on. What was signed before
// stays valid: agents trust the authority, not the key.
func (s *signers) rotate(ctx context.Context, region string) (*signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, err := s.replace(ctx, region)
	if err != nil {
		return nil, err
	}
	return s.use(region, row)
}

func (s *signers) make(region string) (*signerRow, error) {
	key, err := rsa.GenerateKey(rand.Reader, signerBits)
	if err != nil {
		return nil, err
	}
	der, err := s.authority.Certify("codedeploy-signer-"+region+".amazonaws.com", key.Public(), signerLife)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	sealed, err := s.sealer.Seal(signerRows.Name, region, x509.MarshalPKCS1PrivateKey(key))
	if err != nil {
		return nil, err
	}
	return &signerRow{Certificate: der, Key: sealed, Ends: certificate.NotAfter}, nil
}
