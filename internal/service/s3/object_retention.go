package s3

import (
	"context"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// GetObjectRetention returns the version's retention, also one that has ended.
func (s *Service) GetObjectRetention(ctx context.Context, in *s3.GetObjectRetentionInput) (*s3.GetObjectRetentionOutput, error) {
	_, o, err := s.lockable(ctx, in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	if o.Lock.Mode == "" {
		return nil, errNoObjectLock
	}
	return &s3.GetObjectRetentionOutput{Retention: &s3.ObjectLockRetention{Mode: o.Lock.Mode, RetainUntilDate: &o.Lock.Until}}, nil
}

// PutObjectRetention sets the version's retention, or removes it where the request
// says nothing.
func (s *Service) PutObjectRetention(ctx context.Context, in *s3.PutObjectRetentionInput) (*s3.PutObjectRetentionOutput, error) {
	r := in.Retention
	if r == nil || (r.Mode == "") != (r.RetainUntilDate == nil) {
		return nil, errMalformedXML
	}
	b, _, err := s.lockable(ctx, in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	next := protection{Mode: r.Mode}
	if r.RetainUntilDate != nil {
		if next.Until = r.RetainUntilDate.UTC(); !next.Until.After(now) {
			return nil, errInvalidArgument("The retain until date must be in the future!", "RetainUntilDate", next.Until.Format(time.RFC3339))
		}
	}
	bypass, err := s.mayBypass(ctx, b, aws.Val(in.Key), in.VersionId, aws.Val(in.BypassGovernanceRetention))
	if err != nil {
		return nil, err
	}
	err = s.relock(ctx, in.Bucket, in.Key, in.VersionId, func(p *protection) error {
		if err := p.replace(next, now, bypass); err != nil {
			return err
		}
		p.Mode, p.Until = next.Mode, next.Until
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutObjectRetentionOutput{}, nil
}

func (s *Service) putObjectRetentionChecks(ctx context.Context, in *s3.PutObjectRetentionInput) ([]aws.Check, error) {
	c, err := s.ownedCheck(ctx, in)
	if err != nil || in.Retention == nil {
		return []aws.Check{c}, err
	}
	if in.Retention.Mode != "" {
		c.Context["s3:object-lock-mode"] = []string{string(in.Retention.Mode)}
	}
	if until := in.Retention.RetainUntilDate; until != nil {
		c.Context["s3:object-lock-retain-until-date"] = []string{until.UTC().Format(time.RFC3339)}
		remainingDays(&c, until.Sub(s.clock.Now()))
	}
	return []aws.Check{c}, nil
}

// GetObjectLegalHold returns whether the version is held; never having been held
// is an error, as on AWS.
func (s *Service) GetObjectLegalHold(ctx context.Context, in *s3.GetObjectLegalHoldInput) (*s3.GetObjectLegalHoldOutput, error) {
	_, o, err := s.lockable(ctx, in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	if o.Lock.Hold == "" {
		return nil, errNoObjectLock
	}
	return &s3.GetObjectLegalHoldOutput{LegalHold: &s3.ObjectLockLegalHold{Status: o.Lock.Hold}}, nil
}

// PutObjectLegalHold places or removes the version's legal hold.
func (s *Service) PutObjectLegalHold(ctx context.Context, in *s3.PutObjectLegalHoldInput) (*s3.PutObjectLegalHoldOutput, error) {
	if in.LegalHold == nil || in.LegalHold.Status != s3.ObjectLockLegalHoldStatusOn && in.LegalHold.Status != s3.ObjectLockLegalHoldStatusOff {
		return nil, errMalformedXML
	}
	err := s.relock(ctx, in.Bucket, in.Key, in.VersionId, func(p *protection) error {
		p.Hold = in.LegalHold.Status
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutObjectLegalHoldOutput{}, nil
}

func (s *Service) putObjectLegalHoldChecks(ctx context.Context, in *s3.PutObjectLegalHoldInput) ([]aws.Check, error) {
	c, err := s.ownedCheck(ctx, in)
	if err == nil && in.LegalHold != nil && in.LegalHold.Status != "" {
		c.Context["s3:object-lock-legal-hold"] = []string{string(in.LegalHold.Status)}
	}
	return []aws.Check{c}, err
}

// showLock adds what keeps the version, for those who may see it.
func (s *Service) showLock(ctx context.Context, b *bucket, key string, o *object, out *s3.GetObjectOutput) error {
	if o.Lock == (protection{}) {
		return nil
	}
	for _, one := range []struct {
		set    bool
		action string
		show   func()
	}{
		{o.Lock.Mode != "", "s3:GetObjectRetention", func() {
			out.ObjectLockMode, out.ObjectLockRetainUntilDate = s3.ObjectLockMode(o.Lock.Mode), &o.Lock.Until
		}},
		{o.Lock.Hold != "", "s3:GetObjectLegalHold", func() { out.ObjectLockLegalHoldStatus = o.Lock.Hold }},
	} {
		if !one.set {
			continue
		}
		allowed, err := s.allowed(ctx, b.ownCheck(ctx, one.action, key, o))
		if err != nil {
			return err
		}
		if allowed {
			one.show()
		}
	}
	return nil
}

// allowed tells a denial from a failure.
func (s *Service) allowed(ctx context.Context, c aws.Check) (bool, error) {
	err := s.auth.Authorize(ctx, c)
	if isDenied(err) {
		return false, nil
	}
	return err == nil, err
}
