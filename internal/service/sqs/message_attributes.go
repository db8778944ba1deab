package sqs

import (
	"crypto/md5" //nolint:gosec // what SDKs verify answers with
	"encoding/binary"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
)

const (
	maxAttributes = 10
	traceHeader   = "AWSTraceHeader"
)

var attributeNameForm = regexp.MustCompile(`^[0-9A-Za-z_.-]+$`)

// readAttributes judges the attributes of a message to be sent.
func readAttributes(in map[string]api.MessageAttributeValue) (map[string]attribute, error) {
	if len(in) > maxAttributes {
		return nil, errValue("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(in), maxAttributes)
	}
	out := make(map[string]attribute, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if err := judgeAttributeName(name); err != nil {
			return nil, err
		}
		v := in[name]
		a, err := readAttribute("user", name, v.DataType, v.StringValue, v.BinaryValue)
		if err != nil {
			return nil, err
		}
		if len(v.StringListValues) > 0 || len(v.BinaryListValues) > 0 {
			return nil, errValue("Message attribute list values in SendMessage operation are not supported.")
		}
		out[name] = a
	}
	return out, nil
}

func judgeAttributeName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return errValue("The request must contain non-empty message (user) attribute names.")
	case len(name) > 256:
		return errValue("Message (user) attribute name must be shorter than 256 bytes.")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return errValue("Reserved prefixes 'AWS.' and 'Amazon.' are not allowed in message (user) attribute name: %s.", name)
	case !attributeNameForm.MatchString(name):
		return errValue("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", badRune(name))
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return errValue("The message attribute name can neither start nor end with a dot, nor have dots in succession: %s.", name)
	}
	return nil
}

func badRune(name string) rune {
	for _, r := range name {
		if !attributeNameForm.MatchString(string(r)) {
			return r
		}
	}
	return 0
}

func readAttribute(kind, name string, typ, text *string, binary []byte) (attribute, error) {
	t := aws.Val(typ)
	base, _, _ := strings.Cut(t, ".")
	switch {
	case t == "":
		return attribute{}, errValue("The message (%s) attribute '%s' must contain non-empty message attribute type.", kind, name)
	case len(t) > 256:
		return attribute{}, errValue("Message (%s) attribute type must be shorter than 256 bytes.", kind)
	case base != "String" && base != "Number" && base != "Binary":
		return attribute{}, errValue("The message (%s) attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", kind, name)
	case base == "Binary" && len(binary) == 0, base != "Binary" && aws.Val(text) == "":
		return attribute{}, errValue("Message (%s) attribute '%s' must contain a non-empty value of type '%s'.", kind, name, base)
	case base == "Binary" && text != nil, base != "Binary" && binary != nil:
		return attribute{}, errValue("Message (%s) attribute '%s' has multiple values.", kind, name)
	case base == "Number" && !isNumber(*text):
		return attribute{}, errValue("Could not cast message (%s) attribute '%s' value to number.", kind, name)
	}
	if bad, ok := badCharacter(aws.Val(text)); ok {
		return attribute{}, errValue("Invalid binary character '#x%X' was found in the message (%s) attribute '%s' value, the set of allowed characters is %s", bad, kind, name, allowedCharacters)
	}
	return attribute{Type: t, Text: aws.Val(text), Binary: binary}, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && !strings.ContainsAny(s, "xXpPnN_")
}

const allowedCharacters = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"

// badCharacter finds what XML 1.0 has no place for.
func badCharacter(s string) (rune, bool) {
	for i, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD && r != utf8.RuneError || r >= 0x10000:
		case r == utf8.RuneError && strings.HasPrefix(s[i:], "\uFFFD"):
		default:
			return r, true
		}
	}
	return 0, false
}

// readTrace judges the system attributes; there is one, X-Ray's header.
func readTrace(in map[api.MessageSystemAttributeNameForSends]api.MessageSystemAttributeValue) (*attribute, error) {
	v, ok := in[traceHeader]
	if !ok {
		return nil, nil
	}
	if aws.Val(v.DataType) != "String" {
		return nil, errValue("An invalid data type was passed to the message system attribute '%s'.", traceHeader)
	}
	a, err := readAttribute("system", traceHeader, v.DataType, v.StringValue, v.BinaryValue)
	return &a, err
}

// size is what an attribute counts for in a message's size.
func (a attribute) size(name string) int {
	return len(name) + len(a.Type) + len(a.Text) + len(a.Binary)
}

func digest(body string) string {
	sum := md5.Sum([]byte(body)) //nolint:gosec // the protocol's
	return hex.EncodeToString(sum[:])
}

// digestAttributes is the MD5 over attributes as SDKs compute it: in the order of
// their names; name, type and value each behind its length, and before the value one
// byte that tells text from binary. nil for none.
func digestAttributes(all map[string]attribute) *string {
	if len(all) == 0 {
		return nil
	}
	h := md5.New() //nolint:gosec // the protocol's
	put := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b))) //nolint:gosec // below 1 MiB
		h.Write(n[:])
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		put([]byte(name))
		put([]byte(a.Type))
		if strings.HasPrefix(a.Type, "Binary") {
			h.Write([]byte{2})
			put(a.Binary)
		} else {
			h.Write([]byte{1})
			put([]byte(a.Text))
		}
	}
	return aws.Ptr(hex.EncodeToString(h.Sum(nil)))
}

func (m *message) digestTrace() *string {
	if m.Trace == nil {
		return nil
	}
	return digestAttributes(map[string]attribute{traceHeader: *m.Trace})
}
