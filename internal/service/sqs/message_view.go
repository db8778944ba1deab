package sqs

import (
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
)

// system are the system attributes that were asked for.
func (m *message) system(in *api.ReceiveMessageInput) map[api.MessageSystemAttributeName]string {
	all := map[api.MessageSystemAttributeName]string{"SenderId": m.Sender, "SentTimestamp": fmt.Sprint(m.Sent.UnixMilli()),
		"ApproximateReceiveCount": fmt.Sprint(m.Received), "ApproximateFirstReceiveTimestamp": fmt.Sprint(m.FirstReceived.UnixMilli())}
	for name, v := range map[api.MessageSystemAttributeName]string{
		"MessageGroupId": m.Group, "MessageDeduplicationId": m.Dedup, "DeadLetterQueueSourceArn": m.Source} {
		if v != "" {
			all[name] = v
		}
	}
	if m.FIFO {
		all["SequenceNumber"] = m.Seq
	}
	if m.Trace != nil {
		all[traceHeader] = m.Trace.Text
	}
	out := map[api.MessageSystemAttributeName]string{}
	for _, name := range append(append([]api.MessageSystemAttributeName{}, in.AttributeNames...), in.MessageSystemAttributeNames...) {
		if name == api.MessageSystemAttributeNameAll {
			return all
		}
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// shown are the message attributes that names ask for: by name, by the beginning of
// names (bar.*), or all of them (All, .*).
func (m *message) shown(names []string) map[string]attribute {
	out := map[string]attribute{}
	for name, a := range m.Attributes {
		for _, want := range names {
			prefix, wild := strings.CutSuffix(want, ".*")
			if want == name || want == "All" || want == "*" || wild && strings.HasPrefix(name, prefix) {
				out[name] = a
			}
		}
	}
	return out
}

func values(all map[string]attribute) map[string]api.MessageAttributeValue {
	if len(all) == 0 {
		return nil
	}
	out := map[string]api.MessageAttributeValue{}
	for name, a := range all {
		v := api.MessageAttributeValue{DataType: aws.Ptr(a.Type)}
		if strings.HasPrefix(a.Type, "Binary") {
			v.BinaryValue = a.Binary
		} else {
			v.StringValue = aws.Ptr(a.Text)
		}
		out[name] = v
	}
	return out
}
