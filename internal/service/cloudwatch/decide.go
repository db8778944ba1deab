package cloudwatch

import (
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
)

// How missing data is treated.
const (
	missingData  = "missing"
	breaching    = "breaching"
	notBreaching = "notBreaching"
	ignored      = "ignore"
)

// spare is how many periods more than it needs an alarm looks at, so that data which
// comes late or now and then is found.
const spare = 2

// point is a datapoint of an alarm.
type point struct {
	time    int64
	value   float64
	samples float64 // 0: not known
}

// verdict is what an evaluation comes to.
type verdict struct {
	state api.StateValue // "" leaves the state as it is
	// used are the datapoints that counted, the newest first; missing how many
	// more there should have been.
	used    []point
	missing int
	// crossed counts those that speak for the state.
	crossed int
}

// decide judges the periods of an alarm, the newest first; nil is a period without
// data. There are Evaluations of them and spare ones.
func decide(a *alarm, periods []*point) verdict {
	var v verdict
	oldest := 0 // periods ago, of the oldest breaching datapoint
	bad := 0
	for i, p := range periods {
		if p == nil || len(v.used) == a.Evaluations {
			continue
		}
		v.used = append(v.used, *p)
		if a.breaches(p.value) {
			bad++
			oldest = i + 1
		}
	}
	v.missing = a.Evaluations - len(v.used)
	if a.tooFew(v.used) {
		return v
	}
	v.state = a.judge(bad, len(v.used), v.missing, oldest)
	v.crossed = bad
	if v.state != api.StateValueAlarm {
		v.crossed = len(v.used) - bad
	}
	return v
}

// judge is the state for bad breaching datapoints of have; "" leaves it.
func (a *alarm) judge(bad, have, lacking, oldest int) api.StateValue {
	if a.Missing == breaching {
		bad += lacking
	}
	if bad >= a.Needed {
		return api.StateValueAlarm
	}
	if lacking == 0 || a.Missing == breaching || a.Missing == notBreaching {
		return api.StateValueOk
	}
	switch {
	case have == 0 && a.Missing == ignored:
		return ""
	case have == 0:
		return api.StateValueInsufficientData
	case bad < have:
		return api.StateValueOk
	}
	// All there is breaches. That is enough when it is as old as it would have to
	// be with all datapoints.
	if a.Missing != ignored && oldest >= a.Needed {
		return api.StateValueAlarm
	}
	return ""
}

func (a *alarm) breaches(v float64) bool {
	switch a.Comparison {
	case api.ComparisonOperatorGreaterThanThreshold:
		return v > a.Threshold
	case api.ComparisonOperatorGreaterThanOrEqualToThreshold:
		return v >= a.Threshold
	case api.ComparisonOperatorLessThanThreshold:
		return v < a.Threshold
	}
	return v <= a.Threshold
}

// tooFew reports whether a percentile of so few samples says nothing and the alarm
// is to ignore it.
func (a *alarm) tooFew(used []point) bool {
	p, ok := percentileOf(a.Statistic)
	if !ok || a.LowSamples != ignored {
		return false
	}
	share := p / 100
	if share >= 0.5 {
		share = 1 - share
	}
	for _, u := range used {
		if u.samples*share < 10-1e-9 {
			return true
		}
	}
	return false
}
