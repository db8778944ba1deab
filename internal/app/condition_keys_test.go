package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/authref"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// keySurvey asks the operations of a server for their checks and notes what of AWS's
// authorization reference these make use of.
type keySurvey struct {
	t    *testing.T
	s    *server
	vars map[string]string
	// fills are the values of members, by "service member" or "service operation
	// member"; an operation is asked once for each value.
	fills   map[string][]string
	listed  map[authref.Listing]bool // true for what a check supplied
	actions map[string]bool
}

// elsewhere are the actions that AWS judges on resources that its reference does not
// list for them; its refusals name them.
var elsewhere = map[string]string{
	"iam:ListUsers":                 "the path that is listed",
	"iam:ListGroups":                "the path that is listed",
	"iam:ListRoles":                 "the path that is listed",
	"iam:ListInstanceProfiles":      "the path that is listed",
	"logs:DescribeLogGroups":        "log-group::log-stream:",
	"logs:ListLogGroups":            "log-group::log-stream:",
	"logs:DescribeIndexPolicies":    "log-group::log-stream:",
	"cloudformation:CreateStackSet": "the set that will be",
	"elasticloadbalancing:AddTags":  "what is made with the tags: the reference knows balancers only",
	"sts:TagSession":                "the federated user, for GetFederationToken",
}

// Every resource type and condition key that the reference lists for an operation's
// action is supplied by a check of the operation, or stands in
// testdata/conditions/unsupplied.txt with the reason. The world that is asked
// (world.txt) holds one tagged resource of each kind; every operation's input is
// filled (fill.txt) and its checks are made, but it is not performed.
func TestConditionKeysAreTheReferences(t *testing.T) {
	k := &keySurvey{t: t, s: start(t, testConfig(t)), vars: map[string]string{}, fills: map[string][]string{},
		listed: map[authref.Listing]bool{}, actions: map[string]bool{}}
	k.readWorld("testdata/conditions/world.txt")
	k.readFills("testdata/conditions/fill.txt")
	for _, service := range k.s.world.wire.Services() {
		for _, op := range service.Operations {
			if op.Checks != nil && service.Model.Name != "access" { // its questions are not of AWS's
				k.ask(service.Model.Name, op)
			}
		}
	}
	k.compare("testdata/conditions/unsupplied.txt")
}

func (k *keySurvey) context(service, operation string) context.Context {
	who := aws.Principal{Type: aws.PrincipalRoot, Account: k.s.cfg.AccountID, ARN: "arn:aws:iam::" + k.s.cfg.AccountID + ":root", UniqueID: k.s.cfg.AccountID}
	if user := k.vars["user"]; user != "" && service == "sts" { // root assumes no roles
		who = aws.Principal{Type: aws.PrincipalUser, Account: k.s.cfg.AccountID, ARN: user, UniqueID: "AIDA"}
	}
	now := k.s.cfg.Clock.Now()
	return aws.WithCall(k.t.Context(), aws.Call{Principal: who, Account: k.s.cfg.AccountID, Region: "us-east-1", RequestID: "survey",
		Service: service, Operation: operation, SourceIP: netip.MustParseAddr("127.0.0.1"), Secure: true, Endpoint: k.s.Endpoint(),
		Signed: aws.Signed{Type: "REST-HEADER", Version: "AWS4-HMAC-SHA256", At: now.Add(-time.Second), Payload: "UNSIGNED-PAYLOAD", TLS: "1.3"}})
}

// lines calls f with each line of a file that is neither empty nor a remark.
func (k *keySurvey) lines(file string, f func(line string)) {
	k.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		k.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); line != "" && line[0] != '#' {
			f(line)
		}
	}
}

// filled puts the variables into text.
func (k *keySurvey) filled(text string) string {
	return os.Expand(text, func(name string) string {
		v, ok := k.vars[name]
		if !ok {
			k.t.Fatalf("%s: no variable %s", text, name)
		}
		return v
	})
}

// readWorld performs the calls of a file: "service Operation {input}", with lines
// below, indented, that keep values of the answer, "  name Path.To.Value", or repeat
// the call until one is there: "  until Path.To.Value what".
func (k *keySurvey) readWorld(file string) {
	k.vars["account"] = k.s.cfg.AccountID
	var answer any
	call := func() {}
	k.lines(file, func(line string) {
		if rest, ok := strings.CutPrefix(line, "  until "); ok {
			path, want, _ := strings.Cut(rest, " ")
			for {
				changed := k.s.world.db.Changed(store.Filter{})
				if call(); valueAt(k.t, answer, path) == want {
					return
				}
				<-changed
			}
		}
		if name, path, ok := strings.Cut(strings.TrimSpace(line), " "); ok && line[0] == ' ' {
			k.vars[name] = valueAt(k.t, answer, path)
			return
		}
		parts := strings.SplitN(line, " ", 3)
		op := k.operation(parts[0], parts[1])
		in := op.New()
		if err := json.Unmarshal([]byte(k.filled(parts[2])), in); err != nil {
			k.t.Fatalf("%s: %v", line, err)
		}
		call = func() {
			var err error
			if answer, err = k.s.world.wire.Invoke(k.context(parts[0], parts[1]), parts[0], parts[1], in); err != nil {
				k.t.Fatalf("%s: %v", line, err)
			}
		}
		call()
	})
}

func (k *keySurvey) operation(service, name string) wire.Operation {
	for _, s := range k.s.world.wire.Services() {
		if s.Model.Name != service && !slices.Contains(s.Model.SigningNames, service) {
			continue
		}
		if i := slices.IndexFunc(s.Operations, func(op wire.Operation) bool { return op.Name == name }); i >= 0 {
			return s.Operations[i]
		}
	}
	k.t.Fatalf("there is no %s %s", service, name)
	return wire.Operation{}
}

