package s3

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	// maxSinglePut is the most that one request may write: 5 GiB.
	maxSinglePut = 5 << 30
	// maxMetadata is how many bytes names and values of x-amz-meta-* may have.
	maxMetadata = 2 << 10
	// defaultType is the type of an object whose writer gives none.
	defaultType = "binary/octet-stream"
)

// PutObject stores an object whole or not at all.
func (s *Service) PutObject(ctx context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	o, err := newObject(aws.CallFrom(ctx), b, in)
	if err != nil {
		return nil, err
	}
	o.Lock, err = s.protect(b, lockRequest{in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus, func() bool {
		given, _ := givenChecksum(in)
		return in.ContentMD5 != nil || in.ChecksumAlgorithm != "" || given.Algorithm != ""
	}})
	if err != nil {
		return nil, err
	}
	named := in.ChecksumAlgorithm
	if named == "" {
		named = s3.ChecksumAlgorithm(blob.CRC64NVME)
	}
	var data []byte
	var key *customerKey
	if o.Crypt, data, key, err = s.encryption(b, aws.Val(in.Key), in); err != nil {
		return nil, err
	}
	info, sum, err := s.receive(ctx, "PutObject", in, in.Body, data, in.ContentMD5, named)
	if err != nil {
		return nil, err
	}
	o.Size, o.ETag, o.Checksum = info.Size, etagOf(info, data, key), sum
	o.Segments = []segment{{Blob: info.ID, Size: info.Size}}
	cond := writeCondition{ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch}
	if err := s.install(ctx, b, aws.Val(in.Key), o, cond, nil); err != nil {
		return nil, err
	}
	out := &s3.PutObjectOutput{ETag: quoted(o.ETag), VersionId: b.written(o), Expiration: b.expiration(aws.Val(in.Key), o)}
	showEncryption(out, o.Crypt, key)
	setChecksum(out, o.Checksum)
	return out, nil
}

// newObject is the object that a PutObject asks for, still without bytes.
func newObject(call aws.Call, b *bucket, in *s3.PutObjectInput) (*object, error) {
	if err := refuseUnbuilt("PutObject", in); err != nil {
		return nil, err
	}
	owner, acl, err := b.settle(call, in, string(in.ACL))
	if err != nil {
		return nil, err
	}
	class, err := classFor(in.StorageClass)
	if err != nil {
		return nil, err
	}
	if aws.Val(in.ContentLength) > maxSinglePut {
		return nil, errEntityTooLarge.With("ProposedSize", strconv.FormatInt(*in.ContentLength, 10)).
			With("MaxSizeAllowed", strconv.Itoa(maxSinglePut))
	}
	tags, err := parseTagging(in.Tagging)
	if err != nil {
		return nil, err
	}
	o := &object{
		Tags: tags, Metadata: in.Metadata, Owner: owner, ACL: acl, Class: class,
		Headers: headers{
			ContentType: in.ContentType, CacheControl: in.CacheControl, ContentDisposition: in.ContentDisposition,
			ContentEncoding: in.ContentEncoding, ContentLanguage: in.ContentLanguage, Expires: in.Expires, WebsiteRedirect: in.WebsiteRedirectLocation,
		},
	}
	return o, validDescription(o.Headers, o.Metadata)
}

// validDescription checks what a writer says about the bytes.
func validDescription(h headers, m map[string]string) error {
	if to := h.WebsiteRedirect; to != nil && !strings.HasPrefix(*to, "/") && !strings.HasPrefix(*to, "http://") && !strings.HasPrefix(*to, "https://") {
		return awserr.New("InvalidRedirectLocation", "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
	}
	return validMetadata(m)
}

func validMetadata(m map[string]string) error {
	size := 0
	for k, v := range m {
		size += len(k) + len(v)
	}
	if size > maxMetadata {
		return awserr.New("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
			With("Size", strconv.Itoa(size)).With("MaxSizeAllowed", strconv.Itoa(maxMetadata))
	}
	return nil
}

// receive writes a request's body, under the data key if there is one, and verifies what the sender said about it.
func (s *Service) receive(ctx context.Context, operation string, in any, body io.Reader, data []byte, contentMD5 *string, named s3.ChecksumAlgorithm) (blob.Info, checksum, error) {
	expect, err := newExpectation(operation, in, contentMD5, named)
	if err != nil {
		return blob.Info{}, checksum{}, err
	}
	if body == nil {
		body = strings.NewReader("")
	}
	info, err := s.blobs.keep(ctx, data, io.LimitReader(body, maxSinglePut+1), expect.sums()...)
	if err != nil {
		return info, checksum{}, incomplete(err)
	}
	err = expect.verify(info)
	if err == nil && info.Size > maxSinglePut {
		err = errEntityTooLarge
	}
	if err != nil {
		s.blobs.discard([]segment{{Blob: info.ID}})
		return info, checksum{}, err
	}
	return info, expect.stored(info), nil
}

// errHeader refuses a conditional header in a form that S3 does not take.
func errHeader(header, why string) error {
	return awserr.Status(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented").
		With("Header", header).With("additionalMessage", why)
}

// writeCondition are the conditional headers of a write, judged in the
// transaction that writes.
type writeCondition struct{ ifMatch, ifNoneMatch *string }

func (c writeCondition) judge(old *object, key string) error {
	if old != nil && old.Marker {
		old = nil
	}
	switch {
	case c.ifNoneMatch != nil && c.ifMatch != nil:
		return errHeader("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
	case c.ifNoneMatch != nil && *c.ifNoneMatch != "*":
		return errHeader("If-None-Match", "We don't accept the provided value of If-None-Match header for this API")
	case c.ifMatch != nil && *c.ifMatch == "*":
		return errHeader("If-Match", "We don't accept the provided value of If-Match header for this API")
	case c.ifNoneMatch != nil && old != nil:
		return errPrecondition("If-None-Match")
	case c.ifMatch != nil && old == nil:
		return errNoSuchKey(key)
	case c.ifMatch != nil && !matches(*c.ifMatch, old.ETag):
		return errPrecondition("If-Match")
	}
	return nil
}

// install makes o the object under key, in one transaction with what also does,
// and deletes the bytes it replaces. When S3 refuses, o's bytes are deleted;
// after any other failure they stay for the sweep, since the transaction may
// have been committed.
func (s *Service) install(ctx context.Context, b *bucket, key string, o *object, cond writeCondition, also func(tx *store.Tx) error) error {
	now := s.clock.Now().UTC()
	o.Modified = now.Truncate(time.Second)
	var replaced []segment
	name := b.Name
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		replaced = nil
		b, err := buckets.Get(tx, bucketKey(b.Name))
		if err != nil {
			return orNoSuchBucket(err, name)
		}
		old, err := latestOf(tx, b, key)
		if err != nil {
			return err
		}
		if err := cond.judge(old, key); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		o.Lock = b.withDefault(o.Lock, now)
		if replaced, err = addVersion(tx, b, key, old, o, now); err != nil {
			return err
		}
		return s.announceCreated(tx, aws.CallFrom(ctx), b, key, o)
	})
	if err != nil {
		if awserr.As(err) != nil && o.Upload == "" {
			s.blobs.discard(o.Segments)
		}
		return err
	}
	s.overtaken.happen(objectKey(name, key).ID)
	s.blobs.discard(replaced)
	return nil
}
