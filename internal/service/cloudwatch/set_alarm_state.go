package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// SetAlarmState puts an alarm into a state until its next evaluation.
func (s *Service) SetAlarmState(ctx context.Context, in *api.SetAlarmStateInput) (*api.SetAlarmStateOutput, error) {
	data := aws.Val(in.StateReasonData)
	if data != "" && !json.Valid([]byte(data)) {
		return nil, awserr.New("InvalidFormat", "StateReasonData should be valid JSON")
	}
	k := key(aws.CallFrom(ctx), *in.AlarmName)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		a, err := alarms.Get(tx, k)
		if err != nil {
			return err
		}
		return a.enter(tx, k, change{in.StateValue, *in.StateReason, data}, s.cfg.Clock.Now().UTC())
	})
	if isNotFound(err) {
		return nil, awserr.Status(404, "ResourceNotFound", "Unknown alarm named %q", *in.AlarmName)
	}
	return &api.SetAlarmStateOutput{}, err
}

// EnableAlarmActions lets alarms act.
func (s *Service) EnableAlarmActions(ctx context.Context, in *api.EnableAlarmActionsInput) (*api.EnableAlarmActionsOutput, error) {
	return &api.EnableAlarmActionsOutput{}, s.switchActions(ctx, in.AlarmNames, true)
}

// DisableAlarmActions keeps alarms from acting.
func (s *Service) DisableAlarmActions(ctx context.Context, in *api.DisableAlarmActionsInput) (*api.DisableAlarmActionsOutput, error) {
	return &api.DisableAlarmActionsOutput{}, s.switchActions(ctx, in.AlarmNames, false)
}

// switchActions passes over alarms that there are not, as AWS does.
func (s *Service) switchActions(ctx context.Context, names []string, on bool) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			k := key(aws.CallFrom(ctx), name)
			a, err := alarms.Get(tx, k)
			if isNotFound(err) || err == nil && a.ActionsEnabled == on {
				continue
			}
			if err != nil {
				return err
			}
			a.ActionsEnabled, a.Configured = on, s.cfg.Clock.Now().UTC()
			if err := recordConfiguration(tx, k, a, "Update", fmt.Sprintf("Alarm %q updated", name)); err != nil {
				return err
			}
			emit(tx, k, "configuration", "")
			if err := alarms.Put(tx, k, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteAlarms removes alarms, all or none of them. One that composite alarms
// refer to stays unless they go with it.
func (s *Service) DeleteAlarms(ctx context.Context, in *api.DeleteAlarmsInput) (*api.DeleteAlarmsOutput, error) {
	c := aws.CallFrom(ctx)
	return &api.DeleteAlarmsOutput{}, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := s.judgeParents(tx, c, in.AlarmNames); err != nil {
			return err
		}
		for _, name := range in.AlarmNames {
			k := key(c, name)
			a, err := alarms.Get(tx, k)
			if isNotFound(err) {
				continue
			}
			if err != nil {
				return err
			}
			if err := recordConfiguration(tx, k, a, "Delete", fmt.Sprintf("Alarm %q deleted", name)); err != nil {
				return err
			}
			emit(tx, k, "configuration", "deleted")
			if err := alarms.Delete(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// nameOf is the name behind an alarm's name or ARN.
func nameOf(k store.Key, nameOrARN string) string {
	return strings.TrimPrefix(nameOrARN, alarmARN(store.Key{Account: k.Account, Region: k.Region}))
}
