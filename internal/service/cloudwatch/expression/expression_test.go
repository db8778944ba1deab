package expression

import (
	"fmt"
	"slices"
	"testing"
)

func lookup(id string) (Value, error) {
	all := map[string]*Series{
		"a": {ID: "a", Period: 60, Times: []int64{0, 60, 120}, Values: []float64{1, 2, 3}},
		"b": {ID: "b", Period: 60, Times: []int64{0, 120}, Values: []float64{10, 0}},
	}
	if s := all[id]; s != nil {
		return s, nil
	}
	return nil, errorf("no metric %s", id)
}

func env() *Env {
	return &Env{Lookup: lookup, Start: 0, End: 240, Period: 60, Metrics: func() ([]*Series, error) {
		a, _ := lookup("a")
		b, _ := lookup("b")
		return []*Series{a.(*Series), b.(*Series)}, nil
	}}
}

func show(v Value) string {
	switch v := v.(type) {
	case *Series:
		out := ""
		for i, t := range v.Times {
			out += fmt.Sprintf("%d=%g ", t, v.Values[i])
		}
		return out
	case []*Series:
		out := ""
		for _, s := range v {
			out += show(s) + "; "
		}
		return out
	}
	return fmt.Sprint(v)
}

func TestEval(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"1 + 2 * 3 ^ 2", "19"}, {"-(1 - 2) / 4", "0.25"}, {"1 < 2 && 3 >= 4", "0"}, {"1 == 1 OR 0", "1"},
		{"a", "0=1 60=2 120=3 "}, {"a + b", "0=11 120=3 "}, {"a / b * 100", "0=10 "}, {"a > 1", "0=0 60=1 120=1 "},
		{"SUM([a, b])", "0=11 60=2 120=3 "}, {"SUM(METRICS())", "0=11 60=2 120=3 "}, {`METRICS("b")`, "0=10 120=0 ; "},
		{"SUM(a)", "6"}, {"AVG(a)", "2"}, {"MIN(b)", "0"}, {"MAX([a,b])", "0=10 60=2 120=3 "}, {"STDDEV(b)", "5"},
		{"FILL(b, 7)", "0=10 60=7 120=0 180=7 "}, {"FILL(b, REPEAT)", "0=10 60=10 120=0 180=0 "}, {"FILL(b, LINEAR)", "0=10 60=5 120=0 "},
		{"IF(a > 1, a)", "60=2 120=3 "}, {"IF(a > 1, a, 0)", "0=0 60=2 120=3 "}, {"IF(1, 5, 6)", "5"},
		{"RATE(a) * PERIOD(a)", "60=1 120=1 "}, {"DIFF(b)", "120=-10 "}, {"RUNNING_SUM(a)", "0=1 60=3 120=6 "},
		{"METRIC_COUNT([a,b])", "2"}, {"FIRST([a,b])", "0=1 60=2 120=3 "}, {"TIME_SERIES(4)", "0=4 60=4 120=4 180=4 "},
		{"MINUTE(a)", "0=0 60=1 120=2 "}, {"[a,b] * 2", "0=2 60=4 120=6 ; 0=20 120=0 ; "}, {"ABS(-a)", "0=1 60=2 120=3 "}, {"1e3", "1000"},
	} {
		t.Run(c.source, func(t *testing.T) {
			e, err := Parse(c.source)
			if err != nil {
				t.Fatal(err)
			}
			v, err := e.Eval(env())
			if err != nil {
				t.Fatal(err)
			}
			if got := show(v); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	for _, source := range []string{"", "1 +", "(1", "[a", "a b", "SEARCH('x', 'Sum')", "ANOMALY_DETECTION_BAND(a)", "SUM()", "SUM(a, b)", "'x", "1..2", "$"} {
		if _, err := Parse(source); err == nil {
			t.Errorf("%q is accepted", source)
		}
	}
	for _, source := range []string{"c", "1 / 0", `"x"`, "SUM(1)", "a + 'x'", "[a] + [a, b]", "FILL(a, 'x')", "FILL(1, 2)", "IF([a], 1, 2)", "[1]", "TIME_SERIES(a)"} {
		e, err := Parse(source)
		if err != nil {
			t.Errorf("%q is not parsed: %v", source, err)
			continue
		}
		if v, err := e.Eval(env()); err == nil {
			t.Errorf("%q gives %s", source, show(v))
		}
	}
}

func TestNames(t *testing.T) {
	e, err := Parse("SUM([m1, m2]) / m1")
	if err != nil || !slices.Equal(e.Names, []string{"m1", "m2"}) || e.All {
		t.Errorf("%+v, %v", e, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a + b * 2", "FILL(METRICS('a'), REPEAT)", "IF(a > 1 && b < 2, a, -b)", "[a,b]^2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := Parse(source)
		if err != nil {
			return
		}
		_, _ = e.Eval(env())
	})
}
