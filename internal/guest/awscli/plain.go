package awscli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// run makes the call of a row, page by page.
func (p plain) run(ctx context.Context, c *call) error {
	var needed []string
	for _, o := range p.options {
		if o.needed {
			needed = append(needed, o.name)
		}
	}
	if err := c.required(needed...); err != nil {
		return err
	}
	if err := c.checkQuery(); err != nil {
		return err
	}
	in, err := p.input(c)
	if err != nil {
		return err
	}
	all, err := p.page(ctx, c, in)
	if err != nil {
		return err
	}
	// Who says how many are to come gets one page, with the token of the next.
	for p.pages != "" && !c.has("limit") && !c.has("max-results") {
		key, as, token := nextToken(all)
		if token == "" {
			break
		}
		delete(all, key)
		in[as] = token
		more, err := p.page(ctx, c, in)
		if err != nil {
			return err
		}
		have, _ := all[p.pages].([]any)
		list, _ := more[p.pages].([]any)
		if more[p.pages] = append(have, list...); len(list) == 0 && token == fmt.Sprint(more[key]) {
			delete(more, key) // a token that leads nowhere
		}
		all = more
	}
	if len(all) == 0 {
		return nil // the CLI prints nothing of an empty answer
	}
	return c.print(all)
}

// nextToken finds what asks for the next page, and the member in which it is sent.
func nextToken(answer map[string]any) (key, as, token string) {
	for _, k := range [][2]string{{"NextToken", "NextToken"}, {"nextToken", "nextToken"}, {"NextMarker", "Marker"}} {
		if token, _ := answer[k[0]].(string); token != "" {
			return k[0], k[1], token
		}
	}
	return "", "", ""
}

// input is what the options say, in the API's names.
func (p plain) input(c *call) (map[string]any, error) {
	in := map[string]any{}
	for _, o := range p.options {
		if o.kind == '?' {
			if no := c.has("no-" + o.name); no || c.has(o.name) {
				in[o.api] = !no
			}
			continue
		}
		if !c.has(o.name) {
			continue
		}
		switch o.kind {
		case '#':
			if _, err := strconv.ParseFloat(c.value(o.name), 64); err != nil {
				return nil, &usageError{"aws: error: argument --" + o.name + ": invalid literal for int(): '" + c.value(o.name) + "'"}
			}
			in[o.api] = json.Number(c.value(o.name))
		case '*':
			in[o.api] = anyList(c.options[o.name])
		case '[', '{':
			list, err := c.structures(o.name, o.only)
			if err != nil {
				return nil, err
			}
			if in[o.api] = list; o.kind == '{' {
				if len(list) != 1 {
					return nil, errUnknown
				}
				in[o.api] = list[0]
			}
		default:
			text, err := paramFile(o.name, c.value(o.name))
			if err != nil {
				return nil, err
			}
			in[o.api] = text
		}
	}
	return in, revision(in)
}

func anyList(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

// paramFile is the content of a file where a value says file://.
func paramFile(option, text string) (string, error) {
	file, ok := strings.CutPrefix(text, "file://")
	if !ok {
		return text, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", &usageError{"Error parsing parameter '--" + option + "': Unable to load paramfile " + text + ": " + err.Error()}
	}
	return string(b), nil
}

// revision makes a revision of the locations that only the command line knows.
func revision(in map[string]any) error {
	for option, kind := range map[string][2]string{"s3Location": {"S3", "s3Location"}, "githubLocation": {"GitHub", "gitHubLocation"}} {
		location, ok := in[option]
		if !ok {
			continue
		}
		if in["revision"] != nil {
			return &usageError{"aws: error: argument --revision: not allowed with a location"}
		}
		delete(in, option)
		in["revision"] = map[string]any{"revisionType": kind[0], kind[1]: location}
	}
	return nil
}

// page makes one request and returns the answer as the CLI has it.
func (p plain) page(ctx context.Context, c *call, in map[string]any) (map[string]any, error) {
	if p.protocol == "json" {
		body, err := c.client.JSON(ctx, p.signing, p.target, p.operation, in)
		if err != nil {
			return nil, err
		}
		var doc map[string]any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&doc); err != nil && len(bytes.TrimSpace(body)) > 0 {
			return nil, fmt.Errorf("answer of %s: %w", p.operation, err)
		}
		if c.service != "logs" { // whose times are numbers in the CLI, too
			times(doc)
		}
		return doc, nil
	}
	values := url.Values{}
	for name, v := range in {
		flatten(values, name, v, p.protocol == "query")
	}
	if p.protocol == "query" {
		values.Set("ContentType", "JSON") // in which numbers, lists and what is absent are told apart
	}
	body, err := c.client.Query(ctx, p.signing, p.target, p.operation, values)
	switch {
	case err != nil:
		return nil, err
	case p.protocol == "ec2":
		return ec2Answer(p.operation, body)
	}
	return queryAnswer(p.operation, body)
}

// flatten writes a member as the query protocols have it: lists by number, behind
// "member" where they are not EC2's.
func flatten(values url.Values, name string, v any, members bool) {
	list, isList := v.([]any)
	if structures, ok := v.([]map[string]any); ok {
		isList = true
		for _, s := range structures {
			list = append(list, s)
		}
	}
	m, isMap := v.(map[string]any)
	switch {
	case isList:
		if members {
			name += ".member"
		}
		for i, e := range list {
			flatten(values, name+"."+strconv.Itoa(i+1), e, members)
		}
	case isMap:
		for k, e := range m {
			if k == "Values" && !members { // of EC2's filters
				k = "Value"
				if one, ok := e.(string); ok {
					e = []any{one}
				}
			}
			flatten(values, name+"."+k, e, members)
		}
	default:
		values.Set(name, fmt.Sprint(v))
	}
}

// times writes times as text: numbers whose name tells that they are one.
func times(v any) {
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			n, isNumber := e.(json.Number)
			if seconds, err := n.Float64(); isNumber && err == nil && isTime(k) {
				t[k] = timeText(seconds)
				continue
			}
			times(e)
		}
	case []any:
		for _, e := range t {
			times(e)
		}
	}
}

func isTime(name string) bool {
	return slices.ContainsFunc([]string{"Date", "Time", "Timestamp", "At"}, func(end string) bool { return strings.HasSuffix(name, end) })
}
