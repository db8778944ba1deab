package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
)

// firstReason is that of an alarm which was never evaluated.
const firstReason = "Unchecked: Initial alarm creation"

var phrases = map[api.ComparisonOperator]string{
	api.ComparisonOperatorGreaterThanThreshold:          "greater than",
	api.ComparisonOperatorGreaterThanOrEqualToThreshold: "greater than or equal to",
	api.ComparisonOperatorLessThanThreshold:             "less than",
	api.ComparisonOperatorLessThanOrEqualToThreshold:    "less than or equal to",
}

// reason says why an alarm has come to a state.
func (a *alarm) reason(v verdict) string {
	if len(v.used) == 0 {
		if v.state == api.StateValueInsufficientData {
			return fmt.Sprintf("Insufficient Data: %s unknown.", counted(v.missing, "datapoint was", "datapoints were"))
		}
		treated := "NonBreaching"
		if a.Missing == breaching {
			treated = "Breaching"
		}
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %s treated as [%s].",
			counted(v.missing, "period", "periods"), counted(v.missing, "missing datapoint was", "missing datapoints were"), treated)
	}
	not, minimum, transition := "", a.Needed, "OK -> ALARM"
	if v.state != api.StateValueAlarm {
		not, minimum, transition = "not ", a.Evaluations-a.Needed+1, "ALARM -> OK"
	}
	points := make([]string, len(v.used))
	for i, p := range v.used {
		points[i] = fmt.Sprintf("%s (%s)", javaDouble(p.value), time.Unix(p.time, 0).UTC().Format("02/01/06 15:04:05"))
	}
	was := "was"
	if v.crossed != 1 {
		was = "were"
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints [%s] %s %s%s the threshold (%s) (minimum %s for %s transition).",
		v.crossed, len(v.used), strings.Join(points, ", "), was, not, phrases[a.Comparison], javaDouble(a.Threshold),
		counted(minimum, "datapoint", "datapoints"), transition)
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// javaDouble prints a number as AWS does: 70.0, 1.5E10.
func javaDouble(f float64) string {
	abs := max(f, -f)
	if abs != 0 && (abs >= 1e7 || abs < 1e-3) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// stamp is how times are written in reasons and messages.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

// javaNumber is a number that JSON texts show as AWS shows it.
type javaNumber float64

// MarshalJSON implements json.Marshaler.
func (n javaNumber) MarshalJSON() ([]byte, error) { return []byte(javaDouble(float64(n))), nil }

// reasonData is the machine's form of the reason.
func (a *alarm) reasonData(v verdict, start, now time.Time) (string, error) {
	type evaluated struct {
		Timestamp   string      `json:"timestamp"`
		SampleCount *javaNumber `json:"sampleCount,omitempty"`
		Value       *javaNumber `json:"value,omitempty"`
	}
	data := struct {
		Version   string       `json:"version"`
		Queried   string       `json:"queryDate"`
		Start     string       `json:"startDate,omitempty"`
		Unit      string       `json:"unit,omitempty"`
		Statistic string       `json:"statistic,omitempty"`
		Period    int64        `json:"period"`
		Recent    []javaNumber `json:"recentDatapoints"`
		Threshold javaNumber   `json:"threshold"`
		Evaluated []evaluated  `json:"evaluatedDatapoints,omitempty"`
	}{Version: "1.0", Queried: stamp(now), Unit: a.Unit, Statistic: a.Statistic, Period: a.Period, Recent: []javaNumber{}, Threshold: javaNumber(a.Threshold)}
	if len(v.used) > 0 {
		data.Start = stamp(start)
	}
	for i := len(v.used) - 1; i >= 0; i-- {
		data.Recent = append(data.Recent, javaNumber(v.used[i].value))
	}
	for _, p := range v.used {
		value, e := javaNumber(p.value), evaluated{Timestamp: stamp(time.Unix(p.time, 0))}
		if e.Value = &value; p.samples > 0 {
			samples := javaNumber(p.samples)
			e.SampleCount = &samples
		}
		data.Evaluated = append(data.Evaluated, e)
	}
	text, err := json.Marshal(data)
	return string(text), err
}
