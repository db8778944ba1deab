package ec2

import (
	"context"
	"crypto/ed25519"
	"crypto/md5" //nolint:gosec // EC2's fingerprint of imported keys is an MD5
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // EC2's fingerprint of created keys is a SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateKeyPair makes a key pair and hands out its private half, which is kept
// nowhere.
func (s *Service) CreateKeyPair(ctx context.Context, in *api.CreateKeyPairInput) (*api.CreateKeyPairOutput, error) {
	c := aws.CallFrom(ctx)
	if in.KeyFormat == "ppk" {
		return nil, unsupported("KeyFormat=ppk")
	}
	row, err := newKeyRow(c, aws.Val(in.KeyName), in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	material, err := generateKey(row, string(in.KeyType))
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	if err := s.insertKey(ctx, c, row); err != nil {
		return nil, err
	}
	return &api.CreateKeyPairOutput{
		KeyPairId: aws.Ptr(row.ID), KeyName: aws.Ptr(row.Name), KeyFingerprint: aws.Ptr(row.Fingerprint),
		KeyMaterial: aws.Ptr(material), Tags: apiTags(row.Tags),
	}, nil
}

// ImportKeyPair keeps the public key that the caller made elsewhere.
func (s *Service) ImportKeyPair(ctx context.Context, in *api.ImportKeyPairInput) (*api.ImportKeyPairOutput, error) {
	c := aws.CallFrom(ctx)
	row, err := newKeyRow(c, aws.Val(in.KeyName), in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	if err := importKey(row, in.PublicKeyMaterial); err != nil {
		return nil, err
	}
	if err := s.insertKey(ctx, c, row); err != nil {
		return nil, err
	}
	return &api.ImportKeyPairOutput{KeyPairId: aws.Ptr(row.ID), KeyName: aws.Ptr(row.Name), KeyFingerprint: aws.Ptr(row.Fingerprint), Tags: apiTags(row.Tags)}, nil
}

func newKeyRow(c aws.Call, name string, specs []api.TagSpecification) (*keyPair, error) {
	if name == "" {
		return nil, missing("KeyName")
	}
	if len(name) > 255 || strings.TrimSpace(name) != name {
		return nil, awserr.New("InvalidParameterValue", "Value (%s) for parameter KeyName is invalid. Key names must be 1 to 255 ASCII characters without leading or trailing spaces.", name)
	}
	if err := reservedSpecs(c, specs); err != nil {
		return nil, err
	}
	tags, err := tagSpec(specs, "key-pair")
	if err != nil {
		return nil, err
	}
	return &keyPair{ID: ids.Resource("key"), Name: name, Tags: tags, Token: c.Token}, nil
}

func (s *Service) insertKey(ctx context.Context, c aws.Call, row *keyPair) error {
	row.Created = s.clock.Now().UTC()
	err := s.db.Update(ctx, func(tx *store.Tx) error { return keyPairs.Insert(tx, key(c, row.ID), row) })
	if errors.Is(err, store.ErrExists) {
		return awserr.New("InvalidKeyPair.Duplicate", "The keypair already exists")
	}
	return err
}

// generateKey fills row with a new public key and returns the private one as
// PEM, in the formats that EC2 uses: PKCS#1 for RSA, OpenSSH for ED25519.
func generateKey(row *keyPair, kind string) (string, error) {
	if kind == "ed25519" {
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", err
		}
		block, err := ssh.MarshalPrivateKey(priv, "")
		if err != nil {
			return "", err
		}
		sp, err := ssh.NewPublicKey(pub)
		if err != nil {
			return "", err
		}
		row.setPublic(sp, "ed25519")
		sum := sha256.Sum256(sp.Marshal())
		row.Fingerprint = base64.StdEncoding.EncodeToString(sum[:])
		return string(pem.EncodeToMemory(block)), nil
	}
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	sp, err := ssh.NewPublicKey(&priv.PublicKey)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return "", err
	}
	row.setPublic(sp, "rsa")
	sum := sha1.Sum(der)
	row.Fingerprint = colons(sum[:])
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(priv)})), nil
}

func (r *keyPair) setPublic(k ssh.PublicKey, kind string) {
	r.Type = kind
	r.PublicKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) + " " + r.Name
}

