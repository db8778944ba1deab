package cloudwatch

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

// notice is what an alarm tells a topic of a change of its state.
type notice struct {
	AlarmName                          string
	AlarmDescription                   *string
	AWSAccountID                       string `json:"AWSAccountId"`
	AlarmConfigurationUpdatedTimestamp string
	AlarmRule                          string `json:",omitempty"`
	NewStateValue                      api.StateValue
	NewStateReason                     string
	StateChangeTime                    string
	Region                             string
	AlarmARN                           string `json:"AlarmArn"`
	OldStateValue                      api.StateValue
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	Trigger                            *trigger `json:",omitempty"`
}

// trigger is the alarm's question, in a notice. Metrics stand in it for the alarms
// on expressions.
type trigger struct {
	MetricName                       string         `json:",omitempty"`
	Namespace                        string         `json:",omitempty"`
	StatisticType                    string         `json:",omitempty"`
	Statistic                        string         `json:",omitempty"`
	ExtendedStatistic                string         `json:",omitempty"`
	Unit                             *string        // null when the alarm has none
	Metrics                          []queryNotice  `json:",omitempty"`
	Dimensions                       []dimensionRow `json:",omitempty"`
	Period                           int64
	EvaluationPeriods                int
	DatapointsToAlarm                int `json:",omitempty"`
	ComparisonOperator               api.ComparisonOperator
	Threshold                        javaNumber
	TreatMissingData                 string
	EvaluateLowSampleCountPercentile string
}

type dimensionRow struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

type queryNotice struct {
	ID         string `json:"Id"`
	Expression string `json:",omitempty"`
	Label      string `json:",omitempty"`
	MetricStat any    `json:",omitempty"`
	ReturnData bool
}

func (a *alarm) message(k store.Key, old *alarm) (string, error) {
	n := notice{AlarmName: a.Name, AWSAccountID: k.Account, AlarmConfigurationUpdatedTimestamp: stamp(a.Configured), AlarmRule: a.Rule,
		NewStateValue: a.State, NewStateReason: a.Reason, StateChangeTime: stamp(a.Updated), Region: regionName(k.Region), AlarmARN: alarmARN(k),
		OldStateValue: old.State, OKActions: some(a.OK), AlarmActions: some(a.Alarm), InsufficientDataActions: some(a.Unsure)}
	if a.Description != "" {
		n.AlarmDescription = &a.Description
	}
	if !a.composite() {
		n.Trigger = a.trigger()
	}
	text, err := json.Marshal(n)
	return string(text), err
}

func some(list []string) []string { return append([]string{}, list...) }

func (a *alarm) trigger() *trigger {
	t := &trigger{MetricName: a.Metric, Namespace: a.Namespace, Period: a.Period, EvaluationPeriods: a.Evaluations, ComparisonOperator: a.Comparison,
		Threshold: javaNumber(a.Threshold), TreatMissingData: cmp.Or(a.Missing, missingData), EvaluateLowSampleCountPercentile: a.LowSamples}
	if a.NeededGiven {
		t.DatapointsToAlarm = a.Needed
	}
	if a.Unit != "" {
		t.Unit = &a.Unit
	}
	for i := range a.Queries {
		q := &a.Queries[i]
		row := queryNotice{ID: *q.Id, Expression: aws.Val(q.Expression), Label: aws.Val(q.Label), ReturnData: q.ReturnData == nil || *q.ReturnData}
		if q.MetricStat != nil {
			row.MetricStat = q.MetricStat
		}
		t.Metrics = append(t.Metrics, row)
	}
	if _, ok := simple[a.Statistic]; ok {
		t.StatisticType, t.Statistic = "Statistic", strings.ToUpper(a.Statistic)
	} else if a.Statistic != "" {
		t.StatisticType, t.ExtendedStatistic = "ExtendedStatistic", a.Statistic
	}
	for _, d := range a.Dimensions {
		t.Dimensions = append(t.Dimensions, dimensionRow{d.Value, d.Name})
	}
	return t
}
