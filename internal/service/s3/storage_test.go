package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/s3"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

const bucketName = "storage-bucket"

func withBucket(t *testing.T) *system {
	t.Helper()
	s := newSystem(t)
	must[api.CreateBucketOutput](t, s, "CreateBucket", &api.CreateBucketInput{Bucket: aws.Ptr(bucketName)})
	return s
}

func (s *system) put(t *testing.T, key, body string) {
	t.Helper()
	must[api.PutObjectOutput](t, s, "PutObject", &api.PutObjectInput{Bucket: aws.Ptr(bucketName), Key: &key, Body: strings.NewReader(body)})
}

func (s *system) open(t *testing.T, key string) io.ReadCloser {
	t.Helper()
	return must[api.GetObjectOutput](t, s, "GetObject", &api.GetObjectInput{Bucket: aws.Ptr(bucketName), Key: &key}).Body
}

func (s *system) get(t *testing.T, key string) string {
	t.Helper()
	body := s.open(t, key)
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// multipart makes an object of parts of 5 MiB and a last one.
func (s *system) multipart(t *testing.T, key string, fills ...byte) {
	t.Helper()
	b := aws.Ptr(bucketName)
	u := must[api.CreateMultipartUploadOutput](t, s, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: b, Key: &key}).UploadId
	done := &api.CompletedMultipartUpload{}
	for i, fill := range fills {
		number := aws.Ptr(int32(i + 1))
		out := must[api.UploadPartOutput](t, s, "UploadPart", &api.UploadPartInput{
			Bucket: b, Key: &key, UploadId: u, PartNumber: number, Body: bytes.NewReader(bytes.Repeat([]byte{fill}, 5<<20)),
		})
		done.Parts = append(done.Parts, api.CompletedPart{PartNumber: number, ETag: out.ETag})
	}
	must[api.CompleteMultipartUploadOutput](t, s, "CompleteMultipartUpload", &api.CompleteMultipartUploadInput{
		Bucket: b, Key: &key, UploadId: u, MultipartUpload: done,
	})
}

// TestReadersKeepTheirVersion reads on while the object is replaced and deleted.
func TestReadersKeepTheirVersion(t *testing.T) {
	s := withBucket(t)
	s.multipart(t, "k", 'a', 'b', 'c')
	body := s.open(t, "k")
	first := make([]byte, 10)
	if _, err := io.ReadFull(body, first); err != nil {
		t.Fatal(err)
	}
	s.put(t, "k", "new")
	if got := s.get(t, "k"); got != "new" {
		t.Errorf("a new reader got %d bytes", len(got))
	}
	rest, err := io.ReadAll(body)
	if err != nil || len(rest) != 15<<20-10 || rest[len(rest)-1] != 'c' {
		t.Errorf("the old reader got %d more bytes, %v", len(rest), err)
	}
	if n := s.blobs.Len(); n != 4 {
		t.Errorf("%d blobs while the old version is read, want 4", n)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if n := s.blobs.Len(); n != 1 {
		t.Errorf("%d blobs when the reader is done, want 1", n)
	}
}

// TestConcurrentWrites has readers and writers of one key meet: every read is
// one write, whole.
func TestConcurrentWrites(t *testing.T) {
	s := withBucket(t)
	s.put(t, "k", strings.Repeat("0", 1000))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				s.put(t, "k", strings.Repeat(fmt.Sprint((w+i)%10), 1000))
			}
		})
		wg.Go(func() {
			for range 25 {
				if got := s.get(t, "k"); len(got) != 1000 || strings.Trim(got, got[:1]) != "" {
					t.Errorf("read a mixture of %d bytes", len(got))
				}
			}
		})
	}
	wg.Wait()
	if n := s.blobs.Len(); n != 1 {
		t.Errorf("%d blobs are left, want 1", n)
	}
}

