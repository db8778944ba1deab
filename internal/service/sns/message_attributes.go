package sns

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

var attributeNameForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,256}$`)

func badValue(format string, args ...any) error {
	return awserr.New("ParameterValueInvalid", format, args...)
}

// readAttributes judges the attributes of a message to be published.
func readAttributes(in map[string]api.MessageAttributeValue) (map[string]attribute, error) {
	out := make(map[string]attribute, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		lower := strings.ToLower(name)
		if !attributeNameForm.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") ||
			strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
			return nil, badValue("Invalid message attribute name: %s", name)
		}
		v := in[name]
		a := attribute{Type: aws.Val(v.DataType), Text: aws.Val(v.StringValue), Binary: v.BinaryValue}
		if err := a.judge(name); err != nil {
			return nil, err
		}
		out[name] = a
	}
	return out, nil
}

func (a attribute) judge(name string) error {
	base, _, _ := strings.Cut(a.Type, ".")
	switch {
	case a.Type == "":
		return badValue("The message attribute '%s' must contain non-empty message attribute type.", name)
	case base != "String" && base != "Number" && base != "Binary":
		return badValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	case base == "Binary" && len(a.Binary) == 0, base != "Binary" && a.Text == "":
		return badValue("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.Type)
	case base == "Number":
		if _, err := strconv.ParseFloat(a.Text, 64); err != nil || strings.ContainsAny(a.Text, "xXpPnN_") {
			return badValue("Could not cast message attribute '%s' value to number.", name)
		}
	case a.Type == "String.Array":
		if _, ok := readJSON(a.Text).([]any); !ok {
			return badValue("The message attribute '%s' of type String.Array must be a JSON array.", name)
		}
	}
	return nil
}

// shownAttribute is an attribute as envelopes show it.
type shownAttribute struct {
	Type  string
	Value json.RawMessage
}

func shownAttributes(all map[string]attribute) map[string]shownAttribute {
	out := map[string]shownAttribute{}
	for name, a := range all {
		var value any = a.Text
		if strings.HasPrefix(a.Type, "Binary") {
			value = a.Binary // base64
		}
		text, _ := json.Marshal(value) // a text or bytes
		out[name] = shownAttribute{a.Type, text}
	}
	return out
}
