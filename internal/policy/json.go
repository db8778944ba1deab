package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxDepth bounds the nesting of a document; a policy needs five levels.
const maxDepth = 16

// member is one name and value of a JSON object, in the order written.
type member struct {
	name  string
	value any
}

// object keeps the order and the case of its names; values are object, []any,
// string, bool, json.Number or nil.
type object []member

var errJSON = errors.New("not JSON")

// decodeJSON reads exactly one JSON value. Unlike encoding/json it sees names
// given twice, which IAM refuses.
func decodeJSON(text string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return v, nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errJSON
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, errJSON
	}
	switch tok {
	case json.Delim('{'):
		return decodeObject(dec, depth)
	case json.Delim('['):
		return decodeArray(dec, depth)
	}
	return tok, nil
}

func decodeObject(dec *json.Decoder, depth int) (any, error) {
	out := object{}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return nil, errJSON
		}
		if seen[name] {
			return nil, refuse("Syntax errors in policy.")
		}
		seen[name] = true
		value, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, member{name, value})
	}
	_, err := dec.Token()
	if err != nil {
		return nil, errJSON
	}
	return out, nil
}

func decodeArray(dec *json.Decoder, depth int) (any, error) {
	out := []any{}
	for dec.More() {
		value, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errJSON
	}
	return out, nil
}

// stringList reads a string or a list of strings; scalars too where the element
// allows them (condition values).
func stringList(v any, scalars bool) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		switch t := item.(type) {
		case string:
			out = append(out, t)
		case bool:
			if !scalars {
				return nil, false
			}
			out = append(out, map[bool]string{true: "true", false: "false"}[t])
		case json.Number:
			if !scalars {
				return nil, false
			}
			out = append(out, t.String())
		default:
			return nil, false
		}
	}
	return out, true
}
