package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"path"
	"strings"
)

// algorithmA is Signature Version 4A: an ECDSA key that is derived from the secret,
// and a set of regions in place of the scope's region.
const algorithmA = "AWS4-ECDSA-P256-SHA256"

// key verifies texts signed with a secret.
type key interface {
	// verify reports whether signature is text's, and what it should be where that
	// can be said: an ECDSA signature is another one each time.
	verify(text, signature string) (want string, ok bool)
}

// hmacKey is a signing key of Version 4.
type hmacKey []byte

func (k hmacKey) verify(text, signature string) (string, bool) {
	want := hex.EncodeToString(hmacSHA256(k, text))
	return want, subtle.ConstantTimeCompare([]byte(want), []byte(signature)) == 1
}

// ecdsaKey is a signing key of Version 4A.
type ecdsaKey struct{ public *ecdsa.PublicKey }

func (k ecdsaKey) verify(text, signature string) (string, bool) {
	if k.public == nil {
		return "", false
	}
	der, err := hex.DecodeString(strings.TrimRight(signature, "*")) // chunks pad theirs
	sum := sha256.Sum256([]byte(text))
	return "", err == nil && ecdsa.VerifyASN1(k.public, sum[:], der)
}

// deriveA is the key derivation of Version 4A: NIST SP 800-108 in counter mode, until
// the number fits the curve.
func deriveA(accessKeyID, secret string) ecdsaKey {
	limit := new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(2))
	for counter := byte(1); counter < 255; counter++ {
		h := hmac.New(sha256.New, []byte("AWS4A"+secret))
		_ = binary.Write(h, binary.BigEndian, uint32(1)) // a hash does not fail
		h.Write([]byte(algorithmA + "\x00" + accessKeyID))
		h.Write([]byte{counter})
		_ = binary.Write(h, binary.BigEndian, uint32(256))
		candidate := new(big.Int).SetBytes(h.Sum(nil))
		if candidate.Cmp(limit) > 0 {
			continue
		}
		scalar := candidate.Add(candidate, big.NewInt(1)).FillBytes(make([]byte, 32))
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err != nil {
			return ecdsaKey{}
		}
		return ecdsaKey{&private.PublicKey}
	}
	return ecdsaKey{} // verifies nothing; the chance is nil
}

// key returns the key that s must have been made with.
func (s *Signature) key(secret string) key {
	if s.algorithm == algorithmA {
		return deriveA(s.AccessKeyID, secret)
	}
	return hmacKey(signingKey(secret, s.Date, s.Region, s.Service))
}

// Algorithm is the name of what s is made with; "" in FormQueryV2.
func (s *Signature) Algorithm() string { return s.algorithm }

// setRegions reads X-Amz-Region-Set: "us-east-1,eu-*".
func (s *Signature) setRegions(list string) error {
	for r := range strings.SplitSeq(list, ",") {
		if r = strings.TrimSpace(r); r != "" {
			s.RegionSet = append(s.RegionSet, r)
		}
	}
	if s.RegionSet == nil {
		return malformed("Authorization header requires existence of 'X-Amz-Region-Set' header.")
	}
	return nil
}

// Settle decides where a request of Version 4A acts: in the region given when its set
// admits it, else in the first that the set names. Region stays "" when there is none.
func (s *Signature) Settle(region string) {
	if s.algorithm != algorithmA {
		return
	}
	named := ""
	for _, r := range s.RegionSet {
		if fits, err := path.Match(r, region); err == nil && fits {
			s.Region = region
			return
		}
		if named == "" && !strings.ContainsAny(r, "*?[") {
			named = r
		}
	}
	s.Region = named
}
