package sns

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hardstand/hardstand/internal/service/sns/filter"
)

// parseFilter reads a filter policy; nil for none, which lets everything through.
func parseFilter(text, scope string) (*filter.Policy, error) {
	if text == "" {
		return nil, nil
	}
	p, err := filter.Parse(text, scope == scopeBody)
	if err != nil {
		return nil, invalid("FilterPolicy: %s", err.Error())
	}
	return p, nil
}

// wants reports whether the subscription's filter lets the message through.
func (sub *subscription) wants(text string, attributes map[string]attribute) bool {
	p, err := parseFilter(sub.Attributes[attrFilter], sub.scope())
	if err != nil || p == nil {
		return err == nil
	}
	if sub.scope() == scopeBody {
		body, ok := readJSON(text).(map[string]any)
		return ok && p.Matches(body)
	}
	values := map[string]any{}
	for name, a := range attributes {
		switch {
		case a.Type == "String.Array":
			values[name] = readJSON(a.Text)
		case strings.HasPrefix(a.Type, "Number"):
			values[name] = json.Number(a.Text)
		case strings.HasPrefix(a.Type, "String"):
			values[name] = a.Text
		default:
			values[name] = a.Binary != nil // there, and like nothing
		}
	}
	return p.Matches(values)
}

func readJSON(text string) any {
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return nil
	}
	return v
}
