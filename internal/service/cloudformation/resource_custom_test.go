package cloudformation_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

// requested is the message that a provider of custom resources gets.
type requested struct {
	RequestType, ServiceToken, ResponseURL, StackId, RequestId, LogicalResourceId, ResourceType, PhysicalResourceId string
	ResourceProperties, OldResourceProperties                                                                       map[string]any
}

// providers answers requests as a subscriber of the topic would, and keeps them.
type providers struct {
	l      *lab
	mu     sync.Mutex
	got    []requested
	answer func(requested) map[string]any // nil for silence
}

func (l *lab) provide(answer func(requested) map[string]any) *providers {
	p := &providers{l: l, answer: answer}
	l.provider = func(text string) {
		var r requested
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			l.t.Error(err)
		}
		p.mu.Lock()
		p.got = append(p.got, r)
		answer := p.answer(r)
		p.mu.Unlock()
		if answer == nil {
			return
		}
		full := map[string]any{"StackId": r.StackId, "RequestId": r.RequestId, "LogicalResourceId": r.LogicalResourceId, "Status": "SUCCESS", "PhysicalResourceId": "made"}
		for k, v := range answer {
			full[k] = v
		}
		body, _ := json.Marshal(full)
		if code := l.put(r.ResponseURL, string(body)); code != 200 {
			l.t.Errorf("PUT of an answer: %d", code)
		}
	}
	return p
}

func (l *lab) put(url, body string) int {
	w := httptest.NewRecorder()
	l.server.ServeHTTP(w, httptest.NewRequest(http.MethodPut, strings.TrimPrefix(url, endpoint), strings.NewReader(body)))
	return w.Code
}

func (p *providers) kinds() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, r := range p.got {
		out = append(out, r.RequestType+" "+r.PhysicalResourceId)
	}
	return strings.Join(out, ", ")
}

func custom(properties string) string {
	return "Resources: {C: {Type: 'Custom::Thing', Properties: {ServiceToken: '" + testTopic + "', " + properties + "}}, " +
		"A: {Type: 'Test::Fake::Thing', Properties: {Value: !GetAtt C.Word}}}\nOutputs: {Id: {Value: !Ref C}, Deep: {Value: !GetAtt C.Deep.Er}}"
}

