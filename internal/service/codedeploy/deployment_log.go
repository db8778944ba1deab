package codedeploy

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/store"
)

// The whole output of scripts is an extension of this service: AWS keeps the last
// 2 kB of a script that failed. Our agent sends it while a script runs, in
// envelopes of the format logFormat, because the specification asks for it; it
// is read with GetDeploymentLog, under the permission of GetDeploymentTarget.
const logFormat = "TEXT/LOG"

// maxLogParts bounds what is kept of one event: about a megabyte.
const maxLogParts = 144

// logParts are pieces of output, keyed by deployment, target, event and number.
var logParts = store.Table[logPart]{Name: "codedeploy.log", Version: 1}

type logPart struct{ Event, Text string }

func logKey(k store.Key, t *target, index, number int) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: fmt.Sprintf("%s/%s/%02d/%04d", t.DeploymentID, t.InstanceID, index, number)}
}

// keepLog stores a piece of the output of event index.
func (s *Service) keepLog(tx *store.Tx, k store.Key, t *target, index int, text string) error {
	e := &t.Events[index]
	switch {
	case text == "" || e.LogParts > maxLogParts:
		return nil
	case e.LogParts == maxLogParts:
		text = "[the output is longer than what is kept here; it is in scripts.log on the host]\n"
	}
	if err := logParts.Put(tx, logKey(k, t, index, e.LogParts), &logPart{Event: e.Name, Text: text}); err != nil {
		return err
	}
	e.LogParts++
	emit(tx, k, t.DeploymentID, "log", t.InstanceID)
	return targets.Put(tx, targetKey(k, t.DeploymentID, t.InstanceID), t)
}

// logPage is how many pieces one answer has.
const logPage = 64

// GetDeploymentLog returns the output of a target's scripts, event by event in
// the order they ran. The token of the last page, kept, continues with what is
// written later.
func (s *Service) GetDeploymentLog(ctx context.Context, in *api.GetDeploymentLogInput) (*api.GetDeploymentLogOutput, error) {
	c := aws.CallFrom(ctx)
	return view(ctx, s, func(tx *store.Tx) (*api.GetDeploymentLogOutput, error) {
		list, err := startedTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		t := findTarget(list, aws.Val(in.TargetId))
		if t == nil {
			return nil, errNoTarget(aws.Val(in.TargetId))
		}
		var event, number int
		if token := aws.Val(in.NextToken); token != "" {
			if n, err := fmt.Sscanf(token, "%d.%d", &event, &number); n != 2 || err != nil || event < 0 || number < 0 {
				return nil, errInvalidNextToken
			}
		}
		d, err := deployments.Get(tx, key(c, t.DeploymentID))
		if err != nil {
			return nil, err
		}
		if d.OutputGone {
			return &api.GetDeploymentLogOutput{Parts: []api.LogPart{}}, nil
		}
		return readLog(tx, key(c, ""), t, event, number)
	})
}

// readLog reads a page from a piece on.
func readLog(tx *store.Tx, k store.Key, t *target, event, number int) (*api.GetDeploymentLogOutput, error) {
	out := &api.GetDeploymentLogOutput{Parts: []api.LogPart{}}
	for event < len(t.Events) && len(out.Parts) < logPage {
		if number >= t.Events[event].LogParts {
			if event == t.current() || event+1 == len(t.Events) {
				break // more may come
			}
			event, number = event+1, 0
			continue
		}
		p, err := logParts.Get(tx, logKey(k, t, event, number))
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, api.LogPart{LifecycleEventName: &p.Event, Text: &p.Text})
		number++
	}
	if len(out.Parts) > 0 {
		out.NextToken = aws.Ptr(fmt.Sprintf("%d.%d", event, number))
	}
	return out, nil
}
