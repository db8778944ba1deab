// Package tlsca lets one port speak http and https: a small certificate
// authority of the server's own, and a listener that looks at a connection's
// first byte.
//
// It owns the authority's key and certificate, two files in the directory that
// it is given, and the leaves it has minted, in memory. It imports clock. app
// enters at Open and Listen; instances and clients trust the certificate that
// PEM returns.
package tlsca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 90 * 24 * time.Hour
	backdate = 24 * time.Hour // clients' clocks may be behind
	// maxLeaves bounds the cache; names come from clients.
	maxLeaves = 1000
	certFile  = "ca.pem"
	keyFile   = "ca-key.pem"
)

// CA mints certificates for the names that clients ask for.
type CA struct {
	clock clock.Clock
	file  string
	pem   []byte
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey

	leafKey *ecdsa.PrivateKey // one for all leaves: they are all this server
	mu      sync.Mutex
	leaves  map[string]*tls.Certificate
}

// Open reads the authority in dir, made at the first call. Certificates are read
// by clients with clocks of their own, so c is to be the machine's clock.
func Open(dir string, c clock.Clock) (*CA, error) {
	ca := &CA{clock: c, file: filepath.Join(dir, certFile), leaves: map[string]*tls.Certificate{}}
	err := ca.load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(dir, c.Now()); err == nil {
			err = ca.load(dir)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	ca.leafKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return ca, err
}

// PEM returns the authority's certificate.
func (ca *CA) PEM() []byte { return ca.pem }

// File returns where the certificate is kept, for AWS_CA_BUNDLE.
func (ca *CA) File() string { return ca.file }

func (ca *CA) load(dir string) error {
	keyPEM, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return err
	}
	if ca.pem, err = os.ReadFile(ca.file); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(ca.pem, keyPEM)
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("the key in %s is not ECDSA", keyFile)
	}
	ca.cert, ca.key = pair.Leaf, key
	return nil
}

// create writes a new authority. The certificate goes last: without it the next
// start begins anew.
func create(dir string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "hardstand local CA", Organization: []string{"hardstand"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if template.SerialNumber, err = serial(); err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, keyFile), "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return write(filepath.Join(dir, certFile), "CERTIFICATE", der, 0o644)
}

// write replaces a file at once, so that a crash leaves none by half.
func write(file, kind string, der []byte, mode fs.FileMode) error {
	tmp := file + ".new"
	if err := os.WriteFile(tmp, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

func serial() (*big.Int, error) { return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) }

// TLSConfig serves a certificate for whatever name, or address, the client means.
func (ca *CA) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
			if name == "" { // clients send no name when they dial an address
				host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
				if err != nil {
					return nil, err
				}
				name = host
			}
			return ca.leaf(name)
		},
	}
}

// leaf returns the certificate for name, minted or cached.
func (ca *CA) leaf(name string) (*tls.Certificate, error) {
	now := ca.clock.Now()
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if c := ca.leaves[name]; c != nil && now.Before(c.Leaf.NotAfter.Add(-leafLife/3)) {
		return c, nil
	}
	c, err := ca.mint(name, now)
	if err != nil {
		return nil, fmt.Errorf("mint certificate for %q: %w", name, err)
	}
	if len(ca.leaves) >= maxLeaves {
		clear(ca.leaves)
	}
	ca.leaves[name] = c
	return c, nil
}

func (ca *CA) mint(name string, now time.Time) (*tls.Certificate, error) {
	number, err := serial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: number, Subject: pkix.Name{Organization: []string{"hardstand"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &ca.leafKey.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: ca.leafKey, Leaf: leaf}, nil
}
