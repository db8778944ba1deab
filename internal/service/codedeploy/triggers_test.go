package codedeploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/store"
)

func (w *world) publish(_ context.Context, in *sns.PublishInput) (*sns.PublishOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.published = append(w.published, *in)
	return &sns.PublishOutput{MessageId: aws.Ptr("m")}, nil
}

// awaitPublished waits until n messages were published, and returns them.
func (w *world) awaitPublished(n int) []sns.PublishInput {
	w.t.Helper()
	for {
		changed := w.db.Changed(store.Filter{})
		w.mu.Lock()
		got := slices.Clone(w.published)
		w.mu.Unlock()
		rows, err := view(context.Background(), w.s, func(tx *store.Tx) ([]store.Row[notice], error) { return notices.List(tx, store.Scope{}, "", 0) })
		if err != nil {
			w.t.Fatal(err)
		}
		if len(got) >= n && len(rows) == 0 {
			return got
		}
		if err := w.db.Update(context.Background(), func(tx *store.Tx) error { tx.Emit(store.Event{Service: "test"}); return nil }); err != nil {
			w.t.Fatal(err)
		}
		<-changed
	}
}

const topicARN = "arn:aws:sns:us-east-1:123456789012:deployments"

var triggerEvents = []api.TriggerEventType{
	api.TriggerEventTypeDeploymentStart, api.TriggerEventTypeDeploymentSuccess, api.TriggerEventTypeDeploymentFailure,
	api.TriggerEventTypeDeploymentStop, api.TriggerEventTypeDeploymentRollback, api.TriggerEventTypeDeploymentReady,
	api.TriggerEventTypeInstanceStart, api.TriggerEventTypeInstanceSuccess, api.TriggerEventTypeInstanceFailure,
	api.TriggerEventTypeInstanceReady,
}

// triggered makes the group tell a topic of everything.
func triggered(in *api.CreateDeploymentGroupInput) {
	in.TriggerConfigurations = []api.TriggerConfig{{TriggerName: aws.Ptr("all"), TriggerTargetArn: aws.Ptr(topicARN), TriggerEvents: triggerEvents}}
}

// kindOf says what a message is about.
func kindOf(in sns.PublishInput) string {
	status, _, _ := strings.Cut(*in.Subject, ":")
	if strings.Contains(*in.Message, `"instanceId"`) {
		return "instance " + status
	}
	return status
}

func TestTriggers(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp(triggered, func(in *api.CreateDeploymentGroupInput) {
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: aws.Ptr(true), Events: []api.AutoRollbackEvent{api.AutoRollbackEventDeploymentFailure}}
	})
	w.agent("i-1", func(key, event string) bool { return key == "v2" && event == "Install" })
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	id := w.deploy("v2")
	d := w.awaitStatus(id, api.DeploymentStatusFailed)
	back := *d.RollbackInfo.RollbackDeploymentId
	w.awaitStatus(back, api.DeploymentStatusSucceeded)
	all := w.awaitPublished(13)
	var kinds []string
	for _, m := range all {
		kinds = append(kinds, kindOf(m))
		if *m.TopicArn != topicARN {
			t.Errorf("published to %s", *m.TopicArn)
		}
	}
	want := []string{
		"CREATED", "instance IN_PROGRESS", "instance SUCCEEDED", "SUCCEEDED",
		"CREATED", "instance IN_PROGRESS", "instance FAILED", "CREATED", "FAILED",
		"IN_PROGRESS", "instance IN_PROGRESS", "instance SUCCEEDED", "SUCCEEDED",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("published %q\nwant      %q", kinds, want)
	}
	checkMessages(t, all, d, back)
}

// checkMessages holds the members of messages against the forms that AWS sends.
func checkMessages(t *testing.T, all []sns.PublishInput, d *api.DeploymentInfo, back string) {
	t.Helper()
	id := *d.DeploymentId
	created := d.CreateTime.UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
	if got, want := *all[4].Subject, "CREATED: AWS CodeDeploy "+id+" in us-east-1 to a"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	want := fmt.Sprintf(`{"region":"us-east-1","accountId":"123456789012","eventTriggerName":"all","applicationName":"a","deploymentId":"%s",`+
		`"deploymentGroupName":"g","createTime":"%s","completeTime":null,"status":"CREATED"}`, id, created)
	if got := *all[4].Message; got != want {
		t.Errorf("message %s\nwant    %s", got, want)
	}
	var failed map[string]any
	if err := json.Unmarshal([]byte(*all[8].Message), &failed); err != nil {
		t.Fatal(err)
	}
	if got, want := failed["deploymentOverview"], `{"Succeeded":0,"Failed":1,"Skipped":0,"InProgress":0,"Pending":0}`; got != want {
		t.Errorf("overview %v, want %s", got, want)
	}
	if got := fmt.Sprint(failed["errorInformation"]); !strings.HasPrefix(got, `{"ErrorCode":"HEALTH_CONSTRAINTS","ErrorMessage":"`) {
		t.Errorf("error %s", got)
	}
	if got := fmt.Sprint(failed["rollbackInformation"]); !strings.Contains(got, back) {
		t.Errorf("rollback %s", got)
	}
	var begun map[string]any
	if err := json.Unmarshal([]byte(*all[9].Message), &begun); err != nil {
		t.Fatal(err)
	}
	if got, want := begun["rollbackInformation"], fmt.Sprintf(`{"RollbackMessage":"Deployment %s is triggered to roll back deployment %s.","RollbackTriggeringDeploymentId":"%s"}`, back, id, id); got != want {
		t.Errorf("rollback %v, want %s", got, want)
	}
	var instance instanceMessage
	if err := json.Unmarshal([]byte(*all[6].Message), &instance); err != nil {
		t.Fatal(err)
	}
	e := instance.Events[slices.IndexFunc(instance.Events, func(e messageEvent) bool { return e.Event == "Install" })]
	if instance.Instance != "arn:aws:ec2:us-east-1:123456789012:instance/i-1" || instance.Status != "Failed" || e.Status != "Failed" || len(e.End) < len("1446744190.402") {
		t.Errorf("instance %+v, event %+v", instance, e)
	}
}

// A topic that refuses a message is named in the deployment, which goes on.
func TestTriggerThatCannotPublish(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp(triggered)
	w.denied["sns:Publish"] = true
	w.agent("i-1", nil)
	id := w.deploy("v1")
	w.awaitStatus(id, api.DeploymentStatusSucceeded)
	d := w.await(id, "a message", func(d *api.DeploymentInfo) bool { return len(d.DeploymentStatusMessages) > 0 })
	if m := d.DeploymentStatusMessages[0]; !strings.HasPrefix(m, "The trigger all could not publish to "+topicARN+": ") {
		t.Errorf("message %q", m)
	}
}

// Stopping has a trigger of its own.
func TestTriggerOfAStop(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp(triggered)
	running, release := make(chan struct{}), make(chan struct{})
	w.agent("i-1", func(_, event string) bool {
		if event == "Install" {
			close(running)
			<-release
		}
		return false
	})
	id := w.deploy("v1")
	<-running
	must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id})
	close(release)
	w.awaitStatus(id, api.DeploymentStatusStopped)
	all := w.awaitPublished(4)
	if got := kindOf(all[len(all)-1]); got != "STOPPED" {
		t.Errorf("the last message is %s", got)
	}
}
