package autoscaling

import (
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// leave begins the way of a member out of service: its new state, and its activity.
func (m *member) leave(tx *store.Tx, k store.Key, g *group, to ending, description, cause string) (*activity, error) {
	if m.Activity != "" { // its launch ends unfinished
		if _, err := conclude(tx, k, m, cancelled, ""); err != nil {
			return nil, err
		}
	}
	state := map[ending]api.LifecycleState{toTerminated: api.LifecycleStateTerminating, toStandby: api.LifecycleStateEnteringStandby, toDetached: api.LifecycleStateDetaching}[to]
	m.Ending, m.Actions, m.Extra = to, nil, false
	m.enter(tx, k, state)
	a, err := begin(tx, k, g, m, description+m.Instance, cause)
	if err != nil {
		return nil, err
	}
	a.Progress = 50
	return a, activities.Put(tx, activityKey(k, a.ID), a)
}

// The beginnings of the descriptions of activities; the instance's id follows.
const (
	terminatingText = "Terminating EC2 instance: "
	standbyText     = "Moving EC2 instance to Standby: "
	detachingText   = "Detaching EC2 instance: "
)

func movingOut(instance string) string { return "Moving EC2 instance out of Standby: " + instance }

// drain takes a member from its load balancers and lets it go when its connections
// have ended.
func (t *turn) drain(m *member) error {
	done, err := t.deregister(m)
	if err != nil {
		return err
	}
	if !done {
		t.at(t.now.Add(drainLook)) // should the event that tells of its end be lost
		return nil
	}
	if m.Ending == toDetached {
		if err := t.untag(m); err != nil {
			return err
		}
	}
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		m.Registered = nil
		switch m.Ending {
		case toStandby:
			m.enter(tx, t.k, api.LifecycleStateStandby)
			_, err := conclude(tx, t.k, m, successful, "")
			return err
		case toDetached:
			return t.detached(tx, m)
		}
		return m.wait(tx, t.k, g, t.hook, terminating)
	})
}

// drainLook is how often the end of connections is looked for without an event.
const drainLook = time.Minute

// untag takes the mark of the group from an instance.
func (t *turn) untag(m *member) error {
	as, err := t.role()
	if err != nil {
		return err
	}
	_, err = wire.Call[ec2.DeleteTagsOutput](as, t.s.cfg.Invoker, "ec2", "DeleteTags",
		&ec2.DeleteTagsInput{Resources: []string{m.Instance}, Tags: []ec2.Tag{{Key: ptr(groupNameTag)}}})
	if awserr.Is(err, "InvalidInstanceID.NotFound", "InvalidID") {
		return nil
	}
	return err
}

// detached forgets a member that goes on without its group.
func (t *turn) detached(tx *store.Tx, m *member) error {
	m.enter(tx, t.k, api.LifecycleStateDetached)
	if _, err := conclude(tx, t.k, m, successful, ""); err != nil {
		return err
	}
	return members.Delete(tx, memberKey(t.k, m))
}

// end terminates a member's instance and forgets the member when EC2 has done it.
func (t *turn) end(m *member) error {
	if m.Instance != "" && t.ec2State(m) != "terminated" {
		if m.Asked {
			return nil // EC2's event comes
		}
		if err := t.terminate(m); err != nil {
			return err
		}
		return t.change(m, func(_ *store.Tx, _ *group, m *member) error {
			m.Asked = true
			return nil
		})
	}
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		g.Scaled = t.now
		m.enter(tx, t.k, "Terminated")
		a, err := conclude(tx, t.k, m, successful, "")
		if err != nil {
			return err
		}
		if err := members.Delete(tx, memberKey(t.k, m)); err != nil {
			return err
		}
		if len(t.list) <= int(g.Desired)+1 {
			g.Causes = nil
		}
		if a == nil {
			return nil
		}
		return notify(tx, t.k, g, terminateEvent, a)
	})
}

func (t *turn) terminate(m *member) error {
	as, err := t.role()
	if err != nil {
		return err
	}
	in := &ec2.TerminateInstancesInput{InstanceIds: []string{m.Instance}}
	_, err = wire.Call[ec2.TerminateInstancesOutput](as, t.s.cfg.Invoker, "ec2", "TerminateInstances", in)
	if awserr.Is(err, "OperationNotPermitted") { // protection against users does not bind the group
		_, err = wire.Call[ec2.ModifyInstanceAttributeOutput](as, t.s.cfg.Invoker, "ec2", "ModifyInstanceAttribute",
			&ec2.ModifyInstanceAttributeInput{InstanceId: &m.Instance, DisableApiTermination: &ec2.AttributeBooleanValue{Value: ptr(false)}})
		if err == nil {
			_, err = wire.Call[ec2.TerminateInstancesOutput](as, t.s.cfg.Invoker, "ec2", "TerminateInstances", in)
		}
	}
	if awserr.Is(err, "InvalidInstanceID.NotFound") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("terminate %s of %s: %w", m.Instance, t.k.ID, err)
	}
	return nil
}
