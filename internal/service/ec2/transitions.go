package ec2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/store"
)

// settle brings one instance out of a transitional state. An error leaves the row
// as it is, and settle is called again later.
func (s *Service) settle(ctx context.Context, k store.Key) error {
	row, err := s.load(ctx, k)
	if isNotFound(err) {
		return nil // forgotten meanwhile
	}
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
	row, err := s.bootAnywhere(ctx, k, row)
	if err != nil && ctx.Err() != nil {
		return err // the server stops: the next one launches again
	}
	if err != nil {
		s.log.Error("launch", "instance", k.ID, "err", err)
		return s.launchFailed(ctx, k, row, err)
	}
	ended := false
	err = s.change(ctx, k, "", func(r *instance) bool {
		if r.State != statePending {
			return false
		}
		ended, r.EndedEarly = r.EndedEarly, false
		r.State, r.Booted = stateRunning, true
		r.StateReason, r.TransitionReason = reason{}, ""
		return true
	})
	if err != nil {
		return err
	}
	if ended {
		s.Exited(k.ID, "it ended while it was being launched")
		return nil
	}
	return errors.Join(s.catchUp(ctx, k, row.NIC), s.followRoutes(ctx, k, row.NIC.VPC))
}

// catchUp tells the network what changed about the interfaces of a machine while it was
// being launched with the rows as they were before.
func (s *Service) catchUp(ctx context.Context, k store.Key, booted nic) error {
	r, err := s.load(ctx, k)
	if err != nil {
		return err
	}
	if !booted.same(r.NIC) {
		if err := s.pushInterface(ctx, k); err != nil {
			return err
		}
	}
	others, err := s.devices(ctx, k)
	if err != nil {
		return err
	}
	for _, o := range others {
		if err := s.plug(ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// maxReaddress bounds how many public addresses a launch tries when other servers
// on this machine hold some of the range.
const maxReaddress = 64

// bootAnywhere boots with the public address of the row, or with the next one when
// somebody else on this machine turns out to use it. It returns the row it booted.
func (s *Service) bootAnywhere(ctx context.Context, k store.Key, row *instance) (*instance, error) {
	err := s.boot(ctx, k, row)
	for range maxReaddress {
		if !errors.Is(err, network.ErrAddressInUse) || row.NIC.Allocation != "" {
			break
		}
		next, readdressErr := s.readdress(ctx, k)
		if readdressErr != nil {
			return row, readdressErr
		}
		row = next
		err = s.boot(ctx, k, row)
	}
	return row, err
}

func (s *Service) boot(ctx context.Context, k store.Key, row *instance) error {
	spec, err := s.spec(ctx, k, row)
	if err != nil {
		return err
	}
	others, err := s.devices(ctx, k)
	if err != nil {
		return err
	}
	if err := s.syncNetwork(ctx, k, row.NIC); err != nil {
		return err
	}
	for _, o := range others {
		if err := s.syncNetwork(ctx, k, o.Value.NIC); err != nil {
			return err
		}
	}
	return s.machines.Start(ctx, spec)
}

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
	why := internalError(cause)
	if row.Booted {
		return s.change(ctx, k, cause.Error(), func(r *instance) bool {
			return r.State == statePending && r.fallBack(why)
		})
	}
	err := s.change(ctx, k, cause.Error(), func(r *instance) bool {
		if r.State != statePending {
			return false
		}
		r.State, r.StateReason, r.TransitionReason = stateShuttingDown, why, why.Message
		return true
	})
	if err != nil {
		return err
	}
	return s.settle(ctx, k)
}

// internalError is the state reason of what the caller has not asked for.
func internalError(cause error) reason {
	return reason{"Server.InternalError", "Server.InternalError: " + cause.Error()}
}

// fallBack makes an instance that does not run, though it should, a stopped one.
func (r *instance) fallBack(why reason) bool {
	r.State, r.StateReason, r.TransitionReason = stateStopped, why, why.Message
	r.Restart, r.EndedEarly = false, false
	r.releasePublic()
	return true
}

func (s *Service) halt(ctx context.Context, k store.Key, row *instance) error {
	if err := s.machines.Stop(ctx, k.ID, row.ForceStop); err != nil {
		return fmt.Errorf("stop %s: %w", k.ID, err)
	}
	err := s.change(ctx, k, row.StateReason.Message, stopped)
	return errors.Join(err, s.followRoutes(ctx, k, row.NIC.VPC))
}

// stopped releases the public address unless it is an elastic one.
func stopped(r *instance) bool {
	if r.State != stateStopping {
		return false
	}
	r.State, r.Restart, r.ForceStop = stateStopped, false, false
	r.releasePublic()
	return true
}

func (r *instance) releasePublic() {
	if r.NIC.Allocation == "" {
		r.NIC.Public = noAddr
	}
}

func (s *Service) terminate(ctx context.Context, k store.Key, row *instance) error {
	if row.ForceStop {
		if err := s.machines.Stop(ctx, k.ID, true); err != nil {
			return fmt.Errorf("stop %s: %w", k.ID, err)
		}
	}
	if err := s.machines.Terminate(ctx, k.ID); err != nil {
		return fmt.Errorf("terminate %s: %w", k.ID, err)
	}
	now := s.clock.Now().UTC()
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := instances.Get(tx, k)
		if err != nil || r.State != stateShuttingDown {
			return err
		}
		if err := leave(tx, k, r); err != nil {
			return err
		}
		r.State, r.TerminatedAt = stateTerminated, now
		r.NIC.Public, r.NIC.Allocation, r.NIC.Association = noAddr, "", ""
		r.UserData, r.PlainUserData = nil, nil
		if err := instances.Put(tx, k, r); err != nil {
			return err
		}
		s.emitRow(tx, k, r, row.StateReason.Message)
		return nil
	})
	return errors.Join(err, s.followRoutes(ctx, k, row.NIC.VPC))
}

// reboot restarts a machine. One that did not come back is booted like a stopped
// one; if that fails too, the instance is stopped, with the reason.
func (s *Service) reboot(ctx context.Context, k store.Key, row *instance) error {
	err := s.machines.Reboot(ctx, k.ID)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("reboot", "instance", k.ID, "err", err)
		err = s.boot(ctx, k, row)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	changed := s.change(ctx, k, "reboot", func(r *instance) bool {
		if r.State != stateRunning {
			return false
		}
		r.Restart = false
		return err == nil || r.fallBack(internalError(err))
	})
	if changed != nil || err != nil {
		return changed
	}
	return s.catchUp(ctx, k, row.NIC)
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
		if r.State == statePending {
			r.EndedEarly = true // launch has yet to hear that it ran at all
			return true
		}
		if r.State != stateRunning {
			return false
		}
		r.State = stateStopping
		if r.ShutdownTerminates {
			r.State = stateShuttingDown
		}
		r.StateReason, r.TransitionReason = s.exitReason(why)
		return true
	})
	if err != nil {
		s.log.Error("instance exit", "instance", id, "err", err)
		return
	}
	s.work.Wake(k)
}

// exitReason tells a shutdown from inside from an end that nobody asked for.
func (s *Service) exitReason(why string) (state reason, transition string) {
	switch why {
	case hsinstance.ReasonKilled, hsinstance.ReasonMemory:
		state = internalError(errors.New("the instance did not shut down, its first process ended: " + why))
		return state, state.Message
	}
	return reason{"Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown"}, s.userInitiated()
}

// userInitiated is EC2's transition reason for a change that somebody asked for.
func (s *Service) userInitiated() string {
	return "User initiated (" + s.clock.Now().UTC().Format("2006-01-02 15:04:05") + " GMT)"
}
