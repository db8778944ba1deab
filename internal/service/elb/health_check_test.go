package elb

import (
	"strings"
	"testing"
)

// FuzzTarget: what is taken as the target of a check can be asked, and names what the
// text names.
func FuzzTarget(f *testing.F) {
	for _, text := range []string{"HTTP:80/", "https:443/a?b", "TCP:22", "SSL:1/x", "HTTP:80", "TCP:99999", ":", "HTTP:80/\r\nHost: x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := parseTarget(text)
		if err != nil {
			return
		}
		if target.port == 0 || isWeb(target.protocol) != strings.HasPrefix(target.path, "/") || strings.ContainsAny(target.path, " \r\n") {
			t.Errorf("%q is %+v", text, target)
		}
		if !strings.HasPrefix(strings.ToUpper(text), target.protocol+":") || !strings.HasSuffix(text, target.path) {
			t.Errorf("%q is %+v", text, target)
		}
	})
}
