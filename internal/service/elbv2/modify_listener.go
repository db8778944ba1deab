package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

func join(list []string) string { return strings.Join(list, ", ") }

// ModifyListener replaces what it names of a listener.
func (s *Service) ModifyListener(ctx context.Context, in *api.ModifyListenerInput) (*api.ModifyListenerOutput, error) {
	l, b, err := s.peekListener(ctx, *in.ListenerArn)
	if err != nil {
		return nil, err
	}
	was := l.Protocol
	if in.Port != nil {
		l.Port = *in.Port
	}
	if in.Protocol != "" {
		l.Protocol = in.Protocol
	}
	if err := judgeListener(b, l, true); err != nil {
		return nil, err
	}
	if !l.secured() { // its certificates go with what they were for
		l.SSLPolicy, l.Certificate, l.Certificates, l.ALPN = "", "", nil, ""
	}
	if in.SslPolicy != nil {
		l.SSLPolicy = *in.SslPolicy
	}
	if err := s.secure(ctx, l, in.Certificates, in.AlpnPolicy, in.MutualAuthentication); err != nil {
		return nil, err
	}
	out := &api.ModifyListenerOutput{}
	err = s.changeListener(ctx, *in.ListenerArn, "modified", func(tx *store.Tx, k store.Key, now *listener) error {
		bk := at(k, parent(k.ID))
		b, err := balancers.Get(tx, bk)
		if err != nil {
			return err
		}
		rows, err := listenersOf(tx, bk)
		if err != nil {
			return err
		}
		if err := judgePort(rows, bk, k, l); err != nil {
			return err
		}
		before := forwardedTo(now.Actions)
		now.Port, now.Protocol, now.SSLPolicy, now.Certificate, now.ALPN = l.Port, l.Protocol, l.SSLPolicy, l.Certificate, l.ALPN
		if !l.secured() {
			now.Certificates = nil
		}
		actions := in.DefaultActions
		if len(actions) == 0 && was != l.Protocol {
			actions = now.Actions // they may not fit the new protocol
		}
		if len(actions) > 0 {
			if now.Actions, err = (place{bk, b, l.Protocol, l.Port}).settle(tx, actions); err != nil {
				return err
			}
		}
		out.Listeners = []api.Listener{now.describe(k)}
		if err := listeners.Put(tx, k, now); err != nil {
			return err
		}
		return forgetUnused(tx, aws.CallFrom(ctx), k, before)
	})
	return out, err
}

// peekListener reads a listener that is about to be changed, and its balancer.
func (s *Service) peekListener(ctx context.Context, name string) (l *listener, b *balancer, err error) {
	err = view(ctx, s, listeners, kindListener, name, func(tx *store.Tx, k store.Key, found *listener) (err error) {
		l = found
		b, err = balancers.Get(tx, at(k, parent(k.ID)))
		return err
	})
	return l, b, err
}

// changeListener changes a listener, with the balancer's work that follows.
func (s *Service) changeListener(ctx context.Context, name, cause string, f func(*store.Tx, store.Key, *listener) error) error {
	c := aws.CallFrom(ctx)
	return change(ctx, s, listeners, kindListener, name, func(tx *store.Tx, k store.Key, l *listener) error {
		if err := f(tx, k, l); err != nil {
			return err
		}
		emitWork(tx, c, at(k, parent(k.ID)), "listener "+cause)
		return nil
	})
}

// forgetUnused takes back what is known of the targets of groups that nothing forwards
// to any more: when something does again, they are new to it.
func forgetUnused(tx *store.Tx, c aws.Call, k store.Key, names []string) error {
	for _, name := range names {
		g, err := openGroup(name)
		if err != nil {
			return err
		}
		users, err := usersOf(tx, g)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			continue
		}
		rows, err := targetsOf(tx, g)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !r.Value.Leaves.IsZero() {
				if err := targets.Delete(tx, r.Key); err != nil {
					return err
				}
				continue
			}
			r.Value.Health = health{}
			if err := targets.Put(tx, r.Key, r.Value); err != nil {
				return err
			}
		}
		emitHealth(tx, c, at(k, g.ID), "the group is used no more")
	}
	return nil
}

// DescribeListeners describes the listeners of a balancer, or those named.
func (s *Service) DescribeListeners(ctx context.Context, in *api.DescribeListenersInput) (*api.DescribeListenersOutput, error) {
	switch {
	case in.LoadBalancerArn == nil && len(in.ListenerArns) == 0:
		return nil, invalid("You must specify either listener ARNs or a load balancer ARN")
	case in.LoadBalancerArn != nil && len(in.ListenerArns) > 0:
		return nil, invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time")
	}
	c := aws.CallFrom(ctx)
	var rows []store.Row[listener]
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		if in.LoadBalancerArn == nil {
			rows, err = get(tx, listeners, store.Key{Account: c.Account, Region: c.Region}, kindListener, in.ListenerArns)
			return err
		}
		k, _, err := owned(ctx, tx, balancers, kindBalancer, *in.LoadBalancerArn)
		if err != nil {
			return err
		}
		rows, err = listenersOf(tx, k)
		slices.SortFunc(rows, func(a, b store.Row[listener]) int { return int(a.Value.Port - b.Value.Port) })
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, next, err := page(rows, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeListenersOutput{Listeners: []api.Listener{}, NextMarker: next}
	for _, r := range rows {
		out.Listeners = append(out.Listeners, r.Value.describe(r.Key))
	}
	return out, nil
}

// DeleteListener removes a listener with its rules.
func (s *Service) DeleteListener(ctx context.Context, in *api.DeleteListenerInput) (*api.DeleteListenerOutput, error) {
	c := aws.CallFrom(ctx)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, l, err := owned(ctx, tx, listeners, kindListener, *in.ListenerArn)
		if err != nil {
			return err
		}
		emitWork(tx, c, at(k, parent(k.ID)), "listener deleted")
		return dropListener(tx, c, store.Row[listener]{Key: k, Value: l})
	})
	return &api.DeleteListenerOutput{}, err
}

func dropListener(tx *store.Tx, c aws.Call, l store.Row[listener]) error {
	used := forwardedTo(l.Value.Actions)
	rows, err := rulesOf(tx, l.Key)
	if err != nil {
		return err
	}
	for _, r := range rows {
		used = append(used, forwardedTo(r.Value.Actions)...)
		if err := rules.Delete(tx, r.Key); err != nil {
			return err
		}
	}
	if err := listeners.Delete(tx, l.Key); err != nil {
		return err
	}
	slices.Sort(used)
	return forgetUnused(tx, c, l.Key, slices.Compact(used))
}
