// Package identity finds out who the host is and gives the credentials to sign
// with: from the instance metadata service on EC2, from the on-premises file
// elsewhere. Keys in the environment are never used, so that a hook's
// environment cannot become the agent's identity.
package identity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// Host is who the agent speaks as.
type Host struct {
	// ID is the host identifier: the instance's ARN, an IAM user's or an
	// assumed-role session's.
	ID        string
	Region    string
	Partition string
	Domain    string // amazonaws.com
	provider  provider
}

type provider interface {
	retrieve(ctx context.Context) (sign.Credentials, error)
}

// Options say where to look.
type Options struct {
	OnPremisesFile string
	IMDS           *imdsclient.Client
	Clock          clock.Clock
	Getenv         func(string) string
}

// Discover returns the host's identity, and the source of its credentials.
func Discover(ctx context.Context, o Options) (Host, *Source, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	h, err := fromOnPremises(o.OnPremisesFile)
	if err != nil {
		return Host{}, nil, err
	}
	if h == nil {
		if h, err = fromIMDS(ctx, o); err != nil {
			return Host{}, nil, err
		}
	}
	return *h, &Source{provider: h.provider, clock: o.Clock}, nil
}

func fromIMDS(ctx context.Context, o Options) (*Host, error) {
	h := &Host{Region: o.Getenv("AWS_REGION"), ID: o.Getenv("AWS_HOST_IDENTIFIER"), Partition: "aws", provider: instanceRole{o.IMDS}}
	if h.Region == "" || h.ID == "" {
		doc, err := o.IMDS.Identity(ctx)
		if err != nil {
			return nil, fmt.Errorf("find out which instance this is: %w", err)
		}
		if doc.Region == "" || doc.AccountID == "" || doc.InstanceID == "" {
			return nil, errors.New("find out which instance this is: the identity document names no region, account or instance")
		}
		if p, err := o.IMDS.Get(ctx, "meta-data/services/partition"); err == nil && len(p) > 0 {
			h.Partition = string(p)
		}
		h.Region = doc.Region
		h.ID = "arn:" + h.Partition + ":ec2:" + doc.Region + ":" + doc.AccountID + ":instance/" + doc.InstanceID
	}
	h.Domain = defaultDomain(h.Region)
	if d, err := o.IMDS.Get(ctx, "meta-data/services/domain"); err == nil && len(d) > 0 {
		h.Domain = string(d)
	}
	return h, nil
}

// instanceRole provides the credentials of the instance profile's role.
type instanceRole struct{ metadata *imdsclient.Client }

func (r instanceRole) retrieve(ctx context.Context) (sign.Credentials, error) {
	c, err := r.metadata.Credentials(ctx, "")
	if errors.Is(err, imdsclient.ErrNotFound) {
		return c, errors.New("the instance has no IAM role: attach an instance profile to it, then restart the agent")
	}
	return c, err
}

// Source caches credentials and renews them before they expire.
type Source struct {
	provider provider
	clock    clock.Clock
	mu       sync.Mutex
	cached   sign.Credentials
	until    time.Time
}

// margin is how long before their end credentials are renewed.
const margin = 5 * time.Minute

// Get returns credentials that are good now. When renewing fails, unexpired old
// ones are still used.
func (s *Source) Get(ctx context.Context) (sign.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if s.cached.AccessKeyID != "" && now.Before(s.until) {
		return s.cached, nil
	}
	c, err := s.provider.retrieve(ctx)
	if err != nil {
		if s.cached.AccessKeyID != "" && now.Before(s.cached.Expires) {
			return s.cached, nil
		}
		return sign.Credentials{}, err
	}
	s.cached, s.until = c, now.Add(25*time.Minute)
	if !c.Expires.IsZero() && c.Expires.Add(-margin).Before(s.until) {
		s.until = c.Expires.Add(-margin)
	}
	return c, nil
}

// Forget drops the cached credentials after a service refused them.
func (s *Source) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Time{}
}
