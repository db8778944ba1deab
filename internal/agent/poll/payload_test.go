package poll

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a script is called and says, the diagnostics fit into what the service
// takes, and keep the end of the log and the beginning of the rest.
func TestPayloadFits(t *testing.T) {
	long := func(s string) string { return strings.Repeat(s, 20000) }
	tests := []struct {
		name string
		d    Diagnostics
	}{
		{"small", Diagnostics{4, "s.sh", "message", "log\n"}},
		{"long log", Diagnostics{4, "s.sh", "message", long("line\n")}},
		{"long message", Diagnostics{5, "", long("m"), ""}},
		{"long name", Diagnostics{1, long("s"), "message", ""}},
		{"all long, and written with escapes", Diagnostics{4, long("\x01"), long("\x02"), long("\x03")}},
		{"quotes", Diagnostics{5, "", strings.Repeat("\"", 9000), strings.Repeat("\\", 9000)}},
		{"characters of several bytes", Diagnostics{4, long("ü"), long("€"), long("😀")}},
	}
	for _, tc := range tests {
		text := tc.d.payload()
		var got struct {
			Code    int    `json:"error_code"`
			Script  string `json:"script_name"`
			Message string `json:"message"`
			Log     string `json:"log"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(text) > maxPayload || !utf8.ValidString(text) || got.Code != tc.d.Code {
			t.Errorf("%s: %d bytes, %v", tc.name, len(text), err)
		}
		if !strings.HasPrefix(tc.d.Script, got.Script) || !strings.HasPrefix(tc.d.Message, got.Message) || !strings.HasSuffix(tc.d.Log, got.Log) || got.Message == "" {
			t.Errorf("%s: %.80s", tc.name, text)
		}
	}
}
