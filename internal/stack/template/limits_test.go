package template

import (
	"fmt"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	long := strings.Repeat("n", 256)
	one := "Resources: {A: {Type: T}}\n"
	for _, c := range []struct {
		body    func(n int) string
		limit   int
		message string
	}{
		{limit: 500, message: "Template format error: Number of resources, 501, is greater than maximum allowed, 500",
			body: func(n int) string { return "Resources:\n" + many(n, "  A%d: {Type: T}\n") }},
		{limit: 200, message: "Template format error: Number of parameters, 201, is greater than maximum allowed, 200",
			body: func(n int) string { return one + "Parameters:\n" + many(n, "  P%d: {Type: String}\n") }},
		{limit: 200, message: "Template format error: Number of outputs, 201, is greater than maximum allowed, 200",
			body: func(n int) string { return one + "Outputs:\n" + many(n, "  O%d: {Value: x}\n") }},
		{limit: 200, message: "Template format error: Number of mappings, 201, is greater than maximum allowed, 200",
			body: func(n int) string { return one + "Mappings:\n" + many(n, "  M%d: {a: {b: c}}\n") }},
		{limit: 200, message: "Template format error: Number of mapping attributes, 201, is greater than maximum allowed, 200",
			body: func(n int) string { return one + "Mappings:\n  M:\n    a:\n" + many(n, "      k%d: v\n") }},
		{limit: 60, message: "Template format error: Number of dynamic references, 61, is greater than maximum allowed, 60",
			body: func(n int) string {
				return "Resources:\n  A:\n    Type: T\n    Properties:\n" + many(n, "      P%d: '{{resolve:ssm:x}}'\n")
			}},
		{limit: 1024, message: "Template format error: 'Description' length is greater than 1024.",
			body: func(n int) string { return one + "Description: " + strings.Repeat("d", n) }},
		{limit: 255, message: "Template format error: Output name " + long + " is longer than 255 characters.",
			body: func(n int) string { return one + "Outputs: {" + strings.Repeat("n", n) + ": {Value: x}}" }},
		{limit: 255, message: "Template format error: Mapping name " + long + " is longer than 255 characters.",
			body: func(n int) string { return one + "Mappings: {" + strings.Repeat("n", n) + ": {a: {b: c}}}" }},
		{limit: 255, message: "Template format error: Condition name " + long + " is longer than 255 characters.",
			body: func(n int) string { return one + "Conditions: {" + strings.Repeat("n", n) + ": !Equals [a, b]}" }},
		{limit: 255, message: "Template format error: Resource name " + long + " is longer than 255 characters.",
			body: func(n int) string { return "Resources: {" + strings.Repeat("n", n) + ": {Type: T}}" }},
		{limit: 255, message: "Template format error: Parameter name " + long + " is longer than 255 characters.",
			body: func(n int) string { return one + "Parameters: {" + strings.Repeat("n", n) + ": {Type: String}}" }},
	} {
		t.Run(c.message[:60], func(t *testing.T) {
			if _, err := Parse(c.body(c.limit)); err != nil {
				t.Errorf("%d refused: %v", c.limit, err)
			}
			_, err := Parse(c.body(c.limit + 1))
			if text, _ := Message(err); text != c.message {
				t.Errorf("got  %v\nwant %s", err, c.message)
			}
		})
	}
}
