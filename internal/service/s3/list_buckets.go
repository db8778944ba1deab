package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// maxBuckets is how many buckets one answer lists when the caller names none.
const maxBuckets = 10000

// ListBuckets lists the account's buckets by name.
func (s *Service) ListBuckets(ctx context.Context, in *s3.ListBucketsInput) (*s3.ListBucketsOutput, error) {
	call := aws.CallFrom(ctx)
	if call.Principal.Type == aws.PrincipalAnonymous {
		return nil, errAccessDenied
	}
	after, err := decodeToken(in.ContinuationToken)
	if err != nil {
		return nil, err
	}
	var rows []store.Row[bucket]
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = buckets.Lookup(tx, "account", call.Account)
		return err
	})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r store.Row[bucket]) bool {
		return r.Value.Name <= after || !strings.HasPrefix(r.Value.Name, aws.Val(in.Prefix)) ||
			in.BucketRegion != nil && *in.BucketRegion != r.Value.Region
	})
	limit := maxBuckets
	if in.MaxBuckets != nil {
		limit = int(*in.MaxBuckets)
	}
	out := &s3.ListBucketsOutput{Owner: owner(call.Account), Prefix: in.Prefix, Buckets: []s3.Bucket{}}
	if len(rows) > limit {
		rows = rows[:limit]
		out.ContinuationToken = encodeToken(rows[limit-1].Value.Name)
	}
	for _, r := range rows {
		b := s3.Bucket{Name: &r.Value.Name, CreationDate: &r.Value.Created}
		if in.MaxBuckets != nil || in.BucketRegion != nil || in.Prefix != nil || in.ContinuationToken != nil {
			b.BucketRegion = &r.Value.Region
		}
		out.Buckets = append(out.Buckets, b)
	}
	return out, nil
}

// owner is the account as the owner of buckets and objects: its canonical id.
func owner(account string) *s3.Owner { return &s3.Owner{ID: aws.Ptr(canonicalID(account))} }

func canonicalID(account string) string {
	if account == anonymousAccount {
		return "65a011a29cdf8ec533ec3d1ccaae921c" // as on AWS
	}
	sum := sha256.Sum256([]byte("canonical user\x00" + account))
	return hex.EncodeToString(sum[:])
}

// A continuation token is the place to go on behind, made unreadable enough that
// nobody builds one by hand.
func encodeToken(after string) *string {
	return aws.Ptr(base64.RawURLEncoding.EncodeToString([]byte("1" + after)))
}

func decodeToken(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || len(b) == 0 || b[0] != '1' {
		return "", awserr.New("InvalidArgument", "The continuation token provided is incorrect").With("ArgumentName", "continuation-token")
	}
	return string(b[1:]), nil
}
