package imds

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// renewAhead is how long before they expire credentials are replaced by new
// ones. Clients refresh some five minutes ahead and must find new ones then;
// short sessions are replaced when a quarter of their life is left.
const renewAhead = 15 * time.Minute

// sessions remembers the credentials that each instance was given last, so that
// all its processes share a session, as on EC2.
type sessions struct {
	source Source
	clock  clock.Clock

	mu   sync.Mutex
	last map[string]*session // by instance
}

// session holds its lock while credentials are being made, so that a crowd of
// clients makes one session.
type session struct {
	mu          sync.Mutex
	role        string // ARN and unique id, as a role may be made anew under its name
	credentials Credentials
	renew       time.Time
}

func newSessions(source Source, c clock.Clock) *sessions {
	return &sessions{source: source, clock: c, last: map[string]*session{}}
}

func roleKey(m Metadata) string { return m.RoleARN + " " + m.RoleID }

// of returns the instance's session. Instances come and go: those whose
// credentials have run out are dropped on the way.
func (s *sessions) of(instance string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.last[instance]; have != nil {
		return have
	}
	now := s.clock.Now()
	for id, old := range s.last {
		if old.mu.TryLock() {
			if now.After(old.credentials.Expires) {
				delete(s.last, id)
			}
			old.mu.Unlock()
		}
	}
	fresh := &session{}
	s.last[instance] = fresh
	return fresh
}

// get returns valid credentials of the instance's role.
func (s *sessions) get(ctx context.Context, m Metadata) (Credentials, error) {
	have := s.of(m.InstanceID)
	have.mu.Lock()
	defer have.mu.Unlock()
	now := s.clock.Now()
	if have.role == roleKey(m) && now.Before(have.renew) {
		return have.credentials, nil
	}
	fresh, err := s.source.Credentials(ctx, m.InstanceID)
	if err != nil {
		return Credentials{}, err
	}
	ahead := min(renewAhead, fresh.Expires.Sub(now)/4)
	have.role, have.credentials, have.renew = roleKey(m), fresh, fresh.Expires.Add(-ahead)
	return fresh, nil
}

// updated tells when the instance's credentials last changed; now, if it has
// none yet.
func (s *sessions) updated(m Metadata) time.Time {
	have := s.of(m.InstanceID)
	have.mu.Lock()
	defer have.mu.Unlock()
	if have.role == roleKey(m) {
		return have.credentials.Issued
	}
	return s.clock.Now()
}

// document is what iam/security-credentials/<role> says. That the role cannot
// be used is an answer, too, with the reason.
func (s *sessions) document(ctx context.Context, m Metadata) (string, error) {
	c, err := s.get(ctx, m)
	if refused := new(RoleError); errors.As(err, &refused) {
		return document(
			field{"Code", refused.Code},
			field{"Message", refused.Message},
			field{"LastUpdated", timestamp(s.clock.Now())})
	}
	if err != nil {
		return "", err
	}
	return document(
		field{"Code", "Success"},
		field{"LastUpdated", timestamp(c.Issued)},
		field{"Type", "AWS-HMAC"},
		field{"AccessKeyId", c.AccessKeyID},
		field{"SecretAccessKey", c.SecretAccessKey},
		field{"Token", c.SessionToken},
		field{"Expiration", timestamp(c.Expires)})
}
