package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// formPolicy is the policy document of a form: what its fields may be.
type formPolicy struct {
	conditions []formCondition
	// least and most bound the size of the file; most is negative for no bound.
	least, most int64
}

type formCondition struct{ operator, field, value string }

func errPolicyDocument(format string, args ...any) error {
	return awserr.New("InvalidPolicyDocument", "Invalid Policy: "+format, args...)
}

func errByPolicy(format string, args ...any) error {
	return awserr.Status(http.StatusForbidden, "AccessDenied", "Invalid according to Policy: "+format, args...)
}

// parseFormPolicy reads the policy field and refuses one that has expired.
func parseFormPolicy(encoded string, now time.Time) (*formPolicy, error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errPolicyDocument("Invalid JSON.")
	}
	var doc struct {
		Expiration *string           `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errPolicyDocument("Invalid JSON.")
	}
	if doc.Expiration == nil {
		return nil, errPolicyDocument("Policy missing expiration.")
	}
	end, err := time.Parse(time.RFC3339Nano, *doc.Expiration)
	if err != nil {
		return nil, errPolicyDocument("Invalid 'expiration' value: '%s'", printable(*doc.Expiration))
	}
	if doc.Conditions == nil {
		return nil, errPolicyDocument("Policy missing conditions.")
	}
	if now.After(end) {
		return nil, errByPolicy("Policy expired.")
	}
	p := &formPolicy{most: -1}
	for _, raw := range doc.Conditions {
		if err := p.add(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add reads one condition: {"field": "value"} or ["operator", "$field", "value"].
func (p *formPolicy) add(raw json.RawMessage) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		var simple map[string]string
		if err := json.Unmarshal(raw, &simple); err != nil || len(simple) != 1 {
			return errPolicyDocument("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
		}
		for field, value := range simple {
			p.conditions = append(p.conditions, formCondition{"eq", strings.ToLower(field), value})
		}
		return nil
	}
	var list []any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&list); err != nil || len(list) != 3 {
		return errPolicyDocument("Invalid Condition: wrong number of arguments.")
	}
	operator, _ := list[0].(string)
	switch strings.ToLower(operator) {
	case "content-length-range":
		return p.bound(list[1], list[2])
	case "eq", "starts-with":
		field, _ := list[1].(string)
		value, ok := list[2].(string)
		name, dollar := strings.CutPrefix(field, "$")
		if !ok || !dollar {
			return errPolicyDocument("Invalid Condition: field names begin with $ and values are strings.")
		}
		p.conditions = append(p.conditions, formCondition{strings.ToLower(operator), strings.ToLower(name), value})
		return nil
	}
	return errPolicyDocument("Invalid Condition: unknown operation '%s'.", printable(operator))
}

func (p *formPolicy) bound(least, most any) error {
	var err error
	if p.least, err = wholeNumber(least); err == nil {
		p.most, err = wholeNumber(most)
	}
	if err != nil || p.least < 0 || p.most < 0 {
		return errByPolicy("Policy Condition failed: [\"content-length-range\", %s, %s]", quotedJSON(fmt.Sprint(least)), quotedJSON(fmt.Sprint(most)))
	}
	return nil
}

func wholeNumber(v any) (int64, error) { return strconv.ParseInt(fmt.Sprint(v), 10, 64) }

// unjudged are fields that a policy says nothing about.
var unjudged = []string{"policy", "file", "x-amz-signature", "signature", "awsaccesskeyid", "bucket"}

// judge holds the form against the policy: each condition holds, and each field is in
// a condition.
func (p *formPolicy) judge(fields map[string]string) error {
	for _, c := range p.conditions {
		value := fields[c.field]
		if c.operator == "eq" && value != c.value || c.operator == "starts-with" && !startsWith(c.field, value, c.value) {
			return errByPolicy("Policy Condition failed: [%s, %s, %s]", quotedJSON(c.operator), quotedJSON("$"+c.field), quotedJSON(c.value))
		}
	}
	var extra []string
	for name := range fields {
		covered := slices.ContainsFunc(p.conditions, func(c formCondition) bool { return c.field == name })
		if !covered && !slices.Contains(unjudged, name) && !strings.HasPrefix(name, "x-ignore-") {
			extra = append(extra, name)
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return errByPolicy("Extra input fields: %s", strings.Join(extra, ", "))
	}
	return nil
}

// startsWith judges each of a list of types by itself.
func startsWith(field, value, prefix string) bool {
	if field != "content-type" {
		return strings.HasPrefix(value, prefix)
	}
	for one := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(one), prefix) {
			return false
		}
	}
	return true
}

func quotedJSON(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be encoded
	return strings.TrimSpace(b.String())
}
