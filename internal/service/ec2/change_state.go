package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// transition moves instances by f, all or none, and reports each before and
// after. f returns false when there is nothing to do.
func (s *Service) transition(ctx context.Context, ids []string, f func(tx *store.Tx, k store.Key, r *instance) (bool, error)) ([]api.InstanceStateChange, error) {
	c := aws.CallFrom(ctx)
	if len(ids) == 0 {
		return nil, missing("InstanceIds")
	}
	var changes []api.InstanceStateChange
	var keys []store.Key
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		changes, keys = []api.InstanceStateChange{}, nil
		rows, err := instancesByID(tx, c, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			before := r.State
			k := key(c, r.ID)
			changed, err := f(tx, k, r)
			if err != nil {
				return err
			}
			if changed {
				if err := instances.Put(tx, k, r); err != nil {
					return err
				}
				s.emit(tx, c, r, r.TransitionReason)
				keys = append(keys, k)
			}
			changes = append(changes, api.InstanceStateChange{InstanceId: aws.Ptr(r.ID), PreviousState: apiState(before), CurrentState: apiState(r.State)})
		}
		return nil
	})
	for _, k := range keys {
		s.work.Wake(k)
	}
	return changes, err
}

func incorrectState(r *instance, want string) error {
	return awserr.New("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be %s.", r.ID, want)
}

// StartInstances boots stopped instances; running ones are left alone.
func (s *Service) StartInstances(ctx context.Context, in *api.StartInstancesInput) (*api.StartInstancesOutput, error) {
	changes, err := s.transition(ctx, in.InstanceIds, func(tx *store.Tx, _ store.Key, r *instance) (bool, error) {
		switch r.State {
		case statePending, stateRunning:
			return false, nil
		case stateStopped:
		default:
			return false, incorrectState(r, "started")
		}
		r.State, r.StateReason, r.TransitionReason = statePending, reason{}, ""
		r.LaunchTime = s.clock.Now().UTC()
		if r.NIC.AutoPublic && r.NIC.Allocation == "" {
			a, err := s.freePublic(tx)
			if err != nil {
				return false, err
			}
			r.NIC.Public = a
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.StartInstancesOutput{StartingInstances: changes}, nil
}

// StopInstances shuts instances down and keeps their disks.
func (s *Service) StopInstances(ctx context.Context, in *api.StopInstancesInput) (*api.StopInstancesOutput, error) {
	if aws.Val(in.Hibernate) {
		return nil, unsupported("Hibernate")
	}
	changes, err := s.transition(ctx, in.InstanceIds, func(_ *store.Tx, _ store.Key, r *instance) (bool, error) {
		switch r.State {
		case stateStopping, stateStopped:
			return false, nil
		case stateRunning:
		default:
			return false, incorrectState(r, "stopped")
		}
		if r.DisableAPIStop {
			return false, awserr.New("OperationNotPermitted", "The instance '%s' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.", r.ID)
		}
		r.State, r.ForceStop = stateStopping, aws.Val(in.Force) || aws.Val(in.SkipOsShutdown)
		r.StateReason = reason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
		r.TransitionReason = s.userInitiated()
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.StopInstancesOutput{StoppingInstances: changes}, nil
}

// RebootInstances restarts running instances in place.
func (s *Service) RebootInstances(ctx context.Context, in *api.RebootInstancesInput) (*api.RebootInstancesOutput, error) {
	_, err := s.transition(ctx, in.InstanceIds, func(_ *store.Tx, _ store.Key, r *instance) (bool, error) {
		if r.State != stateRunning {
			return false, incorrectState(r, "rebooted")
		}
		r.Restart = true
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RebootInstancesOutput{}, nil
}

// TerminateInstances ends instances and deletes their disks; the console log
// stays readable for an hour. SkipOsShutdown does not ask them first. Force is for
// instances that do not end when asked, which here end soon in any case.
func (s *Service) TerminateInstances(ctx context.Context, in *api.TerminateInstancesInput) (*api.TerminateInstancesOutput, error) {
	changes, err := s.transition(ctx, in.InstanceIds, func(_ *store.Tx, _ store.Key, r *instance) (bool, error) {
		if r.State == stateShuttingDown || r.State == stateTerminated {
			return false, nil
		}
		if r.DisableAPITermination {
			return false, awserr.New("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", r.ID)
		}
		r.State, r.ForceStop = stateShuttingDown, aws.Val(in.SkipOsShutdown)
		r.StateReason = reason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
		r.TransitionReason = s.userInitiated()
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.TerminateInstancesOutput{TerminatingInstances: changes}, nil
}

// MonitorInstances turns detailed monitoring on.
func (s *Service) MonitorInstances(ctx context.Context, in *api.MonitorInstancesInput) (*api.MonitorInstancesOutput, error) {
	out, err := s.setMonitoring(ctx, in.InstanceIds, true)
	return &api.MonitorInstancesOutput{InstanceMonitorings: out}, err
}

// UnmonitorInstances turns detailed monitoring off.
func (s *Service) UnmonitorInstances(ctx context.Context, in *api.UnmonitorInstancesInput) (*api.UnmonitorInstancesOutput, error) {
	out, err := s.setMonitoring(ctx, in.InstanceIds, false)
	return &api.UnmonitorInstancesOutput{InstanceMonitorings: out}, err
}

func (s *Service) setMonitoring(ctx context.Context, ids []string, on bool) ([]api.InstanceMonitoring, error) {
	changes, err := s.transition(ctx, ids, func(_ *store.Tx, _ store.Key, r *instance) (bool, error) {
		changed := r.Monitoring != on
		r.Monitoring = on
		return changed, nil
	})
	out := make([]api.InstanceMonitoring, 0, len(changes))
	for _, ch := range changes {
		out = append(out, api.InstanceMonitoring{InstanceId: ch.InstanceId, Monitoring: &api.Monitoring{State: api.MonitoringState(monitoringState(on))}})
	}
	return out, err
}

// instanceChecks asks for the operation's action on each instance.
func instanceChecks(ctx context.Context, ids ...string) []aws.Check {
	out := make([]aws.Check, 0, len(ids))
	for _, id := range ids {
		out = append(out, aws.Check{Resource: ec2ARN(aws.CallFrom(ctx), "instance/"+id)})
	}
	if len(ids) == 0 {
		out = append(out, aws.Check{Resource: "*"})
	}
	return out
}
