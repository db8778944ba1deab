package s3

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/blobtest"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

// TestCombineCRC compares the combination of pieces with the CRC of the whole.
func TestCombineCRC(t *testing.T) {
	whole := make([]byte, 100_000)
	for i := range whole {
		whole[i] = byte(rand.IntN(256))
	}
	sum := func(a blob.Algorithm, b []byte) string {
		h := blob.NewHash(a)
		_, _ = h.Write(b)
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	for a := range polynomials {
		for _, cuts := range [][]int{{0}, {100_000}, {1, 2, 3}, {50_000}, {0, 0, 99_999}, {7, 4096, 65_536}} {
			var sums []string
			var sizes []int64
			from := 0
			for _, to := range append(slices.Clone(cuts), len(whole)) {
				sums = append(sums, sum(a, whole[from:to]))
				sizes = append(sizes, int64(to-from))
				from = to
			}
			got, err := combineCRC(a, sums, sizes)
			if want := sum(a, whole); err != nil || got != want {
				t.Errorf("%s cut at %v: %s, %v; want %s", a, cuts, got, err, want)
			}
		}
	}
}

func TestBucketNames(t *testing.T) {
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"abc", true}, {"a.b-c.1", true}, {strings.Repeat("a", 63), true}, {"123", true},
		{"ab", false}, {strings.Repeat("a", 64), false}, {"", false}, {"aBc", false}, {"a_b", false}, {".abc", false}, {"abc-", false},
		{"a..b", false}, {"10.0.0.1", false}, {"xn--abc", false}, {"sthree-abc", false}, {"abc-s3alias", false}, {"abc--ol-s3", false},
		{"_hardstand", false}, {"a/b", false}, {"../../etc", false}, {"abc\n", false},
	} {
		if err := validBucketName(c.name); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.name, err)
		}
	}
}

func TestCopySources(t *testing.T) {
	for _, c := range []struct{ source, bucket, key, code string }{
		{"b/k", "b", "k", ""}, {"/b/k", "b", "k", ""}, {"b/a%2Fb%20c", "b", "a/b c", ""}, {"b/a+b", "b", "a+b", ""},
		{"b%2Fk", "b", "k", ""}, {"b/k?versionId=null", "b", "k", ""}, {"b//k", "b", "/k", ""},
		{"b/k?versionId=1", "b", "k", ""}, {"b", "", "", "InvalidArgument"}, {"", "", "", "InvalidArgument"},
		{"b/%zz", "", "", "InvalidArgument"}, {"b/" + strings.Repeat("k", 1025), "", "", "KeyTooLongError"},
		{"arn:aws:s3:us-east-1:1:accesspoint/x/object/k", "", "", "NotImplemented"},
	} {
		from, err := parseCopySource(c.source)
		if c.code != "" {
			if !awserr.Is(err, c.code) {
				t.Errorf("%q: %v, want %s", c.source, err, c.code)
			}
		} else if err != nil || from.bucket != c.bucket || from.key != c.key {
			t.Errorf("%q: %+v, %v", c.source, from, err)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-4", "bytes=-3", "bytes=5-", "bytes=0-1,3-4", "bytes=9223372036854775807-", "bytes=--1", "lines=1-2"} {
		f.Add(s, int64(12))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		sp, err := spanOf(&object{Size: size}, &header, nil)
		if err != nil {
			if !awserr.Is(err, "InvalidRange") {
				t.Errorf("%q of %d: %v", header, size, err)
			}
			return
		}
		if sp.start < 0 || sp.length < 0 || sp.start+sp.length > size || sp.partial && sp.length == 0 {
			t.Errorf("%q of %d: %+v", header, size, sp)
		}
	})
}

