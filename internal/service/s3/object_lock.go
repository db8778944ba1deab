package s3

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// objectLock is a bucket's object lock; the default retention is that of new
// versions which bring none.
type objectLock struct {
	Mode        s3.ObjectLockRetentionMode `json:",omitempty"`
	Days, Years int32                      `json:",omitempty"`
}

// maxRetentionDays is 100 years as S3 counts them.
const maxRetentionDays = 36500

// protection is what keeps a version from being deleted.
type protection struct {
	Mode  s3.ObjectLockRetentionMode   `json:",omitempty"`
	Until time.Time                    `json:",omitzero"`
	Hold  s3.ObjectLockLegalHoldStatus `json:",omitempty"`
}

var (
	errLocked       = awserr.Status(http.StatusForbidden, "AccessDenied", "Access Denied because object protected by object lock.")
	errNoBucketLock = errInvalidRequest("Bucket is missing Object Lock Configuration")
	errNoObjectLock = awserr.Status(http.StatusNotFound, "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration")
)

// retained reports whether the retention period has not ended.
func (p protection) retained(now time.Time) bool { return p.Mode != "" && p.Until.After(now) }

// holds refuses the deletion of a version that is protected, where bypass does not
// lift governance.
func (p protection) holds(now time.Time, bypass bool) error {
	switch {
	case p.Hold == s3.ObjectLockLegalHoldStatusOn:
		return errLocked
	case p.retained(now) && (p.Mode == s3.ObjectLockRetentionModeCompliance || !bypass):
		return errLocked
	}
	return nil
}

// replace refuses a change of the retention that S3 does not allow: longer is
// always allowed, all else in governance mode with bypass only.
func (p protection) replace(next protection, now time.Time, bypass bool) error {
	if !p.retained(now) || next.Mode == p.Mode && !next.Until.Before(p.Until) {
		return nil
	}
	if p.Mode == s3.ObjectLockRetentionModeCompliance || !bypass {
		return errLocked
	}
	return nil
}

// lockRequest are the members of a write that protect the new version.
type lockRequest struct {
	mode  s3.ObjectLockMode
	until *time.Time
	hold  s3.ObjectLockLegalHoldStatus
	// proven says that the sender gave a checksum or an MD5 of the body; nil where
	// there is no body.
	proven func() bool
}

