package elbv2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const maxListeners = 50

// CreateListener makes a listener. Its default actions become the default rule.
func (s *Service) CreateListener(ctx context.Context, in *api.CreateListenerInput) (*api.CreateListenerOutput, error) {
	b, err := s.peek(ctx, *in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	l := &listener{Port: aws.Val(in.Port), Protocol: in.Protocol, SSLPolicy: aws.Val(in.SslPolicy), Token: aws.CallFrom(ctx).Token, Default: ids.Hex(16)}
	if err := judgeListener(b, l, in.Port != nil); err != nil {
		return nil, err
	}
	if l.Tags, err = tagMap(in.Tags); err != nil {
		return nil, err
	}
	if err := s.secure(ctx, l, in.Certificates, in.AlpnPolicy, in.MutualAuthentication); err != nil {
		return nil, err
	}
	out := &api.CreateListenerOutput{}
	err = s.changeBalancer(ctx, *in.LoadBalancerArn, "listener", func(tx *store.Tx, k store.Key, b *balancer) error {
		rows, err := listenersOf(tx, k)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if l.Token != "" && r.Value.Token == l.Token {
				out.Listeners = []api.Listener{r.Value.describe(r.Key)}
				return nil
			}
		}
		if err := judgePort(rows, k, store.Key{}, l); err != nil {
			return err
		}
		if len(rows) >= maxListeners {
			return awserr.New("TooManyListeners", "The maximum number of listeners has been reached on load balancer '%s'", balancerARN(k))
		}
		if l.Actions, err = (place{k, b, l.Protocol, l.Port}).settle(tx, in.DefaultActions); err != nil {
			return err
		}
		lk := at(k, k.ID+"/"+ids.Hex(16))
		out.Listeners = []api.Listener{l.describe(lk)}
		return listeners.Insert(tx, lk, l)
	})
	return out, err
}

// judgePort refuses a port that another listener has. A UDP and a TCP listener do not
// share one either: that is what TCP_UDP is for.
func judgePort(rows []store.Row[listener], b, own store.Key, l *listener) error {
	for _, r := range rows {
		if r.Key != own && r.Value.Port == l.Port {
			return awserr.New("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", balancerARN(b))
		}
	}
	return nil
}

func judgeListener(b *balancer, l *listener, hasPort bool) error {
	allowed := []string{"HTTP", "HTTPS"}
	if b.Type == network {
		allowed = []string{"UDP", "TCP", "TLS", "TCP_UDP"}
	}
	switch {
	case !hasPort:
		return invalid("A listener port must be specified")
	case l.Protocol == "":
		return invalid("A listener protocol must be specified")
	case l.Protocol == "QUIC" || l.Protocol == "TCP_QUIC":
		return notBuilt("the protocol %s", l.Protocol)
	case !slices.Contains(allowed, string(l.Protocol)):
		return invalid("Listener protocol '%s' must be one of '%s'", l.Protocol, join(allowed))
	}
	return nil
}

// secured protocols show certificates.
func (l *listener) secured() bool { return l.Protocol == https || l.Protocol == tlsProtocol }

const standardPolicy = "ELBSecurityPolicy-2016-08"

// secure judges and takes over what secured listeners have.
func (s *Service) secure(ctx context.Context, l *listener, certificates []api.Certificate, alpn []string, mutual *api.MutualAuthenticationAttributes) error {
	if !l.secured() {
		return judgePlain(l, certificates, alpn, mutual)
	}
	if l.SSLPolicy == "" {
		l.SSLPolicy = standardPolicy
	}
	if err := judgePolicy(l.SSLPolicy); err != nil {
		return err
	}
	switch {
	case len(certificates) > 1 || len(certificates) == 0 && l.Certificate == "" && certificates != nil:
		return badRequest("You must provide a list containing exactly one certificate if the listener protocol is %s.", l.Protocol)
	case len(certificates) == 0 && l.Certificate == "":
		return invalid("A certificate must be specified for %s listeners", l.Protocol)
	case len(certificates) == 1:
		if certificates[0].IsDefault != nil {
			return invalid("The IsDefault parameter cannot be specified for a listener's default certificate")
		}
		l.Certificate = aws.Val(certificates[0].CertificateArn)
		if err := s.judgeCertificate(ctx, l.Certificate); err != nil {
			return err
		}
	}
	if err := l.setALPN(alpn); err != nil {
		return err
	}
	return judgeMutual(mutual)
}

func judgePlain(l *listener, certificates []api.Certificate, alpn []string, mutual *api.MutualAuthenticationAttributes) error {
	switch {
	case len(certificates) > 0:
		return invalid("A certificate cannot be specified for %s listeners", l.Protocol)
	case l.SSLPolicy != "":
		return invalid("An SSL policy cannot be specified for %s listeners", l.Protocol)
	case len(alpn) > 0:
		return awserr.New("ALPNPolicyNotFound", "ALPN policies are not supported for %s listeners", l.Protocol)
	case mutual != nil && aws.Val(mutual.Mode) != "off":
		return invalid("Mutual authentication cannot be specified for %s listeners", l.Protocol)
	}
	return judgeMutual(mutual)
}

var alpnPolicies = []string{"HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"}

func (l *listener) setALPN(list []string) error {
	switch {
	case list == nil:
		return nil
	case l.Protocol != tlsProtocol && len(list) > 0:
		return awserr.New("ALPNPolicyNotFound", "ALPN policies are not supported for %s listeners", l.Protocol)
	case len(list) > 1:
		return invalid("You can specify only one ALPN policy")
	case len(list) == 0:
		l.ALPN = ""
		return nil
	case !slices.Contains(alpnPolicies, list[0]):
		return awserr.New("ALPNPolicyNotFound", "ALPN policy '%s' not found", list[0])
	}
	l.ALPN = list[0]
	return nil
}

func judgeMutual(m *api.MutualAuthenticationAttributes) error {
	if m == nil {
		return nil
	}
	switch mode := aws.Val(m.Mode); mode {
	case "off", "":
		if m.TrustStoreArn != nil || m.IgnoreClientCertificateExpiry != nil || m.AdvertiseTrustStoreCaNames != "" {
			return invalid("Trust stores cannot be specified when the mutual authentication mode is 'off'")
		}
	case "passthrough", "verify":
		return notBuilt("mutual authentication of the mode %s", mode)
	default:
		return invalid("Mutual authentication mode '%s' must be one of [off, passthrough, verify]", mode)
	}
	return nil
}

// describe is a listener as operations show it.
func (l *listener) describe(k store.Key) api.Listener {
	out := api.Listener{ListenerArn: aws.Ptr(listenerARN(k)), LoadBalancerArn: aws.Ptr(balancerARN(at(k, parent(k.ID)))),
		Port: &l.Port, Protocol: l.Protocol, DefaultActions: l.Actions}
	if l.secured() {
		out.SslPolicy = &l.SSLPolicy
		out.Certificates = []api.Certificate{{CertificateArn: &l.Certificate}}
	}
	if l.Protocol == https {
		out.MutualAuthentication = &api.MutualAuthenticationAttributes{Mode: aws.Ptr("off")}
	}
	if l.ALPN != "" {
		out.AlpnPolicy = []string{l.ALPN}
	}
	return out
}
