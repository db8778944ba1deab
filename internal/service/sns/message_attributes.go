package sns

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// maxAttributeName is the longest name of an attribute, in bytes.
const maxAttributeName = 256

func badValue(format string, args ...any) error {
	return awserr.New("ParameterValueInvalid", format, args...)
}

// readAttributes judges the attributes of a message to be published.
func readAttributes(in map[string]api.MessageAttributeValue) (map[string]attribute, error) {
	out := make(map[string]attribute, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if err := judgeAttributeName(name); err != nil {
			return nil, err
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

func judgeAttributeName(name string) error {
	lower := strings.ToLower(name)
	odd := strings.IndexFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("_.-", r)
	})
	switch {
	case name == "", strings.HasPrefix(lower, "aws."), strings.HasPrefix(lower, "amazon."):
		return badValue("Invalid message attribute name: %s", name)
	case len(name) > maxAttributeName:
		return badValue("Length of message attribute name must be less than %d bytes.", maxAttributeName)
	case odd >= 0:
		r, _ := utf8.DecodeRuneInString(name[odd:])
		return badValue("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", r)
	case strings.HasPrefix(name, "."):
		return badValue("Invalid message attribute name starting with character '.' was found.")
	case strings.HasSuffix(name, "."):
		return badValue("Invalid message attribute name ending with character '.' was found.")
	case strings.Contains(name, ".."):
		return badValue("Message attribute name can not have successive '.' character.")
	}
	return nil
}

func (a attribute) judge(name string) error {
	base, _, _ := strings.Cut(a.Type, ".")
	switch {
	case a.Type == "":
		return badValue("The message attribute '%s' must contain non-empty message attribute type.", name)
	case base != "String" && base != "Number" && base != "Binary":
		return badValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	case base == "Binary" && len(a.Binary) == 0 && a.Text != "":
		return badValue("The message attribute '%s' with type '%s' must use field 'Binary'.", name, a.Type)
	case base != "Binary" && a.Text == "" && len(a.Binary) > 0:
		return badValue("The message attribute '%s' with type '%s' must use field 'String'.", name, a.Type)
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
