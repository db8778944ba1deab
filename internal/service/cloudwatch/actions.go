package cloudwatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// automation begins the ARNs of actions on an alarm's instance.
const automation = "arn:aws:automate:"

// instanceActions are what may follow it, behind region and ec2.
var instanceActions = []string{"stop", "terminate", "reboot"}

// scaling begins the ARNs of scaling policies.
const scaling = "arn:aws:autoscaling:"

// targets are the actions of the alarm's state.
func (a *alarm) targets() []string {
	switch a.State {
	case api.StateValueAlarm:
		return a.Alarm
	case api.StateValueOk:
		return a.OK
	}
	return a.Unsure
}

// queueActions keeps what the alarm's new state has to do until act has done it.
func (a *alarm) queueActions(tx *store.Tx, k store.Key, old *alarm) error {
	for i, target := range a.targets() {
		message, err := a.message(k, old)
		if err != nil {
			return err
		}
		act := action{Alarm: a.Name, Kind: a.kind(), Target: target, Changed: a.Updated, State: a.State, Owner: a.Owner, Message: message,
			Subject: fmt.Sprintf("%s: %q in %s", a.State, a.Name, regionName(k.Region)), Threshold: a.Threshold, Value: a.latest()}
		for _, d := range a.Dimensions {
			if d.Name == "InstanceId" {
				act.InstanceID = d.Value
			}
		}
		if err := act.queue(tx, k, a.Updated, i); err != nil {
			return err
		}
	}
	return nil
}

// queue keeps an action in the order of its time.
func (act *action) queue(tx *store.Tx, k store.Key, at time.Time, i int) error {
	id := fmt.Sprintf("%020d/%02d/%s", at.UnixNano(), i, ids.UUID())
	if err := actions.Put(tx, store.Key{Account: k.Account, Region: k.Region, ID: id}, act); err != nil {
		return err
	}
	emit(tx, k, "action", act.Target)
	return nil
}

// latest is the last datapoint that brought the alarm to its state; the threshold where
// the state was set by hand and nothing says.
func (a *alarm) latest() float64 {
	var data struct{ RecentDatapoints []float64 }
	if json.Unmarshal([]byte(a.ReasonData), &data) != nil || len(data.RecentDatapoints) == 0 {
		return a.Threshold
	}
	return data.RecentDatapoints[len(data.RecentDatapoints)-1]
}

