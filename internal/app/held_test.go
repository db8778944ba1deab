package app

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// poller registers a machine on premises and returns the configuration of its agent,
// and what it polls with.
func (s *server) poller() (awssdk.Config, *codedeploycommands.PollHostCommandInput) {
	s.t.Helper()
	root := s.as(s.Access())
	call := func(c client.Client, operation string, in, out any) {
		s.t.Helper()
		if err := c.Call(s.t.Context(), operation, in, out); err != nil {
			s.t.Fatal(operation, err)
		}
	}
	name := awssdk.String("machine")
	var user iam.CreateUserOutput
	var key iam.CreateAccessKeyOutput
	call(client.Client{Model: iam.Model(), Config: root}, "CreateUser", &iam.CreateUserInput{UserName: name}, &user)
	call(client.Client{Model: iam.Model(), Config: root}, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: name}, &key)
	call(client.Client{Model: codedeploy.Model(), Config: root}, "RegisterOnPremisesInstance",
		&codedeploy.RegisterOnPremisesInstanceInput{InstanceName: name, IamUserArn: user.User.Arn}, nil)
	access := s.Access()
	access.AccessKeyID, access.SecretAccessKey = *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey
	return s.as(access), &codedeploycommands.PollHostCommandInput{HostIdentifier: user.User.Arn}
}

// A poll that is held is answered when the server stops, and when it is reset: nobody
// waits for it.
func TestHeldPollsHoldUpNothing(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(s *server) error
	}{
		{"stop", func(s *server) error { return s.finish() }},
		{"reset", func(s *server) error { return RequestReset(s.t.Context(), s.cfg.DataDir) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := resettable(t)
			config, in := s.poller()
			answered := make(chan error, 1)
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second) // a poll is held for longer
			defer cancel()
			go func() {
				c := client.Client{Model: codedeploycommands.Model(), Config: config}
				var out codedeploycommands.PollHostCommandOutput
				answered <- c.Call(ctx, "PollHostCommand", in, &out)
			}()
			for range s.current().db.Watch(ctx, 0, store.Filter{Service: "codedeploy", Kind: "agent"}) {
				break // the agent has been let in
			}
			if err := tc.end(s); err != nil {
				t.Error(err)
			}
			if err := <-answered; err != nil {
				t.Errorf("the poll was answered %v", err)
			}
		})
	}
}
