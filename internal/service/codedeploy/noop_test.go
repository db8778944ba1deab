package codedeploy

import (
	"context"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
)

// An event for which our agent has nothing to do ends with its acknowledgement,
// which may be repeated; AWS's agents carry it out.
func TestNoopEndsWithItsAcknowledgement(t *testing.T) {
	for _, tc := range []struct {
		name, agent, payload string
		want                 commands.CommandStatus
		next                 string // what is offered then
	}{
		{"ours", agentProduct + "1", `{"IsCommandNoop":true}`, commands.CommandStatusSucceeded, "DownloadBundle"},
		{"ours with work", agentProduct + "1", `{"IsCommandNoop":false}`, commands.CommandStatusInProgress, ""},
		{"ours, unreadable", agentProduct + "1", `{`, commands.CommandStatusInProgress, ""},
		{"AWS's", "aws-sdk-ruby3", `{"IsCommandNoop":true}`, commands.CommandStatusInProgress, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			c := aws.CallFrom(as("i-1"))
			c.UserAgent = tc.agent
			ctx := aws.WithCall(context.Background(), c)
			id := w.deploy("v1")
			out, err := w.s.PollHostCommand(ctx, &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")})
			if err != nil || *out.HostCommand.CommandName != "ApplicationStop" {
				t.Fatalf("%+v, %v", out, err)
			}
			for range 2 {
				ack, err := w.s.PutHostCommandAcknowledgement(ctx, &commands.PutHostCommandAcknowledgementInput{
					HostCommandIdentifier: out.HostCommand.HostCommandIdentifier, Diagnostics: &commands.Envelope{Format: aws.Ptr("JSON"), Payload: &tc.payload}})
				if err != nil || ack.CommandStatus != tc.want {
					t.Fatalf("%+v, %v", ack, err)
				}
			}
			event := w.target(id, "i-1").LifecycleEvents[0]
			if tc.next == "" {
				if event.Status != api.LifecycleEventStatusInProgress {
					t.Errorf("%+v", event)
				}
				return
			}
			if event.Status != api.LifecycleEventStatusSucceeded || event.StartTime == nil || event.EndTime == nil || *event.Diagnostics.Message != "Succeeded" {
				t.Errorf("%+v %+v", event, event.Diagnostics)
			}
			out, err = w.s.PollHostCommand(ctx, &commands.PollHostCommandInput{HostIdentifier: hostARN("i-1")})
			if err != nil || *out.HostCommand.CommandName != tc.next {
				t.Fatalf("%+v, %v", out, err)
			}
		})
	}
}
