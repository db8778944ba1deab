package expression

import (
	"math"
	"slices"
	"strings"
	"time"
)

// function is one of metric math's.
type function struct {
	least, most int // arguments
	run         func(env *Env, args []Value) (Value, error)
}

var functions map[string]function

func init() {
	one := func(f func(*Env, Value) (Value, error)) function {
		return function{1, 1, func(env *Env, args []Value) (Value, error) { return f(env, args[0]) }}
	}
	plain := func(f func(float64) float64) function {
		return one(func(_ *Env, v Value) (Value, error) { return each(v, f) })
	}
	series := func(f func(*Series) *Series) function {
		return one(func(_ *Env, v Value) (Value, error) { return eachSeries(v, f) })
	}
	calendar := func(f func(time.Time) int) function {
		return series(func(s *Series) *Series {
			return s.apply(func(i int, _ float64) float64 { return float64(f(time.Unix(s.Times[i], 0).UTC())) })
		})
	}
	functions = map[string]function{
		"ABS": plain(math.Abs), "CEIL": plain(math.Ceil), "FLOOR": plain(math.Floor), "LOG": plain(math.Log), "LOG10": plain(math.Log10),
		"SUM": reduce(sum), "AVG": reduce(func(v []float64) float64 { return sum(v) / float64(len(v)) }),
		"MIN": reduce(slices.Min[[]float64]), "MAX": reduce(slices.Max[[]float64]), "STDDEV": reduce(deviation),
		"DIFF": series(difference), "DIFF_TIME": series(differenceOfTime), "RATE": series(rate), "RUNNING_SUM": series(runningSum),
		"PERIOD":          one(func(env *Env, v Value) (Value, error) { return period(env, v) }),
		"METRIC_COUNT":    one(func(_ *Env, v Value) (Value, error) { return count(v) }),
		"DATAPOINT_COUNT": reduceSeries(func(v []float64) float64 { return float64(len(v)) }),
		"FIRST":           one(func(_ *Env, v Value) (Value, error) { return element(v, false) }),
		"LAST":            one(func(_ *Env, v Value) (Value, error) { return element(v, true) }),
		"TIME_SERIES":     one(timeSeries),
		"FILL":            {2, 2, fill}, "IF": {2, 3, choose}, "METRICS": {0, 1, metrics},
		"MINUTE": calendar(time.Time.Minute), "HOUR": calendar(time.Time.Hour), "DATE": calendar(time.Time.Day), "YEAR": calendar(time.Time.Year),
		"MONTH": calendar(func(t time.Time) int { return int(t.Month()) }), "EPOCH": calendar(func(t time.Time) int { return int(t.Unix()) }),
		"DAY": calendar(func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }),
	}
}

func (c call) eval(env *Env) (Value, error) {
	args := make([]Value, len(c.args))
	for i, a := range c.args {
		var err error
		if args[i], err = a.eval(env); err != nil {
			return nil, err
		}
	}
	return functions[c.name].run(env, args)
}

// eachSeries applies f to a series, or to each of a list.
func eachSeries(v Value, f func(*Series) *Series) (Value, error) {
	switch v := v.(type) {
	case *Series:
		return f(v), nil
	case []*Series:
		return mapped(v, f), nil
	}
	return nil, errorf("a metric is expected")
}

// reduce makes a number of a series, and a series of a list: of the values that its
// members have at each time.
func reduce(f func([]float64) float64) function {
	of := reduceSeries(f)
	return function{1, 1, func(env *Env, args []Value) (Value, error) {
		list, ok := args[0].([]*Series)
		if !ok {
			return of.run(env, args)
		}
		at := map[int64][]float64{}
		out := &Series{Period: env.Period}
		for _, s := range list {
			out.Period = s.Period
			for i, t := range s.Times {
				at[t] = append(at[t], s.Values[i])
			}
		}
		times := make([]int64, 0, len(at))
		for t := range at {
			times = append(times, t)
		}
		slices.Sort(times)
		for _, t := range times {
			out.add(t, f(at[t]))
		}
		return out, nil
	}}
}

// reduceSeries makes a number of a series, or of each of a list.
func reduceSeries(f func([]float64) float64) function {
	return function{1, 1, func(_ *Env, args []Value) (Value, error) {
		s, ok := args[0].(*Series)
		if !ok {
			return nil, errorf("a metric is expected")
		}
		if len(s.Values) == 0 {
			return 0.0, nil
		}
		return f(s.Values), nil
	}}
}

func sum(v []float64) float64 {
	total := 0.0
	for _, x := range v {
		total += x
	}
	return total
}

func deviation(v []float64) float64 {
	mean, total := sum(v)/float64(len(v)), 0.0
	for _, x := range v {
		total += (x - mean) * (x - mean)
	}
	return math.Sqrt(total / float64(len(v)))
}

// between makes a series of each value and the one before it.
func between(s *Series, f func(i int) float64) *Series {
	return s.apply(func(i int, _ float64) float64 {
		if i == 0 {
			return math.NaN()
		}
		return f(i)
	})
}

