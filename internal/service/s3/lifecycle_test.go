package s3_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// aged is S3 on a clock that the test moves, with the lifecycle worker running.
type aged struct {
	*system
	t     *testing.T
	clock *clock.Manual
	ctx   context.Context
}

func newAged(t *testing.T, rules ...api.LifecycleRule) *aged {
	a := &aged{t: t, clock: clock.NewManual(time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)), ctx: t.Context()}
	a.system = newSystemAt(t, a.clock)
	b := aws.Ptr(bucketName)
	must[api.CreateBucketOutput](t, a.system, "CreateBucket", &api.CreateBucketInput{Bucket: b})
	must[api.PutBucketVersioningOutput](t, a.system, "PutBucketVersioning", &api.PutBucketVersioningInput{
		Bucket: b, VersioningConfiguration: &api.VersioningConfiguration{Status: api.BucketVersioningStatusEnabled},
	})
	for i := range rules {
		rules[i].Status = api.ExpirationStatusEnabled
		if rules[i].Filter == nil {
			rules[i].Filter = &api.LifecycleRuleFilter{Prefix: aws.Ptr("")}
		}
	}
	wiretest.Run(t, a.service.RunLifecycle, nil)
	a.settle(1)
	must[api.PutBucketLifecycleConfigurationOutput](t, a.system, "PutBucketLifecycleConfiguration", &api.PutBucketLifecycleConfigurationInput{
		Bucket: b, LifecycleConfiguration: &api.BucketLifecycleConfiguration{Rules: rules},
	})
	a.settle(2) // woken by the configuration, it waits anew
	return a
}

// settle waits until the worker waits for the next midnight, having nothing to
// do.
func (a *aged) settle(waiters int) {
	a.t.Helper()
	if err := a.clock.BlockUntil(a.ctx, waiters); err != nil {
		a.t.Fatal(err)
	}
}

// pass lets days go by, one at a time.
func (a *aged) pass(days int) {
	a.t.Helper()
	for range days {
		a.clock.Advance(24 * time.Hour)
		a.settle(1)
	}
}

// state is the bucket's versions, newest first: key, how many bytes, where it
// stands.
func (a *aged) state() []string {
	a.t.Helper()
	out := must[api.ListObjectVersionsOutput](a.t, a.system, "ListObjectVersions", &api.ListObjectVersionsInput{Bucket: aws.Ptr(bucketName)})
	var all []string
	for _, v := range out.Versions {
		all = append(all, fmt.Sprintf("%s %d %v %s", *v.Key, *v.Size, *v.IsLatest, v.StorageClass))
	}
	for _, m := range out.DeleteMarkers {
		all = append(all, fmt.Sprintf("%s marker %v", *m.Key, *m.IsLatest))
	}
	slices.Sort(all)
	return all
}

func (a *aged) want(when string, want ...string) {
	a.t.Helper()
	slices.Sort(want)
	if got := a.state(); !slices.Equal(got, want) {
		a.t.Errorf("%s:\n got %q\nwant %q", when, got, want)
	}
}

func (a *aged) remove(key string) {
	a.t.Helper()
	must[api.DeleteObjectOutput](a.t, a.system, "DeleteObject", &api.DeleteObjectInput{Bucket: aws.Ptr(bucketName), Key: &key})
}

func days(n int32) *api.LifecycleExpiration { return &api.LifecycleExpiration{Days: &n} }

func TestLifecycleExpiresByDays(t *testing.T) {
	a := newAged(t, api.LifecycleRule{Expiration: days(2), Filter: &api.LifecycleRuleFilter{Prefix: aws.Ptr("logs/")}})
	a.put(t, "logs/1", "x")
	a.put(t, "kept", "x")
	a.pass(2)
	a.want("10:00 of the second day", "kept 1 true STANDARD", "logs/1 1 true STANDARD")
	a.pass(1)
	a.want("past the third midnight", "kept 1 true STANDARD", "logs/1 1 false STANDARD", "logs/1 marker true")
}

func TestLifecycleFilters(t *testing.T) {
	a := newAged(t,
		api.LifecycleRule{Expiration: days(1), Filter: &api.LifecycleRuleFilter{Tag: &api.Tag{Key: aws.Ptr("team"), Value: aws.Ptr("red")}}},
		api.LifecycleRule{Expiration: days(1), Filter: &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{
			ObjectSizeGreaterThan: aws.Ptr(int64(3)), ObjectSizeLessThan: aws.Ptr(int64(6))}}})
	for key, body := range map[string]string{"three": "abc", "five": "abcde", "six": "abcdef"} {
		a.put(t, key, body)
	}
	for _, team := range []string{"red", "blue"} {
		must[api.PutObjectOutput](t, a.system, "PutObject", &api.PutObjectInput{
			Bucket: aws.Ptr(bucketName), Key: &team, Body: strings.NewReader("x"), Tagging: aws.Ptr("team=" + team),
		})
	}
	a.pass(2)
	a.want("after two days", "blue 1 true STANDARD", "three 3 true STANDARD", "six 6 true STANDARD",
		"red 1 false STANDARD", "red marker true", "five 5 false STANDARD", "five marker true")
}

