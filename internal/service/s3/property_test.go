package s3_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// TestAgainstAModel makes random calls and compares each answer with what a map would
// have answered. test/crash does so across kills.
func TestAgainstAModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := &modelled{t: t, s: withBucket(t), random: rand.New(rand.NewPCG(seed, 1)), have: map[string]thing{}, uploads: map[string]*pending{}}
			for i := range 300 {
				m.step(i)
				if t.Failed() {
					return
				}
			}
			m.list("", "")
			m.empty()
		})
	}
}

type thing struct {
	body string
	etag string
	meta map[string]string
	tags string
}

type pending struct {
	key   string
	parts map[int32]string
}

type modelled struct {
	t       *testing.T
	s       *system
	random  *rand.Rand
	have    map[string]thing
	uploads map[string]*pending
	log     []string
}

func (m *modelled) key() string {
	keys := []string{"a", "a/", "a/b", "a/b/c", "a//b", "../x", "é", "e\u0301", "\u00ff", "x y+z", "%41", "\x01", "日本", "z\U0001F600"}
	return keys[m.random.IntN(len(keys))]
}

func (m *modelled) text() string {
	size := m.random.IntN(200)
	if m.random.IntN(10) == 0 {
		size = 65_530 + m.random.IntN(20) // about where blobs leave the packs
	}
	return strings.Repeat(string(rune('a'+m.random.IntN(26))), size)
}

func (m *modelled) failf(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("%s\nafter %s", fmt.Sprintf(format, args...), strings.Join(m.log[max(0, len(m.log)-12):], ", "))
}

func (m *modelled) step(i int) {
	acts := []struct {
		name string
		do   func()
	}{
		{"put", m.put}, {"put", m.put}, {"get", m.get}, {"get", m.get}, {"head", m.head}, {"delete", m.remove}, {"copy", m.copy},
		{"list", func() { m.list(m.prefix(), []string{"", "/", "b"}[m.random.IntN(3)]) }}, {"create upload", m.create}, {"upload part", m.upload},
		{"complete", m.complete}, {"abort", m.abort}, {"tag", m.tag},
	}
	a := acts[m.random.IntN(len(acts))]
	m.log = append(m.log, fmt.Sprintf("%d %s", i, a.name))
	a.do()
}

func (m *modelled) prefix() string {
	return []string{"", "a", "a/", "a/b", "e", "none"}[m.random.IntN(6)]
}

func etagOf(body string) string { return fmt.Sprintf("%x", md5.Sum([]byte(body))) }

func try[O any](m *modelled, operation string, in any) (*O, error) {
	return call[O](m.t, m.s, "AKIAROOT", operation, in)
}

var theBucket = aws.Ptr(bucketName)

func (m *modelled) put() {
	key, body := m.key(), m.text()
	in := &api.PutObjectInput{Bucket: theBucket, Key: &key, Body: strings.NewReader(body), Metadata: map[string]string{"n": fmt.Sprint(len(body))}}
	old, exists := m.have[key]
	want := ""
	switch m.random.IntN(4) {
	case 0:
		in.IfNoneMatch = aws.Ptr("*")
		if exists {
			want = "PreconditionFailed"
		}
	case 1:
		in.IfMatch = aws.Ptr(old.etag)
		if !exists {
			in.IfMatch, want = aws.Ptr(etagOf("")), "NoSuchKey"
		}
	}
	_, err := try[api.PutObjectOutput](m, "PutObject", in)
	if m.judge("put "+key, err, want) {
		m.have[key] = thing{body: body, etag: etagOf(body), meta: in.Metadata}
	}
}

// judge compares an error with the code wanted, "" for none, and reports success.
func (m *modelled) judge(what string, err error, want string) bool {
	m.t.Helper()
	switch {
	case want == "" && err == nil:
		return true
	case want == "" || !awserr.Is(err, want):
		m.failf("%s: %v, want %q", what, err, want)
	}
	return false
}

