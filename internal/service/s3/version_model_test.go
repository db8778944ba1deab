package s3_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// modelVersion is a version in the simplest form: a list, newest first.
type modelVersion struct {
	id, body string
	marker   bool
}

// versionModel is a versioned bucket as S3's documentation describes it.
type versionModel struct {
	state api.BucketVersioningStatus
	keys  map[string][]modelVersion
}

func (m *versionModel) add(key string, v modelVersion) {
	list := m.keys[key]
	if v.id == "null" || v.id == "" {
		list = slices.DeleteFunc(slices.Clone(list), func(o modelVersion) bool { return o.id == "null" })
		v.id = "null"
	}
	m.keys[key] = append([]modelVersion{v}, list...)
}

func (m *versionModel) drop(key, id string) {
	m.keys[key] = slices.DeleteFunc(slices.Clone(m.keys[key]), func(o modelVersion) bool { return o.id == id })
}

// TestVersionsFollowAModel makes random sequences of calls on a bucket and on the
// model, and compares listings and reads after each.
func TestVersionsFollowAModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := withBucket(t)
			rng := rand.New(rand.NewPCG(seed, 1))
			m := &versionModel{keys: map[string][]modelVersion{}}
			for step := range 120 {
				modelStep(t, s, m, rng, step)
				if t.Failed() {
					return
				}
				if step%10 == 9 {
					m.compare(t, s, rng.IntN(4)+1)
				}
			}
			blobs := 0
			for _, list := range m.keys {
				for _, v := range list {
					if !v.marker {
						blobs++
					}
				}
			}
			if n := s.blobs.Len(); n != blobs {
				t.Errorf("%d blobs for %d versions", n, blobs)
			}
		})
	}
}

func modelStep(t *testing.T, s *system, m *versionModel, rng *rand.Rand, step int) {
	t.Helper()
	b, key := aws.Ptr(bucketName), []string{"a", "a/b", "c"}[rng.IntN(3)]
	switch n := rng.IntN(20); {
	case n < 8:
		body := fmt.Sprint("body ", step)
		out := must[api.PutObjectOutput](t, s, "PutObject", &api.PutObjectInput{Bucket: b, Key: &key, Body: strings.NewReader(body)})
		if (out.VersionId != nil) != (m.state == api.BucketVersioningStatusEnabled) {
			t.Errorf("step %d: version %v in state %q", step, aws.Val(out.VersionId), m.state)
		}
		m.add(key, modelVersion{id: aws.Val(out.VersionId), body: body})
	case n < 12:
		out := must[api.DeleteObjectOutput](t, s, "DeleteObject", &api.DeleteObjectInput{Bucket: b, Key: &key})
		if m.state == "" {
			m.keys[key] = nil
			return
		}
		m.add(key, modelVersion{id: aws.Val(out.VersionId), marker: true})
	case n < 17:
		list := m.keys[key]
		if len(list) == 0 {
			return
		}
		v := list[rng.IntN(len(list))]
		out := must[api.DeleteObjectOutput](t, s, "DeleteObject", &api.DeleteObjectInput{Bucket: b, Key: &key, VersionId: &v.id})
		if aws.Val(out.DeleteMarker) != v.marker {
			t.Errorf("step %d: deleting %+v answered %+v", step, v, out)
		}
		m.drop(key, v.id)
	default:
		m.state = []api.BucketVersioningStatus{api.BucketVersioningStatusEnabled, api.BucketVersioningStatusSuspended}[rng.IntN(2)]
		must[api.PutBucketVersioningOutput](t, s, "PutBucketVersioning", &api.PutBucketVersioningInput{
			Bucket: b, VersioningConfiguration: &api.VersioningConfiguration{Status: m.state},
		})
	}
}

// compare lists the versions in pages and reads every version.
func (m *versionModel) compare(t *testing.T, s *system, size int) {
	t.Helper()
	var want, got []string
	for _, key := range []string{"a", "a/b", "c"} {
		for i, v := range m.keys[key] {
			want = append(want, fmt.Sprint(key, v.id, v.marker, i == 0))
			m.read(t, s, key, v)
		}
		if list := m.keys[key]; len(list) == 0 || list[0].marker {
			if _, err := call[api.GetObjectOutput](t, s, "AKIAROOT", "GetObject", &api.GetObjectInput{Bucket: aws.Ptr(bucketName), Key: &key}); !awserr.Is(err, "NoSuchKey") {
				t.Errorf("%s: %v", key, err)
			}
		} else if body := s.get(t, key); body != list[0].body {
			t.Errorf("%s is %q, want %q", key, body, list[0].body)
		}
	}
	in := &api.ListObjectVersionsInput{Bucket: aws.Ptr(bucketName), MaxKeys: aws.Ptr(int32(size))}
	for {
		out := must[api.ListObjectVersionsOutput](t, s, "ListObjectVersions", in)
		for _, v := range out.Versions {
			got = append(got, fmt.Sprint(*v.Key, *v.VersionId, false, *v.IsLatest))
		}
		for _, v := range out.DeleteMarkers {
			got = append(got, fmt.Sprint(*v.Key, *v.VersionId, true, *v.IsLatest))
		}
		if !*out.IsTruncated {
			break
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("versions\n got %q\nwant %q", got, want)
	}
}

func (m *versionModel) read(t *testing.T, s *system, key string, v modelVersion) {
	t.Helper()
	out, err := call[api.GetObjectOutput](t, s, "AKIAROOT", "GetObject", &api.GetObjectInput{Bucket: aws.Ptr(bucketName), Key: &key, VersionId: &v.id})
	if v.marker {
		if !awserr.Is(err, "MethodNotAllowed") {
			t.Errorf("%s %s, a marker: %v", key, v.id, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s %s: %v", key, v.id, err)
		return
	}
	defer out.Body.Close()
	if body, err := io.ReadAll(out.Body); err != nil || string(body) != v.body {
		t.Errorf("%s %s: %q, %v, want %q", key, v.id, body, err, v.body)
	}
}
