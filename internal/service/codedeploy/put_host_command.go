package codedeploy

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/aws"
	cd "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// onCommand runs fn with the target of a command and the index of the command's
// event, in a transaction.
func (s *Service) onCommand(ctx context.Context, operation string, id *string, fn func(tx *store.Tx, k store.Key, t *target, index int) error) error {
	h, err := s.authorizeHost(ctx, operation)
	if err != nil {
		return err
	}
	k, host := h.Key, h.ID
	deployment, index, err := parseCommandID(host, id)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		t, err := targets.Get(tx, targetKey(k, deployment, host))
		if isNotFound(err) || err == nil && index >= len(t.Events) {
			return awserr.New("ClientException", "HostCommandIdentifier %q is not known.", *id)
		}
		if err != nil {
			return err
		}
		return fn(tx, store.Key{Account: k.Account, Region: k.Region, ID: deployment}, t, index)
	})
}

// open reports whether event index of t is the one an agent may work on.
func (t *target) open(index int) bool {
	return t.Status == cd.TargetStatusInProgress && t.current() == index && !t.inTraffic()
}

// commandStatus is the status of an event as an agent knows it. Succeeded and
// Failed tell it not to run the command.
func commandStatus(st cd.LifecycleEventStatus) api.CommandStatus {
	switch st {
	case cd.LifecycleEventStatusPending, cd.LifecycleEventStatusInProgress:
		return api.CommandStatusInProgress
	case cd.LifecycleEventStatusSucceeded:
		return api.CommandStatusSucceeded
	}
	return api.CommandStatusFailed
}

// PutHostCommandAcknowledgement marks the event as in progress. What our agent says
// needs nothing done ends with it: that spares a call and a transaction per event,
// and most revisions have scripts for few events. AWS's agents carry such an event
// out, and complete it.
func (s *Service) PutHostCommandAcknowledgement(ctx context.Context, in *api.PutHostCommandAcknowledgementInput) (*api.PutHostCommandAcknowledgementOutput, error) {
	out := &api.PutHostCommandAcknowledgementOutput{}
	noop := ours(aws.CallFrom(ctx)) && saysNoop(in.Diagnostics)
	var ended store.Key // the host whose event that was
	err := s.onCommand(ctx, "PutHostCommandAcknowledgement", in.HostCommandIdentifier, func(tx *store.Tx, k store.Key, t *target, index int) (err error) {
		ended = store.Key{}
		if noop && t.open(index) && t.Acked.IsZero() {
			ended = store.Key{Account: k.Account, Region: k.Region, ID: t.InstanceID}
			out.CommandStatus = api.CommandStatusSucceeded
			return s.completeNoop(tx, k, t)
		}
		out.CommandStatus, err = s.acknowledge(tx, k, t, index, in.HostCommandMaxDurationInSeconds)
		return err
	})
	if err != nil {
		return nil, err
	}
	if ended.ID != "" {
		s.polls.wake(ended)
	}
	return out, nil
}

func (s *Service) acknowledge(tx *store.Tx, k store.Key, t *target, index int, seconds *int32) (api.CommandStatus, error) {
	e := &t.Events[index]
	switch {
	case !t.open(index) && e.Status == cd.LifecycleEventStatusPending:
		return api.CommandStatusFailed, nil // the target ended, or the event is not yet due
	case !t.open(index):
		return commandStatus(e.Status), nil
	case !t.Acked.IsZero():
		return api.CommandStatusInProgress, nil
	}
	longest, err := longest(e.Name, seconds)
	if err != nil {
		return "", err
	}
	now := s.clock.Now()
	t.Acked, t.Longest, e.Start, e.Status = now, longest, now, cd.LifecycleEventStatusInProgress
	return api.CommandStatusInProgress, s.putTarget(tx, k, t, "event", now)
}

// longest reads what an agent says that the scripts of an event take at most. The
// member is an inference from sources of AWS's Ruby agent that are public, which add up
// the time-outs in the appspec and keep to these bounds; no published model has it. So
// it counts for events with scripts alone, where its meaning is plain, and can only
// shorten AWS's own time-out.
func longest(event string, seconds *int32) (time.Duration, error) {
	const least, most = 60, 4200
	if seconds == nil || !lifecycle.Scriptable(event) {
		return 0, nil
	}
	if *seconds < least || *seconds > most {
		return 0, awserr.New("ClientException", "HostCommandMaxDurationInSeconds is from %d to %d, not %d.", least, most, *seconds)
	}
	return time.Duration(*seconds) * time.Second, nil
}

// completeNoop ends an event for which the agent has nothing to do.
func (s *Service) completeNoop(tx *store.Tx, k store.Key, t *target) error {
	d, err := deployments.Get(tx, k)
	if err != nil {
		return err
	}
	return s.complete(tx, k, d, t, event{Status: cd.LifecycleEventStatusSucceeded, Code: cd.LifecycleErrorCodeSuccess, Message: "Succeeded"}, s.clock.Now())
}

