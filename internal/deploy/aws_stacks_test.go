package deploy

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

func (f *fakeAWS) query(op string, form url.Values) (result, refusal string) {
	if u := form.Get("TemplateURL"); u != "" {
		f.urls = append(f.urls, u)
	}
	if answer, ok := f.answers[op]; ok {
		return answer, ""
	}
	switch op {
	case "DescribeInstances":
		return "<reservationSet/>", ""
	case "GetCallerIdentity":
		return "<Account>" + account + "</Account><Arn>arn:aws:iam::" + account + ":user/build</Arn><UserId>AIDA</UserId>", ""
	case "GetConsoleOutput":
		return "<instanceId>" + instance + "</instanceId><output>" + base64.StdEncoding.EncodeToString([]byte(f.console)) + "</output>", ""
	case "CreateChangeSet":
		s := f.find(form.Get("StackName"))
		if s == nil {
			s = &fakeStack{name: form.Get("StackName"), states: []string{"REVIEW_IN_PROGRESS"}}
			f.stacks[s.name] = s
		}
		return "<Id>arn:aws:cloudformation:eu-west-1:" + account + ":changeSet/plan/1</Id><StackId>" + s.id() + "</StackId>", ""
	case "DeleteChangeSet":
		return "", ""
	case "ValidateTemplate":
		return f.validate(), ""
	case "CreateStack":
		s := f.onCreate(form.Get("StackName"))
		s.given = parametersOf(form)
		f.stacks[s.name] = s
		return "<StackId>" + s.id() + "</StackId>", ""
	}
	s := f.find(form.Get("StackName"))
	if s == nil {
		return "", "400 ValidationError: Stack with id " + form.Get("StackName") + " does not exist"
	}
	switch op {
	case "UpdateStack":
		s.given = parametersOf(form)
		return "<StackId>" + s.id() + "</StackId>", f.onUpdate(s)
	case "DeleteStack":
		s.states = []string{"DELETE_IN_PROGRESS", map[bool]string{false: "DELETE_COMPLETE", true: "DELETE_FAILED"}[f.stubborn]}
		return "", ""
	case "DescribeStacks":
		return f.describe(s, form.Get("StackName") != s.id())
	case "ListStackResources":
		return "<StackResourceSummaries/>", ""
	case "DescribeStackEvents":
		return s.describeEvents(), ""
	}
	return "", "400 InvalidAction: " + op
}

func (s *fakeStack) id() string {
	return "arn:aws:cloudformation:eu-west-1:" + account + ":stack/" + s.name + "/0"
}

func (f *fakeAWS) find(name string) *fakeStack {
	for _, s := range f.stacks {
		if name == s.name || name == s.id() {
			return s
		}
	}
	return nil
}

func (f *fakeAWS) validate() string {
	var b strings.Builder
	for _, p := range f.parameters {
		name, value, has := strings.Cut(p, "=")
		b.WriteString("<member><ParameterKey>" + name + "</ParameterKey>")
		if has {
			b.WriteString("<DefaultValue>" + value + "</DefaultValue>")
		}
		b.WriteString("</member>")
	}
	return "<Parameters>" + b.String() + "</Parameters>"
}

func parametersOf(form url.Values) map[string]string {
	out := map[string]string{}
	for i := 1; ; i++ {
		key := form.Get(fmt.Sprintf("Parameters.member.%d.ParameterKey", i))
		if key == "" {
			return out
		}
		out[key] = form.Get(fmt.Sprintf("Parameters.member.%d.ParameterValue", i))
	}
}

// describe answers with the next state. By name, a deleted stack is gone.
func (f *fakeAWS) describe(s *fakeStack, byName bool) (result, refusal string) {
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	if byName && state == "DELETE_COMPLETE" {
		return "", "400 ValidationError: Stack with id " + s.name + " does not exist"
	}
	return fmt.Sprintf("<Stacks><member><StackId>%s</StackId><StackName>%s</StackName><StackStatus>%s</StackStatus><StackStatusReason>%s</StackStatusReason>"+
		"<CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs>%s</Outputs></member></Stacks>", s.id(), s.name, state, escape(s.reason),
		sorted(s.outputs, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>")), ""
}

func (s *fakeStack) describeEvents() string {
	var b strings.Builder
	for i := len(s.events) - 1; i >= 0; i-- {
		e := s.events[i]
		fmt.Fprintf(&b, "<member><StackId>%s</StackId><StackName>%s</StackName><EventId>%s</EventId><LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType>"+
			"<PhysicalResourceId>%s</PhysicalResourceId><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason><Timestamp>2026-01-01T00:00:00Z</Timestamp></member>",
			s.id(), s.name, e.id, e.resource, e.kind, e.physical, e.status, escape(e.reason))
	}
	return "<StackEvents>" + b.String() + "</StackEvents>"
}
