package s3

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// filter is which objects a lifecycle rule is about; all its parts must hold.
type filter struct {
	prefix  string
	tags    []tag
	greater *int64
	less    *int64
}

// filterOf reads a rule's filter in any of its forms.
func filterOf(r *s3.LifecycleRule) (filter, error) {
	if r.Filter == nil {
		return filter{prefix: aws.Val(r.Prefix)}, nil
	}
	c := r.Filter
	f := filter{prefix: aws.Val(c.Prefix), greater: c.ObjectSizeGreaterThan, less: c.ObjectSizeLessThan}
	if c.Tag != nil {
		f.tags = fromTagSet([]s3.Tag{*c.Tag})
	}
	if count(c.Prefix != nil, c.Tag != nil, c.ObjectSizeGreaterThan != nil, c.ObjectSizeLessThan != nil, c.And != nil) > 1 {
		return f, errMalformedXML
	}
	if a := c.And; a != nil {
		if count(a.Prefix != nil, a.ObjectSizeGreaterThan != nil, a.ObjectSizeLessThan != nil)+len(a.Tags) < 2 {
			return f, errMalformedXML
		}
		f = filter{prefix: aws.Val(a.Prefix), tags: fromTagSet(a.Tags), greater: a.ObjectSizeGreaterThan, less: a.ObjectSizeLessThan}
	}
	return f, f.valid()
}

func (f filter) valid() error {
	keys := map[string]bool{}
	for _, t := range f.tags {
		if keys[t.Key] {
			return errInvalidRequest("Duplicate Tag Keys are not allowed.")
		}
		keys[t.Key] = true
	}
	if f.greater != nil && f.less != nil && *f.less <= *f.greater {
		return errInvalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'")
	}
	if len(f.tags) > 0 {
		return validTags(f.tags, maxBucketTags)
	}
	return nil
}

// plain refuses tags and sizes for an action on what has neither.
func (f filter) plain(action string) error {
	switch {
	case len(f.tags) > 0:
		return errInvalidRequest("%s cannot be specified with Tags.", action)
	case f.greater != nil || f.less != nil:
		return errInvalidRequest("%s cannot be specified with Object Size.", action)
	}
	return nil
}

func (f filter) String() string { return fmt.Sprintf("(prefix=%s)", f.prefix) }

// matches reports whether the rule is about the version. A delete marker has
// neither tags nor a size.
func (f filter) matches(key string, o *object) bool {
	if !strings.HasPrefix(key, f.prefix) {
		return false
	}
	if o.Marker {
		return len(f.tags) == 0 && f.greater == nil && f.less == nil
	}
	for _, t := range f.tags {
		if !slices.Contains(o.Tags, t) {
			return false
		}
	}
	return (f.greater == nil || o.Size > *f.greater) && (f.less == nil || o.Size < *f.less)
}
