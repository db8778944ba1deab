package s3

import (
	"context"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/store"
)

// afterAll is a byte behind every byte of UTF-8: prefix+afterAll is behind all
// keys that begin with the prefix.
const afterAll = "\xff"

// fetchAtOnce is how many rows a listing reads at a time.
const fetchAtOnce = 1000

// fewRows is how many it reads where each stands for many.
const fewRows = 2

// keyed is an object with its key.
type keyed struct {
	key    string
	object *object
	// place is where it stands in a listing that has more than one entry of a key.
	place string
	// upload stands in the place of an object in a listing of uploads.
	upload *upload
}

func (k keyed) at() string {
	if k.place != "" {
		return k.place
	}
	return k.key
}

// source returns at most limit objects in the order of their keys, from the key
// given on, that key itself only when inclusive.
type source func(from string, inclusive bool, limit int) ([]keyed, error)

// listing is what ListObjects asks for.
type listing struct {
	prefix, delimiter, after string
	max                      int
	// past makes a marker that falls under a common prefix stand behind all of it,
	// as in all listings but ListObjectsV2.
	past bool
}

// page is what it gets. Objects and prefixes count against max together.
type page struct {
	objects   []keyed
	prefixes  []string
	truncated bool
	// last is the last object's key or common prefix listed.
	last string
}

func (p *page) full(max int) bool { return len(p.objects)+len(p.prefixes) >= max }

// run lists. A marker that is itself a common prefix stands behind all keys of
// that prefix: it is what the page before ended with.
func (l listing) run(fetch source) (page, error) {
	var p page
	if l.max == 0 {
		return p, nil
	}
	pos, inclusive := l.after, false
	common := l.common(l.after)
	switch {
	case l.after < l.prefix || l.after == "":
		pos, inclusive = l.prefix, true
	case common != "" && (l.past || common == l.after):
		pos = common + afterAll
	}
	for size := min(l.max+1, fetchAtOnce); ; {
		rows, err := fetch(pos, inclusive, size)
		if err != nil || len(rows) == 0 {
			return p, err
		}
		skipped := 0
		for _, r := range rows {
			if r.at() < pos || !inclusive && r.at() == pos {
				skipped++
				continue // under the common prefix just listed
			}
			if !strings.HasPrefix(r.key, l.prefix) {
				return p, nil
			}
			if p.full(l.max) {
				p.truncated = true
				return p, nil
			}
			pos, inclusive = p.add(r, l.common(r.key)), false
		}
		// Where keys stand under few prefixes, most of what is fetched is read in vain.
		if skipped > len(rows)/2 {
			size = max(fewRows, size/8)
		} else {
			size = min(size*2, l.max+1, fetchAtOnce)
		}
	}
}

// common is the common prefix that the key falls under, "" for none.
func (l listing) common(key string) string {
	if l.delimiter == "" || !strings.HasPrefix(key, l.prefix) {
		return ""
	}
	before, _, found := strings.Cut(key[len(l.prefix):], l.delimiter)
	if !found {
		return ""
	}
	return l.prefix + before + l.delimiter
}

// add puts the object, or the common prefix it stands for, on the page and
// returns the place to go on behind.
func (p *page) add(r keyed, common string) string {
	if common == "" {
		p.objects = append(p.objects, r)
		p.last = r.key
		return r.at()
	}
	p.prefixes = append(p.prefixes, common)
	p.last = common
	return common + afterAll
}

// list runs a listing over the bucket on one snapshot.
func (s *Service) list(ctx context.Context, b *bucket, l listing) (p page, err error) {
	if b.published {
		return l.run(s.publishedSource(b.Name))
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err = l.run(func(from string, inclusive bool, limit int) ([]keyed, error) {
			return objectsFrom(tx, b.Name, from, inclusive, limit)
		})
		return err
	})
	return p, err
}

func objectsFrom(tx *store.Tx, bucketName, from string, inclusive bool, limit int) ([]keyed, error) {
	var out []keyed
	if inclusive && from != "" {
		o, err := objects.Get(tx, objectKey(bucketName, from))
		switch {
		case err == nil:
			out = append(out, keyed{key: from, object: o})
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
	}
	rows, err := objects.List(tx, store.Scope{}, bucketName+"\x00"+from, limit)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		key, ok := strings.CutPrefix(r.Key.ID, bucketName+"\x00")
		if !ok {
			break
		}
		out = append(out, keyed{key: key, object: r.Value})
	}
	return out, nil
}