func importKey(row *keyPair, material []byte) error {
	invalid := awserr.New("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	k, _, _, _, err := ssh.ParseAuthorizedKey(material)
	if err != nil {
		return invalid
	}
	switch k.Type() {
	case ssh.KeyAlgoED25519:
		row.setPublic(k, "ed25519")
		sum := sha256.Sum256(k.Marshal())
		row.Fingerprint = base64.StdEncoding.EncodeToString(sum[:])
		return nil
	case ssh.KeyAlgoRSA:
	default:
		return invalid
	}
	ck, ok := k.(ssh.CryptoPublicKey)
	if !ok {
		return invalid
	}
	der, err := x509.MarshalPKIXPublicKey(ck.CryptoPublicKey())
	if err != nil {
		return invalid
	}
	row.setPublic(k, "rsa")
	sum := md5.Sum(der)
	row.Fingerprint = colons(sum[:])
	return nil
}

func colons(b []byte) string {
	parts := make([]string, len(b))
	for i := range b {
		parts[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(parts, ":")
}

// authorizedKey returns the public key that an instance gets for a key pair name.
func authorizedKey(tx *store.Tx, c aws.Call, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	row, err := keyByName(tx, c, name)
	if err != nil {
		return "", err
	}
	return row.PublicKey, nil
}

func keyByName(tx *store.Tx, c aws.Call, name string) (*keyPair, error) {
	rows, err := keyPairs.Lookup(tx, "name", scoped(key(c, ""), name))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, awserr.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
	}
	return rows[0].Value, nil
}

// DeleteKeyPair forgets a public key; deleting what does not exist succeeds.
func (s *Service) DeleteKeyPair(ctx context.Context, in *api.DeleteKeyPairInput) (*api.DeleteKeyPairOutput, error) {
	c := aws.CallFrom(ctx)
	if in.KeyName == nil && in.KeyPairId == nil {
		return nil, missing("KeyName")
	}
	out := &api.DeleteKeyPairOutput{Return: aws.Ptr(true)}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		id := aws.Val(in.KeyPairId)
		if id == "" {
			row, err := keyByName(tx, c, *in.KeyName)
			if awserr.As(err) != nil {
				return nil
			}
			if err != nil {
				return err
			}
			id = row.ID
		}
		err := keyPairs.Delete(tx, key(c, id))
		if isNotFound(err) {
			return nil
		}
		out.KeyPairId = aws.Ptr(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeKeyPairs lists key pairs.
func (s *Service) DescribeKeyPairs(ctx context.Context, in *api.DescribeKeyPairsInput) (*api.DescribeKeyPairsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "key-pair-id", "key-name", "fingerprint"); err != nil {
		return nil, err
	}
	out := &api.DescribeKeyPairsOutput{KeyPairs: []api.KeyPairInfo{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := keyPairs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return fmt.Errorf("list key pairs: %w", err)
		}
		all := make([]*keyPair, 0, len(rows))
		for _, r := range rows {
			all = append(all, r.Value)
		}
		picked, err := pickKeys(all, in.KeyNames, in.KeyPairIds)
		if err != nil {
			return err
		}
		for _, r := range picked {
			f := fields{"key-pair-id": {r.ID}, "key-name": {r.Name}, "fingerprint": {r.Fingerprint}}.withTags(r.Tags)
			if f.matches(in.Filters) {
				out.KeyPairs = append(out.KeyPairs, apiKey(r, aws.Val(in.IncludePublicKey)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func pickKeys(all []*keyPair, names, byID []string) ([]*keyPair, error) {
	if len(names)+len(byID) == 0 {
		return all, nil
	}
	var out []*keyPair
	for _, n := range names {
		i := slices.IndexFunc(all, func(k *keyPair) bool { return k.Name == n })
		if i < 0 {
			return nil, awserr.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", n)
		}
		out = append(out, all[i])
	}
	for _, id := range byID {
		i := slices.IndexFunc(all, func(k *keyPair) bool { return k.ID == id })
		if i < 0 {
			return nil, awserr.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", id)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func apiKey(r *keyPair, public bool) api.KeyPairInfo {
	out := api.KeyPairInfo{
		KeyPairId: aws.Ptr(r.ID), KeyName: aws.Ptr(r.Name), KeyType: api.KeyType(r.Type), KeyFingerprint: aws.Ptr(r.Fingerprint),
		CreateTime: aws.Ptr(r.Created), Tags: apiTags(r.Tags),
	}
	if public {
		out.PublicKey = aws.Ptr(r.PublicKey)
	}
	return out
}

// newKeyChecks is the permission to make the key pair name, with its tags.
func newKeyChecks(ctx context.Context, operation, name string, specs []api.TagSpecification) []aws.Check {
	c := aws.CallFrom(ctx)
	checks := []aws.Check{{Resource: ec2ARN(c, "key-pair/"+orAny(name)), Context: requestTagContext(specs, "key-pair")}}
	return append(checks, createTagsChecks(c, operation, specs)...)
}

// deleteKeyChecks names the key pair by its name, as IAM knows it, whichever way
// the request does.
func (s *Service) deleteKeyChecks(ctx context.Context, in *api.DeleteKeyPairInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	row := &keyPair{Name: aws.Val(in.KeyName)}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		var found *keyPair
		var err error
		if in.KeyPairId != nil {
			found, err = keyPairs.Get(tx, key(c, *in.KeyPairId))
		} else {
			found, err = keyByName(tx, c, row.Name)
		}
		if isNotFound(err) || awserr.As(err) != nil {
			return nil
		}
		if err == nil {
			row = found
		}
		return err
	})
	return []aws.Check{{Resource: ec2ARN(c, "key-pair/"+orAny(row.Name))}}, err
}