func TestCustomResource(t *testing.T) {
	l := newLab(t)
	data := map[string]any{"Word": "hello", "Deep": map[string]any{"Er": "down"}}
	p := l.provide(func(r requested) map[string]any {
		return map[string]any{"PhysicalResourceId": "id-" + r.ResourceProperties["N"].(string), "Data": data, "NoEcho": true}
	})
	s := l.create("web", custom("N: 1, Flag: true, List: [1, {K: 2}]"), nil)
	l.wantStatus(s, "CREATE_COMPLETE")
	out := map[string]string{}
	for _, o := range s.Outputs {
		out[*o.OutputKey] = *o.OutputValue
	}
	if out["Id"] != "id-1" || out["Deep"] != "down" {
		t.Errorf("outputs %v", out)
	}
	r := p.got[0]
	if want := `{"Flag":"true","List":["1",{"K":"2"}],"N":"1","ServiceToken":"` + testTopic + `"}`; jsonOf(t, r.ResourceProperties) != want || r.ResourceType != "Custom::Thing" || r.StackId != *s.StackId || r.LogicalResourceId != "C" {
		t.Errorf("request %+v", r)
	}
	for _, ev := range must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: s.StackId}).StackEvents {
		if strings.Contains(aws.Val(ev.ResourceProperties), "hello") {
			t.Errorf("NoEcho is shown: %s", *ev.ResourceProperties)
		}
	}
	// Another physical id replaces: the old one is deleted in the clean-up.
	update := func(body string) *api.Stack {
		must[api.UpdateStackOutput](l, "UpdateStack", &api.UpdateStackInput{StackName: s.StackId, TemplateBody: &body})
		return l.rest(*s.StackId)
	}
	l.wantStatus(update(custom("N: 2")), "UPDATE_COMPLETE")
	if k := p.kinds(); k != "Create , Update id-1, Delete id-1" || jsonOf(t, p.got[1].OldResourceProperties["N"]) != `"1"` {
		t.Errorf("requests: %s", k)
	}
	// A failure later in the update goes back to what was, and deletes the new one.
	bad := strings.Replace(custom("N: 3"), "Value: !GetAtt C.Word", "Nope: !GetAtt C.Word", 1)
	l.wantStatus(update(bad), "UPDATE_ROLLBACK_COMPLETE")
	if k := p.kinds(); k != "Create , Update id-1, Delete id-1, Update id-2, Delete id-3" {
		t.Errorf("requests: %s", k)
	}
	l.wantStatus(update(strings.Replace(custom("N: 2"), testTopic, testTopic+"2", 1)), "UPDATE_ROLLBACK_COMPLETE")
	l.waitReason(*s.StackId, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [C]. ")
	l.mustDelete("web")
	l.wantStatus(l.rest(*s.StackId), "DELETE_COMPLETE")
	if k := p.kinds(); !strings.HasSuffix(k, ", Delete id-2") {
		t.Errorf("requests: %s", k)
	}
	if code := l.put(r.ResponseURL, "{}"); code != 200 { // the first answer counts
		t.Errorf("a second answer: %d", code)
	}
	if code := l.put(strings.Replace(r.ResponseURL, "Signature=", "Signature=x", 1), "{}"); code != 403 {
		t.Errorf("a wrong signature: %d", code)
	}
	l.clock.Advance(2 * time.Hour)
	if code := l.put(r.ResponseURL, "{}"); code != 403 {
		t.Errorf("an answer that is late: %d", code)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCustomResourceFailures(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		answer map[string]any
		reason string // of C
		asked  string
	}{
		"failed":          {"N: 1", map[string]any{"Status": "FAILED", "Reason": "no luck"}, "Received response status [FAILED] from custom resource. Message returned: no luck (RequestId: ", "Create , Delete made"},
		"no id":           {"N: 1", map[string]any{"PhysicalResourceId": ""}, "Invalid PhysicalResourceId", "Create , Delete web-C-"},
		"long id":         {"N: 1", map[string]any{"PhysicalResourceId": strings.Repeat("x", 1025)}, "Invalid PhysicalResourceId", "Create , Delete web-C-"},
		"too long":        {"N: 1", map[string]any{"Data": strings.Repeat("x", 5000)}, "Response object is too long.", "Create , Delete web-C-"},
		"another request": {"N: 1", map[string]any{"RequestId": "x"}, "Invalid response object: Value of property RequestId must match the value in the request.", "Create , Delete web-C-"},
		"status":          {"N: 1", map[string]any{"Status": "OK"}, "Invalid response object: Value of property Status must be SUCCESS or FAILED.", "Create , Delete web-C-"},
		"timeout":         {"ServiceTimeout: 7200", nil, "Value of property ServiceTimeout must be an integer between 1 and 3600", ""},
		"missing key":     {"N: 1", map[string]any{"Data": map[string]any{"Other": 1}}, "", "Create , Delete made"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			p := l.provide(func(r requested) map[string]any {
				if r.RequestType == "Create" {
					return c.answer
				}
				return map[string]any{"PhysicalResourceId": r.PhysicalResourceId}
			})
			s := l.create("web", custom(c.body), nil)
			l.wantStatus(s, "ROLLBACK_COMPLETE")
			reasons := map[string]string{}
			for _, ev := range must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: s.StackId}).StackEvents {
				if ev.ResourceStatus == "CREATE_FAILED" {
					reasons[*ev.LogicalResourceId] = aws.Val(ev.ResourceStatusReason)
				}
			}
			if !strings.HasPrefix(reasons["C"], c.reason) || !strings.HasPrefix(p.kinds(), c.asked) {
				t.Errorf("reasons %v, requests %s", reasons, p.kinds())
			}
			if name == "missing key" && !strings.Contains(reasons["A"], "CustomResource attribute error: Vendor response doesn't contain Word key in object ") {
				t.Errorf("reasons %v", reasons)
			}
		})
	}
	for name, c := range map[string][2]string{
		"lambda":        {"arn:aws:lambda:us-east-1:123456789012:function:f", "hardstand runs no AWS Lambda functions: arn:aws:lambda:us-east-1:123456789012:function:f cannot be called. A custom resource works with the ARN of an SNS topic as its ServiceToken."},
		"other region":  {"arn:aws:sns:eu-west-1:123456789012:t", "Invalid service token."},
		"no ARN":        {"x", "Invalid service token."},
		"no such topic": {"arn:aws:sns:us-east-1:123456789012:gone", "Resource handler returned message: \"Topic does not exist (Service: "},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.create("web", strings.Replace(custom("N: 1"), testTopic, c[0], 1), nil)
			l.wantStatus(s, "ROLLBACK_COMPLETE")
			events := must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: s.StackId}).StackEvents
			if !slices.ContainsFunc(events, func(ev api.StackEvent) bool { return strings.HasPrefix(aws.Val(ev.ResourceStatusReason), c[1]) }) {
				t.Errorf("no event says %q", c[1])
			}
		})
	}
}

