package cloudwatch

import (
	"math"
	"slices"
)

// bucket is what is known of a metric in one minute, or one second of a metric of
// high resolution.
type bucket struct {
	Time int64 `json:"t"` // seconds, the begin
	// Unit keeps values of different units apart.
	Unit  string  `json:"u,omitempty"`
	Count float64 `json:"n"`
	Sum   float64 `json:"s"`
	Min   float64 `json:"a"`
	Max   float64 `json:"z"`
	// Values and Counts are the single values, for percentiles. Blurred tells that
	// a statistic set came without them, or that they were too many.
	Values  []float64 `json:"v,omitempty"`
	Counts  []float64 `json:"c,omitempty"`
	Blurred bool      `json:"b,omitempty"`
}

// maxDistinct is how many different values a bucket remembers.
const maxDistinct = 5000

// value adds a value that came count times.
func (b *bucket) value(v, count float64) {
	b.set(count, v*count, v, v)
	if b.Blurred {
		return
	}
	if i, ok := slices.BinarySearch(b.Values, v); ok {
		b.Counts[i] += count
	} else {
		b.Values, b.Counts = slices.Insert(b.Values, i, v), slices.Insert(b.Counts, i, count)
	}
	if len(b.Values) > maxDistinct {
		b.blur()
	}
}

// statistics adds a set of statistics, whose values are known only when they are
// all the same.
func (b *bucket) statistics(count, sum, low, high float64) {
	if low == high {
		b.value(low, count)
		return
	}
	b.set(count, sum, low, high)
	b.blur()
}

func (b *bucket) blur() { b.Values, b.Counts, b.Blurred = nil, nil, true }

func (b *bucket) set(count, sum, low, high float64) {
	if b.Count == 0 {
		b.Min, b.Max = low, high
	}
	b.Count, b.Sum = b.Count+count, b.Sum+sum
	b.Min, b.Max = min(b.Min, low), max(b.Max, high)
}

// merge adds another bucket.
func (b *bucket) merge(o *bucket) {
	if o.Count == 0 {
		return
	}
	b.set(o.Count, o.Sum, o.Min, o.Max)
	if b.Blurred || o.Blurred {
		b.blur()
		return
	}
	for i, v := range o.Values {
		if j, ok := slices.BinarySearch(b.Values, v); ok {
			b.Counts[j] += o.Counts[i]
		} else {
			b.Values, b.Counts = slices.Insert(b.Values, j, v), slices.Insert(b.Counts, j, o.Counts[i])
		}
	}
}

// percentile is the value below which a share of the values lies; neighbours are
// weighed as lines between ranks are.
func (b *bucket) percentile(p float64) float64 {
	if len(b.Values) == 0 {
		return math.NaN()
	}
	rank := p / 100 * (b.Count - 1)
	below := math.Floor(rank)
	low, high := b.ranked(below), b.ranked(below+1)
	return low + (high-low)*(rank-below)
}

// ranked is the value at a rank, from 0.
func (b *bucket) ranked(rank float64) float64 {
	seen := 0.0
	for i := range b.Counts {
		if seen += b.Counts[i]; rank < seen {
			return b.Values[i]
		}
	}
	return b.Values[len(b.Values)-1]
}

// trim keeps the values between two, both included.
func (b *bucket) trim(low, high float64) *bucket {
	out := &bucket{Time: b.Time, Unit: b.Unit}
	for i, v := range b.Values {
		if v >= low && v <= high {
			out.value(v, b.Counts[i])
		}
	}
	return out
}
