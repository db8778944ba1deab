package codedeploy

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

const stranger = "999999999999"

// callers are all that is not host i-1 and not host box.
func callers() map[string]aws.Principal {
	role := func(account, arn, instance string) aws.Principal {
		return aws.Principal{Type: aws.PrincipalAssumedRole, Account: account, ARN: arn, InstanceID: instance, SessionName: arn[strings.LastIndexByte(arn, '/')+1:]}
	}
	return map[string]aws.Principal{
		"another instance":                  hostPrincipal("i-2"),
		"another instance's session name":   role(account, "arn:aws:sts::"+account+":assumed-role/web/i-1", "i-2"),
		"a session named like it":           role(account, "arn:aws:sts::"+account+":assumed-role/web/i-1", ""),
		"its identity document":             {Type: aws.PrincipalService, Account: account, InstanceID: "i-1", ARN: "arn:aws:sts::" + account + ":instance-identity/i-1"},
		"another account's instance":        role(stranger, "arn:aws:sts::"+stranger+":assumed-role/web/i-1", "i-1"),
		"the account's root":                {Type: aws.PrincipalRoot, Account: account, ARN: "arn:aws:iam::" + account + ":root"},
		"a user":                            {Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::" + account + ":user/deployer"},
		"another machine's user":            {Type: aws.PrincipalUser, Account: account, ARN: userARN + "2"},
		"another machine's session":         role(account, sessionARN, ""),
		"a session of its role":             role(account, sessionARN+"x", ""),
		"another account's user":            {Type: aws.PrincipalUser, Account: stranger, ARN: strings.Replace(userARN, account, stranger, 1)},
		"another account's session":         role(stranger, strings.Replace(sessionARN, account, stranger, 1), ""),
		"a service":                         {Type: aws.PrincipalService, Account: account, ARN: servicePrincipal},
		"a user that another account named": {Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::" + account + ":user/mallory"},
	}
}

// An instance, on EC2 or on premises, polls, reads, acknowledges, reports and completes
// for itself only; nobody else does for it. What was refused has changed nothing.
func TestNobodyActsForAHost(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "web")
	w.register("box2", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN + "2")}, "db")
	w.register("box3", api.RegisterOnPremisesInstanceInput{IamSessionArn: aws.Ptr(sessionARN)}, "db")
	// Another account gave its machine the name of this one's, and a user of this
	// account: a row that an older server let in.
	err := w.db.Update(t.Context(), func(tx *store.Tx) error {
		return onPremises.Put(tx, store.Key{Account: stranger, Region: region, ID: "box"},
			&onPremisesInstance{Name: "box", User: "arn:aws:iam::" + account + ":user/mallory", Registered: w.clock.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.setUp(onPremisesGroup, func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
	id := w.deploy("v1")
	w.await(id, "begun", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 3 })
	// The hosts have taken their commands and run them.
	for _, h := range []struct{ ctx, host string }{{"i-1", *hostARN("i-1")}, {userARN, userARN}} {
		ctx := as(h.ctx)
		if h.ctx == userARN {
			ctx = asARN(userARN)
		}
		polled, err := wire.Call[commands.PollHostCommandOutput](ctx, w.server, "codedeploy-commands", "PollHostCommand", &commands.PollHostCommandInput{HostIdentifier: &h.host})
		if err != nil || polled.HostCommand == nil {
			t.Fatalf("%s: %+v, %v", h.host, polled, err)
		}
		if _, err := w.server.Invoke(ctx, "codedeploy-commands", "PutHostCommandAcknowledgement", &commands.PutHostCommandAcknowledgementInput{HostCommandIdentifier: polled.HostCommand.HostCommandIdentifier}); err != nil {
			t.Fatal(err)
		}
	}
	before := w.rowsOf(id)
	for name, p := range callers() {
		ctx := aws.WithCall(context.Background(), aws.Call{Principal: p, Account: p.Account, Region: region})
		for host, identifier := range map[string]string{"i-1": *hostARN("i-1"), "box": userARN, "box by its name": "box", "i-1 by its id": "i-1"} {
			bare, _, _ := strings.Cut(host, " ")
			command := aws.Ptr(id + ":" + bare + ":0")
			envelope := &commands.Envelope{Format: aws.Ptr(logFormat), Payload: aws.Ptr("forged")}
			for operation, in := range map[string]any{
				"PollHostCommand":               &commands.PollHostCommandInput{HostIdentifier: &identifier},
				"GetDeploymentSpecification":    &commands.GetDeploymentSpecificationInput{HostIdentifier: &identifier, DeploymentExecutionId: aws.Ptr("codedeploy/" + account + "/" + region + "/" + id)},
				"PutHostCommandAcknowledgement": &commands.PutHostCommandAcknowledgementInput{HostCommandIdentifier: command},
				"PutHostCommandComplete":        &commands.PutHostCommandCompleteInput{HostCommandIdentifier: command, CommandStatus: commands.CommandStatusFailed},
				"PostHostCommandUpdate":         &commands.PostHostCommandUpdateInput{HostCommandIdentifier: command, Diagnostics: envelope},
			} {
				for _, signed := range []string{"codedeploy-commands", secureName} {
					c := aws.CallFrom(ctx)
					c.SigningName = signed
					out, err := w.server.Invoke(aws.WithCall(ctx, c), "codedeploy-commands", operation, in)
					if !awserr.Is(err, "AccessDeniedException", "ClientException") {
						t.Errorf("%s: %s for %s (%s): %+v, %v", name, operation, host, signed, out, err)
					}
				}
			}
		}
		if p.Account != account {
			_, err := wire.Call[commands.GetDeploymentLogOutput](ctx, w.server, "codedeploy-commands", "GetDeploymentLog", &commands.GetDeploymentLogInput{DeploymentId: &id, TargetId: aws.Ptr("i-1")})
			wantCode(t, err, "DeploymentDoesNotExistException", "")
		}
	}
	if after := w.rowsOf(id); !reflect.DeepEqual(before, after) {
		t.Errorf("the targets have changed:\n%+v\n%+v", before, after)
	}
	w.denied["codedeploy:GetDeploymentTarget"] = true
	_, err = wire.Call[commands.GetDeploymentLogOutput](as("nobody"), w.server, "codedeploy-commands", "GetDeploymentLog", &commands.GetDeploymentLogInput{DeploymentId: &id, TargetId: aws.Ptr("i-1")})
	if err == nil || !strings.Contains(fmt.Sprint(err), "codedeploy:GetDeploymentTarget") {
		t.Errorf("the log without its permission: %v", err)
	}
}

// rowsOf returns the targets of a deployment.
func (w *world) rowsOf(id string) []*target {
	w.t.Helper()
	list, err := view(context.Background(), w.s, func(tx *store.Tx) ([]*target, error) { return targetsOf(tx, id) })
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// A machine's identity is one of the account that registers it.
func TestIdentitiesOfOtherAccounts(t *testing.T) {
	w := newWorld(t)
	for name, in := range map[string]*api.RegisterOnPremisesInstanceInput{
		"InvalidIamUserArnException":    {InstanceName: aws.Ptr("x"), IamUserArn: aws.Ptr("arn:aws:iam::" + stranger + ":user/u")},
		"InvalidIamSessionArnException": {InstanceName: aws.Ptr("x"), IamSessionArn: aws.Ptr("arn:aws:sts::" + stranger + ":assumed-role/r/session")},
	} {
		_, err := call[api.RegisterOnPremisesInstanceOutput](w, "RegisterOnPremisesInstance", in)
		wantCode(t, err, name, "")
	}
}

// An on-premises instance that is deregistered in the middle is let in no more: its
// target fails at once.
func TestDeregisteredInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "web")
	w.setUp(onPremisesGroup, func(in *api.CreateDeploymentGroupInput) { in.Ec2TagFilters = nil })
	id := w.deploy("v1")
	w.await(id, "begun", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
	must[api.DeregisterOnPremisesInstanceOutput](w, "DeregisterOnPremisesInstance", &api.DeregisterOnPremisesInstanceInput{InstanceName: aws.Ptr("box")})
	wantAgentIssue(t, w.awaitStatus(id, api.DeploymentStatusFailed), "Instance box is deregistered: nothing can be deployed to it.")
	if a, h, _, _, _ := w.count(); a+h != 0 {
		t.Errorf("left: %d agents, %d hosts", a, h)
	}
}

// A completed command keeps its result, whatever its own host says later, and takes no
// more output.
func TestCompletedCommandsStay(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	h := w.agent("i-1", func(_, event string) bool { return event == "Install" })
	id := w.deploy("v1")
	w.awaitStatus(id, api.DeploymentStatusFailed)
	h.close()
	before := w.rowsOf(id)
	for index := range before[0].Events {
		command := fmt.Sprintf("%s:i-1:%d", id, index)
		for _, status := range []commands.CommandStatus{commands.CommandStatusSucceeded, commands.CommandStatusFailed} {
			if _, err := w.server.Invoke(as("i-1"), "codedeploy-commands", "PutHostCommandComplete", &commands.PutHostCommandCompleteInput{HostCommandIdentifier: &command, CommandStatus: status}); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
		out, err := wire.Call[commands.PostHostCommandUpdateOutput](as("i-1"), w.server, "codedeploy-commands", "PostHostCommandUpdate",
			&commands.PostHostCommandUpdateInput{HostCommandIdentifier: &command, Diagnostics: &commands.Envelope{Format: aws.Ptr(logFormat), Payload: aws.Ptr("late")}})
		if err != nil || !slices.Contains([]commands.CommandStatus{"Succeeded", "Failed"}, out.CommandStatus) {
			t.Errorf("%s: %+v, %v", command, out, err)
		}
	}
	if after := w.rowsOf(id); !reflect.DeepEqual(before, after) {
		t.Errorf("%+v\n%+v", before[0], after[0])
	}
}