// repeatScaling has scaling policies act again at each full minute as long as an alarm
// stays in a state: other actions are done once.
func (s *Service) repeatScaling(ctx context.Context, k store.Key, seen *alarm, v verdict) error {
	now := s.cfg.Clock.Now().UTC()
	if !seen.ActionsEnabled || len(v.used) == 0 || mod(now.Unix(), minute) >= fast || !slices.ContainsFunc(seen.targets(), func(t string) bool { return strings.HasPrefix(t, scaling) }) {
		return nil
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		a, err := unchanged(tx, k, seen)
		if err != nil || a == nil {
			return err
		}
		for i, target := range a.targets() {
			if !strings.HasPrefix(target, scaling) {
				continue
			}
			act := action{Alarm: a.Name, Kind: a.kind(), Target: target, Changed: a.Updated, State: a.State, Owner: a.Owner, Threshold: a.Threshold, Value: v.used[0].value}
			if err := act.queue(tx, k, now, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// act does queued actions until ctx ends.
func (s *Service) act(ctx context.Context) error {
	return actions.WorkOff(ctx, s.cfg.DB, store.Filter{Service: "monitoring", Kind: "action"}, s.perform)
}

// perform does one action and records how it went. It is not repeated: the alarm
// says the same again when its state changes again.
func (s *Service) perform(ctx context.Context, r store.Row[action]) error {
	k, a := r.Key, r.Value
	err := s.invoke(ctx, k, a)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	state, summary, failure := "Succeeded", "Successfully executed action "+a.Target, ""
	if err != nil {
		state, failure = "Failed", err.Error()
		summary = fmt.Sprintf("Failed to execute action %s. Received error: %q", a.Target, failure)
	}
	data, err := json.Marshal(struct {
		State    string `json:"actionState"`
		Resource string `json:"notificationResource"`
		Changed  int64  `json:"stateUpdateTimestamp"`
		Error    string `json:"error,omitempty"`
	}{state, a.Target, a.Changed.UnixMilli(), failure})
	if err != nil {
		return err
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := actions.Delete(tx, k); err != nil && !isNotFound(err) {
			return err
		}
		emit(tx, store.Key{Account: k.Account, Region: k.Region, ID: a.Alarm}, "acted", summary)
		return record(tx, k, item{Alarm: a.Alarm, Kind: a.Kind, Type: api.HistoryItemTypeAction, Time: s.cfg.Clock.Now().UTC(), Summary: summary, Data: string(data)})
	})
}

// invoke publishes to a topic, as CloudWatch, which the topic's policy must allow;
// has a scaling policy act; or acts on an instance, as the alarm's owner.
func (s *Service) invoke(ctx context.Context, k store.Key, a *action) error {
	if strings.HasPrefix(a.Target, scaling) {
		return s.cfg.Scaling.Alarmed(ctx, k.Account, k.Region, a.Target, a.Alarm, string(a.State), a.Value, a.Threshold)
	}
	if !strings.HasPrefix(a.Target, automation) {
		source := alarmARN(store.Key{Account: k.Account, Region: k.Region, ID: a.Alarm})
		ctx = aws.WithCall(ctx, aws.AsService(servicePrincipal, source, k.Account, k.Region))
		_, err := wire.Call[sns.PublishOutput](ctx, s.cfg.Invoker, "sns", "Publish",
			&sns.PublishInput{TopicArn: &a.Target, Subject: aws.Ptr(a.Subject[:min(len(a.Subject), 100)]), Message: &a.Message})
		return err
	}
	ctx = aws.WithCall(ctx, aws.Call{Principal: a.Owner, Account: k.Account, Region: k.Region, Via: []string{servicePrincipal}})
	list := []string{a.InstanceID}
	var err error
	switch a.Target[strings.LastIndexByte(a.Target, ':')+1:] {
	case "stop":
		_, err = wire.Call[ec2.StopInstancesOutput](ctx, s.cfg.Invoker, "ec2", "StopInstances", &ec2.StopInstancesInput{InstanceIds: list})
	case "terminate":
		_, err = wire.Call[ec2.TerminateInstancesOutput](ctx, s.cfg.Invoker, "ec2", "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: list})
	case "reboot":
		_, err = wire.Call[ec2.RebootInstancesOutput](ctx, s.cfg.Invoker, "ec2", "RebootInstances", &ec2.RebootInstancesInput{InstanceIds: list})
	}
	return err
}

// judgeActions checks the ARNs of actions. What could not be done is refused.
func judgeActions(region string, dimensions []dimension, lists ...[]string) error {
	for _, list := range lists {
		if len(list) > 5 {
			return violation("1 validation error detected: Value '%v' at 'alarmActions' failed to satisfy constraint: Member must have length less than or equal to 5", list)
		}
		for _, target := range list {
			name, isAutomation := strings.CutPrefix(target, automation+region+":ec2:")
			switch {
			case isAutomation && slices.Contains(instanceActions, name):
				if !slices.ContainsFunc(dimensions, func(d dimension) bool { return d.Name == "InstanceId" }) {
					return violation("Invalid use of EC2 '%s' action: the alarm's metric must have the dimension InstanceId", name)
				}
			case strings.HasPrefix(target, "arn:aws:sns:"):
				if strings.Count(target, ":") != 5 {
					return violation("Invalid SNS topic ARN: %s", target)
				}
			case strings.HasPrefix(target, scaling+region+":") && strings.Contains(target, ":scalingPolicy:"):
			case strings.HasPrefix(target, "arn:"):
				return notHonoured("the alarm action " + target)
			default:
				return violation("Invalid arn syntax: %s", target)
			}
		}
	}
	return nil
}

// regionNames are how messages call the more common regions.
var regionNames = map[string]string{
	"us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)", "us-west-2": "US West (Oregon)",
	"eu-west-1": "EU (Ireland)", "eu-west-2": "EU (London)", "eu-west-3": "EU (Paris)", "eu-central-1": "EU (Frankfurt)", "eu-north-1": "EU (Stockholm)",
	"ap-southeast-1": "Asia Pacific (Singapore)", "ap-southeast-2": "Asia Pacific (Sydney)", "ap-northeast-1": "Asia Pacific (Tokyo)",
	"ap-northeast-2": "Asia Pacific (Seoul)", "ap-south-1": "Asia Pacific (Mumbai)", "sa-east-1": "South America (Sao Paulo)", "ca-central-1": "Canada (Central)",
}

func regionName(region string) string { return cmp.Or(regionNames[region], region) }
