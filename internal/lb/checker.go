package lb

import (
	"context"

	"github.com/hardstand/hardstand/internal/clock"
)

// AWS's reasons of unhealthy targets.
const (
	reasonMismatch = "Target.ResponseCodeMismatch"
	reasonTimeout  = "Target.Timeout"
	reasonFailed   = "Target.FailedHealthChecks"
	textTimeout    = "Request timed out"
	textFailed     = "Health checks failed"
)

// checker asks one target again and again, until it is stopped.
type checker struct {
	spec HealthCheck
	stop context.CancelFunc
}

// setChecker starts, replaces or stops the target's checker as the group's spec
// wants. The health so far stays. It runs under the group's lock.
func (t *target) setChecker(spec TargetGroup) {
	wanted := !t.Unused && !t.Draining && spec.HealthOf == "" && t.life.Err() == nil
	check := spec.Check
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.checker != nil && wanted && t.checker.spec == check {
		return
	}
	if t.checker != nil {
		t.checker.stop()
		t.checker = nil
	}
	if !wanted {
		return
	}
	ctx, stop := context.WithCancel(t.life)
	c := &checker{spec: check, stop: stop}
	t.checker = c
	t.group.balancer.running.Go(func() { c.run(ctx, t) })
}

// run asks at once and then at every interval. What it counts are answers in a row.
func (c *checker) run(ctx context.Context, t *target) {
	if c.spec.Disabled {
		t.setHealth(Health{State: Healthy})
		return
	}
	timer := t.group.balancer.plane.cfg.Clock
	good, bad := 0, 0
	for ctx.Err() == nil {
		failure := c.ask(ctx, t)
		if ctx.Err() != nil {
			return
		}
		if failure == nil {
			good, bad = good+1, 0
		} else {
			good, bad = 0, bad+1
		}
		if h, changed := c.judge(t, good, bad, failure); changed {
			t.setHealth(h)
		}
		if clock.Sleep(ctx, timer, c.spec.Interval) != nil {
			return
		}
	}
}

// ask makes one check; nil is a success.
func (c *checker) ask(ctx context.Context, t *target) *Health {
	n := t.group.way(t.Zone)
	if n == nil {
		return &Health{State: Unhealthy, Reason: reasonFailed, Description: textFailed}
	}
	ctx, cancel := context.WithTimeout(ctx, c.spec.Timeout)
	defer cancel()
	return probe(ctx, n, t, c.spec)
}

// judge says what a number of answers in a row makes of the target. A new one needs a
// single success, save on classic balancers, which count to the threshold.
func (c *checker) judge(t *target, good, bad int, failure *Health) (Health, bool) {
	now := t.healthNow()
	need := max(c.spec.Healthy, 1)
	if now.State == Initial && t.group.balancer.kind() != Classic {
		need = 1
	}
	switch {
	case failure == nil && now.State != Healthy && good >= need:
		return Health{State: Healthy}, true
	case failure != nil && now.State == Healthy && bad < max(c.spec.Unhealthy, 1):
		return now, false
	case failure != nil && now.State == Initial && bad < max(c.spec.Unhealthy, 1), failure == nil && now.State == Initial:
		return Health{State: Initial, Reason: reasonInitial, Description: textInitial}, true
	case failure != nil:
		return *failure, true
	}
	return now, false
}

// kind is the balancer's kind.
func (b *balancer) kind() Kind {
	if c := b.current.Load(); c != nil {
		return c.Kind
	}
	return Application
}
