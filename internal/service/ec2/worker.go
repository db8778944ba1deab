package ec2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// parallelLaunches bounds how many machines change state at once: more gains
// nothing on a small machine, and launches contend for the kernel's locks.
const parallelLaunches = 4

// keepTerminated is how long a terminated instance stays describable.
const keepTerminated = time.Hour

// worker makes machines match rows. One key is worked on by one goroutine at a
// time; a key that is enqueued meanwhile is looked at once more.
type worker struct {
	s       *Service
	mu      sync.Mutex
	ctx     context.Context
	busy    map[store.Key]bool
	again   map[store.Key]bool
	slots   chan struct{}
	running sync.WaitGroup
}

func newWorker(s *Service) *worker {
	return &worker{s: s, busy: map[store.Key]bool{}, again: map[store.Key]bool{}, slots: make(chan struct{}, parallelLaunches)}
}

// Run adopts what an earlier server left running, finishes every transition that
// was under way and works until ctx ends. Machines run on after that.
func (s *Service) Run(ctx context.Context) error {
	if err := s.adopt(ctx); err != nil {
		return err
	}
	s.work.mu.Lock()
	s.work.ctx = ctx
	s.work.mu.Unlock()
	keys, err := s.unsettled(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		s.work.enqueue(k)
	}
	s.sweepTerminated(ctx)
	s.work.mu.Lock()
	s.work.ctx = nil
	s.work.mu.Unlock()
	s.work.running.Wait()
	return nil
}

