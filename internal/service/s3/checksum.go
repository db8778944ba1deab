package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/blob"
)

// algorithms are the checksums that can be asked for, as the members
// Checksum<algorithm> of the API's structures.
var algorithms = []blob.Algorithm{
	blob.CRC32, blob.CRC32C, blob.CRC64NVME, blob.SHA1, blob.SHA256, blob.SHA512, blob.MD5,
}

// checksumField is the member of v, an API structure, for the algorithm.
func checksumField(v any, a blob.Algorithm) reflect.Value {
	return reflect.ValueOf(v).Elem().FieldByName("Checksum" + string(a))
}

// givenChecksum returns the one checksum that in, a pointer to an input or to
// one of its structures, states. The zero checksum means that it states none.
func givenChecksum(in any) (checksum, error) {
	var c checksum
	for _, a := range algorithms {
		f := checksumField(in, a)
		if !f.IsValid() || f.IsNil() {
			continue
		}
		if c.Algorithm != "" {
			return c, errInvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		c.Algorithm, c.Value = a, *f.Interface().(*string)
	}
	return c, nil
}

// setChecksum writes c into out, a pointer to an API structure.
func setChecksum(out any, c checksum) {
	if c.Algorithm == "" || c.Value == "" {
		return
	}
	if f := checksumField(out, c.Algorithm); f.IsValid() {
		f.Set(reflect.ValueOf(&c.Value))
	}
	if f := reflect.ValueOf(out).Elem().FieldByName("ChecksumType"); f.IsValid() {
		f.Set(reflect.ValueOf(c.Type))
	}
}

// algorithm checks a ChecksumAlgorithm member; "" when it is absent.
func algorithm(operation string, a s3.ChecksumAlgorithm) (blob.Algorithm, error) {
	if a == "" {
		return "", nil
	}
	for _, known := range algorithms {
		if string(known) == string(a) {
			return known, nil
		}
	}
	if strings.HasPrefix(string(a), "XXHASH") {
		return "", notBuilt(operation, "ChecksumAlgorithm "+string(a))
	}
	return "", errInvalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
}

// expectation is what the sender says about the bytes.
type expectation struct {
	md5   []byte
	given checksum
	// compute is the checksum to store: the one given, the one named, or
	// CRC64NVME, which S3 adds when a sender chooses none.
	compute blob.Algorithm
	// also is computed beside it: the checksum that a part needs when its sender
	// gave another.
	also blob.Algorithm
}

func newExpectation(operation string, in any, contentMD5 *string, named s3.ChecksumAlgorithm) (expectation, error) {
	var e expectation
	var err error
	if contentMD5 != nil {
		e.md5, err = base64.StdEncoding.DecodeString(*contentMD5)
		if err != nil || len(e.md5) != md5.Size {
			return e, awserr.New("InvalidDigest", "The Content-MD5 you specified was invalid.").With("Content-MD5", *contentMD5)
		}
	}
	if e.given, err = givenChecksum(in); err != nil {
		return e, err
	}
	if e.compute, err = algorithm(operation, named); err != nil {
		return e, err
	}
	if e.given.Algorithm != "" {
		// The algorithm named beside a checksum given is the SDK's; the header
		// with the value counts.
		e.compute, e.also = e.given.Algorithm, e.compute
		if err := validChecksum(e.given); err != nil {
			return e, err
		}
	}
	return e, nil
}

// validChecksum refuses a value that is not base64 of the algorithm's length.
func validChecksum(c checksum) error {
	b, err := base64.StdEncoding.DecodeString(c.Value)
	if err != nil || len(b) != blob.NewHash(c.Algorithm).Size() {
		return errInvalidRequest("Value for x-amz-checksum-%s header is invalid.", strings.ToLower(string(c.Algorithm)))
	}
	return nil
}

// sums are the hashes to compute while the bytes are written.
func (e expectation) sums() []blob.Algorithm {
	sums := []blob.Algorithm{blob.MD5}
	for _, a := range []blob.Algorithm{e.compute, e.also} {
		if a != "" && !slices.Contains(sums, a) {
			sums = append(sums, a)
		}
	}
	return sums
}

// verify compares the bytes written with what was said about them.
func (e expectation) verify(info blob.Info) error {
	if e.md5 != nil && !bytes.Equal(e.md5, info.Sums[blob.MD5]) {
		return awserr.New("BadDigest", "The Content-MD5 you specified did not match what we received.").
			With("ExpectedDigest", fmt.Sprintf("%x", e.md5)).
			With("CalculatedDigest", base64.StdEncoding.EncodeToString(info.Sums[blob.MD5]))
	}
	if e.given.Algorithm != "" && e.given.Value != base64.StdEncoding.EncodeToString(info.Sums[e.given.Algorithm]) {
		return awserr.New("BadDigest", "The %s you specified did not match the calculated checksum.", e.given.Algorithm)
	}
	return nil
}

// stored is the checksum to keep with the bytes.
func (e expectation) stored(info blob.Info) checksum {
	if e.compute == "" {
		return checksum{}
	}
	return checksum{e.compute, base64.StdEncoding.EncodeToString(info.Sums[e.compute]), s3.ChecksumTypeFullObject}
}

// sameETag compares an ETag that a client sent, quoted or not, with ours.
func sameETag(sent, etag string) bool { return strings.Trim(sent, `"`) == etag }

// matches applies an If-Match or If-None-Match header: "*" or a list of ETags.
func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || sameETag(one, etag) {
			return true
		}
	}
	return false
}

func checksumMode(mode s3.ChecksumMode) bool {
	return strings.EqualFold(string(mode), string(s3.ChecksumModeEnabled))
}

// ptrIf is a pointer to s, nil for "".
func ptrIf(s string) *string {
	if s == "" {
		return nil
	}
	return aws.Ptr(s)
}
