package pattern

import (
	"maps"
	"testing"
)

const apache = `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 404 1534`

const event = `{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another"],
	"objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true, "size": 12.5, "a b": 1}`

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name, pattern, message string
		want                   bool
	}{
		{"empty", "", "anything", true},
		{"term", "ERROR", "[ERROR 400] BAD REQUEST", true},
		{"case matters", "error", "[ERROR 400] BAD REQUEST", false},
		{"two terms", "ERROR ARGUMENTS", "[ERROR] UNDEFINED ARGUMENTS", true},
		{"two terms, one there", "ERROR ARGUMENTS", "[ERROR] BAD", false},
		{"optional", "?ERROR ?ARGUMENTS", "BAD ARGUMENTS", true},
		{"optional, none there", "?ERROR ?ARGUMENTS", "fine", false},
		{"optional beside a term", "?ERROR REQUEST", "REQUEST", true},
		{"exclusion", "ERROR -ARGUMENTS", "ERROR ARGUMENTS", false},
		{"exclusion, not there", "ERROR -ARGUMENTS", "ERROR x", true},
		{"phrase", `"INTERNAL SERVER ERROR"`, "an INTERNAL SERVER ERROR", true},
		{"escaped quote", `"a\"b"`, `xa"bx`, true},
		{"regex", `%AUTH[0-9]+%`, "got AUTH17", true},
		{"regex, none", `%^AUTH[0-9]+$%`, "got AUTH17", false},
		{"string", `{ $.eventType = "UpdateTrail" }`, event, true},
		{"string, bare", `{ $.eventType = UpdateTrail }`, event, true},
		{"wildcard", `{ $.sourceIPAddress != 123.123.* }`, event, true},
		{"array", `{ $.arrayKey[0] = "value" }`, event, true},
		{"list", `{ $.objectList[1].id = 2 }`, event, true},
		{"any element", `{ $.objectList[*].id = 2 }`, event, true},
		{"null", `{ $.SomeObject IS NULL }`, event, true},
		{"absent", `{ $.SomeOtherObject NOT EXISTS }`, event, true},
		{"there", `{ $.eventType NOT EXISTS }`, event, false},
		{"true", `{ $.ThisFlag IS TRUE }`, event, true},
		{"false", `{ $.ThisFlag IS FALSE }`, event, false},
		{"true as text", `{ $.ThisFlag = true }`, event, true},
		{"number", `{ $.size > 12 && $.size <= 1.25e1 }`, event, true},
		{"or", `{ ($.size < 1) || ($.eventType = "x") }`, event, false},
		{"precedence", `{ $.size < 1 && $.size < 2 || $.eventType = Up* }`, event, true},
		{"key with a space", `{ $["a b"] = 1 }`, event, true},
		{"regex value", `{ $.eventType = %^Update% }`, event, true},
		{"not JSON", `{ $.a = 1 }`, "a = 1", false},
		{"comparison of what is absent", `{ $.none != 1 }`, event, false},
		{"fields", "[ip, user, username, timestamp, request, status_code, bytes]", apache, true},
		{"too few fields", "[ip, user]", apache, false},
		{"conditions", "[ip, user, username, timestamp, request =*.gif*, status_code = 4*, bytes]", apache, true},
		{"ellipsis", "[..., status_code = 4*, bytes > 1000]", apache, true},
		{"ellipsis in the middle", "[ip = 127.0.0.1, ..., bytes]", apache, true},
		{"either", "[..., status_code = 404 || status_code = 410, bytes]", apache, true},
		{"both", "[..., status_code = 4* && status_code != 404, bytes]", apache, false},
		{"unnamed", "[w1, , , , , code, b]", apache, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if _, got := p.Match(c.message); got != c.want {
				t.Errorf("%s on %s is %v", c.pattern, c.message, got)
			}
		})
	}
}

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		name, pattern, message string
		want                   map[string]string
	}{
		{"fields", "[ip, ..., status, bytes]", apache, map[string]string{"$ip": "127.0.0.1", "$status": "404", "$bytes": "1534"}},
		{"selectors", `{ $.size > 1 && $.eventType = * }`, event, map[string]string{"$.size": "12.5", "$.eventType": "UpdateTrail"}},
		{"terms", "frank", apache, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			fields, ok := p.Match(c.message)
			if got := map[string]string(nil); ok {
				if got = p.Extract(fields); !maps.Equal(got, c.want) {
					t.Errorf("%v", got)
				}
			} else {
				t.Error("no match")
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"foo-bar!", `"open`, "%open", "%[%", "{", "{}", "{ $.a }", "{ $.a = }", "{ $.a > x }", "{ a = 1 }", "{ $.a = 1",
		"{ ($.a = 1 }", "{ $.a IS GOOD }", "{ $.a NOT }", "[a", "[a,", "[a b]", "[a = ]", "[..., b, ...]", "?", "-", "{ $[x] = 1 }"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a ?b -c", `"x y"`, `{ ($.a[0] = "b*") && $.c IS NULL || $.d >= 1e3 }`, "[a, ..., b = 4* || b != %x%]"} {
		f.Add(seed, event)
		f.Add(seed, apache)
	}
	f.Fuzz(func(t *testing.T, text, message string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		if fields, ok := p.Match(message); ok {
			p.Extract(fields)
		}
	})
}