// saysNoop reads from an acknowledgement whether the agent has nothing to do.
func saysNoop(e *api.Envelope) bool {
	var d struct{ IsCommandNoop bool }
	return e != nil && json.Unmarshal([]byte(aws.Val(e.Payload)), &d) == nil && d.IsCommandNoop
}

// PutHostCommandComplete ends the event. The first completion counts; official
// agents send a second after a failure, which is answered and ignored.
func (s *Service) PutHostCommandComplete(ctx context.Context, in *api.PutHostCommandCompleteInput) (*api.PutHostCommandCompleteOutput, error) {
	var status cd.LifecycleEventStatus
	switch in.CommandStatus {
	case api.CommandStatusSucceeded:
		status = cd.LifecycleEventStatusSucceeded
	case api.CommandStatusFailed:
		status = cd.LifecycleEventStatusFailed
	default:
		return nil, awserr.New("ClientException", "A command completes as Succeeded or Failed, not as %q.", in.CommandStatus)
	}
	var host store.Key
	err := s.onCommand(ctx, "PutHostCommandComplete", in.HostCommandIdentifier, func(tx *store.Tx, k store.Key, t *target, index int) error {
		if !t.open(index) {
			return nil
		}
		host = store.Key{Account: k.Account, Region: k.Region, ID: t.InstanceID}
		d, err := deployments.Get(tx, k)
		if err != nil {
			return err
		}
		result := readDiagnostics(in.Diagnostics)
		result.Status = status
		if status == cd.LifecycleEventStatusSucceeded {
			result.Code = cd.LifecycleErrorCodeSuccess
		} else if result.Code == "" || result.Code == cd.LifecycleErrorCodeSuccess {
			result.Code = cd.LifecycleErrorCodeUnknownError
		}
		return s.complete(tx, k, d, t, result, s.clock.Now())
	})
	// An agent that starts fails what it ran when it ended, perhaps for a service
	// that has forgotten it. AWS's keeps asking until it hears no error.
	if awserr.Is(err, "ClientException") && restarted(in.Diagnostics) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if host.ID != "" {
		s.polls.wake(host)
	}
	return &api.PutHostCommandCompleteOutput{}, nil
}

// PostHostCommandUpdate tells the agent whether its command still counts, and
// takes the output of its scripts.
func (s *Service) PostHostCommandUpdate(ctx context.Context, in *api.PostHostCommandUpdateInput) (*api.PostHostCommandUpdateOutput, error) {
	out := &api.PostHostCommandUpdateOutput{}
	err := s.onCommand(ctx, "PostHostCommandUpdate", in.HostCommandIdentifier, func(tx *store.Tx, k store.Key, t *target, index int) error {
		out.CommandStatus = commandStatus(t.Events[index].Status)
		if d := in.Diagnostics; d != nil && aws.Val(d.Format) == logFormat && t.open(index) {
			return s.keepLog(tx, k, t, index, aws.Val(d.Payload))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxLogTail is what the API documents for a log tail.
const maxLogTail = 4096

// codes are the agents' numbers. 6 (outputs left open) and 7 (agent restarted)
// have no code of their own in the API.
var codes = []cd.LifecycleErrorCode{
	cd.LifecycleErrorCodeSuccess, cd.LifecycleErrorCodeScriptMissing, cd.LifecycleErrorCodeScriptNotExecutable,
	cd.LifecycleErrorCodeScriptTimedOut, cd.LifecycleErrorCodeScriptFailed, cd.LifecycleErrorCodeUnknownError,
	cd.LifecycleErrorCodeUnknownError, cd.LifecycleErrorCodeUnknownError,
}

// codeRestarted is what agents report of a command that ran when they ended.
const codeRestarted = 7

func restarted(e *api.Envelope) bool {
	var d struct {
		Code any `json:"error_code"`
	}
	return e != nil && json.Unmarshal([]byte(aws.Val(e.Payload)), &d) == nil && d.Code == float64(codeRestarted)
}

// readDiagnostics reads what an agent says of the end of a command. What cannot
// be read is kept as the message.
func readDiagnostics(e *api.Envelope) event {
	if e == nil {
		return event{}
	}
	var d struct {
		Code    any    `json:"error_code"` // 1.8.1 sends "Unknown" in one case
		Script  string `json:"script_name"`
		Message string `json:"message"`
		Log     string `json:"log"`
	}
	if err := json.Unmarshal([]byte(aws.Val(e.Payload)), &d); err != nil {
		return event{Message: aws.Val(e.Payload), Code: cd.LifecycleErrorCodeUnknownError}
	}
	out := event{Script: d.Script, Message: d.Message, Log: d.Log, Code: cd.LifecycleErrorCodeUnknownError}
	if n, ok := d.Code.(float64); ok && n >= 0 && int(n) < len(codes) {
		out.Code = codes[int(n)]
	}
	if len(out.Log) > maxLogTail {
		out.Log = strings.ToValidUTF8(out.Log[len(out.Log)-maxLogTail:], "")
	}
	return out
}
