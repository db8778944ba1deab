package s3

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// due is when an action after so many days is due: at the first midnight UTC
// behind them.
func due(from time.Time, days int32) time.Time {
	return from.UTC().AddDate(0, 0, int(days)).Truncate(24*time.Hour).AddDate(0, 0, 1)
}

// deadline is when an action by days or by date is due for what was written at
// from.
func deadline(from time.Time, days *int32, date *time.Time) (time.Time, bool) {
	switch {
	case days != nil:
		return due(from, *days), true
	case date != nil:
		return date.UTC(), true
	}
	return time.Time{}, false
}

// act is what lifecycle rules do with a version.
type act struct {
	remove bool
	class  s3.StorageClass // to change to
}

// place is where a version stands among those of its key.
type place struct {
	newer int  // noncurrent versions newer than it
	only  bool // there is no other version
}

// enabled are the rules in force with their filters.
func (l *lifecycle) enabled(visit func(r *s3.LifecycleRule, f filter)) {
	if l == nil {
		return
	}
	for i := range l.Rules {
		if l.Rules[i].Status != s3.ExpirationStatusEnabled {
			continue
		}
		if f, err := filterOf(&l.Rules[i]); err == nil {
			visit(&l.Rules[i], f)
		}
	}
}

// judge decides about a version. An expiration wins over a change of class.
func (l *lifecycle) judge(key string, o *object, at place, now time.Time) act {
	var a act
	var latest time.Time
	l.enabled(func(r *s3.LifecycleRule, f filter) {
		if !f.matches(key, o) {
			return
		}
		if o.Noncurrent.IsZero() {
			a.remove = a.remove || expires(r, o, at, now)
		} else {
			a.remove = a.remove || outlived(r.NoncurrentVersionExpiration, o, at, now)
		}
		if o.Marker {
			return
		}
		for class, since := range l.transitions(r, o, at, now) {
			if !since.Before(latest) {
				latest, a.class = since, class
			}
		}
	})
	if a.remove || colder[a.class] <= colder[o.Class] {
		a.class = ""
	}
	return a
}

// expires applies a rule's Expiration to a key's latest version.
func expires(r *s3.LifecycleRule, o *object, at place, now time.Time) bool {
	e := r.Expiration
	if e == nil {
		return false
	}
	when, timed := deadline(o.Modified, e.Days, e.Date)
	if o.Marker {
		// A marker over nothing goes at once where the rule says so, else when a
		// version of its age would.
		return at.only && (aws.Val(e.ExpiredObjectDeleteMarker) || timed && !now.Before(when))
	}
	return timed && !now.Before(when)
}

func outlived(e *s3.NoncurrentVersionExpiration, o *object, at place, now time.Time) bool {
	return e != nil && at.newer >= int(aws.Val(e.NewerNoncurrentVersions)) && !now.Before(due(o.Noncurrent, aws.Val(e.NoncurrentDays)))
}

// transitions are the classes that a rule has meant the version to have, since
// when.
func (l *lifecycle) transitions(r *s3.LifecycleRule, o *object, at place, now time.Time) map[s3.StorageClass]time.Time {
	out := map[s3.StorageClass]time.Time{}
	add := func(class s3.TransitionStorageClass, when time.Time) {
		if !now.Before(when) && l.bigEnough(s3.StorageClass(class), r, o) {
			out[s3.StorageClass(class)] = when
		}
	}
	if o.Noncurrent.IsZero() {
		for _, t := range r.Transitions {
			if when, ok := deadline(o.Modified, t.Days, t.Date); ok {
				add(t.StorageClass, when)
			}
		}
		return out
	}
	for _, t := range r.NoncurrentVersionTransitions {
		if at.newer >= int(aws.Val(t.NewerNoncurrentVersions)) {
			add(t.StorageClass, due(o.Noncurrent, aws.Val(t.NoncurrentDays)))
		}
	}
	return out
}

// colder orders the classes: an object never goes back to a warmer one.
var colder = map[s3.StorageClass]int{
	s3.StorageClassStandardIa: 1, s3.StorageClassIntelligentTiering: 2, s3.StorageClassOnezoneIa: 3,
	s3.StorageClassGlacierIr: 4, s3.StorageClassGlacier: 5, s3.StorageClassDeepArchive: 6,
}

// smallObject is the size below which objects keep their class, unless a filter
// of sizes or the configuration says otherwise.
const smallObject = 128 << 10

func (l *lifecycle) bigEnough(class s3.StorageClass, r *s3.LifecycleRule, o *object) bool {
	f, _ := filterOf(r)
	return o.Size >= smallObject || f.greater != nil || f.less != nil ||
		l.Minimum == s3.TransitionDefaultMinimumObjectSizeVariesByStorageClass && classes[class]
}

// expiration is the header that tells when a current object will expire.
func (b *bucket) expiration(key string, o *object) *string {
	var first time.Time
	var id string
	if o.Noncurrent.IsZero() {
		b.Lifecycle.enabled(func(r *s3.LifecycleRule, f filter) {
			if r.Expiration == nil || !f.matches(key, o) {
				return
			}
			if when, ok := deadline(o.Modified, r.Expiration.Days, r.Expiration.Date); ok && (first.IsZero() || when.Before(first)) {
				first, id = when, aws.Val(r.ID)
			}
		})
	}
	if first.IsZero() {
		return nil
	}
	return aws.Ptr(fmt.Sprintf(`expiry-date="%s", rule-id="%s"`, first.Format(http.TimeFormat), url.QueryEscape(id)))
}

// abortion is when and by which rule an upload will be aborted.
func (b *bucket) abortion(u *upload) (*time.Time, *string) {
	var first *time.Time
	var id *string
	b.Lifecycle.enabled(func(r *s3.LifecycleRule, f filter) {
		if a := r.AbortIncompleteMultipartUpload; a != nil && f.matches(u.Key, &object{Marker: true}) {
			if when := due(u.Initiated, aws.Val(a.DaysAfterInitiation)); first == nil || when.Before(*first) {
				first, id = &when, r.ID
			}
		}
	})
	return first, id
}
