package elb

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

var protocols = []string{lb.HTTP, lb.HTTPS, lb.TCP, lb.SSL}

func isSecure(protocol string) bool { return protocol == lb.HTTPS || protocol == lb.SSL }

func isWeb(protocol string) bool { return protocol == lb.HTTP || protocol == lb.HTTPS }

// judgeListeners reads listeners that are to be made.
func (s *Service) judgeListeners(ctx context.Context, list []api.Listener) ([]listener, error) {
	if len(list) == 0 {
		return nil, errValidation("Listeners cannot be empty")
	}
	var out []listener
	for _, in := range list {
		l := listener{Protocol: strings.ToUpper(aws.Val(in.Protocol)), Port: aws.Val(in.LoadBalancerPort), InstancePort: aws.Val(in.InstancePort),
			InstanceProtocol: strings.ToUpper(aws.Val(in.InstanceProtocol)), Certificate: aws.Val(in.SSLCertificateId)}
		if l.InstanceProtocol == "" {
			l.InstanceProtocol = l.Protocol
		}
		if err := s.judgeListener(ctx, l); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o listener) bool { return o.Port == l.Port }) {
			return nil, errValidation("Duplicate LoadBalancerPort in the listeners: %d", l.Port)
		}
		out = append(out, l)
	}
	return out, nil
}

func (s *Service) judgeListener(ctx context.Context, l listener) error {
	for _, p := range []string{l.Protocol, l.InstanceProtocol} {
		if !slices.Contains(protocols, p) {
			return awserr.New("UnsupportedProtocol", "Unsupported protocol: %s. Valid values are HTTP, HTTPS, TCP, SSL", p)
		}
	}
	switch {
	case l.Port < 1 || l.Port > 65535:
		return errValidation("LoadBalancerPort must be between 1 and 65535")
	case l.InstancePort < 1 || l.InstancePort > 65535:
		return errValidation("InstancePort must be between 1 and 65535")
	case isWeb(l.Protocol) != isWeb(l.InstanceProtocol):
		return errConfiguration("A listener with the protocol %s cannot have the instance protocol %s", l.Protocol, l.InstanceProtocol)
	case isSecure(l.Protocol) && l.Certificate == "":
		return errValidation("Secure Listeners need to specify a SSLCertificateId")
	case !isSecure(l.Protocol) && l.Certificate != "":
		return errValidation("SSLCertificateId is only for listeners with the protocol HTTPS or SSL")
	case l.Certificate != "":
		return s.judgeCertificate(ctx, l.Certificate)
	}
	return nil
}

// judgeCertificate wants a certificate of the caller's account that exists.
func (s *Service) judgeCertificate(ctx context.Context, certificate string) error {
	notFound := awserr.New("CertificateNotFound", "Server Certificate not found for the key: %s", certificate)
	if s.cfg.Certificates == nil || !strings.Contains(certificate, ":"+aws.CallFrom(ctx).Account+":") {
		return notFound
	}
	_, err := s.cfg.Certificates.ServerCertificate(ctx, certificate)
	if awserr.Is(err, "NoSuchEntity") {
		return notFound
	}
	return err
}

// addListener adds a listener; a secure one gets the default security policy.
func (b *balancer) addListener(l listener) {
	if isSecure(l.Protocol) {
		if b.policy(defaultSecurityPolicy) == nil {
			b.Policies = append(b.Policies, policy{Name: defaultSecurityPolicy, Type: typeNegotiation, Attributes: securityAttributes(defaultSecurityPolicy)})
		}
		l.Policies = []string{defaultSecurityPolicy}
	}
	b.Listeners = append(b.Listeners, l)
}

// CreateLoadBalancerListeners adds listeners. One that is there already is left alone.
func (s *Service) CreateLoadBalancerListeners(ctx context.Context, in *api.CreateLoadBalancerListenersInput) (*api.CreateLoadBalancerListenersOutput, error) {
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	list, err := s.judgeListeners(ctx, in.Listeners)
	if err != nil {
		return nil, err
	}
	_, err = s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, k store.Key, b *balancer) error {
		for _, l := range list {
			switch old := b.listener(l.Port); {
			case old == nil:
				b.addListener(l)
			case !sameListener(*old, l):
				return awserr.New("DuplicateListener",
					"A listener already exists for %s with LoadBalancerPort %d, but with a different InstancePort, Protocol, or SSLCertificateId", k.ID, l.Port)
			}
		}
		if len(b.Listeners) > maxListeners {
			return errConfiguration("A load balancer cannot have more than %d listeners", maxListeners)
		}
		return nil
	})
	return &api.CreateLoadBalancerListenersOutput{}, err
}

// DeleteLoadBalancerListeners removes listeners by their ports; others are no error.
func (s *Service) DeleteLoadBalancerListeners(ctx context.Context, in *api.DeleteLoadBalancerListenersInput) (*api.DeleteLoadBalancerListenersOutput, error) {
	_, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error {
		b.Listeners = slices.DeleteFunc(b.Listeners, func(l listener) bool { return slices.Contains(in.LoadBalancerPorts, l.Port) })
		for port := range b.Backends { // policies of instance ports that nothing reaches
			if !b.reaches(port) {
				delete(b.Backends, port)
			}
		}
		return nil
	})
	return &api.DeleteLoadBalancerListenersOutput{}, err
}

// reaches says whether a listener sends to an instance port.
func (b *balancer) reaches(port int32) bool {
	return slices.ContainsFunc(b.Listeners, func(l listener) bool { return l.InstancePort == port })
}

// SetLoadBalancerListenerSSLCertificate replaces the certificate of a secure listener.
func (s *Service) SetLoadBalancerListenerSSLCertificate(ctx context.Context, in *api.SetLoadBalancerListenerSSLCertificateInput) (*api.SetLoadBalancerListenerSSLCertificateOutput, error) {
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	if err := s.judgeCertificate(ctx, aws.Val(in.SSLCertificateId)); err != nil {
		return nil, err
	}
	_, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, k store.Key, b *balancer) error {
		l := b.listener(aws.Val(in.LoadBalancerPort))
		if l == nil {
			return errNoListener(k.ID, aws.Val(in.LoadBalancerPort))
		}
		if !isSecure(l.Protocol) {
			return errConfiguration("The listener on port %d of load balancer %s has the protocol %s and cannot have a certificate", l.Port, k.ID, l.Protocol)
		}
		l.Certificate = *in.SSLCertificateId
		return nil
	})
	return &api.SetLoadBalancerListenerSSLCertificateOutput{}, err
}

// CertificateUser returns the ARN of a balancer that shows a certificate, or "".
func (s *Service) CertificateUser(ctx context.Context, certificate string) (string, error) {
	var user string
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.Lookup(tx, "certificate", certificate)
		if len(rows) > 0 {
			user = arnOf(rows[0].Key)
		}
		return err
	})
	return user, err
}
