package autoscaling

import (
	"math"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
)

// defaultWarmup is how long a new instance is not counted on when neither policy nor group
// says it.
const defaultWarmup = 300 * time.Second

func lower(s api.StepAdjustment) float64 {
	if s.MetricIntervalLowerBound == nil {
		return math.Inf(-1)
	}
	return *s.MetricIntervalLowerBound
}

func upper(s api.StepAdjustment) float64 {
	if s.MetricIntervalUpperBound == nil {
		return math.Inf(1)
	}
	return *s.MetricIntervalUpperBound
}

// step is the adjustment for a metric that differs from the threshold by diff; nil for
// none. Above the threshold the lower bound belongs to the interval, below it the upper.
func (p *policy) step(diff float64) *int32 {
	for _, s := range p.Steps {
		lo, hi := lower(s), upper(s)
		if diff >= 0 && lo <= diff && diff < hi || diff < 0 && lo < diff && diff <= hi {
			return s.ScalingAdjustment
		}
	}
	return nil
}

// adjusted is the capacity that an adjustment makes of another.
func (p *policy) adjusted(current, by int32) int32 {
	switch p.Adjustment {
	case exactCapacity:
		return by
	case changeInCapacity:
		return current + by
	}
	change := float64(current) * float64(by) / 100
	switch {
	case change > 0 && change < 1:
		change = 1
	case change < 0 && change > -1:
		change = -1
	}
	change = math.Trunc(change)
	if least := float64(val(p.Magnitude)); least > math.Abs(change) && by != 0 {
		change = math.Copysign(least, float64(by))
	}
	return current + int32(change)
}

// bound keeps a capacity within the group's bounds.
func (g *group) bound(n int32) int32 { return max(g.Min, min(g.Max, n)) }

// tracked is the capacity that brings a metric of value to the target: never against the
// direction of the alarm.
func tracked(current int32, value, target float64, high bool) int32 {
	n := int32(math.Ceil(math.Min(float64(current)*value/target, math.MaxInt32/2)))
	if high {
		return max(n, current+1)
	}
	return min(n, current)
}
