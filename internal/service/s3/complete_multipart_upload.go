package s3

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/store"
)

// CompleteMultipartUpload makes an object of the parts named. No byte moves: the
// object's row takes over the parts' blobs. Repeating the call after a lost
// answer gives the answer again.
func (s *Service) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	b, err := s.completable(ctx, in)
	if err != nil {
		return nil, err
	}
	key, id := aws.Val(in.Key), aws.Val(in.UploadId)
	o := &object{Upload: id}
	var unused []segment
	row, cond := objectKey(b.Name, key).ID, writeCondition{in.IfMatch, in.IfNoneMatch}
	err = s.install(ctx, b, key, o, cond, func(tx *store.Tx) error {
		u, err := getUpload(tx, b.Name, key, id)
		if err != nil {
			return err
		}
		pieces, err := partsOf(tx, id)
		if err != nil {
			return err
		}
		if err := s.overtaken.judge(row, id, key, cond); err != nil {
			return err
		}
		if in.SSECustomerKey != nil {
			if _, _, err := s.uploadKey(u, in); err != nil {
				return err
			}
		}
		if err := o.assemble(u, pieces, in); err != nil {
			return err
		}
		all, err := dropUpload(tx, uploadKey(b.Name, key, id), id)
		unused = without(all, o.Segments)
		return err
	})
	if awserr.Is(err, "NoSuchUpload") {
		if done, _ := s.find(ctx, b, key, nil); done != nil && done.Upload == id && id != "" {
			return s.completed(ctx, b, in, done), nil
		}
	}
	if err != nil {
		return nil, err
	}
	s.overtaken.end(row, id)
	s.blobs.discard(unused)
	return s.completed(ctx, b, in, o), nil
}