func (m *modelled) get() {
	key := m.key()
	o, exists := m.have[key]
	in := &api.GetObjectInput{Bucket: theBucket, Key: &key}
	want, code := o.body, ""
	if m.random.IntN(2) == 0 {
		first, last := m.random.IntN(len(o.body)+2), m.random.IntN(len(o.body)+2)
		in.Range = aws.Ptr(fmt.Sprintf("bytes=%d-%d", first, last))
		switch {
		case last < first: // no range at all
		case first >= len(o.body):
			code = "InvalidRange"
		default:
			want = o.body[first:min(last+1, len(o.body))]
		}
	}
	if !exists {
		code = "NoSuchKey"
	}
	out, err := try[api.GetObjectOutput](m, "GetObject", in)
	if !m.judge("get "+key, err, code) {
		return
	}
	defer out.Body.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, out.Body); err != nil || b.String() != want || *out.ETag != `"`+o.etag+`"` || !maps.Equal(out.Metadata, o.meta) {
		m.failf("get %q %s: %d bytes, %v, want %d; %s %v", key, aws.Val(in.Range), b.Len(), err, len(want), *out.ETag, out.Metadata)
	}
}

func (m *modelled) head() {
	key := m.key()
	o, exists := m.have[key]
	code := ""
	if !exists {
		code = "NoSuchKey"
	}
	out, err := try[api.HeadObjectOutput](m, "HeadObject", &api.HeadObjectInput{Bucket: theBucket, Key: &key})
	if m.judge("head "+key, err, code) && *out.ContentLength != int64(len(o.body)) {
		m.failf("head %q: %d", key, *out.ContentLength)
	}
}

func (m *modelled) remove() {
	key := m.key()
	_, err := try[api.DeleteObjectOutput](m, "DeleteObject", &api.DeleteObjectInput{Bucket: theBucket, Key: &key})
	if m.judge("delete "+key, err, "") {
		delete(m.have, key)
	}
}

func (m *modelled) copy() {
	from, to := m.key(), m.key()
	o, exists := m.have[from]
	code := ""
	switch {
	case !exists:
		code = "NoSuchKey"
	case from == to:
		code = "InvalidRequest"
	}
	out, err := try[api.CopyObjectOutput](m, "CopyObject", &api.CopyObjectInput{Bucket: theBucket, Key: &to, CopySource: aws.Ptr(bucketName + "/" + escaped(from))})
	if m.judge("copy "+from+" to "+to, err, code) {
		o.etag = strings.Trim(*out.CopyObjectResult.ETag, `"`)
		if o.etag != etagOf(o.body) && !strings.Contains(o.etag, "-") {
			m.failf("the copy has the ETag %s", o.etag)
		}
		m.have[to] = o
	}
}

func escaped(key string) string {
	var b strings.Builder
	for i := range len(key) {
		fmt.Fprintf(&b, "%%%02X", key[i])
	}
	return b.String()
}

func (m *modelled) tag() {
	key, text := m.key(), fmt.Sprint(m.random.IntN(9))
	o, exists := m.have[key]
	code := ""
	if !exists {
		code = "NoSuchKey"
	}
	_, err := try[api.PutObjectTaggingOutput](m, "PutObjectTagging", &api.PutObjectTaggingInput{Bucket: theBucket, Key: &key,
		Tagging: &api.Tagging{TagSet: []api.Tag{{Key: aws.Ptr("t"), Value: &text}}}})
	if m.judge("tag "+key, err, code) {
		o.tags = text
		m.have[key] = o
		out, err := try[api.GetObjectTaggingOutput](m, "GetObjectTagging", &api.GetObjectTaggingInput{Bucket: theBucket, Key: &key})
		if m.judge("tags of "+key, err, "") && *out.TagSet[0].Value != text {
			m.failf("tags of %q: %s", key, *out.TagSet[0].Value)
		}
	}
}

