package s3

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/store"
)

// Versions are listed in the order of their places: the key for the current
// object, the key, \x00 and the version's place for all others. A current object
// so comes first, and what belongs to a key stays together.

// versionPlace is where a listing goes on behind the version.
func versionPlace(key string, seq uint64) string { return key + "\x00" + seqText(seq) }

// versionsFrom returns at most limit versions from the place on.
func versionsFrom(tx *store.Tx, bucketName, from string, inclusive bool, limit int) ([]keyed, error) {
	key, kept, _ := strings.Cut(from, "\x00")
	current, err := objectsFrom(tx, bucketName, key, inclusive && kept == "", limit)
	if err != nil {
		return nil, err
	}
	after := bucketName + "\x00" + from
	rows, err := versions.List(tx, store.Scope{}, after, limit)
	if err != nil {
		return nil, err
	}
	var old []keyed
	for _, r := range rows {
		place, ok := strings.CutPrefix(r.Key.ID, bucketName+"\x00")
		if !ok {
			break
		}
		key, _, _ := strings.Cut(place, "\x00")
		old = append(old, keyed{key: key, place: place, object: r.Value})
	}
	return merge(current, old, limit), nil
}

// merge joins two runs that are each in order. Both hold limit entries or all
// there are, so the first limit of them are the first of all.
func merge(a, b []keyed, limit int) []keyed {
	out := make([]keyed, 0, min(limit, len(a)+len(b)))
	for len(out) < limit && len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0].at() < a[0].at() {
			from = &b
		}
		out = append(out, (*from)[0])
		*from = (*from)[1:]
	}
	return out
}

// ListObjectVersions lists all versions and delete markers, newest first within a
// key.
func (s *Service) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (*s3.ListObjectVersionsOutput, error) {
	enc, err := newEncoder(in.EncodingType)
	if err != nil {
		return nil, err
	}
	l := listing{prefix: aws.Val(in.Prefix), delimiter: aws.Val(in.Delimiter), past: true}
	if l.max, err = pageSize(in.MaxKeys, "max-keys"); err != nil {
		return nil, err
	}
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	var p page
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if l.after, err = l.versionsAfter(tx, b, in); err != nil {
			return err
		}
		if b.published {
			p, err = l.run(s.publishedSource(b.Name))
			return err
		}
		p, err = l.run(func(from string, inclusive bool, limit int) ([]keyed, error) {
			return versionsFrom(tx, b.Name, from, inclusive, limit)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return versionList(b, in, p, l.max, enc), nil
}

// versionsAfter is the place that the markers name. Without a version the key
// marker stands behind all versions of its key.
func (l listing) versionsAfter(tx *store.Tx, b *bucket, in *s3.ListObjectVersionsInput) (string, error) {
	key, id := aws.Val(in.KeyMarker), in.VersionIdMarker
	switch {
	case id != nil && in.KeyMarker == nil:
		return "", errInvalidArgument("A version-id marker cannot be specified without a key marker.", "version-id-marker", *id)
	case id != nil && *id == "":
		return "", errInvalidArgument("A version-id marker cannot be empty.", "version-id-marker", "")
	case key == "":
		return "", nil
	case id == nil:
		return key + "\x00" + afterAll, nil
	case *id == nullVersion:
		o, err := versionOf(tx, b.Name, key, nullVersion)
		if o == nil || err != nil {
			return key + "\x00" + afterAll, err
		}
		return versionPlace(key, o.Seq), nil
	}
	seq, ok := seqOf(*id)
	if !ok {
		return "", errInvalidArgument("Invalid version id specified", "version-id-marker", *id)
	}
	return versionPlace(key, seq), nil
}

func versionList(b *bucket, in *s3.ListObjectVersionsInput, p page, size int, enc encoder) *s3.ListObjectVersionsOutput {
	out := &s3.ListObjectVersionsOutput{
		Name: in.Bucket, Prefix: enc.text(aws.Val(in.Prefix)), KeyMarker: enc.text(aws.Val(in.KeyMarker)),
		VersionIdMarker: aws.Ptr(aws.Val(in.VersionIdMarker)), Delimiter: enc.opt(in.Delimiter), MaxKeys: aws.Ptr(int32(size)),
		EncodingType: in.EncodingType, IsTruncated: &p.truncated, CommonPrefixes: commonPrefixes(p, enc),
	}
	for _, o := range p.objects {
		id, latest := aws.Ptr(nullVersion), o.object.Noncurrent.IsZero()
		if o.object.Version != "" {
			id = &o.object.Version
		}
		if o.object.Marker {
			out.DeleteMarkers = append(out.DeleteMarkers, s3.DeleteMarkerEntry{
				Key: enc.text(o.key), VersionId: id, IsLatest: &latest, LastModified: &o.object.Modified, Owner: owner(b.Account),
			})
			continue
		}
		entry := listed(o, enc)
		out.Versions = append(out.Versions, s3.ObjectVersion{
			Key: entry.Key, VersionId: id, IsLatest: &latest, LastModified: entry.LastModified, ETag: entry.ETag, Size: entry.Size,
			StorageClass: s3.ObjectVersionStorageClass(entry.StorageClass), Owner: owner(b.ownerOf(o.object)),
			ChecksumAlgorithm: entry.ChecksumAlgorithm, ChecksumType: entry.ChecksumType,
		})
	}
	if p.truncated {
		out.NextKeyMarker = enc.text(p.last)
		if n := len(p.objects); n > 0 && p.objects[n-1].key == p.last {
			last := p.objects[n-1].object
			out.NextVersionIdMarker = aws.Ptr(nullVersion)
			if last.Version != "" {
				out.NextVersionIdMarker = &last.Version
			}
		}
	}
	return out
}
