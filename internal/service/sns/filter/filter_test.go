package filter_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/service/sns/filter"
)

func read(t testing.TB, text string) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name, policy, message string
		want                  bool
	}{
		{"equal", `{"a":["x","y"]}`, `{"a":"y"}`, true},
		{"other", `{"a":["x"]}`, `{"a":"X"}`, false},
		{"absent", `{"a":["x"]}`, `{}`, false},
		{"both names", `{"a":["x"],"b":[1]}`, `{"a":"x","b":1.0}`, true},
		{"one of two names", `{"a":["x"],"b":[1]}`, `{"a":"x"}`, false},
		{"number is not its text", `{"a":[1]}`, `{"a":"1"}`, false},
		{"truth", `{"a":[true]}`, `{"a":true}`, true},
		{"null", `{"a":[null]}`, `{"a":null}`, true},
		{"one of a list", `{"a":["x"]}`, `{"a":["y","x"]}`, true},
		{"prefix", `{"a":[{"prefix":"bl"}]}`, `{"a":"blue"}`, true},
		{"suffix", `{"a":[{"suffix":"ue"}]}`, `{"a":"blue"}`, true},
		{"ignoring case", `{"a":[{"equals-ignore-case":"BLUE"}]}`, `{"a":"blue"}`, true},
		{"wildcard", `{"a":[{"wildcard":"b*u*"}]}`, `{"a":"blue"}`, true},
		{"wildcard elsewhere", `{"a":[{"wildcard":"b*x"}]}`, `{"a":"blue"}`, false},
		{"network", `{"a":[{"cidr":"10.0.0.0/24"}]}`, `{"a":"10.0.0.9"}`, true},
		{"exists", `{"a":[{"exists":true}]}`, `{"a":null}`, true},
		{"does not exist", `{"a":[{"exists":false}]}`, `{}`, true},
		{"numeric", `{"a":[{"numeric":[">",0,"<=",150]}]}`, `{"a":150}`, true},
		{"numeric beyond", `{"a":[{"numeric":[">",0,"<=",150]}]}`, `{"a":151}`, false},
		{"numeric equal", `{"a":[{"numeric":["=",301.5]}]}`, `{"a":3.015e2}`, true},
		{"anything but", `{"a":[{"anything-but":["x","y"]}]}`, `{"a":"z"}`, true},
		{"anything but this", `{"a":[{"anything-but":["x","y"]}]}`, `{"a":"x"}`, false},
		{"anything but absent", `{"a":[{"anything-but":"x"}]}`, `{}`, false},
		{"anything but a prefix", `{"a":[{"anything-but":{"prefix":"x"}}]}`, `{"a":"xy"}`, false},
		{"nested", `{"a":{"b":["x"]}}`, `{"a":{"b":"x"}}`, true},
		{"nested in a list", `{"a":{"b":["x"]}}`, `{"a":[{"b":"y"},{"b":"x"}]}`, true},
		{"nested in nothing", `{"a":{"b":["x"]}}`, `{"a":"x"}`, false},
		{"or", `{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"b":"y"}`, true},
		{"neither", `{"c":["z"],"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"c":"z"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := filter.Parse(c.policy, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Matches(read(t, c.message)); got != c.want {
				t.Errorf("%s on %s: %v", c.policy, c.message, got)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	for policy, want := range map[string]string{
		`x`: "failed to parse", `[]`: "must be an object", `{"a":"x"}`: `"a" must be an object or an array`, `{"a":[]}`: "Empty arrays",
		`{"a":[{"like":"x"}]}`: "Unrecognized match type like", `{"a":[["x"]]}`: "Match value must be", `{"a":[{"exists":1}]}`: "exists",
		`{"a":[{"numeric":["<",1,">",0]}]}`: "range operator", `{"a":[{"numeric":[">",1,"<",0]}]}`: "Bottom must be less than top",
		`{"a":[{"anything-but":[]}]}`: "must not be empty", `{"a":{"b":["x"]}}`: "does not support nested",
		`{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}`: "more than 5 keys",
	} {
		if _, err := filter.Parse(policy, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", policy, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"a":[{"numeric":[">",0,"<=",150]}],"$or":[{"b":["x"]},{"c":[{"anything-but":{"prefix":"x"}}]}]}`, `{"a":1e5,"b":["x",null]}`)
	f.Fuzz(func(t *testing.T, policy, message string) {
		p, err := filter.Parse(policy, true)
		var v map[string]any
		d := json.NewDecoder(strings.NewReader(message))
		d.UseNumber()
		if err != nil || d.Decode(&v) != nil {
			return
		}
		p.Matches(v)
	})
}
