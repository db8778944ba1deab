package cloudwatch

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// statistic makes a number of a bucket; false when the bucket cannot tell.
type statistic func(*bucket) (float64, bool)

var simple = map[string]statistic{
	"SampleCount": func(b *bucket) (float64, bool) { return b.Count, true },
	"Average":     func(b *bucket) (float64, bool) { return b.Sum / b.Count, b.Count > 0 },
	"Sum":         func(b *bucket) (float64, bool) { return b.Sum, true },
	"Minimum":     func(b *bucket) (float64, bool) { return b.Min, true },
	"Maximum":     func(b *bucket) (float64, bool) { return b.Max, true },
	"IQM":         trimmed("tm", 25, 75),
}

var (
	numbered = regexp.MustCompile(`^(p|tm|wm|tc|ts)(\d{1,2}(\.\d{0,10})?|100)$`)
	ranged   = regexp.MustCompile(`^(TM|WM|TC|TS|PR)\(([^:()]*):([^:()]*)\)$`)
)

// statisticOf finds a statistic by its name, false for one that there is not.
func statisticOf(name string) (statistic, bool) {
	if s, ok := simple[name]; ok {
		return s, true
	}
	if m := numbered.FindStringSubmatch(name); m != nil {
		p, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, false
		}
		if m[1] == "p" {
			return func(b *bucket) (float64, bool) { v := b.percentile(p); return v, !math.IsNaN(v) }, true
		}
		return trimmed(m[1], 0, p), true
	}
	if m := ranged.FindStringSubmatch(name); m != nil {
		return rangedOf(strings.ToLower(m[1]), m[2], m[3])
	}
	return nil, false
}

// percentileOf is the number of a pNN, false for other statistics.
func percentileOf(name string) (float64, bool) {
	if m := numbered.FindStringSubmatch(name); m != nil && m[1] == "p" {
		p, err := strconv.ParseFloat(m[2], 64)
		return p, err == nil
	}
	return 0, false
}

// rangedOf is TM(10%:90%), or with absolute bounds TC(0.5:2). Either may be left
// out.
func rangedOf(kind, low, high string) (statistic, bool) {
	bound := func(text string, none float64) (float64, bool) {
		if text == "" {
			return none, true
		}
		v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		return v, err == nil && !math.IsNaN(v)
	}
	if strings.HasSuffix(low, "%") || strings.HasSuffix(high, "%") {
		from, ok1 := bound(low, 0)
		to, ok2 := bound(high, 100)
		mixed := low != "" && high != "" && strings.HasSuffix(low, "%") != strings.HasSuffix(high, "%")
		return trimmed(kind, from, to), ok1 && ok2 && !mixed && kind != "pr" && from >= 0 && to <= 100 && from <= to
	}
	from, ok1 := bound(low, math.Inf(-1))
	to, ok2 := bound(high, math.Inf(1))
	return func(b *bucket) (float64, bool) { return within(b, kind, from, to) }, ok1 && ok2 && (low != "" || high != "") && from <= to
}

// trimmed is a statistic of the values between two percentiles.
func trimmed(kind string, from, to float64) statistic {
	return func(b *bucket) (float64, bool) {
		if len(b.Values) == 0 {
			return 0, false
		}
		low, high := b.percentile(from), b.percentile(to)
		return within(b, kind, low, high)
	}
}

func within(b *bucket, kind string, low, high float64) (float64, bool) {
	if len(b.Values) == 0 {
		return 0, false
	}
	t := b.trim(low, high)
	switch kind {
	case "tc":
		return t.Count, true
	case "ts":
		return t.Sum, true
	case "pr":
		return 100 * t.Count / b.Count, true
	case "wm":
		// Winsorised: what lies outside counts as the bound.
		sum := t.Sum
		for i, v := range b.Values {
			switch {
			case v < low:
				sum += low * b.Counts[i]
			case v > high:
				sum += high * b.Counts[i]
			}
		}
		return sum / b.Count, true
	}
	return t.Sum / t.Count, t.Count > 0
}