func TestLifecycleNoncurrent(t *testing.T) {
	a := newAged(t, api.LifecycleRule{NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{
		NoncurrentDays: aws.Ptr(int32(1)), NewerNoncurrentVersions: aws.Ptr(int32(2))}})
	for n := 1; n <= 5; n++ {
		a.put(t, "k", strings.Repeat("x", n))
	}
	a.pass(1)
	a.want("the first day", "k 1 false STANDARD", "k 2 false STANDARD", "k 3 false STANDARD", "k 4 false STANDARD", "k 5 true STANDARD")
	a.pass(1)
	a.want("the second", "k 3 false STANDARD", "k 4 false STANDARD", "k 5 true STANDARD")
	if n := a.blobs.Len(); n != 3 {
		t.Errorf("%d blobs, want 3", n)
	}
}

func TestLifecycleSparesWhatIsLocked(t *testing.T) {
	a := newAged(t, api.LifecycleRule{NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: aws.Ptr(int32(1))}})
	b := aws.Ptr(bucketName)
	must[api.PutObjectLockConfigurationOutput](t, a.system, "PutObjectLockConfiguration", &api.PutObjectLockConfigurationInput{
		Bucket: b, ObjectLockConfiguration: &api.ObjectLockConfiguration{ObjectLockEnabled: api.ObjectLockEnabledEnabled}})
	a.put(t, "k", "x")
	must[api.PutObjectRetentionOutput](t, a.system, "PutObjectRetention", &api.PutObjectRetentionInput{Bucket: b, Key: aws.Ptr("k"),
		Retention: &api.ObjectLockRetention{Mode: api.ObjectLockRetentionModeCompliance, RetainUntilDate: aws.Ptr(a.clock.Now().AddDate(0, 0, 5))}})
	a.put(t, "k", "xx")
	a.pass(4)
	a.want("while retained", "k 1 false STANDARD", "k 2 true STANDARD")
	a.pass(2)
	a.want("afterwards", "k 2 true STANDARD")
}

func TestLifecycleRemovesLoneMarkers(t *testing.T) {
	a := newAged(t, api.LifecycleRule{Expiration: &api.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Ptr(true)},
		NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: aws.Ptr(int32(1))}})
	a.put(t, "k", "x")
	a.remove("k")
	a.remove("lone")
	a.pass(1)
	a.want("the first day", "k 1 false STANDARD", "k marker true")
	a.pass(2)
	a.want("the third")
}

func TestLifecycleChangesClasses(t *testing.T) {
	a := newAged(t, api.LifecycleRule{
		Filter: &api.LifecycleRuleFilter{ObjectSizeGreaterThan: aws.Ptr(int64(0))},
		Transitions: []api.Transition{
			{Days: aws.Ptr(int32(1)), StorageClass: api.TransitionStorageClassGlacierIr},
			{Days: aws.Ptr(int32(3)), StorageClass: api.TransitionStorageClassDeepArchive},
		},
		NoncurrentVersionTransitions: []api.NoncurrentVersionTransition{{NoncurrentDays: aws.Ptr(int32(1)), StorageClass: api.TransitionStorageClassGlacier}},
	})
	a.put(t, "k", "x")
	a.put(t, "k", "xx")
	a.pass(2)
	a.want("after two days", "k 1 false GLACIER", "k 2 true GLACIER_IR")
	a.pass(2)
	a.want("after four", "k 1 false GLACIER", "k 2 true DEEP_ARCHIVE")
}

func TestLifecycleAbortsUploads(t *testing.T) {
	a := newAged(t, api.LifecycleRule{AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Ptr(int32(1))}})
	b, k := aws.Ptr(bucketName), aws.Ptr("k")
	u := must[api.CreateMultipartUploadOutput](t, a.system, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: b, Key: k}).UploadId
	must[api.UploadPartOutput](t, a.system, "UploadPart", &api.UploadPartInput{Bucket: b, Key: k, UploadId: u, PartNumber: aws.Ptr(int32(1)), Body: strings.NewReader("x")})
	count := func() int {
		return len(must[api.ListMultipartUploadsOutput](t, a.system, "ListMultipartUploads", &api.ListMultipartUploadsInput{Bucket: b}).Uploads)
	}
	if a.pass(1); count() != 1 {
		t.Error("aborted too early")
	}
	if a.pass(1); count() != 0 || a.blobs.Len() != 0 {
		t.Errorf("%d uploads and %d blobs are left", count(), a.blobs.Len())
	}
}
