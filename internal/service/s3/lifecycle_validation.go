package s3

import (
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

const (
	maxLifecycleRules = 1000
	maxRuleID         = 255
	// maxNewer is how many noncurrent versions a rule may keep.
	maxNewer = 100
)

func validRules(rules []s3.LifecycleRule) error {
	seen := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		id := aws.Val(r.ID)
		switch {
		case len(id) > maxRuleID:
			return errInvalidArgument("ID length should not exceed allowed limit of 255", "ID", id)
		case id != "" && seen[id]:
			return errInvalidArgument("Rule ID must be unique. Found same ID for more than one rule", "ID", id)
		}
		seen[id] = true
		if err := validRule(r); err != nil {
			return err
		}
	}
	return nil
}

func validRule(r *s3.LifecycleRule) error {
	if r.Status != s3.ExpirationStatusEnabled && r.Status != s3.ExpirationStatusDisabled || (r.Filter == nil) == (r.Prefix == nil) {
		return errMalformedXML
	}
	f, err := filterOf(r)
	if err != nil {
		return err
	}
	if r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil &&
		len(r.Transitions) == 0 && len(r.NoncurrentVersionTransitions) == 0 {
		return errInvalidRequest("At least one action needs to be specified in a rule")
	}
	for _, check := range []func(*s3.LifecycleRule, filter) error{validExpiration, validNoncurrent, validAbort, validTransitions, validNoncurrentTransitions} {
		if err := check(r, f); err != nil {
			return err
		}
	}
	return nil
}

func positive(n *int32, name, action string) error {
	if aws.Val(n) <= 0 {
		return errInvalidArgument("'"+name+"' for "+action+" action must be a positive integer", name, strconv.Itoa(int(aws.Val(n))))
	}
	return nil
}

func midnight(t *time.Time) error {
	if u := t.UTC(); !u.Equal(u.Truncate(24 * time.Hour)) {
		return errInvalidArgument("'Date' must be at midnight GMT", "Date", u.Format(time.RFC3339))
	}
	return nil
}

func count(set ...bool) int {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

func validExpiration(r *s3.LifecycleRule, f filter) error {
	e := r.Expiration
	switch {
	case e == nil:
		return nil
	case count(e.Date != nil, e.Days != nil, e.ExpiredObjectDeleteMarker != nil) != 1:
		return errMalformedXML
	case e.Days != nil:
		return positive(e.Days, "Days", "Expiration")
	case e.Date != nil:
		return midnight(e.Date)
	}
	return f.plain("ExpiredObjectDeleteMarker")
}

func validNoncurrent(r *s3.LifecycleRule, _ filter) error {
	n := r.NoncurrentVersionExpiration
	if n == nil {
		return nil
	}
	if n.NoncurrentDays == nil {
		return errMalformedXML
	}
	if err := positive(n.NoncurrentDays, "NoncurrentDays", "NoncurrentVersionExpiration"); err != nil {
		return err
	}
	return validNewer(n.NewerNoncurrentVersions, "NoncurrentVersionExpiration")
}

func validNewer(n *int32, action string) error {
	if n == nil {
		return nil
	}
	if *n > maxNewer {
		return errInvalidArgument("'NewerNoncurrentVersions' for "+action+" action must be less than or equal to 100", "NewerNoncurrentVersions", strconv.Itoa(int(*n)))
	}
	return positive(n, "NewerNoncurrentVersions", action)
}

func validAbort(r *s3.LifecycleRule, f filter) error {
	a := r.AbortIncompleteMultipartUpload
	if a == nil {
		return nil
	}
	if err := f.plain("AbortIncompleteMultipartUpload"); err != nil {
		return err
	}
	return positive(a.DaysAfterInitiation, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
}

// leastDays is how long an object must have existed before it may go to a class.
var leastDays = map[s3.TransitionStorageClass]int32{
	s3.TransitionStorageClassStandardIa: 30, s3.TransitionStorageClassOnezoneIa: 30,
}

func validTransitions(r *s3.LifecycleRule, f filter) error {
	seen := map[s3.TransitionStorageClass]bool{}
	for _, t := range r.Transitions {
		switch {
		case (t.Date == nil) == (t.Days == nil) || t.StorageClass == "":
			return errMalformedXML
		case seen[t.StorageClass]:
			return errInvalidRequest("'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter '%s'", f)
		case t.Date != nil:
			if err := midnight(t.Date); err != nil {
				return err
			}
		case *t.Days < 0:
			return errInvalidArgument("'Days' in Transition action must be nonnegative", "Days", strconv.Itoa(int(*t.Days)))
		case *t.Days < leastDays[t.StorageClass]:
			return errInvalidArgument("'Days' in Transition action must be greater than or equal to 30 for storageClass '"+string(t.StorageClass)+"'", "Days", strconv.Itoa(int(*t.Days)))
		}
		seen[t.StorageClass] = true
		if e := r.Expiration; e != nil {
			switch {
			case e.Days != nil && t.Date != nil, e.Date != nil && t.Days != nil:
				return errInvalidRequest("Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter '%s'", f)
			case e.Days != nil && *e.Days <= *t.Days:
				return errInvalidArgument("'Days' in the Expiration action for filter '"+f.String()+"' must be greater than 'Days' in the Transition action", "Days", strconv.Itoa(int(*e.Days)))
			}
		}
	}
	return nil
}

func validNoncurrentTransitions(r *s3.LifecycleRule, f filter) error {
	for _, t := range r.NoncurrentVersionTransitions {
		switch {
		case t.NoncurrentDays == nil || t.StorageClass == "":
			return errMalformedXML
		case *t.NoncurrentDays < 0:
			return errInvalidArgument("'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative", "NoncurrentDays", strconv.Itoa(int(*t.NoncurrentDays)))
		case *t.NoncurrentDays < leastDays[t.StorageClass]:
			return errInvalidArgument("'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to 30 for storageClass '"+string(t.StorageClass)+"'", "NoncurrentDays", strconv.Itoa(int(*t.NoncurrentDays)))
		}
		if e := r.NoncurrentVersionExpiration; e != nil && aws.Val(e.NoncurrentDays) <= *t.NoncurrentDays {
			return errInvalidArgument("'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '"+f.String()+"' must be greater than 'NoncurrentDays' in the NoncurrentVersionTransition action", "NoncurrentDays", strconv.Itoa(int(aws.Val(e.NoncurrentDays))))
		}
		if err := validNewer(t.NewerNoncurrentVersions, "NoncurrentVersionTransition"); err != nil {
			return err
		}
	}
	return nil
}