// valueAt reads a text in an answer: Instances.0.InstanceId.
func valueAt(t *testing.T, answer any, path string) string {
	t.Helper()
	v := reflect.ValueOf(answer)
	for name := range strings.SplitSeq(path, ".") {
		v = reflect.Indirect(v)
		if v.Kind() == reflect.Slice {
			v = v.Index(int(name[0] - '0'))
			continue
		}
		if v = v.FieldByName(name); !v.IsValid() {
			t.Fatalf("%T has no %s", answer, path)
		}
	}
	return fmt.Sprint(reflect.Indirect(v).Interface())
}

// readFills reads "service[.Operation] Member JSON".
func (k *keySurvey) readFills(file string) {
	k.lines(file, func(line string) {
		parts := strings.SplitN(line, " ", 3)
		name := parts[0] + "." + parts[1]
		k.fills[name] = append(k.fills[name], k.filled(parts[2]))
	})
}

// ask makes the checks of the operation for each way to fill its input.
func (k *keySurvey) ask(service string, op wire.Operation) {
	k.actions[op.Action] = true
	for i, more := 0, true; more; i++ {
		in := op.New()
		more = k.fill(service, op.Name, reflect.ValueOf(in).Elem(), i)
		checks, err := op.Checks(k.context(service, op.Name), in)
		if err != nil {
			k.t.Errorf("%s %s (%d): %v", service, op.Name, i, err)
		}
		for _, c := range checks {
			a := authref.ActionOf(c.Action)
			if a == nil {
				continue
			}
			k.actions[c.Action] = true
			if err := k.s.world.iam.DescribeRole(k.t.Context(), &c); err != nil {
				k.t.Error(err)
			}
			if _, ok := a.TypeOf(c.Resource); !ok && elsewhere[c.Action] == "" {
				k.t.Errorf("%s %s asks for %s on %s, which the reference does not list", service, op.Name, c.Action, c.Resource)
			}
			for _, l := range a.Touched(c.Resource, c.Context) {
				k.listed[l] = true
			}
		}
	}
}

// fill sets the members of in to their nth value, or their last, and reports
// whether one has more.
func (k *keySurvey) fill(service, operation string, in reflect.Value, n int) (more bool) {
	for i := range in.NumField() {
		member := in.Type().Field(i).Name
		values := k.fills[service+"."+operation+"."+member]
		if values == nil {
			values = k.fills[service+"."+member]
		}
		more = more || n+1 < len(values)
		if len(values) == 0 || values[min(n, len(values)-1)] == "-" {
			continue
		}
		if err := json.Unmarshal([]byte(values[min(n, len(values)-1)]), in.Field(i).Addr().Interface()); err != nil {
			k.t.Fatalf("%s %s %s: %v", service, operation, member, err)
		}
	}
	return more
}

// exception is a line of unsupplied.txt.
type exception struct {
	line     string
	service  string
	but      []string
	patterns [3]*regexp.Regexp // action, type, key
	used     bool
}

// newException reads the columns of a line: "service:Action,Action" or
// "service:*!But!But", types and keys.
func newException(line, actions, types, keys string) *exception {
	service, actions, _ := strings.Cut(actions, ":")
	but := strings.Split(actions, "!")
	e := &exception{line: line, service: service, but: but[1:]}
	for i, list := range []string{but[0], types, keys} {
		pattern := strings.ReplaceAll(strings.ReplaceAll(regexp.QuoteMeta(list), `\*`, `.*`), ",", "|")
		e.patterns[i] = regexp.MustCompile("^(?:" + pattern + ")$")
	}
	return e
}

func (e *exception) covers(l authref.Listing) bool {
	service, action, _ := strings.Cut(l.Action, ":")
	return service == e.service && !slices.Contains(e.but, action) && e.patterns[0].MatchString(action) &&
		e.patterns[1].MatchString(orDash(l.Type)) && e.patterns[2].MatchString(orDash(l.Key))
}

// compare holds what was supplied against what the reference lists. A line of file
// is "actions types keys reason", where * stands for any text, - for none, and commas
// part alternatives. What goes with a type that no check is on needs no line.
func (k *keySurvey) compare(file string) {
	var exceptions []*exception
	k.lines(file, func(line string) {
		parts := strings.SplitN(line, " ", 4)
		if len(parts) < 4 {
			k.t.Fatalf("%s gives no reason", line)
		}
		exceptions = append(exceptions, newException(line, parts[0], parts[1], parts[2]))
	})
	total := 0
	for action := range k.actions {
		a := authref.ActionOf(action)
		if a == nil {
			continue
		}
		for _, l := range a.Listings() {
			total++
			k.judge(l, exceptions)
		}
	}
	for _, e := range exceptions {
		if !e.used {
			k.t.Errorf("%s says of nothing that the reference lists why it is not supplied: %s", file, e.line)
		}
	}
	k.t.Logf("%d of %d listings of %d actions are supplied", len(k.listed), total, len(k.actions))
}

func (k *keySurvey) judge(l authref.Listing, exceptions []*exception) {
	supplied := k.listed[l]
	if !supplied && l.Type != "" && l.Key != "" && !k.listed[authref.Listing{Action: l.Action, Type: l.Type}] {
		return
	}
	text := strings.Join([]string{l.Action, orDash(l.Type), orDash(l.Key)}, " ")
	excepted := false
	for _, e := range exceptions {
		if !e.covers(l) {
			continue
		}
		e.used, excepted = true, true
		if supplied {
			k.t.Errorf("%s is supplied, but unsupplied.txt says: %s", text, e.line)
		}
	}
	if !supplied && !excepted {
		k.t.Errorf("%s is not supplied", text)
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