func difference(s *Series) *Series {
	return between(s, func(i int) float64 { return s.Values[i] - s.Values[i-1] })
}

func differenceOfTime(s *Series) *Series {
	return between(s, func(i int) float64 { return float64(s.Times[i] - s.Times[i-1]) })
}

func rate(s *Series) *Series {
	return between(s, func(i int) float64 { return (s.Values[i] - s.Values[i-1]) / float64(s.Times[i]-s.Times[i-1]) })
}

func runningSum(s *Series) *Series {
	total := 0.0
	return s.apply(func(_ int, x float64) float64 { total += x; return total })
}

func period(env *Env, v Value) (Value, error) {
	s, ok := v.(*Series)
	if !ok {
		return nil, errorf("a metric is expected")
	}
	return float64(max(s.Period, 1)), nil
}

func count(v Value) (Value, error) {
	list, ok := v.([]*Series)
	if !ok {
		return nil, errorf("a list of metrics is expected")
	}
	return float64(len(list)), nil
}

func element(v Value, last bool) (Value, error) {
	list, ok := v.([]*Series)
	if !ok || len(list) == 0 {
		return nil, errorf("a list of metrics is expected")
	}
	if last {
		return list[len(list)-1], nil
	}
	return list[0], nil
}

// timeline is a series of one value at every period.
func (env *Env) timeline(period int64, x float64) *Series {
	if period <= 0 {
		period = max(env.Period, 1)
	}
	out := &Series{Period: period}
	for t := env.Start; t < env.End && len(out.Times) < maxTimeline; t += period {
		out.add(t, x)
	}
	return out
}

// maxTimeline bounds what a period of a second makes of a year.
const maxTimeline = 200_000

func timeSeries(env *Env, v Value) (Value, error) {
	x, ok := v.(float64)
	if !ok {
		return nil, errorf("TIME_SERIES takes a number")
	}
	return env.timeline(env.Period, x), nil
}

func metrics(env *Env, args []Value) (Value, error) {
	list, err := env.Metrics()
	if err != nil || len(args) == 0 {
		return list, err
	}
	part, ok := args[0].(text)
	if !ok {
		return nil, errorf("METRICS takes text")
	}
	return slices.DeleteFunc(slices.Clone(list), func(s *Series) bool { return !strings.Contains(s.ID, string(part)) }), nil
}

// fill gives a series values where it has none: a number, another metric's, the
// last one (REPEAT), or those of the line between neighbours (LINEAR).
func fill(env *Env, args []Value) (Value, error) {
	switch args[1].(type) {
	case float64, *Series:
	case text:
		if args[1] != text("REPEAT") && args[1] != text("LINEAR") {
			return nil, errorf("FILL takes a number, a metric, REPEAT or LINEAR")
		}
	default:
		return nil, errorf("FILL takes a number, a metric, REPEAT or LINEAR")
	}
	return eachSeries(args[0], func(s *Series) *Series {
		out := &Series{ID: s.ID, Label: s.Label, Period: s.Period}
		for _, t := range env.timeline(s.Period, 0).Times {
			out.add(t, s.filled(t, args[1]))
		}
		return out
	})
}

func (s *Series) filled(t int64, with Value) float64 {
	i, ok := slices.BinarySearch(s.Times, t)
	if ok {
		return s.Values[i]
	}
	switch with := with.(type) {
	case float64:
		return with
	case *Series:
		if x, ok := with.At(t); ok {
			return x
		}
		return math.NaN()
	}
	switch {
	case with == text("REPEAT") && i > 0:
		return s.Values[i-1]
	case with == text("LINEAR") && i > 0 && i < len(s.Times):
		share := float64(t-s.Times[i-1]) / float64(s.Times[i]-s.Times[i-1])
		return s.Values[i-1] + share*(s.Values[i]-s.Values[i-1])
	}
	return math.NaN()
}

// choose is IF(condition, then, else): without else, nothing where the condition
// fails.
func choose(env *Env, args []Value) (Value, error) {
	pick := func(t int64, v Value) float64 {
		switch v := v.(type) {
		case float64:
			return v
		case *Series:
			if x, ok := v.At(t); ok {
				return x
			}
		}
		return math.NaN()
	}
	var otherwise Value
	if len(args) == 3 {
		otherwise = args[2]
	}
	for _, v := range args[1:] {
		switch v.(type) {
		case float64, *Series:
		default:
			return nil, errorf("IF takes numbers and metrics")
		}
	}
	switch cond := args[0].(type) {
	case float64:
		if cond != 0 {
			return args[1], nil
		}
		if otherwise == nil {
			return env.timeline(env.Period, math.NaN()), nil
		}
		return otherwise, nil
	case *Series:
		return cond.apply(func(i int, x float64) float64 {
			if x != 0 {
				return pick(cond.Times[i], args[1])
			}
			return pick(cond.Times[i], otherwise)
		}), nil
	}
	return nil, errorf("IF takes a number or a metric as its condition")
}
