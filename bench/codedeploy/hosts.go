package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hardstand/hardstand/internal/agent/poll"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// events are those of a deployment in place.
const events = 7

// keys are a host's session.
type keys sign.Credentials

func (k keys) Get(context.Context) (sign.Credentials, error) { return sign.Credentials(k), nil }
func (k keys) Forget()                                       {}

// hosts registers n machines on premises, tagged with group, and returns the agents'
// clients of them.
func (b *bench) hosts(ctx context.Context, group string, n int) ([]*poll.Client, error) {
	session := strings.Replace(strings.Replace(b.role, ":iam:", ":sts:", 1), ":role/", ":assumed-role/", 1)
	shared := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * n, DisableCompression: true}}
	out := make([]*poll.Client, n)
	failed := make(chan error, n)
	at := make(chan int)
	var work sync.WaitGroup
	for range 16 {
		work.Go(func() {
			for i := range at {
				id := fmt.Sprintf("%s-%05d", group, i)
				k, err := b.register(ctx, group, id, session+"/"+id)
				if err != nil {
					failed <- err
					continue
				}
				out[i] = &poll.Client{HTTP: shared, Endpoint: b.endpoint, Region: "us-east-1", Host: session + "/" + id, Version: "simulated", Credentials: k, Clock: clock.System{}}
			}
		})
	}
	for i := range n {
		at <- i
	}
	close(at)
	work.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return out, nil
	}
}

func (b *bench) register(ctx context.Context, group, id, session string) (keys, error) {
	err := b.call(ctx, codedeploy.Model(), "RegisterOnPremisesInstance", &codedeploy.RegisterOnPremisesInstanceInput{InstanceName: &id, IamSessionArn: &session}, nil)
	if err != nil {
		return keys{}, err
	}
	err = b.call(ctx, codedeploy.Model(), "AddTagsToOnPremisesInstances", &codedeploy.AddTagsToOnPremisesInstancesInput{
		InstanceNames: []string{id}, Tags: []codedeploy.Tag{{Key: &group, Value: aws.String("yes")}}}, nil)
	if err != nil {
		return keys{}, err
	}
	var out sts.AssumeRoleOutput
	if err := b.call(ctx, sts.Model(), "AssumeRole", &sts.AssumeRoleInput{RoleArn: &b.role, RoleSessionName: &id}, &out); err != nil {
		return keys{}, err
	}
	c := out.Credentials
	return keys{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}, nil
}

// idle has n hosts that poll and have nothing to do.
func (b *bench) idle(ctx context.Context) error {
	if err := b.setUp(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed, err := b.waiting(ctx, b.n)
	if err != nil {
		return err
	}
	began := processor(b.pid)
	select {
	case err := <-failed:
		return err
	case <-time.After(b.window):
	}
	used := processor(b.pid) - began
	fmt.Printf("%d idle agents: %.2f cores, %d MB resident\n", b.n, used.Seconds()/b.window.Seconds(), resident(b.pid)/1024)
	return nil
}

// waiting makes n hosts that poll until ctx ends, and returns when all of them do.
func (b *bench) waiting(ctx context.Context, n int) (failed <-chan error, err error) {
	hosts, err := b.hosts(ctx, fmt.Sprintf("idle%d", time.Now().Unix()), n)
	if err != nil {
		return nil, err
	}
	errs := make(chan error, n)
	for i, h := range hosts {
		go func() {
			// Agents of a real fleet do not all poll in the same second either.
			time.Sleep(time.Duration(i) * 50 * time.Second / time.Duration(n))
			for ctx.Err() == nil {
				if _, err := h.Poll(ctx); err != nil && ctx.Err() == nil {
					errs <- err
					return
				}
			}
		}()
	}
	select {
	case err := <-errs:
		return nil, err
	case <-time.After(60 * time.Second):
		return errs, nil
	}
}

// rollout deploys to n hosts at once, whose commands take up to three seconds, while
// others have nothing to do.
func (b *bench) rollout(ctx context.Context) error {
	if err := b.setUp(ctx); err != nil {
		return err
	}
	var lost <-chan error
	if b.others > 0 {
		others, cancel := context.WithCancel(ctx)
		defer cancel()
		var err error
		if lost, err = b.waiting(others, b.others); err != nil {
			return err
		}
	}
	group := fmt.Sprintf("roll%d", time.Now().Unix())
	if err := b.group(ctx, group, true); err != nil {
		return err
	}
	hosts, err := b.hosts(ctx, group, b.n)
	if err != nil {
		return err
	}
	failed, waits := make(chan error, b.n), make(chan time.Duration, events*b.n)
	for i, h := range hosts {
		go func() { failed <- carryOut(ctx, h, 3*time.Second*time.Duration(i)/time.Duration(b.n), waits) }()
	}
	time.Sleep(2 * time.Second) // until all have a poll open
	used, began := processor(b.pid), time.Now()
	id, err := b.deploy(ctx, group, "none.zip")
	if err != nil {
		return err
	}
	for range hosts {
		if err := <-failed; err != nil {
			return err
		}
	}
	if _, err := b.await(ctx, id); err != nil {
		return err
	}
	select {
	case err := <-lost:
		return fmt.Errorf("the idle hosts were not there all the time: %w", err)
	default:
	}
	close(waits)
	var all []time.Duration
	for w := range waits {
		all = append(all, w)
	}
	slices.Sort(all)
	fmt.Printf("rollout to %d hosts beside %d idle ones: %s, dispatch p50 %s, p99 %s, longest %s; the server used %.2f ms of a core per host, %d MB resident\n", b.n, b.others, time.Since(began).Round(time.Millisecond),
		all[len(all)/2].Round(10*time.Microsecond), all[len(all)*99/100].Round(10*time.Microsecond), all[len(all)-1].Round(10*time.Microsecond),
		float64((processor(b.pid)-used).Microseconds())/1000/float64(b.n), resident(b.pid)/1024)
	return nil
}

// carryOut does the commands of one deployment. What is waited for is counted from the
// answer to a completion to that of the next poll.
func carryOut(ctx context.Context, h *poll.Client, takes time.Duration, waits chan<- time.Duration) error {
	var completed time.Time
	for range events {
		cmd, err := h.Poll(ctx)
		if err != nil || cmd == nil {
			return fmt.Errorf("poll: %v: %w", cmd, err)
		}
		if !completed.IsZero() {
			waits <- time.Since(completed)
		}
		if _, err := h.Specification(ctx, cmd); err != nil {
			return err
		}
		if _, err := h.Acknowledge(ctx, cmd, false); err != nil {
			return err
		}
		time.Sleep(takes)
		if err := h.Complete(ctx, cmd.HostCommandIdentifier, poll.Succeeded, poll.Diagnostics{Message: "Succeeded"}); err != nil {
			return err
		}
		completed = time.Now()
	}
	return nil
}

// processor is the processor time that a process has used.
func processor(pid int) time.Duration {
	const ticks = 100 // of the kernel's user interface, per second
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks
}

// resident is the memory of a process in KiB.
func resident(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib
}
