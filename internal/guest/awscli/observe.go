package awscli

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"
)

// The commands by which an instance tells of itself: logs, metrics, messages.
func observeCommands() map[string]command {
	group := []string{"log-group-name"}
	return map[string]command{
		"logs put-log-events": {values: append(group, "log-stream-name", "sequence-token"), lists: []string{"log-events"},
			run: jsonCommand("logs", "Logs_20140328", "PutLogEvents", append(group, "log-stream-name", "log-events"), logEvents)},
		"cloudwatch put-metric-data": {values: []string{"namespace", "metric-name", "value", "unit", "timestamp", "storage-resolution", "dimensions"},
			lists: []string{"metric-data"}, run: jsonCommand("monitoring", "GraniteServiceVersion20100801", "PutMetricData", []string{"namespace"}, metricData)},
	}
}

// jsonCommand calls an operation with the options as its members; shape changes
// what the options alone do not say.
func jsonCommand(service, target, operation string, required []string, shape func(c *call, in map[string]any) error) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		if err := c.required(required...); err != nil {
			return err
		}
		if err := c.checkQuery(); err != nil {
			return err
		}
		in := map[string]any{}
		for name, values := range c.options {
			if len(values) == 1 && !strings.Contains(" "+strings.Join(globalValues, " ")+" ", " "+name+" ") {
				in[member(name, service == "logs")] = number(name, values[0])
			}
		}
		if shape != nil {
			if err := shape(c, in); err != nil {
				return err
			}
		}
		body, err := c.client.JSON(ctx, service, target, operation, in)
		if err != nil {
			return err
		}
		var doc map[string]any
		if json.Unmarshal(body, &doc) != nil || len(doc) == 0 {
			return nil // the CLI prints nothing of an empty answer
		}
		return c.print(doc)
	}
}

// member is the name that an option has in the API.
func member(option string, lower bool) string {
	parts := strings.Split(option, "-")
	for i, p := range parts {
		if i > 0 || !lower {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

// number makes numbers of the options that are some.
func number(option, text string) any {
	switch option {
	case "value", "storage-resolution":
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return json.Number(text)
		}
	}
	return text
}

// logEvents reads --log-events: JSON, file://, or timestamp=..,message=...
func logEvents(c *call, in map[string]any) error {
	list, err := c.structures("log-events", "")
	if err != nil {
		return err
	}
	for _, e := range list {
		if t, ok := e["timestamp"].(string); ok {
			e["timestamp"] = json.Number(t)
		}
	}
	in["logEvents"] = list
	return nil
}

// metricData reads --metric-data, or one datum from the options.
func metricData(c *call, in map[string]any) error {
	namespace := in["Namespace"]
	var list []map[string]any
	if c.has("metric-data") {
		for _, name := range []string{"metric-name", "value", "unit", "timestamp", "storage-resolution", "dimensions"} {
			if c.has(name) {
				return &usageError{"The key \"" + strings.ReplaceAll(name, "-", "_") + "\" cannot be specified when one of the following keys are also specified: metric_data"}
			}
		}
		var err error
		if list, err = c.structures("metric-data", ""); err != nil {
			return err
		}
	} else {
		if err := c.required("metric-name", "value"); err != nil {
			return err
		}
		datum := map[string]any{}
		for _, name := range []string{"MetricName", "Value", "Unit", "Timestamp", "StorageResolution"} {
			if v, ok := in[name]; ok {
				datum[name] = v
			}
		}
		list = []map[string]any{datum}
	}
	for _, d := range list {
		if err := c.finishDatum(d); err != nil {
			return err
		}
	}
	clear(in)
	in["Namespace"], in["MetricData"] = namespace, list
	return nil
}

// finishDatum gives a datum its numbers, time and dimensions (A=b,C=d).
func (c *call) finishDatum(d map[string]any) error {
	for _, name := range []string{"Value", "StorageResolution"} {
		if s, ok := d[name].(string); ok {
			d[name] = json.Number(s)
		}
	}
	if s, ok := d["Timestamp"].(string); ok {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			if _, err := strconv.ParseFloat(s, 64); err != nil {
				return errUnknown
			}
			d["Timestamp"] = json.Number(s)
		} else {
			d["Timestamp"] = json.Number(strconv.FormatInt(t.Unix(), 10))
		}
	}
	text := c.value("dimensions")
	if text == "" {
		return nil
	}
	pairs, ok := structure(text)
	if !ok {
		return errUnknown
	}
	dimensions := []map[string]any{}
	for _, name := range sortedKeys(pairs) {
		dimensions = append(dimensions, map[string]any{"Name": name, "Value": pairs[name]})
	}
	d["Dimensions"] = dimensions
	return nil
}

// structures reads an option's list of structures.
func (c *call) structures(option, only string) ([]map[string]any, error) {
	values := c.options[option]
	var out []map[string]any
	if len(values) == 1 {
		text := values[0]
		if file, ok := strings.CutPrefix(text, "file://"); ok {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, &usageError{"Error parsing parameter '--" + option + "': Unable to load paramfile " + text}
			}
			text = strings.TrimSpace(string(b))
		}
		if strings.HasPrefix(text, "[") {
			if json.Unmarshal([]byte(text), &out) != nil {
				return nil, &usageError{"Error parsing parameter '--" + option + "': Invalid JSON"}
			}
			return out, nil
		}
	}
	for _, v := range values {
		one := map[string]any{}
		if only != "" && !strings.ContainsAny(v, "={") {
			one[only] = v
		} else if strings.HasPrefix(v, "{") {
			if json.Unmarshal([]byte(v), &one) != nil {
				return nil, &usageError{"Error parsing parameter '--" + option + "': Invalid JSON"}
			}
		} else {
			var ok bool
			if one, ok = structure(v); !ok {
				return nil, errUnknown
			}
		}
		out = append(out, one)
	}
	return out, nil
}