func TestFailedBodiesLeaveNothing(t *testing.T) {
	s := withBucket(t)
	s.put(t, "k", "old")
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		body io.Reader
		want func(error) bool
	}{
		{"cut", iotest.ErrReader(io.ErrUnexpectedEOF), func(err error) bool { return awserr.Is(err, "IncompleteBody") }},
		{"broken", iotest.ErrReader(boom), func(err error) bool { return err != nil }},
	} {
		_, err := call[api.PutObjectOutput](t, s, "AKIAROOT", "PutObject", &api.PutObjectInput{
			Bucket: aws.Ptr(bucketName), Key: aws.Ptr("k"), Body: io.MultiReader(strings.NewReader("half"), c.body),
		})
		if !c.want(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got := s.get(t, "k"); got != "old" || s.blobs.Len() != 1 {
		t.Errorf("%q, %d blobs", got, s.blobs.Len())
	}
}

// TestSweep removes what a crash between bytes and row leaves, and nothing else.
func TestSweep(t *testing.T) {
	s := withBucket(t)
	s.put(t, "k", "kept")
	s.multipart(t, "m", 'a', 'b')
	u := must[api.CreateMultipartUploadOutput](t, s, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("p")})
	must[api.UploadPartOutput](t, s, "UploadPart", &api.UploadPartInput{
		Bucket: aws.Ptr(bucketName), Key: aws.Ptr("p"), UploadId: u.UploadId, PartNumber: aws.Ptr(int32(1)), Body: strings.NewReader("part"),
	})
	if _, err := s.blobs.Put(t.Context(), strings.NewReader("orphan")); err != nil {
		t.Fatal(err)
	}
	if err := s.service.Sweep(t.Context()); err != nil || s.blobs.Len() != 5 {
		t.Errorf("a sweep touched this run's bytes: %d blobs, %v", s.blobs.Len(), err)
	}
	s.blobs.NextRun()
	if err := s.service.Sweep(t.Context()); err != nil || s.blobs.Len() != 4 {
		t.Errorf("after the sweep of the next run: %d blobs, %v; want 4", s.blobs.Len(), err)
	}
	if s.get(t, "k") != "kept" || len(s.get(t, "m")) != 10<<20 {
		t.Error("the sweep took bytes of an object")
	}
}

// TestPartsOfAnAbortedUpload aborts an upload while a part of it is on its way.
func TestPartsOfAnAbortedUpload(t *testing.T) {
	s := withBucket(t)
	b, key := aws.Ptr(bucketName), aws.Ptr("p")
	u := must[api.CreateMultipartUploadOutput](t, s, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: b, Key: key}).UploadId
	abort := readerFunc(func([]byte) (int, error) {
		must[api.AbortMultipartUploadOutput](t, s, "AbortMultipartUpload", &api.AbortMultipartUploadInput{Bucket: b, Key: key, UploadId: u})
		return 0, io.EOF
	})
	_, err := call[api.UploadPartOutput](t, s, "AKIAROOT", "UploadPart", &api.UploadPartInput{
		Bucket: b, Key: key, UploadId: u, PartNumber: aws.Ptr(int32(1)), Body: io.MultiReader(strings.NewReader("part"), abort),
	})
	if !awserr.Is(err, "NoSuchUpload") || s.blobs.Len() != 0 {
		t.Errorf("%v; %d blobs are left", err, s.blobs.Len())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestNothingIsLeft writes, replaces, copies, aborts and deletes.
func TestNothingIsLeft(t *testing.T) {
	s := withBucket(t)
	s.put(t, "k", "1")
	s.put(t, "k", "2")
	s.multipart(t, "m", 'a')
	must[api.CopyObjectOutput](t, s, "CopyObject", &api.CopyObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("c"), CopySource: aws.Ptr(bucketName + "/k")})
	must[api.CopyObjectOutput](t, s, "CopyObject", &api.CopyObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("c2"), CopySource: aws.Ptr(bucketName + "/m")})
	_, err := call[api.PutObjectOutput](t, s, "AKIAROOT", "PutObject", &api.PutObjectInput{
		Bucket: aws.Ptr(bucketName), Key: aws.Ptr("k"), Body: strings.NewReader("3"), IfNoneMatch: aws.Ptr("*"),
	})
	if !awserr.Is(err, "PreconditionFailed") {
		t.Errorf("conditional put: %v", err)
	}
	u := must[api.CreateMultipartUploadOutput](t, s, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("p")})
	must[api.UploadPartOutput](t, s, "UploadPart", &api.UploadPartInput{
		Bucket: aws.Ptr(bucketName), Key: aws.Ptr("p"), UploadId: u.UploadId, PartNumber: aws.Ptr(int32(1)), Body: strings.NewReader("part"),
	})
	for _, key := range []string{"k", "m", "c", "c2"} {
		must[api.DeleteObjectOutput](t, s, "DeleteObject", &api.DeleteObjectInput{Bucket: aws.Ptr(bucketName), Key: &key})
	}
	must[api.DeleteBucketOutput](t, s, "DeleteBucket", &api.DeleteBucketInput{Bucket: aws.Ptr(bucketName)})
	if n := s.blobs.Len(); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
}