// protect reads the lock that a write asks for. A wrong value is reported before
// the bucket is looked at.
func (s *Service) protect(b *bucket, r lockRequest) (protection, error) {
	p := protection{Mode: s3.ObjectLockRetentionMode(r.mode), Hold: r.hold}
	switch {
	case r.mode == "" && r.until != nil:
		return p, errInvalidArgument("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied", "x-amz-object-lock-mode", "null")
	case r.mode != "" && r.until == nil:
		return p, errInvalidArgument("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied", "x-amz-object-lock-retain-until-date", "null")
	case r.until != nil && !r.until.After(s.clock.Now()):
		return p, errInvalidArgument("The retain until date must be in the future!", "x-amz-object-lock-retain-until-date", r.until.UTC().Format(time.RFC3339))
	case r.until != nil:
		p.Until = r.until.UTC()
	}
	asked := p != protection{}
	switch {
	case asked && b.Lock == nil:
		return p, errNoBucketLock
	case (asked || b.Lock != nil && b.Lock.Mode != "") && r.proven != nil && !r.proven():
		return p, errInvalidRequest("Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	return p, nil
}

// withDefault is the protection that a new version gets in the bucket.
func (b *bucket) withDefault(p protection, now time.Time) protection {
	if b.Lock == nil || b.Lock.Mode == "" || p.Mode != "" {
		return p
	}
	p.Mode, p.Until = b.Lock.Mode, now.AddDate(0, 0, int(b.Lock.Days+365*b.Lock.Years))
	return p
}

// mayBypass reports whether a request that asks to bypass governance may do so
// with the version. Only where there is something to bypass is the permission
// looked at.
func (s *Service) mayBypass(ctx context.Context, b *bucket, key string, version *string, asked bool) (bool, error) {
	if !asked || b.Lock == nil {
		return false, nil
	}
	o, err := s.find(ctx, b, key, version)
	if err != nil || o == nil || o.Lock.Mode != s3.ObjectLockRetentionModeGovernance {
		return false, err
	}
	c := b.ownCheck(ctx, "s3:BypassGovernanceRetention", key, o)
	describeCaller(ctx, s.clock, &c)
	return true, s.auth.Authorize(ctx, c)
}

// GetObjectLockConfiguration returns the bucket's object lock.
func (s *Service) GetObjectLockConfiguration(ctx context.Context, in *s3.GetObjectLockConfigurationInput) (*s3.GetObjectLockConfigurationOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Lock == nil {
		return nil, awserr.Status(http.StatusNotFound, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket").
			With("BucketName", b.Name)
	}
	c := &s3.ObjectLockConfiguration{ObjectLockEnabled: s3.ObjectLockEnabledEnabled}
	if b.Lock.Mode != "" {
		d := &s3.DefaultRetention{Mode: b.Lock.Mode}
		if b.Lock.Days > 0 {
			d.Days = &b.Lock.Days
		} else {
			d.Years = &b.Lock.Years
		}
		c.Rule = &s3.ObjectLockRule{DefaultRetention: d}
	}
	return &s3.GetObjectLockConfigurationOutput{ObjectLockConfiguration: c}, nil
}

// PutObjectLockConfiguration enables object lock, for good, and sets the default
// retention.
func (s *Service) PutObjectLockConfiguration(ctx context.Context, in *s3.PutObjectLockConfigurationInput) (*s3.PutObjectLockConfigurationOutput, error) {
	if in.Token != nil {
		return nil, notBuilt("PutObjectLockConfiguration", "Token")
	}
	lock, err := lockOf(in.ObjectLockConfiguration)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, in.Bucket, func(b *bucket) error {
		if b.Versioning != s3.BucketVersioningStatusEnabled {
			return awserr.Status(http.StatusConflict, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
		}
		b.Lock = lock
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutObjectLockConfigurationOutput{}, nil
}

func lockOf(c *s3.ObjectLockConfiguration) (*objectLock, error) {
	if c == nil || c.ObjectLockEnabled != s3.ObjectLockEnabledEnabled {
		return nil, errMalformedXML
	}
	if c.Rule == nil {
		return &objectLock{}, nil
	}
	d := c.Rule.DefaultRetention
	if d == nil || (d.Days == nil) == (d.Years == nil) ||
		d.Mode != s3.ObjectLockRetentionModeGovernance && d.Mode != s3.ObjectLockRetentionModeCompliance {
		return nil, errMalformedXML
	}
	for _, period := range []struct {
		name  string
		value *int32
		limit int32
	}{{"Days", d.Days, maxRetentionDays}, {"Years", d.Years, maxRetentionDays / 365}} {
		switch {
		case period.value == nil:
		case *period.value <= 0:
			return nil, errInvalidArgument("Default retention period must be a positive integer value.", period.name, strconv.Itoa(int(*period.value)))
		case *period.value > period.limit:
			return nil, errInvalidArgument("Default retention period too large.", period.name, strconv.Itoa(int(*period.value)))
		}
	}
	return &objectLock{Mode: d.Mode, Days: aws.Val(d.Days), Years: aws.Val(d.Years)}, nil
}

// lockable finds the version whose lock a request is about.
func (s *Service) lockable(ctx context.Context, name, key, version *string) (*bucket, *object, error) {
	b, err := s.lookup(ctx, aws.Val(name))
	if err != nil {
		return nil, nil, err
	}
	if b.Lock == nil {
		return nil, nil, errNoBucketLock
	}
	o, err := s.read(ctx, b, aws.Val(key), version)
	return b, o, err
}

// relock changes the lock of a version.
func (s *Service) relock(ctx context.Context, name, key, version *string, fn func(p *protection) error) error {
	if _, _, err := s.lockable(ctx, name, key, version); err != nil {
		return err
	}
	_, err := s.edit(ctx, name, key, version, func(_ *bucket, o *object) error { return fn(&o.Lock) })
	return err
}