// completable refuses a completion that names no parts and returns the bucket.
func (s *Service) completable(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*bucket, error) {
	if err := refuseUnbuilt("CompleteMultipartUpload", in); err != nil {
		return nil, err
	}
	if in.MultipartUpload != nil && len(in.MultipartUpload.Parts) == 0 {
		return nil, errMalformedXML
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil || in.MultipartUpload != nil {
		return b, err
	}
	if _, err := s.findUpload(ctx, in.Bucket, in.Key, in.UploadId); err != nil {
		return nil, err
	}
	return nil, errInvalidRequest("You must specify at least one part")
}

func (s *Service) completed(ctx context.Context, b *bucket, in *s3.CompleteMultipartUploadInput, o *object) *s3.CompleteMultipartUploadOutput {
	out := &s3.CompleteMultipartUploadOutput{
		Location: aws.Ptr(aws.CallFrom(ctx).Endpoint + "/" + *in.Bucket + "/" + urlEncode(*in.Key)),
		Bucket:   in.Bucket, Key: in.Key, ETag: quoted(o.ETag),
		VersionId: b.versionID(o), Expiration: b.expiration(*in.Key, o),
	}
	if o.Crypt == nil || !o.Crypt.Customer {
		showEncryption(out, o.Crypt, nil)
	}
	setChecksum(out, o.Checksum)
	return out
}

// assemble checks the list of parts against those uploaded and describes the
// object they make.
func (o *object) assemble(u *upload, have map[int32]*part, in *s3.CompleteMultipartUploadInput) error {
	if err := u.completedAs(in.ChecksumType); err != nil {
		return err
	}
	chosen, err := choose(u, have, in.MultipartUpload.Parts)
	if err != nil {
		return err
	}
	o.Headers, o.Metadata, o.Tags, o.Size, o.Segments = u.Headers, u.Metadata, u.Tags, 0, nil
	o.Owner, o.ACL, o.Lock, o.Class, o.Crypt = u.Owner, u.ACL, u.Lock, u.Class, u.Crypt
	sums := make([]string, len(chosen))
	digests := md5.New()
	for i, p := range chosen {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil {
			return fmt.Errorf("read the ETag of part %d: %w", p.Number, err)
		}
		_, _ = digests.Write(sum)
		o.Size += p.Size
		o.Segments = append(o.Segments, segment{Blob: p.Blob, Size: p.Size, Checksum: p.Checksum})
		sums[i] = p.Checksum
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != o.Size {
		return errInvalidRequest("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *in.MpuObjectSize, o.Size)
	}
	o.ETag = fmt.Sprintf("%x-%d", digests.Sum(nil), len(chosen))
	return o.combine(u, sums, in)
}

// completedAs refuses a checksum type other than the upload's. One that was begun
// without gets a checksum of the whole object.
func (u *upload) completedAs(t s3.ChecksumType) error {
	if t == "" || t == u.ChecksumType || u.ChecksumType == "" && t == s3.ChecksumTypeFullObject {
		return nil
	}
	return errInvalidRequest("The upload was created using the %s checksum mode. The complete request must use the same checksum mode.",
		cmp.Or(string(u.ChecksumType), "null"))
}

// choose returns the parts that the list names: in ascending order, as they were
// uploaded, all but the last of the least size or more.
func choose(u *upload, have map[int32]*part, listed []s3.CompletedPart) ([]*part, error) {
	var chosen []*part
	for i, l := range listed {
		if i > 0 && aws.Val(l.PartNumber) <= aws.Val(listed[i-1].PartNumber) {
			return nil, awserr.New("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.").
				With("UploadId", u.ID)
		}
	}
	for _, l := range listed {
		p := have[aws.Val(l.PartNumber)]
		if err := matchPart(u, p, l); err != nil {
			return nil, err
		}
		chosen = append(chosen, p)
	}
	for _, p := range chosen[:len(chosen)-1] {
		if p.Size < minPart {
			return nil, awserr.New("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
				With("ETag", p.ETag).With("MinSizeAllowed", strconv.Itoa(minPart)).
				With("PartNumber", strconv.Itoa(int(p.Number))).With("ProposedSize", strconv.FormatInt(p.Size, 10))
		}
	}
	return chosen, nil
}

// matchPart compares a part as listed with the part as uploaded.
func matchPart(u *upload, p *part, l s3.CompletedPart) error {
	given, err := givenChecksum(&l)
	if err != nil {
		return err
	}
	switch {
	case p != nil && u.Algorithm != "" && u.ChecksumType == s3.ChecksumTypeComposite && given.Algorithm == "":
		return errInvalidRequest("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(string(u.Algorithm)), aws.Val(l.PartNumber))
	case p == nil, !sameETag(aws.Val(l.ETag), p.ETag),
		given.Algorithm == u.partAlgorithm() && given.Value != p.Checksum:
		return awserr.New("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
			With("UploadId", u.ID).With("PartNumber", strconv.Itoa(int(aws.Val(l.PartNumber)))).With("ETag", strings.Trim(aws.Val(l.ETag), `"`))
	case given.Algorithm != "" && u.Algorithm != "" && given.Algorithm != u.Algorithm:
		return awserr.New("BadDigest", "The %s you specified for part %d did not match what we received.", given.Algorithm, aws.Val(l.PartNumber))
	}
	return nil
}

// combine computes the object's checksum from the parts' and compares it with
// the one the caller states.
func (o *object) combine(u *upload, sums []string, in *s3.CompleteMultipartUploadInput) error {
	a := u.partAlgorithm()
	o.Checksum = checksum{Algorithm: a, Type: u.ChecksumType}
	var err error
	if u.Algorithm == "" || u.ChecksumType == s3.ChecksumTypeFullObject {
		o.Checksum.Type = s3.ChecksumTypeFullObject
		sizes := make([]int64, len(o.Segments))
		for i, seg := range o.Segments {
			sizes[i] = seg.Size
			if u.Algorithm == "" {
				o.Segments[i].Checksum = ""
			}
		}
		o.Checksum.Value, err = combineCRC(a, sums, sizes)
	} else {
		o.Checksum.Value, err = composite(a, sums)
	}
	if err != nil {
		return fmt.Errorf("combine checksums: %w", err)
	}
	given, err := givenChecksum(in)
	if err != nil {
		return err
	}
	if given.Algorithm == a && given.Value != o.Checksum.Value && given.Value != strings.SplitN(o.Checksum.Value, "-", 2)[0] {
		return awserr.New("BadDigest", "The %s you specified did not match the calculated checksum.", a)
	}
	return nil
}

// composite is the checksum of the parts' checksums, with their number.
func composite(a blob.Algorithm, sums []string) (string, error) {
	h := blob.NewHash(a)
	for _, text := range sums {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", err
		}
		_, _ = h.Write(b)
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(sums)), nil
}

// partsOf returns the upload's parts by number.
func partsOf(tx *store.Tx, id string) (map[int32]*part, error) {
	rows, err := partRows(tx, id)
	out := make(map[int32]*part, len(rows))
	for _, r := range rows {
		out[r.Value.Number] = r.Value
	}
	return out, err
}

func partRows(tx *store.Tx, id string) ([]store.Row[part], error) {
	rows, err := parts.List(tx, store.Scope{}, id+"\x00", lastPart)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if !strings.HasPrefix(r.Key.ID, id+"\x00") {
			return rows[:i], nil
		}
	}
	return rows, nil
}

// dropUpload deletes the rows of an upload and its parts and returns the parts'
// bytes.
func dropUpload(tx *store.Tx, key store.Key, id string) ([]segment, error) {
	rows, err := partRows(tx, id)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, r := range rows {
		if err := parts.Delete(tx, r.Key); err != nil {
			return nil, err
		}
		out = append(out, segment{Blob: r.Value.Blob})
	}
	if err := uploads.Delete(tx, key); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return out, nil
}

// without returns the segments of all whose bytes used does not name.
func without(all, used []segment) []segment {
	named := map[string]bool{}
	for _, seg := range used {
		named[seg.Blob] = true
	}
	var out []segment
	for _, seg := range all {
		if !named[seg.Blob] {
			out = append(out, seg)
		}
	}
	return out
}
