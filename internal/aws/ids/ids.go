// Package ids makes identifiers in AWS's forms from crypto/rand.
package ids

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// Resource returns prefix-<17 hex digits>: i-0123456789abcdef0.
func Resource(prefix string) string {
	var b [9]byte
	_, _ = rand.Read(b[:])
	return prefix + "-" + hex.EncodeToString(b[:])[:17]
}

// UUID returns a random (version 4) UUID.
func UUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

const (
	upperDigits  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	allLetters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// Upper returns n random characters of A-Z0-9, as CloudFormation's suffixes and
// CodeDeploy's deployment ids use.
func Upper(n int) string { return pick(upperDigits, n) }

// Letters returns n random characters of A-Z, a-z and 0-9, as the ends of secrets'
// ARNs are.
func Letters(n int) string { return pick(allLetters, n) }

// IAM returns an IAM unique id of 21 characters with the prefix given (AIDA,
// AROA, AKIA for keys of 20 use AccessKey).
func IAM(prefix string) string { return prefix + pick(base32Digits, 21-len(prefix)) }

// AccessKey returns an access key id of 20 characters: AKIA... or ASIA....
func AccessKey(prefix string) string { return prefix + pick(base32Digits, 20-len(prefix)) }

// Deployment returns a CodeDeploy deployment id: d-XXXXXXXXX.
func Deployment() string { return "d-" + Upper(9) }

func pick(alphabet string, n int) string {
	out := make([]byte, 0, n)
	var buf [64]byte
	limit := byte(256 / len(alphabet) * len(alphabet) % 256) // 0: every byte is fair
	for len(out) < n {
		_, _ = rand.Read(buf[:])
		for _, b := range buf {
			if (limit == 0 || b < limit) && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// Hex returns n random digits of 0-9 and a-f, as load balancers' ARNs end in.
func Hex(n int) string { return pick("0123456789abcdef", n) }

// Digits returns n random decimal digits.
func Digits(n int) string { return pick("0123456789", n) }