// TestResources holds the resource types to the engine's contract.
func TestResources(t *testing.T) {
	s := newSystem(t)
	types := s.service.Resources(s.server)
	t.Run("bucket", func(t *testing.T) {
		object := func(pairs ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i < len(pairs); i += 2 {
				m[pairs[i].(string)] = pairs[i+1]
			}
			return m
		}
		stacktest.Conform(t, stacktest.Case{
			Resource: types["AWS::S3::Bucket"], Type: "AWS::S3::Bucket", Context: as(t, "AKIAROOT"),
			Properties: map[string]any{
				"AccessControl":                  "PublicRead",
				"Tags":                           []any{object("Key", "a", "Value", "b")},
				"PublicAccessBlockConfiguration": object("BlockPublicPolicy", "true"),
				"OwnershipControls":              object("Rules", []any{object("ObjectOwnership", "ObjectWriter")}),
				"VersioningConfiguration":        object("Status", "Enabled"),
				"ObjectLockEnabled":              true,
				"ObjectLockConfiguration": object("ObjectLockEnabled", "Enabled",
					"Rule", object("DefaultRetention", object("Mode", "GOVERNANCE", "Days", 3))),
				"BucketEncryption": object("ServerSideEncryptionConfiguration", []any{
					object("ServerSideEncryptionByDefault", object("SSEAlgorithm", "AES256"))}),
				"LifecycleConfiguration": object("Rules", []any{
					object("Id", "r", "Status", "Enabled", "Prefix", "logs/", "NoncurrentVersionExpirationInDays", "9", "TagFilters", []any{object("Key", "k", "Value", "v")}, "ExpirationInDays", 9,
						"Transition", object("StorageClass", "GLACIER", "TransitionInDays", 1)),
					object("Id", "s", "Status", "Disabled", "AbortIncompleteMultipartUpload", object("DaysAfterInitiation", 1)),
				}),
			},
			Changed: map[string]any{
				"Tags": []any{}, "VersioningConfiguration": object("Status", "Enabled"), "ObjectLockEnabled": true,
				"LifecycleConfiguration": object("Rules", []any{object("Id", "t", "Status", "Enabled", "ExpirationDate", "2030-01-01")}),
			},
		})
	})
	t.Run("policy", func(t *testing.T) {
		must[api.CreateBucketOutput](t, s, "CreateBucket", &api.CreateBucketInput{Bucket: aws.Ptr("policy-bucket")})
		doc := func(action string) map[string]any {
			return map[string]any{"Bucket": "policy-bucket", "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
				"Effect": "Allow", "Principal": map[string]any{"AWS": account}, "Action": action, "Resource": "arn:aws:s3:::policy-bucket/*"}}}}
		}
		stacktest.Conform(t, stacktest.Case{
			Resource: types["AWS::S3::BucketPolicy"], Type: "AWS::S3::BucketPolicy", Context: as(t, "AKIAROOT"),
			Properties: doc("s3:GetObject"), Changed: doc("s3:PutObject"),
		})
	})
}

var _ s3.Published = agentBucket{}