// unsettled lists the instances that are between two states.
func (s *Service) unsettled(ctx context.Context) ([]store.Key, error) {
	var keys []store.Key
	err := s.db.View(ctx, func(tx *store.Tx) error {
		for _, st := range []string{statePending, stateStopping, stateShuttingDown, stateRunning} {
			rows, err := instances.Lookup(tx, "state", st)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if st != stateRunning || r.Value.Restart {
					keys = append(keys, r.Key)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list unsettled instances: %w", err)
	}
	return keys, nil
}

// sweepTerminated forgets instances an hour after they ended, until ctx ends.
func (s *Service) sweepTerminated(ctx context.Context) {
	for {
		if err := s.dropTerminated(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("drop terminated instances", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.clock.After(time.Minute):
		}
	}
}

func (s *Service) dropTerminated(ctx context.Context) error {
	limit := s.clock.Now().Add(-keepTerminated)
	return s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := instances.Lookup(tx, "state", stateTerminated)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Value.TerminatedAt.Before(limit) {
				if err := instances.Delete(tx, r.Key); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (w *worker) enqueue(k store.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil { // not running: Run looks at every unsettled row when it starts
		return
	}
	if w.busy[k] {
		w.again[k] = true
		return
	}
	w.busy[k] = true
	w.running.Add(1)
	go w.loop(w.ctx, k)
}

func (w *worker) loop(ctx context.Context, k store.Key) {
	defer w.running.Done()
	w.slots <- struct{}{}
	defer func() { <-w.slots }()
	for {
		if err := w.s.settle(ctx, k); err != nil && ctx.Err() == nil {
			w.s.log.Error("instance transition", "instance", k.ID, "err", err)
		}
		w.mu.Lock()
		if !w.again[k] || ctx.Err() != nil {
			delete(w.busy, k)
			w.mu.Unlock()
			return
		}
		delete(w.again, k)
		w.mu.Unlock()
	}
}

// settle brings one instance out of a transitional state.
func (s *Service) settle(ctx context.Context, k store.Key) error {
	row, err := s.load(ctx, k)
	if err != nil {
		return err
	}
	switch {
	case row.State == statePending:
		return s.launch(ctx, k, row)
	case row.State == stateStopping:
		return s.halt(ctx, k, row)
	case row.State == stateShuttingDown:
		return s.terminate(ctx, k, row)
	case row.State == stateRunning && row.Restart:
		return s.reboot(ctx, k, row)
	}
	return nil
}

func (s *Service) load(ctx context.Context, k store.Key) (*instance, error) {
	var row *instance
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = instances.Get(tx, k)
		return err
	})
	return row, err
}

// launch boots the machine. What goes wrong on a first boot ends the instance, as
// EC2 ends one that cannot be placed; later boots fall back to stopped.
func (s *Service) launch(ctx context.Context, k store.Key, row *instance) error {
	err := s.boot(ctx, k, row)
	for tries := 0; errors.Is(err, network.ErrAddressInUse) && row.NIC.Allocation == "" && tries < maxReaddress; tries++ {
		if row, err = s.readdress(ctx, k); err != nil {
			break
		}
		err = s.boot(ctx, k, row)
	}
	if err != nil && ctx.Err() != nil {
		return err // the server stops: the next one launches again
	}
	if err != nil {
		s.log.Error("launch", "instance", k.ID, "err", err)
		return s.launchFailed(ctx, k, row, err)
	}
	return s.change(ctx, k, "", func(r *instance) bool {
		if r.State != statePending {
			return false
		}
		r.State, r.Booted = stateRunning, true
		r.StateReason, r.TransitionReason = reason{}, ""
		return true
	})
}

// maxReaddress bounds how many public addresses a launch tries when other servers
// on this machine hold some of the range.
const maxReaddress = 64

func (s *Service) boot(ctx context.Context, k store.Key, row *instance) error {
	spec, err := s.spec(ctx, k, row)
	if err != nil {
		return err
	}
	if err := s.syncNetwork(ctx, k, row); err != nil {
		return err
	}
	return s.machines.Start(ctx, spec)
}

// readdress gives an instance the next public address after one that somebody
// else on this machine turned out to use.
func (s *Service) readdress(ctx context.Context, k store.Key) (*instance, error) {
	var row *instance
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = instances.Get(tx, k); err != nil {
			return err
		}
		s.foreign.Store(row.NIC.Public, true)
		if row.NIC.Public, err = s.freePublic(tx); err != nil {
			return err
		}
		return instances.Put(tx, k, row)
	})
	return row, err
}

func (s *Service) launchFailed(ctx context.Context, k store.Key, row *instance, cause error) error {
	why := reason{"Server.InternalError", "Server.InternalError: " + cause.Error()}
	if row.Booted {
		return s.change(ctx, k, cause.Error(), func(r *instance) bool {
			r.State, r.StateReason, r.TransitionReason = stateStopped, why, why.Message
			return true
		})
	}
	err := s.change(ctx, k, cause.Error(), func(r *instance) bool {
		r.State, r.StateReason, r.TransitionReason = stateShuttingDown, why, why.Message
		return true
	})
	if err != nil {
		return err
	}
	row, err = s.load(ctx, k)
	if err != nil {
		return err
	}
	return s.terminate(ctx, k, row)
}

func (s *Service) halt(ctx context.Context, k store.Key, row *instance) error {
	if err := s.machines.Stop(ctx, k.ID, false); err != nil {
		return fmt.Errorf("stop %s: %w", k.ID, err)
	}
	return s.change(ctx, k, row.StateReason.Message, stopped)
}

// stopped releases the public address unless it is an elastic one.
func stopped(r *instance) bool {
	if r.State != stateStopping {
		return false
	}
	r.State, r.Restart = stateStopped, false
	r.releasePublic()
	return true
}

func (r *instance) releasePublic() {
	if r.NIC.Allocation == "" {
		r.NIC.Public = noAddr
	}
}

func (s *Service) terminate(ctx context.Context, k store.Key, row *instance) error {
	if err := s.machines.Terminate(ctx, k.ID); err != nil {
		return fmt.Errorf("terminate %s: %w", k.ID, err)
	}
	now := s.clock.Now().UTC()
	return s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := instances.Get(tx, k)
		if err != nil || r.State != stateShuttingDown {
			return err
		}
		if err := releaseElastic(tx, k, r); err != nil {
			return err
		}
		r.State, r.TerminatedAt = stateTerminated, now
		r.NIC.Public, r.NIC.Allocation = noAddr, ""
		r.UserData = nil
		if err := instances.Put(tx, k, r); err != nil {
			return err
		}
		s.emitRow(tx, k, r, row.StateReason.Message)
		return nil
	})
}

