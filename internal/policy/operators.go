package policy

import (
	"bytes"
	"encoding/base64"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operators are the base operators by lower-case name.
var operators = map[string]operator{
	"stringequals":              {textual: true, matches: matchText},
	"stringnotequals":           {textual: true, negated: true, matches: matchText},
	"stringequalsignorecase":    {textual: true, matches: matchFold},
	"stringnotequalsignorecase": {textual: true, negated: true, matches: matchFold},
	"stringlike":                {textual: true, wild: true, matches: matchText},
	"stringnotlike":             {textual: true, wild: true, negated: true, matches: matchText},

	"arnequals":    {textual: true, wild: true, matches: matchARNs},
	"arnlike":      {textual: true, wild: true, matches: matchARNs},
	"arnnotequals": {textual: true, wild: true, negated: true, matches: matchARNs},
	"arnnotlike":   {textual: true, wild: true, negated: true, matches: matchARNs},

	"bool":         {matches: matchBool},
	"binaryequals": {matches: matchBinary},
	"ipaddress":    {matches: matchIP},
	"notipaddress": {negated: true, matches: matchIP},

	"numericequals":            {matches: numeric(func(a, b float64) bool { return a == b })},
	"numericnotequals":         {negated: true, matches: numeric(func(a, b float64) bool { return a == b })},
	"numericlessthan":          {matches: numeric(func(a, b float64) bool { return a < b })},
	"numericlessthanequals":    {matches: numeric(func(a, b float64) bool { return a <= b })},
	"numericgreaterthan":       {matches: numeric(func(a, b float64) bool { return a > b })},
	"numericgreaterthanequals": {matches: numeric(func(a, b float64) bool { return a >= b })},

	"dateequals":            {matches: dates(func(c int) bool { return c == 0 })},
	"datenotequals":         {negated: true, matches: dates(func(c int) bool { return c == 0 })},
	"datelessthan":          {matches: dates(func(c int) bool { return c < 0 })},
	"datelessthanequals":    {matches: dates(func(c int) bool { return c <= 0 })},
	"dategreaterthan":       {matches: dates(func(c int) bool { return c > 0 })},
	"dategreaterthanequals": {matches: dates(func(c int) bool { return c >= 0 })},
}

func matchText(got, _ string, p pattern) bool { return p.match(got) }

func matchFold(got, _ string, p pattern) bool {
	var b strings.Builder
	for _, g := range p {
		b.WriteRune(g.char)
	}
	return strings.EqualFold(got, b.String())
}

func matchARNs(got, _ string, p pattern) bool { return p.matchARN(got) }

func matchBool(got, want string, _ pattern) bool {
	isBool := strings.EqualFold(want, "true") || strings.EqualFold(want, "false")
	return isBool && strings.EqualFold(got, want)
}

func matchBinary(got, want string, _ pattern) bool {
	a, errA := base64.StdEncoding.DecodeString(got)
	b, errB := base64.StdEncoding.DecodeString(want)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func matchIP(got, want string, _ pattern) bool {
	addr, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	if single, err := netip.ParseAddr(want); err == nil {
		return single.Unmap() == addr
	}
	prefix, err := netip.ParsePrefix(want)
	return err == nil && prefix.Contains(addr)
}

func numeric(compare func(got, want float64) bool) func(string, string, pattern) bool {
	return func(got, want string, _ pattern) bool {
		a, okA := parseNumber(got)
		b, okB := parseNumber(want)
		return okA && okB && compare(a, b)
	}
}

func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func dates(holds func(order int) bool) func(string, string, pattern) bool {
	return func(got, want string, _ pattern) bool {
		a, okA := parseDate(got)
		b, okB := parseDate(want)
		return okA && okB && holds(a.Compare(b))
	}
}

// dateForms are the W3C profile of ISO 8601, most exact first.
var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "20060102T150405Z"}

func parseDate(s string) (time.Time, bool) {
	if epoch, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > 4 {
		return time.Unix(epoch, 0), true
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
