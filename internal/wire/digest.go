package wire

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

// verifyDocument compares a document of S3 with the digests that its sender gives.
// Those of an object's bytes are the service's business.
func (e *exchange) verifyDocument(doc []byte) error {
	if e.service.Model.Name != "s3" {
		return nil
	}
	if given, ok := e.r.Header["Content-Md5"]; ok {
		want, err := base64.StdEncoding.DecodeString(given[0])
		if err != nil || len(want) != md5.Size {
			return awserr.New("InvalidDigest", "The Content-MD5 you specified was invalid.").With("Content-MD5", printable(given[0]))
		}
		if sum := md5.Sum(doc); string(sum[:]) != string(want) {
			return awserr.New("BadDigest", "The Content-MD5 you specified did not match what we received.").
				With("ExpectedDigest", given[0]).With("CalculatedDigest", base64.StdEncoding.EncodeToString(sum[:]))
		}
	}
	if e.operation == "CompleteMultipartUpload" {
		return nil // its checksum is the object's
	}
	return verifyChecksums(e.r.Header, doc)
}

func verifyChecksums(h http.Header, doc []byte) error {
	for name, values := range h {
		algorithm, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-")
		if !ok {
			continue
		}
		sum := sigv4.NewChecksum(algorithm)
		if sum == nil {
			continue // x-amz-checksum-algorithm, or one that the operation judges
		}
		_, _ = sum.Write(doc)
		if base64.StdEncoding.EncodeToString(sum.Sum(nil)) != values[0] {
			return awserr.New("BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(algorithm))
		}
	}
	return nil
}
