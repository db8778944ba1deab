package autoscaling

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// recurrence is a cron expression of five fields: each a set of the numbers that fit.
type recurrence struct {
	minute, hour, day, month, weekday uint64
	// anyDay and anyWeekday say that a field is *: when neither is, one of them suffices.
	anyDay, anyWeekday bool
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// shorthands are expressions that have a name.
var shorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// parseRecurrence reads "minute hour day month weekday".
func parseRecurrence(s string) (*recurrence, error) {
	if long, ok := shorthands[strings.TrimSpace(s)]; ok {
		s = long
	}
	f := strings.Fields(s)
	if len(f) != 5 {
		return nil, fmt.Errorf("%d fields in place of 5", len(f))
	}
	r := &recurrence{anyDay: f[2] == "*" || f[2] == "?", anyWeekday: f[4] == "*" || f[4] == "?"}
	for i, field := range []struct {
		set      *uint64
		low, top int
		names    []string
	}{{&r.minute, 0, 59, nil}, {&r.hour, 0, 23, nil}, {&r.day, 1, 31, nil}, {&r.month, 1, 12, monthNames}, {&r.weekday, 0, 7, weekdayNames}} {
		var err error
		if *field.set, err = parseField(f[i], field.low, field.top, field.names); err != nil {
			return nil, err
		}
	}
	if r.weekday&(1<<7) != 0 {
		r.weekday |= 1 // Sunday is 0 and 7
	}
	return r, nil
}

// parseField reads a list of values, ranges and steps; names[i] stands for low+i, but of
// weekdays, which begin at 0 too.
func parseField(s string, low, top int, names []string) (set uint64, err error) {
	for part := range strings.SplitSeq(s, ",") {
		span, every, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(every); err != nil || step < 1 || step > top {
				return 0, fmt.Errorf("the step %q is no number of 1 to %d", every, top)
			}
		}
		from, to := low, top
		if span != "*" && span != "?" {
			first, last, ranged := strings.Cut(span, "-")
			if from, err = parseValue(first, low, top, names); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				to, err = parseValue(last, low, top, names)
			case !stepped:
				to = from
			}
			if err != nil || to < from {
				return 0, fmt.Errorf("%q is no range", span)
			}
		}
		for n := from; n <= to; n += step {
			set |= 1 << n
		}
	}
	return set, nil
}

func parseValue(s string, low, top int, names []string) (int, error) {
	for i, name := range names {
		if strings.EqualFold(s, name) {
			return low + i, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > top {
		return 0, fmt.Errorf("%q is no number of %d to %d", s, low, top)
	}
	return n, nil
}

// horizon is how far an expression is looked into: February 29 comes within eight years.
const horizon = 9 * 366

// next is the first time after t, in t's zone; zero when there is none.
func (r *recurrence) next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	for range horizon {
		if r.onDay(day) {
			if found := r.inDay(day, t); !found.IsZero() {
				return found
			}
		}
		day = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, t.Location())
	}
	return time.Time{}
}

func (r *recurrence) onDay(day time.Time) bool {
	if r.month&(1<<int(day.Month())) == 0 {
		return false
	}
	byDay, byWeekday := r.day&(1<<day.Day()) != 0, r.weekday&(1<<int(day.Weekday())) != 0
	if r.anyDay || r.anyWeekday {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

// inDay is the first time of a day that is not before t. An hour that the clocks leave out
// has none.
func (r *recurrence) inDay(day, t time.Time) time.Time {
	for hour := range 24 {
		if r.hour&(1<<hour) == 0 {
			continue
		}
		for minute := range 60 {
			if r.minute&(1<<minute) == 0 {
				continue
			}
			at := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, t.Location())
			if !at.Before(t) && at.Hour() == hour {
				return at
			}
		}
	}
	return time.Time{}
}