// list reads all pages and compares them with the definition of a listing.
func (m *modelled) list(prefix, delimiter string) {
	var want, got []string
	for key := range m.have {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if before, _, found := strings.Cut(rest, delimiter); delimiter != "" && found {
			key = prefix + before + delimiter
		}
		if !slices.Contains(want, key) {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	var token *string
	for {
		in := &api.ListObjectsV2Input{Bucket: theBucket, Prefix: &prefix, MaxKeys: aws.Ptr(int32(1 + m.random.IntN(4))), ContinuationToken: token}
		if delimiter != "" {
			in.Delimiter = &delimiter
		}
		out, err := try[api.ListObjectsV2Output](m, "ListObjectsV2", in)
		if !m.judge("list", err, "") {
			return
		}
		var page []string
		for _, o := range out.Contents {
			page = append(page, *o.Key)
			if int(*o.Size) != len(m.have[*o.Key].body) {
				m.failf("%q is listed with %d bytes", *o.Key, *o.Size)
			}
		}
		for _, p := range out.CommonPrefixes {
			page = append(page, *p.Prefix)
		}
		slices.Sort(page)
		got = append(got, page...)
		if token = out.NextContinuationToken; token == nil {
			break
		}
	}
	if !slices.Equal(got, want) {
		m.failf("list %q by %q: %q, want %q", prefix, delimiter, got, want)
	}
}

func (m *modelled) create() {
	key := m.key()
	out, err := try[api.CreateMultipartUploadOutput](m, "CreateMultipartUpload", &api.CreateMultipartUploadInput{Bucket: theBucket, Key: &key})
	if m.judge("create upload", err, "") {
		m.uploads[*out.UploadId] = &pending{key: key, parts: map[int32]string{}}
	}
}

// some is one of the uploads, the smallest id of them, so that a seed repeats; or one
// that is not.
func (m *modelled) some() (string, *pending) {
	for _, id := range slices.Sorted(maps.Keys(m.uploads)) {
		return id, m.uploads[id]
	}
	return "none", nil
}

func (m *modelled) upload() {
	id, u := m.some()
	number, body, key, code := int32(1+m.random.IntN(2)), m.text(), "a", ""
	if u == nil {
		code = "NoSuchUpload"
	} else {
		key = u.key
	}
	_, err := try[api.UploadPartOutput](m, "UploadPart", &api.UploadPartInput{Bucket: theBucket, Key: &key, UploadId: &id, PartNumber: &number, Body: strings.NewReader(body)})
	if m.judge("upload part", err, code) {
		u.parts[number] = body
	}
}

func (m *modelled) complete() {
	id, u := m.some()
	if u == nil {
		return
	}
	code, sums, body := "", md5.New(), ""
	done := &api.CompletedMultipartUpload{}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		text := u.parts[n]
		done.Parts = append(done.Parts, api.CompletedPart{PartNumber: &n, ETag: aws.Ptr(etagOf(text))})
		sum := md5.Sum([]byte(text))
		sums.Write(sum[:])
		body += text
	}
	switch len(u.parts) {
	case 0:
		code = "MalformedXML"
	case 2:
		code = "EntityTooSmall"
	}
	_, err := try[api.CompleteMultipartUploadOutput](m, "CompleteMultipartUpload", &api.CompleteMultipartUploadInput{Bucket: theBucket, Key: &u.key, UploadId: &id, MultipartUpload: done})
	if m.judge("complete", err, code) {
		m.have[u.key] = thing{body: body, etag: fmt.Sprintf("%x-1", sums.Sum(nil))}
		delete(m.uploads, id)
	}
}

func (m *modelled) abort() {
	id, u := m.some()
	if u == nil {
		return
	}
	_, err := try[api.AbortMultipartUploadOutput](m, "AbortMultipartUpload", &api.AbortMultipartUploadInput{Bucket: theBucket, Key: &u.key, UploadId: &id})
	if m.judge("abort", err, "") {
		delete(m.uploads, id)
	}
}

// empty removes everything and holds that no byte is left.
func (m *modelled) empty() {
	for key := range m.have {
		_, err := try[api.DeleteObjectOutput](m, "DeleteObject", &api.DeleteObjectInput{Bucket: theBucket, Key: &key})
		m.judge("delete "+key, err, "")
	}
	for id := range m.uploads {
		_, err := try[api.AbortMultipartUploadOutput](m, "AbortMultipartUpload", &api.AbortMultipartUploadInput{Bucket: theBucket, Key: &m.uploads[id].key, UploadId: &id})
		m.judge("abort", err, "")
	}
	if n := m.s.blobs.Len(); n != 0 {
		m.t.Errorf("%d blobs are left", n)
	}
}
