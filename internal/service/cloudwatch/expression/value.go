package expression

import (
	"math"
	"slices"
)

// Value is a number, a Text of an argument, a *Series or a list of series.
type Value any

// Series is a time series, its times in seconds and ascending.
type Series struct {
	ID, Label string
	Period    int64
	Times     []int64
	Values    []float64
}

// Env is what an expression is evaluated in.
type Env struct {
	// Lookup gives what an id stands for: a *Series, a list of them or a number.
	Lookup func(id string) (Value, error)
	// Metrics are the metrics of the request, for METRICS().
	Metrics func() ([]*Series, error)
	// Start and End bound the time that is asked about.
	Start, End int64
	// Period is that of series which have none of their own.
	Period int64
}

// Eval evaluates the expression. A number that it gives is a float64.
func (e *Expression) Eval(env *Env) (Value, error) {
	v, err := e.root.eval(env)
	if _, isText := v.(text); isText && err == nil {
		return nil, errorf("it gives text")
	}
	return v, err
}

func (n number) eval(*Env) (Value, error)   { return float64(n), nil }
func (t text) eval(*Env) (Value, error)     { return t, nil }
func (n name) eval(env *Env) (Value, error) { return env.Lookup(string(n)) }

func (l literal) eval(env *Env) (Value, error) {
	var out []*Series
	for _, n := range l {
		v, err := n.eval(env)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case *Series:
			out = append(out, v)
		case []*Series:
			out = append(out, v...)
		default:
			return nil, errorf("a list holds metrics only")
		}
	}
	return out, nil
}

func (n negate) eval(env *Env) (Value, error) {
	v, err := n.of.eval(env)
	if err != nil {
		return nil, err
	}
	return each(v, func(x float64) float64 { return -x })
}

// each applies f to every number of a value.
func each(v Value, f func(float64) float64) (Value, error) {
	switch v := v.(type) {
	case float64:
		return f(v), nil
	case *Series:
		return v.apply(func(_ int, x float64) float64 { return f(x) }), nil
	case []*Series:
		return mapped(v, func(s *Series) *Series { return s.apply(func(_ int, x float64) float64 { return f(x) }) }), nil
	}
	return nil, errorf("a number or a metric is expected")
}

func mapped(list []*Series, f func(*Series) *Series) []*Series {
	out := make([]*Series, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

// apply makes a series of f's values; what is no number is left out.
func (s *Series) apply(f func(i int, x float64) float64) *Series {
	out := &Series{ID: s.ID, Label: s.Label, Period: s.Period}
	for i, x := range s.Values {
		out.add(s.Times[i], f(i, x))
	}
	return out
}

func (s *Series) add(t int64, x float64) {
	if x-x == 0 {
		s.Times, s.Values = append(s.Times, t), append(s.Values, x)
	}
}

// At is the value at a time.
func (s *Series) At(t int64) (float64, bool) {
	i, ok := slices.BinarySearch(s.Times, t)
	if !ok {
		return 0, false
	}
	return s.Values[i], true
}

func (b binary) eval(env *Env) (Value, error) {
	left, err := b.left.eval(env)
	if err != nil {
		return nil, err
	}
	right, err := b.right.eval(env)
	if err != nil {
		return nil, err
	}
	return combine(left, right, operations[b.op])
}

func truth(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

var operations = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b }, "^": math.Pow,
	"<": func(a, b float64) float64 { return truth(a < b) }, "<=": func(a, b float64) float64 { return truth(a <= b) },
	">": func(a, b float64) float64 { return truth(a > b) }, ">=": func(a, b float64) float64 { return truth(a >= b) },
	"==": func(a, b float64) float64 { return truth(a == b) }, "!=": func(a, b float64) float64 { return truth(a != b) },
	"&&": func(a, b float64) float64 { return truth(a != 0 && b != 0) }, "||": func(a, b float64) float64 { return truth(a != 0 || b != 0) },
}

// combine applies f pairwise: at the times that both series have, and to each
// series of a list.
func combine(left, right Value, f func(a, b float64) float64) (Value, error) {
	switch l := left.(type) {
	case float64:
		if r, ok := right.(float64); ok {
			if v := f(l, r); v-v == 0 {
				return v, nil
			}
			return nil, errorf("a number is divided by zero")
		}
		return each(right, func(x float64) float64 { return f(l, x) })
	case *Series:
		switch r := right.(type) {
		case float64:
			return each(l, func(x float64) float64 { return f(x, r) })
		case *Series:
			return l.join(r, f), nil
		case []*Series:
			return mapped(r, func(s *Series) *Series { return l.join(s, f) }), nil
		}
	case []*Series:
		switch r := right.(type) {
		case float64:
			return each(l, func(x float64) float64 { return f(x, r) })
		case *Series:
			return mapped(l, func(s *Series) *Series { return s.join(r, f) }), nil
		case []*Series:
			if len(l) != len(r) {
				return nil, errorf("two lists of metrics differ in length")
			}
			out := make([]*Series, len(l))
			for i := range l {
				out[i] = l[i].join(r[i], f)
			}
			return out, nil
		}
	}
	return nil, errorf("numbers or metrics are expected")
}

func (s *Series) join(o *Series, f func(a, b float64) float64) *Series {
	out := &Series{ID: s.ID, Label: s.Label, Period: max(s.Period, o.Period)}
	for i, t := range s.Times {
		if x, ok := o.At(t); ok {
			out.add(t, f(s.Values[i], x))
		}
	}
	return out
}
