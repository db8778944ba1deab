package s3

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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

// regionOf finds the region at the end of a published bucket's name:
// aws-codedeploy-eu-west-1.
func regionOf(name string) string {
	fields := strings.Split(name, "-")
	if len(fields) < 3 {
		return usEast1
	}
	return strings.Join(fields[len(fields)-3:], "-")
}

func (s *Service) publishedBucket(name string) (*bucket, bool) {
	if s.published == nil {
		return nil, false
	}
	if _, ok := s.published.Objects(name); !ok {
		return nil, false
	}
	return &bucket{
		Name: name, Account: publishedAccount, Region: regionOf(name), Created: publishedAt,
		Policy: fmt.Sprintf(publishedPolicy, name), published: true,
	}, true
}

func (s *Service) publishedObject(bucketName, key string) *object {
	all, _ := s.published.Objects(bucketName)
	i, ok := slices.BinarySearchFunc(all, key, func(o PublishedObject, key string) int { return cmp.Compare(o.Key, key) })
	if !ok {
		return nil
	}
	return fromPublished(all[i])
}

func fromPublished(p PublishedObject) *object {
	return &object{
		Size: int64(len(p.Body)), ETag: p.ETag, Modified: publishedAt,
		Headers: headers{ContentType: &p.ContentType}, inline: p.Body,
	}
}

// publishedSource lists a published bucket.
func (s *Service) publishedSource(bucketName string) source {
	all, _ := s.published.Objects(bucketName)
	return func(from string, inclusive bool, limit int) ([]keyed, error) {
		i, found := slices.BinarySearchFunc(all, from, func(o PublishedObject, key string) int { return cmp.Compare(o.Key, key) })
		if found && !inclusive {
			i++
		}
		var out []keyed
		for ; i < len(all) && len(out) < limit; i++ {
			out = append(out, keyed{all[i].Key, fromPublished(all[i])})
		}
		return out, nil
	}
}
