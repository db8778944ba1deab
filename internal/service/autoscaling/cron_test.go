package autoscaling

import (
	"testing"
	"time"
)

func TestRecurrence(t *testing.T) {
	at := time.Date(2024, 5, 1, 12, 30, 20, 0, time.UTC) // a Wednesday
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		from time.Time
		want string // "" for what cannot be read, "never"
	}{
		{"* * * * *", at, "2024-05-01 12:31"},
		{"0 22 * * *", at, "2024-05-01 22:00"},
		{"30 12 * * *", at, "2024-05-02 12:30"},
		{"0 6 * * MON-FRI", at.AddDate(0, 0, 3), "2024-05-06 06:00"},
		{"*/15 8-9,17 1 jan,7 *", at, "2024-07-01 08:00"},
		{"0 0 13 * 5", at, "2024-05-03 00:00"},
		{"0 0 * * 7", at, "2024-05-05 00:00"},
		{"0 0 29 2 *", at, "2028-02-29 00:00"},
		{"0 0 31 2 *", at, "never"},
		{"@weekly", at, "2024-05-05 00:00"},
		{"30 2 * * *", time.Date(2024, 3, 31, 0, 0, 0, 0, berlin), "2024-04-01 02:30"}, // the clocks leave it out
		{"0 22 * *", at, ""}, {"60 * * * *", at, ""}, {"* * * * MOX", at, ""}, {"5-1 * * * *", at, ""}, {"*/0 * * * *", at, ""}, {"", at, ""},
	} {
		r, err := parseRecurrence(c.text)
		if (err != nil) != (c.want == "") {
			t.Errorf("%q: %v", c.text, err)
		}
		if err != nil {
			continue
		}
		got := "never"
		if next := r.next(c.from); !next.IsZero() {
			got = next.Format("2006-01-02 15:04")
		}
		if got != c.want {
			t.Errorf("%q: %s, not %s", c.text, got, c.want)
		}
	}
}

func FuzzRecurrence(f *testing.F) {
	for _, s := range []string{"* * * * *", "0 6 * * MON-FRI", "*/15 8-9,17 1 jan,7 *", "@hourly", "1/2 ? ? 2 0-7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRecurrence(s)
		if err != nil {
			return
		}
		from := time.Date(2024, 5, 1, 12, 30, 20, 0, time.UTC)
		next := r.next(from)
		if next.IsZero() {
			return
		}
		if !next.After(from) || r.minute&(1<<next.Minute()) == 0 || r.hour&(1<<next.Hour()) == 0 || r.month&(1<<int(next.Month())) == 0 {
			t.Errorf("%q: %s", s, next)
		}
	})
}
