package s3

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// publishedAccount owns the published buckets. It is no account that a caller
// can be of, so that reading them needs the caller's own permission too, as it
// does on AWS; anonymous callers need the bucket's only.
const publishedAccount = "amazon"

// publishedAt is when published objects claim to have been written: they are
// part of the program, whose build is reproducible.
var publishedAt = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// publishedPolicy lets everybody read and list.
const publishedPolicy = `{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%[1]s/*"},
{"Effect":"Allow","Principal":"*","Action":["s3:ListBucket","s3:GetBucketLocation"],"Resource":"arn:aws:s3:::%[1]s"}]}`

func (s *Service) publishedBucket(name string) (*bucket, bool) {
	if s.published == nil {
		return nil, false
	}
	region, ok := s.published.Region(name)
	if !ok {
		return nil, false
	}
	return &bucket{
		Name: name, Account: publishedAccount, Region: region, Created: publishedAt,
		Policy: fmt.Sprintf(publishedPolicy, name), published: true,
	}, true
}

// publishedObject returns the object or nil.
func (s *Service) publishedObject(bucketName, key string) (*object, error) {
	all, err := s.published.Objects(bucketName)
	if err != nil {
		return nil, fmt.Errorf("published bucket %s: %w", bucketName, err)
	}
	i, ok := slices.BinarySearchFunc(all, key, byKey)
	if !ok {
		return nil, nil
	}
	return fromPublished(all[i]), nil
}

func byKey(o PublishedObject, key string) int { return cmp.Compare(o.Key, key) }

func fromPublished(p PublishedObject) *object {
	return &object{
		Size: p.Size, ETag: p.ETag, Modified: publishedAt, Headers: headers{ContentType: &p.ContentType}, inline: p.Read,
	}
}

// publishedSource lists a published bucket.
func (s *Service) publishedSource(bucketName string) source {
	return func(from string, inclusive bool, limit int) ([]keyed, error) {
		all, err := s.published.Objects(bucketName)
		if err != nil {
			return nil, fmt.Errorf("published bucket %s: %w", bucketName, err)
		}
		i, found := slices.BinarySearchFunc(all, from, byKey)
		if found && !inclusive {
			i++
		}
		var out []keyed
		for ; i < len(all) && len(out) < limit; i++ {
			out = append(out, keyed{key: all[i].Key, object: fromPublished(all[i])})
		}
		return out, nil
	}
}