func (s *Service) reboot(ctx context.Context, k store.Key, _ *instance) error {
	if err := s.machines.Reboot(ctx, k.ID); err != nil {
		return fmt.Errorf("reboot %s: %w", k.ID, err)
	}
	return s.change(ctx, k, "reboot", func(r *instance) bool {
		r.Restart = false
		return true
	})
}

// change applies f to the row and commits it with its event; f returns false when
// the row has moved on and nothing is to be done.
func (s *Service) change(ctx context.Context, k store.Key, cause string, f func(*instance) bool) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := instances.Get(tx, k)
		if err != nil {
			return err
		}
		if !f(r) {
			return nil
		}
		if err := instances.Put(tx, k, r); err != nil {
			return err
		}
		s.emitRow(tx, k, r, cause)
		return nil
	})
}

func (s *Service) emit(tx *store.Tx, c aws.Call, r *instance, cause string) {
	tx.Emit(instanceEvent(key(c, r.ID), r, cause, c.RequestID))
}

func (s *Service) emitRow(tx *store.Tx, k store.Key, r *instance, cause string) {
	tx.Emit(instanceEvent(k, r, cause, ""))
}

// instanceEvent is what CodeDeploy and the stack engine wait for.
func instanceEvent(k store.Key, r *instance, cause, request string) store.Event {
	body, err := json.Marshal(map[string]string{"state": r.State, "reason": r.StateReason.Message})
	if err != nil {
		panic(err) // two strings always marshal
	}
	return store.Event{
		Account: k.Account, Region: k.Region, Service: "ec2", Resource: k.ID,
		Kind: "instance-" + r.State, Cause: cause, RequestID: request, Body: body,
	}
}

// spec is what the manager needs to boot the instance.
func (s *Service) spec(ctx context.Context, k store.Key, r *instance) (hsinstance.Spec, error) {
	var v *vpc
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		v, err = vpcs.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: r.NIC.VPC})
		return err
	})
	if err != nil {
		return hsinstance.Spec{}, fmt.Errorf("vpc of %s: %w", k.ID, err)
	}
	sub := v.subnet(r.NIC.Subnet)
	if sub == nil {
		return hsinstance.Spec{}, fmt.Errorf("subnet %s of %s is gone", r.NIC.Subnet, k.ID)
	}
	kind, ok := findType(r.Type)
	if !ok {
		return hsinstance.Spec{}, fmt.Errorf("instance type %s is not known any more", r.Type)
	}
	spec := hsinstance.Spec{
		ID: k.ID, Account: k.Account, Region: k.Region, Zone: r.Zone, Type: r.Type, ImageID: r.ImageID,
		Hostname: strings.TrimSpace(privateDNS(k.Region, r.NIC.Private)),
		VCPUs:    int(kind.VCPUs), MemoryMiB: int(kind.MemoryMiB),
		UserData: r.UserData, FirstBoot: !r.Booted,
		NIC: network.NIC{
			ID: r.NIC.ID, VPC: v.ID, VPCCIDR: v.CIDR, Subnet: sub.CIDR,
			Private: r.NIC.Private, Public: r.NIC.Public, MAC: r.NIC.MAC, SecurityGroups: r.NIC.Groups,
		},
	}
	if r.AuthorizedKey != "" {
		spec.AuthorizedKeys = []string{r.AuthorizedKey}
	}
	return spec, nil
}

// Exited is told by the manager that a machine ended by itself.
func (s *Service) Exited(id, why string) {
	k, err := s.keyOf(context.Background(), id)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			s.log.Error("instance exit", "instance", id, "err", err)
		}
		return
	}
	err = s.change(context.Background(), k, why, func(r *instance) bool {
		if r.State != stateRunning {
			return false
		}
		r.State = stateStopping
		if r.ShutdownTerminates {
			r.State = stateShuttingDown
		}
		r.StateReason = reason{"Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown"}
		r.TransitionReason = s.userInitiated()
		return true
	})
	if err != nil {
		s.log.Error("instance exit", "instance", id, "err", err)
		return
	}
	s.work.enqueue(k)
}

// userInitiated is EC2's transition reason for a change that somebody asked for.
func (s *Service) userInitiated() string {
	return "User initiated (" + s.clock.Now().UTC().Format("2006-01-02 15:04:05") + " GMT)"
}