// The request outlives a restart and is sent once; when its time is over the resource fails.
func TestCustomResourceThatIsSilent(t *testing.T) {
	l := newLab(t)
	p := l.provide(func(r requested) map[string]any {
		if r.RequestType == "Create" {
			return nil
		}
		return map[string]any{}
	})
	id := *must[api.CreateStackOutput](l, "CreateStack", &api.CreateStackInput{StackName: aws.Ptr("web"), TemplateBody: aws.Ptr(custom("ServiceTimeout: 60"))}).StackId
	l.messages(testTopic, 1)
	l.restart()
	l.clock.Advance(61 * time.Second)
	l.restart()
	s := l.rest(id)
	l.wantStatus(s, "ROLLBACK_COMPLETE")
	if k := p.kinds(); !strings.HasPrefix(k, "Create , Delete web-C-") || strings.Count(k, "Create") != 1 {
		t.Errorf("requests: %s", k)
	}
	events := must[api.DescribeStackEventsOutput](l, "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: &id}).StackEvents
	if !slices.ContainsFunc(events, func(ev api.StackEvent) bool {
		return aws.Val(ev.ResourceStatusReason) == "Custom Resource failed to stabilize in expected time."
	}) {
		t.Error("no event tells of the time")
	}
}

// Without permission to publish nobody is asked, alarms are not read and topics not
// told; only the last does not matter to the stack.
func TestSettingsWithoutPermission(t *testing.T) {
	l := newLab(t)
	p := l.provide(func(requested) map[string]any { return map[string]any{} })
	l.gate.deny("sns:Publish", "cloudwatch:DescribeAlarms")
	l.wantStatus(l.create("web", custom("N: 1"), nil), "ROLLBACK_COMPLETE")
	l.wantStatus(l.create("told", simple, func(in *api.CreateStackInput) { in.NotificationARNs = []string{testTopic} }), "CREATE_COMPLETE")
	l.wantStatus(l.create("watched", simple, func(in *api.CreateStackInput) {
		in.RollbackConfiguration = &api.RollbackConfiguration{RollbackTriggers: []api.RollbackTrigger{{Arn: aws.Ptr(testAlarm), Type: aws.Ptr("AWS::CloudWatch::Alarm")}}}
	}), "ROLLBACK_COMPLETE")
	if p.kinds() != "" {
		t.Errorf("requests: %s", p.kinds())
	}
}
