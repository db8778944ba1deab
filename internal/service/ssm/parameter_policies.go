package ssm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	expiration  = "Expiration"
	maxPolicies = 10
)

// inlinePolicy is a policy of a parameter: its text as it was put, and for an
// expiration the time.
type inlinePolicy struct {
	Type, Text string
	Expires    time.Time
}

// parsePolicies reads what PutParameter's Policies holds: an array, in which an
// empty object stands for none.
func parsePolicies(text string) ([]inlinePolicy, error) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, awserr.New("InvalidPolicyAttributeException", "The parameter policies must be an array of JSON objects.")
	}
	if len(list) > maxPolicies {
		return nil, awserr.New("PoliciesLimitExceededException", "You specified more than the maximum number of allowed policies for the parameter. The maximum is %d.", maxPolicies)
	}
	var out []inlinePolicy
	for _, raw := range list {
		p, err := parsePolicy(raw)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		if len(out) > 0 {
			return nil, awserr.New("IncompatiblePolicyException", "There is a conflict in the policies specified for this parameter. You can't, for example, specify two Expiration policies for a parameter. Review your policies, and try again.")
		}
		out = append(out, *p)
	}
	return out, nil
}

// parsePolicy reads one policy; it is nil for the empty object.
func parsePolicy(raw json.RawMessage) (*inlinePolicy, error) {
	var p struct {
		Type, Version string
		Attributes    map[string]string
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, awserr.New("InvalidPolicyAttributeException", "The parameter policy %s is not valid.", raw)
	}
	switch p.Type {
	case "":
		if bytes.Equal(bytes.TrimSpace(raw), []byte("{}")) {
			return nil, nil
		}
		fallthrough
	default:
		return nil, awserr.New("InvalidPolicyTypeException", "The policy type isn't supported. Parameter Store supports the following policy types: Expiration, ExpirationNotification, and NoChangeNotification.")
	case "ExpirationNotification", "NoChangeNotification":
		return nil, awserr.Status(501, "NotImplemented", "hardstand does not implement parameter policies of type %s: there is no EventBridge to notify.", p.Type)
	case expiration:
	}
	if p.Version != "1.0" {
		return nil, awserr.New("InvalidPolicyAttributeException", "The version %q of the policy %s is not valid: it must be 1.0.", p.Version, p.Type)
	}
	at, err := time.Parse(time.RFC3339, p.Attributes["Timestamp"])
	if err != nil || len(p.Attributes) != 1 {
		return nil, awserr.New("InvalidPolicyAttributeException", "The policy Expiration must have the attribute Timestamp alone, a time in the form 2018-12-02T21:34:33.000Z.")
	}
	return &inlinePolicy{p.Type, string(raw), at.UTC()}, nil
}

// expiry is when the parameter expires, or zero.
func (p *parameter) expiry() time.Time {
	for _, policy := range p.Policies {
		if policy.Type == expiration {
			return policy.Expires
		}
	}
	return time.Time{}
}

// expired reports whether the parameter is gone though its row may be there.
func (p *parameter) expired(now time.Time) bool {
	at := p.expiry()
	return !at.IsZero() && !now.Before(at)
}

func policyViews(list []inlinePolicy) []api.ParameterInlinePolicy {
	out := []api.ParameterInlinePolicy{}
	for _, p := range list {
		out = append(out, api.ParameterInlinePolicy{PolicyText: aws.Ptr(p.Text), PolicyType: aws.Ptr(p.Type), PolicyStatus: aws.Ptr("Pending")})
	}
	return out
}

// Run removes parameters when they expire, until ctx ends. Readers do not see them
// from the moment on that they do.
func (s *Service) Run(ctx context.Context) error {
	return s.cfg.DB.SweepWhenDue(ctx, store.Filter{Service: "ssm"}, s.expire)
}

// expire removes what has expired and returns when the next will.
func (s *Service) expire(ctx context.Context) (next time.Time, err error) {
	var due []store.Key
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		due, next, err = parameters.Due(tx, (*parameter).expiry)
		return err
	})
	if err != nil || len(due) == 0 {
		return next, err
	}
	return next, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, k := range due {
			p, err := parameters.Get(tx, k)
			if errors.Is(err, store.ErrNotFound) || err == nil && !p.expired(tx.Now()) {
				continue // deleted or made anew meanwhile
			}
			if err != nil {
				return fmt.Errorf("expire: %w", err)
			}
			if err := parameters.Delete(tx, k); err != nil {
				return err
			}
			tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "ssm", Resource: k.ID, Kind: "expired"})
		}
		return nil
	})
}
