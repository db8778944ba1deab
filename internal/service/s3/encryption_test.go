package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"io"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/service/s3"
)

// TestEncryptedAtRest looks at the stored bytes: what was asked to be encrypted is
// not to be found in them.
func TestEncryptedAtRest(t *testing.T) {
	secret := []byte("the words that nobody may read on the disk")
	key := bytes.Repeat([]byte("k"), 32)
	sum := md5.Sum(key)
	for _, c := range []struct {
		name     string
		set      func(in *api.PutObjectInput)
		byBucket bool
		readable bool
	}{
		{"plain", func(*api.PutObjectInput) {}, false, true},
		{"SSE-S3", func(in *api.PutObjectInput) { in.ServerSideEncryption = api.ServerSideEncryptionAes256 }, false, false},
		{"aws:kms under the managed key", func(in *api.PutObjectInput) {
			in.ServerSideEncryption, in.SSEKMSKeyId = api.ServerSideEncryptionAwsKms, aws.Ptr("alias/aws/s3")
		}, false, false},
		{"the bucket's default", func(*api.PutObjectInput) {}, true, false},
		{"SSE-C", func(in *api.PutObjectInput) {
			in.SSECustomerAlgorithm, in.SSECustomerKey = aws.Ptr("AES256"), aws.Ptr(base64.StdEncoding.EncodeToString(key))
			in.SSECustomerKeyMD5 = aws.Ptr(base64.StdEncoding.EncodeToString(sum[:]))
		}, false, false},
	} {
		s := withBucket(t)
		if c.byBucket {
			must[api.PutBucketEncryptionOutput](t, s, "PutBucketEncryption", &api.PutBucketEncryptionInput{
				Bucket: aws.Ptr(bucketName), ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
					Rules: []api.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: api.ServerSideEncryptionAes256}}}}})
		}
		in := &api.PutObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("k"), Body: bytes.NewReader(secret)}
		c.set(in)
		must[api.PutObjectOutput](t, s, "PutObject", in)
		found := false
		for e, err := range s.blobs.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.blobs.Open(t.Context(), e.ID, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(b, secret)
		}
		if found != c.readable {
			t.Errorf("%s: readable on the disk: %v", c.name, found)
		}
	}
}

// TestCheckOfEncrypted has a check look at encrypted objects and parts, whole and
// damaged. Repairing must not take the stored bytes for the object's.
func TestCheckOfEncrypted(t *testing.T) {
	s := withBucket(t)
	b, key := aws.Ptr(bucketName), aws.Ptr("parts")
	must[api.PutBucketEncryptionOutput](t, s, "PutBucketEncryption", &api.PutBucketEncryptionInput{
		Bucket: b, ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
			Rules: []api.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: api.ServerSideEncryptionAes256}}}}})
	s.put(t, "whole", "words")
	u := must[api.CreateMultipartUploadOutput](t, s, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: b, Key: key}).UploadId
	must[api.UploadPartOutput](t, s, "UploadPart", &api.UploadPartInput{
		Bucket: b, Key: key, UploadId: u, PartNumber: aws.Ptr(int32(1)), Body: bytes.NewReader([]byte("a part"))})
	check := func() []s3.Finding {
		t.Helper()
		var all []s3.Finding
		if _, err := s.service.Check(t.Context(), true, func(f s3.Finding) { all = append(all, f) }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if found := check(); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	if got := s.get(t, "whole"); got != "words" {
		t.Errorf("after the check it is %q", got)
	}
	for e, err := range s.blobs.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.blobs.Delete(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if found := check(); len(found) != 2 {
		t.Errorf("found %+v, want the object and the part", found)
	}
}

// TestCheckOfVersions loses the bytes of several versions of a key. One repair removes
// them all, and leaves the one that is whole as the current one.
func TestCheckOfVersions(t *testing.T) {
	s := withBucket(t)
	must[api.PutBucketVersioningOutput](t, s, "PutBucketVersioning", &api.PutBucketVersioningInput{
		Bucket: aws.Ptr(bucketName), VersioningConfiguration: &api.VersioningConfiguration{Status: api.BucketVersioningStatusEnabled}})
	s.put(t, "k", "whole")
	kept := map[string]bool{}
	for e, err := range s.blobs.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		kept[e.ID] = true
	}
	s.put(t, "k", "lost")
	s.put(t, "k", "lost too")
	for e, err := range s.blobs.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !kept[e.ID] {
			if err := s.blobs.Delete(t.Context(), e.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, want := range []s3.Checked{{Objects: 3, Bytes: 5, Findings: 2}, {Objects: 1, Bytes: 5}} {
		if done, err := s.service.Check(t.Context(), true, func(s3.Finding) {}); err != nil || done != want {
			t.Errorf("%+v, %v, want %+v", done, err, want)
		}
	}
	if got := s.get(t, "k"); got != "whole" {
		t.Errorf("the current object is %q", got)
	}
}

// TestTheManagedKey holds that aws:kms is taken under the key that AWS manages, which
// the data dir's own stands for, and under no other.
func TestTheManagedKey(t *testing.T) {
	s := withBucket(t)
	put := func(d *api.ServerSideEncryptionByDefault) error {
		_, err := call[api.PutBucketEncryptionOutput](t, s, "AKIAROOT", "PutBucketEncryption", &api.PutBucketEncryptionInput{
			Bucket: aws.Ptr(bucketName), ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
				Rules: []api.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: d}}}})
		return err
	}
	for _, id := range []*string{nil, aws.Ptr("alias/aws/s3"), aws.Ptr("arn:aws:kms:us-east-1:123456789012:alias/aws/s3")} {
		if err := put(&api.ServerSideEncryptionByDefault{SSEAlgorithm: api.ServerSideEncryptionAwsKms, KMSMasterKeyID: id}); err != nil {
			t.Errorf("%s: %v", aws.Val(id), err)
		}
	}
	err := put(&api.ServerSideEncryptionByDefault{SSEAlgorithm: api.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.Ptr("alias/own")})
	if err == nil || err.Error() != "NotImplemented: hardstand does not implement KMSMasterKeyID other than alias/aws/s3 of s3:PutBucketEncryption." {
		t.Errorf("another key: %v", err)
	}
	shown := must[api.GetBucketEncryptionOutput](t, s, "GetBucketEncryption", &api.GetBucketEncryptionInput{Bucket: aws.Ptr(bucketName)})
	if a := shown.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm; a != "aws:kms" {
		t.Errorf("the bucket shows %s", a)
	}
	in := &api.PutObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("k"), Body: bytes.NewReader([]byte("text"))}
	if out := must[api.PutObjectOutput](t, s, "PutObject", in); out.ServerSideEncryption != "aws:kms" {
		t.Errorf("put under %s", out.ServerSideEncryption)
	}
	out := must[api.GetObjectOutput](t, s, "GetObject", &api.GetObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("k")})
	if text, err := io.ReadAll(out.Body); err != nil || string(text) != "text" || out.ServerSideEncryption != "aws:kms" {
		t.Errorf("got %q under %s, %v", text, out.ServerSideEncryption, err)
	}
}
