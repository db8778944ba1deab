package cloudwatch

import (
	"strings"
	"testing"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
)

// The tables of the user guide: datapoints from the oldest to the newest, 0 within
// the threshold, X beyond it, - missing; and the states with missing data treated as
// missing, ignored, breaching and not breaching. "" leaves the state.
func TestDecide(t *testing.T) {
	const alarmed, ok, unsure = api.StateValueAlarm, api.StateValueOk, api.StateValueInsufficientData
	for _, c := range []struct {
		points                                 string
		needed                                 int
		missing, ignore, breach, doesNotBreach api.StateValue
	}{
		{"0-X-X", 3, ok, ok, ok, ok},
		{"0----", 3, ok, ok, ok, ok},
		{"-----", 3, unsure, "", alarmed, ok},
		{"0XX-X", 3, alarmed, alarmed, alarmed, alarmed},
		{"--X--", 3, alarmed, "", alarmed, ok},
		{"0-X-X", 2, alarmed, alarmed, alarmed, alarmed},
		{"00X0X", 2, alarmed, alarmed, alarmed, alarmed},
		{"0-X--", 2, ok, ok, alarmed, ok},
		{"----0", 2, ok, ok, alarmed, ok},
		{"---X-", 2, alarmed, "", alarmed, ok},
		{"----X", 2, "", "", alarmed, ok},
	} {
		for treat, want := range map[string]api.StateValue{"missing": c.missing, "ignore": c.ignore, "breaching": c.breach, "notBreaching": c.doesNotBreach, "": c.missing} {
			a := &alarm{Evaluations: 3, Needed: c.needed, Threshold: 0.5, Comparison: "GreaterThanThreshold", Missing: treat}
			periods := make([]*point, len(c.points))
			for i, mark := range c.points {
				if mark != '-' {
					periods[len(periods)-1-i] = &point{value: float64(strings.IndexRune("0X", mark))}
				}
			}
			if got := decide(a, periods).state; got != want {
				t.Errorf("%s, %d of 3, %s: %q, want %q", c.points, c.needed, treat, got, want)
			}
		}
	}
}

func TestDecideByComparison(t *testing.T) {
	for comparison, want := range map[api.ComparisonOperator]string{"GreaterThanThreshold": "OK OK ALARM", "GreaterThanOrEqualToThreshold": "OK ALARM ALARM",
		"LessThanThreshold": "ALARM OK OK", "LessThanOrEqualToThreshold": "ALARM ALARM OK"} {
		got := []string{}
		for _, v := range []float64{1, 2, 3} {
			a := &alarm{Evaluations: 1, Needed: 1, Threshold: 2, Comparison: comparison}
			got = append(got, string(decide(a, []*point{{value: v}}).state))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", comparison, got, want)
		}
	}
}

func TestLowSampleCountPercentile(t *testing.T) {
	for _, c := range []struct {
		samples float64
		treat   string
		want    api.StateValue
	}{{5, "ignore", ""}, {5, "evaluate", "ALARM"}, {5, "", "ALARM"}, {100, "ignore", "ALARM"}} {
		a := &alarm{Evaluations: 1, Needed: 1, Threshold: 2, Comparison: "GreaterThanThreshold", Statistic: "p90", LowSamples: c.treat}
		if got := decide(a, []*point{{value: 3, samples: c.samples}}).state; got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestReasons(t *testing.T) {
	a := &alarm{Evaluations: 3, Needed: 2, Threshold: 70, Comparison: "GreaterThanOrEqualToThreshold"}
	x, y := &point{time: start.Unix(), value: 72.5}, &point{time: start.Unix() - 60, value: 70}
	z := &point{time: start.Unix() - 120, value: 1e-4}
	for _, c := range []struct {
		name, missing string
		periods       []*point
		want          string
	}{
		{"alarm", "", []*point{x, y, z},
			"Threshold Crossed: 2 out of the last 3 datapoints [72.5 (01/05/24 12:00:00), 70.0 (01/05/24 11:59:00), 1.0E-4 (01/05/24 11:58:00)] were greater than or equal to the threshold (70.0) (minimum 2 datapoints for OK -> ALARM transition)."},
		{"ok", "", []*point{z, z, z},
			"Threshold Crossed: 3 out of the last 3 datapoints [1.0E-4 (01/05/24 11:58:00), 1.0E-4 (01/05/24 11:58:00), 1.0E-4 (01/05/24 11:58:00)] were not greater than or equal to the threshold (70.0) (minimum 2 datapoints for ALARM -> OK transition)."},
		{"no data", "", []*point{nil, nil, nil}, "Insufficient Data: 3 datapoints were unknown."},
		{"no data, breaching", "breaching", []*point{nil, nil, nil}, "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."},
		{"no data, not breaching", "notBreaching", []*point{nil, nil, nil}, "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching]."},
	} {
		a.Missing = c.missing
		if got := a.reason(decide(a, c.periods)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestRules(t *testing.T) {
	states := map[string]api.StateValue{"a": "ALARM", "b": "OK", "c d": "INSUFFICIENT_DATA"}
	stateOf := func(name string) api.StateValue { return states[name] }
	for text, want := range map[string]bool{`ALARM("a")`: true, `ALARM(a) AND ALARM(b)`: false, `ALARM(a) OR ALARM(b)`: true, `NOT OK("b")`: false,
		`INSUFFICIENT_DATA("c d") AND (OK('b') OR FALSE)`: true, `FALSE OR TRUE AND FALSE`: false, `NOT (ALARM(a) AND OK(a))`: true} {
		r, err := parseRule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := r.holds(stateOf); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, text := range []string{"", "ALARM", "ALARM(", "ALARM()", `ALARM("a"`, "ALARM(a) AND", "ALARM(a) ALARM(b)", "(TRUE", "MAYBE(a)", "TRUEFALSE"} {
		if _, err := parseRule(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzRule(f *testing.F) {
	f.Add(`ALARM("a") AND (NOT OK(b) OR TRUE)`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := parseRule(text); err == nil {
			r.holds(func(string) api.StateValue { return api.StateValueOk })
		}
	})
}
