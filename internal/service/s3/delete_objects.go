package s3

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// maxDelete is how many keys one DeleteObjects may name.
const maxDelete = 1000

// DeleteObjects deletes many objects and says of each how it went.
func (s *Service) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	if err := refuseUnbuilt("DeleteObjects", in); err != nil {
		return nil, err
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > maxDelete {
		return nil, errMalformedXML
	}
	b, err := s.target(ctx, in.Bucket, in.ExpectedBucketOwner)
	if err != nil {
		return nil, err
	}
	if in.BypassGovernanceRetention != nil {
		if err := b.bypassable(); err != nil {
			return nil, err
		}
	}
	out := &s3.DeleteObjectsOutput{}
	for _, id := range in.Delete.Objects {
		done, err := s.removeOne(ctx, b, id, aws.Val(in.BypassGovernanceRetention))
		switch {
		case err != nil:
			e, ok := entryError(id, err)
			if !ok {
				return nil, err
			}
			out.Errors = append(out.Errors, e)
		case !aws.Val(in.Delete.Quiet):
			out.Deleted = append(out.Deleted, deletedEntry(id, done))
		}
	}
	return out, nil
}

func deletedEntry(id s3.ObjectIdentifier, done removed) s3.DeletedObject {
	e := s3.DeletedObject{Key: id.Key, VersionId: id.VersionId}
	if done.marker {
		e.DeleteMarker, e.DeleteMarkerVersionId = &done.marker, done.version
	}
	return e
}

func (s *Service) removeOne(ctx context.Context, b *bucket, id s3.ObjectIdentifier, bypass bool) (removed, error) {
	key := aws.Val(id.Key)
	if err := validKey(key); err != nil {
		return removed{}, err
	}
	action := "s3:DeleteObject"
	if id.VersionId != nil {
		action = "s3:DeleteObjectVersion"
	}
	c := b.check(ctx, action, objectARN(b.Name, key))
	if id.VersionId != nil {
		c.Context["s3:VersionId"] = []string{*id.VersionId}
	}
	describeCaller(ctx, s.clock, &c)
	if err := s.auth.Authorize(ctx, c); err != nil {
		return removed{}, err
	}
	done, err := s.remove(ctx, b.Name, removal{
		key: key, version: id.VersionId, cond: deleteCondition{id.ETag, id.LastModifiedTime, id.Size}, bypass: bypass,
	})
	// Unlike a single deletion, this one knows no malformed id.
	if id.VersionId != nil && awserr.Is(err, "InvalidArgument") {
		err = errNoSuchVersion(key, *id.VersionId)
	}
	return done, err
}
