package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// maxDepth bounds the nesting of a template and maxNodes its size after aliases
// have been expanded; without the second a body of 1 MB grows without end.
const (
	maxDepth = 128
	maxNodes = 400_000
)

// Read turns the text of a template into values. A body that begins with a brace
// is JSON, any other YAML. Of duplicate keys the last one counts.
func Read(body string) (map[string]any, error) {
	trimmed := strings.TrimLeft(body, " \t\r\n\ufeff")
	var v any
	var err error
	if strings.HasPrefix(trimmed, "{") {
		v, err = readJSON(body)
	} else {
		v, err = readYAML(body)
	}
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errorf("Template format error: unsupported structure.")
	}
	return m, nil
}

func readJSON(body string) (any, error) {
	text := strings.TrimPrefix(body, "\ufeff")
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return v, checkDepth(v, maxDepth)
		}
		return nil, jsonError(text, d.InputOffset()+1)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, jsonError(text, syntax.Offset)
	}
	return nil, jsonError(text, int64(len(text)))
}

// jsonError names the place just behind the byte that could not be read, as AWS's
// parser does.
func jsonError(text string, offset int64) error {
	before := []byte(text[:min(int(offset), len(text))])
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return errorf("Template format error: JSON not well-formed. (line %d, column %d)", line, column)
}

func checkDepth(v any, left int) error {
	if left == 0 {
		return errorf("Template format error: unsupported structure.")
	}
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			if err := checkDepth(e, left-1); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, e := range x {
			if err := checkDepth(e, left-1); err != nil {
				return err
			}
		}
	}
	return nil
}