// FuzzListing compares a listing, page by page, with the definition applied to
// all keys at once.
func FuzzListing(f *testing.F) {
	f.Add("a/1 a/2 b a", "", "/", "", uint8(1))
	f.Add("a/1 a/2 b/c/d", "a", "/", "a/", uint8(2))
	f.Add("é/1 é/2 ê", "é", "/", "", uint8(3))
	f.Add("a/1 a/2 a/3 b", "", "/", "a/2", uint8(200))
	f.Fuzz(func(t *testing.T, list, prefix, delimiter, after string, size uint8) {
		if len(list) > 1000 {
			return
		}
		keys := slices.Compact(slices.Sorted(slices.Values(strings.Fields(list))))
		for _, k := range append(keys, prefix, after, delimiter) {
			if k != "" && validKey(k) != nil {
				return
			}
		}
		l := listing{prefix: prefix, delimiter: delimiter, after: after, max: int(size%5) + 1, past: size > 127}
		want := l.define(keys)
		var got []string
		for {
			p, err := l.run(sliceSource(keys))
			if err != nil {
				t.Fatal(err)
			}
			var page []string
			for _, o := range p.objects {
				page = append(page, o.key)
			}
			page = append(page, p.prefixes...)
			slices.Sort(page)
			got = append(got, page...)
			if !p.truncated {
				break
			}
			if len(page) != l.max {
				t.Fatalf("truncated page of %d, want %d", len(page), l.max)
			}
			if p.last <= l.after {
				t.Fatalf("the page behind %q ends with %q", l.after, p.last)
			}
			l.after = p.last
		}
		if !slices.Equal(got, want) {
			t.Errorf("keys %q, %+v\n got %q\nwant %q", keys, l, got, want)
		}
	})
}

func sliceSource(keys []string) source {
	return func(from string, inclusive bool, limit int) ([]keyed, error) {
		i, found := slices.BinarySearchFunc(keys, from, func(a, b string) int { return cmp.Compare(a, b) })
		if found && !inclusive {
			i++
		}
		var out []keyed
		for ; i < len(keys) && len(out) < limit; i++ {
			out = append(out, keyed{key: keys[i], object: &object{}})
		}
		return out, nil
	}
}

// define is the listing by its definition.
func (l listing) define(keys []string) []string {
	var out []string
	for _, k := range keys {
		if !strings.HasPrefix(k, l.prefix) || k <= l.after {
			continue
		}
		if c := l.common(k); c != "" {
			if c != l.after && !(l.past && c == l.common(l.after)) && !slices.Contains(out, c) {
				out = append(out, c)
			}
			continue
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// TestUploadsOfADeletedBucket holds that the memory of uploads ends with their bucket.
func TestUploadsOfADeletedBucket(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := New(Config{Store: storetest.New(t), Blobs: blobtest.NewMemory(), Clock: clock.System{}, Log: log})
	ctx := aws.WithCall(t.Context(), aws.Call{Principal: aws.Principal{Type: aws.PrincipalRoot}, Account: "123456789012", Region: usEast1})
	for _, name := range []string{"some-bucket", "some-bucket-2"} {
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &name, Key: aws.Ptr("k")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.Ptr("some-bucket")}); err != nil {
		t.Fatal(err)
	}
	if left := s.overtaken.uploads; len(left) != 1 || left[objectKey("some-bucket-2", "k").ID] == nil {
		t.Errorf("left are %v", left)
	}
}

func TestUnbuiltMembersAreRefused(t *testing.T) {
	for _, name := range unbuilt {
		if strings.TrimSpace(name) != name || name == "" {
			t.Errorf("bad name %q", name)
		}
	}
	if err := refuseUnbuilt("X", &struct{ MFA *string }{new(string)}); !awserr.Is(err, "NotImplemented") {
		t.Errorf("a member set to empty: %v", err)
	}
	if err := refuseUnbuilt("X", &struct{ MFA *string }{}); err != nil {
		t.Error(err)
	}
}

func TestPublicPolicies(t *testing.T) {
	for _, c := range []struct {
		statement string
		public    bool
	}{
		{`"Effect":"Allow","Principal":"*"`, true},
		{`"Effect":"Allow","Principal":{"AWS":"*"}`, true},
		{`"Effect":"Deny","Principal":"*"`, false},
		{`"Effect":"Allow","Principal":{"AWS":"123456789012"}`, false},
		{`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, false},
		{`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:SourceVpc":"*"}}`, true},
		{`"Effect":"Allow","Principal":"*","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}`, true},
		{`"Effect":"Allow","Principal":"*","Condition":{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}`, true},
		{`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:UserAgent":"x"}}`, true},
		{`"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, true},
		{`"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, false},
	} {
		b := &bucket{Policy: fmt.Sprintf(`{"Statement":[{%s,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`, c.statement)}
		if b.public() != c.public {
			t.Errorf("%s: public is %v", c.statement, b.public())
		}
	}
}
