package cloudformation_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const (
	setTemplate = "Parameters: {V: {Type: String, Default: one}, S: {Type: String, NoEcho: true, Default: hidden}}\n" +
		"Resources: {A: {Type: 'Test::Fake::Thing', Properties: {Value: !Ref V, List: [!Ref 'AWS::Region']}}}"
	home = "123456789012"
)

// begin starts the work on stack sets, until the test ends or stop is called.
func (l *lab) begin() (stop func()) { return wiretest.Run(l.t, l.work, nil) }

func (l *lab) newSet(name string) string {
	l.t.Helper()
	return *must[api.CreateStackSetOutput](l, "CreateStackSet", &api.CreateStackSetInput{StackSetName: &name, TemplateBody: aws.Ptr(setTemplate)}).StackSetId
}

func (l *lab) addInstances(set string, change func(*api.CreateStackInstancesInput)) string {
	l.t.Helper()
	in := &api.CreateStackInstancesInput{StackSetName: &set, Accounts: []string{home}, Regions: []string{"us-east-1", "eu-west-1"}}
	if change != nil {
		change(in)
	}
	return *must[api.CreateStackInstancesOutput](l, "CreateStackInstances", in).OperationId
}

// operation waits for an operation to end.
func (l *lab) operation(set, id string) *api.StackSetOperation {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		changed := l.db.Changed(store.Filter{Service: "cloudformation", Kind: "stack-set-operation"})
		op := must[api.DescribeStackSetOperationOutput](l, "DescribeStackSetOperation", &api.DescribeStackSetOperationInput{StackSetName: &set, OperationId: &id}).StackSetOperation
		if op.EndTimestamp != nil {
			return op
		}
		select {
		case <-changed:
		case <-time.After(time.Until(deadline)):
			l.t.Fatalf("operation %s is %s", id, op.Status)
		}
	}
}

// results are an operation's by region: status and reason.
func (l *lab) results(set, id string) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for _, r := range must[api.ListStackSetOperationResultsOutput](l, "ListStackSetOperationResults", &api.ListStackSetOperationResultsInput{StackSetName: &set, OperationId: &id}).Summaries {
		out[*r.Account+" "+*r.Region] = strings.TrimSpace(string(r.Status) + " " + aws.Val(r.StatusReason))
	}
	return out
}

func (l *lab) instance(set, region string) *api.StackInstance {
	l.t.Helper()
	return must[api.DescribeStackInstanceOutput](l, "DescribeStackInstance", &api.DescribeStackInstanceInput{StackSetName: &set,
		StackInstanceAccount: aws.Ptr(home), StackInstanceRegion: &region}).StackInstance
}

func (l *lab) wantOperation(set, id string, want api.StackSetOperationStatus) *api.StackSetOperation {
	l.t.Helper()
	op := l.operation(set, id)
	if op.Status != want {
		l.t.Fatalf("operation is %s, want %s: %v", op.Status, want, l.results(set, id))
	}
	return op
}

func (l *lab) values() map[string]string {
	out := map[string]string{}
	for _, p := range l.fake.Items() {
		out[p.List[0]] = p.Value
	}
	return out
}

func TestStackSetFromBirthToDeath(t *testing.T) {
	l := newLab(t)
	l.begin()
	set := l.newSet("fleet")
	l.wantOperation(set, l.addInstances("fleet", nil), "SUCCEEDED")
	if diff := cmp.Diff(map[string]string{"us-east-1": "one", "eu-west-1": "one"}, l.values()); diff != "" {
		t.Error(diff)
	}
	i := l.instance("fleet", "eu-west-1")
	if i.Status != "CURRENT" || i.StackInstanceStatus.DetailedStatus != "SUCCEEDED" || !strings.HasPrefix(*i.StackId, "arn:aws:cloudformation:eu-west-1:"+home+":stack/StackSet-fleet-") {
		t.Errorf("instance %+v %s", i, aws.Val(i.StackId))
	}
	for id, c := range l.fake.Callers() {
		if !strings.Contains(c.Principal.ARN, "AWSCloudFormationStackSetExecutionRole") {
			t.Errorf("%s was made by %s", id, c.Principal.ARN)
		}
	}
	override := must[api.UpdateStackInstancesOutput](l, "UpdateStackInstances", &api.UpdateStackInstancesInput{StackSetName: aws.Ptr("fleet"), Accounts: []string{home},
		Regions: []string{"eu-west-1"}, ParameterOverrides: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("own")}}})
	l.wantOperation(set, *override.OperationId, "SUCCEEDED")
	update := must[api.UpdateStackSetOutput](l, "UpdateStackSet", &api.UpdateStackSetInput{StackSetName: aws.Ptr("fleet"), UsePreviousTemplate: aws.Ptr(true),
		Parameters: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("two")}}})
	l.wantOperation(set, *update.OperationId, "SUCCEEDED")
	if diff := cmp.Diff(map[string]string{"us-east-1": "two", "eu-west-1": "own"}, l.values()); diff != "" {
		t.Error(diff)
	}
	l.fake.Change("fake-A-2", func(p *stacktest.FakeProperties) { p.Value = "drifted" })
	drift := must[api.DetectStackSetDriftOutput](l, "DetectStackSetDrift", &api.DetectStackSetDriftInput{StackSetName: aws.Ptr("fleet")})
	if d := l.wantOperation(set, *drift.OperationId, "SUCCEEDED").StackSetDriftDetectionDetails; *d.DriftedStackInstancesCount != 1 || *d.InSyncStackInstancesCount != 1 || d.DriftStatus != "DRIFTED" {
		t.Errorf("drift %+v", d)
	}
	list := must[api.ListStackInstanceResourceDriftsOutput](l, "ListStackInstanceResourceDrifts", &api.ListStackInstanceResourceDriftsInput{StackSetName: aws.Ptr("fleet"),
		StackInstanceAccount: aws.Ptr(home), StackInstanceRegion: aws.Ptr("eu-west-1"), OperationId: drift.OperationId})
	if len(list.Summaries) != 1 || list.Summaries[0].StackResourceDriftStatus != "MODIFIED" {
		t.Errorf("drifts %+v", list.Summaries)
	}
	_, err := call[api.DeleteStackSetOutput](l, "DeleteStackSet", &api.DeleteStackSetInput{StackSetName: aws.Ptr("fleet")})
	wantError(t, err, "StackSetNotEmptyException", "StackSet is not empty")
	l.deleteInstances("fleet", "SUCCEEDED")
	if items := l.fake.Items(); len(items) != 0 {
		t.Errorf("left: %v", items)
	}
	must[api.DeleteStackSetOutput](l, "DeleteStackSet", &api.DeleteStackSetInput{StackSetName: aws.Ptr("fleet")})
	_, err = call[api.DescribeStackSetOutput](l, "DescribeStackSet", &api.DescribeStackSetInput{StackSetName: aws.Ptr("fleet")})
	wantError(t, err, "StackSetNotFoundException", "StackSet fleet not found")
}

func (l *lab) deleteInstances(set string, want api.StackSetOperationStatus) {
	l.t.Helper()
	out := must[api.DeleteStackInstancesOutput](l, "DeleteStackInstances", &api.DeleteStackInstancesInput{StackSetName: &set, Accounts: []string{home},
		Regions: []string{"us-east-1", "eu-west-1"}, RetainStacks: aws.Ptr(false)})
	l.wantOperation(set, *out.OperationId, want)
}

func TestStackSetTargetsThatFail(t *testing.T) {
	l := newLab(t)
	l.begin()
	set := l.newSet("fleet")
	l.fake.Before = func(_ context.Context, method string, r stack.Request) error {
		if method == "Create" && r.Region == "us-east-1" {
			return &stack.PropertyError{Message: "no room"}
		}
		return nil
	}
	id := l.addInstances("fleet", nil)
	op := l.wantOperation(set, id, "FAILED")
	want := map[string]string{home + " us-east-1": "FAILED ResourceLogicalId:A, ResourceType:Test::Fake::Thing, ResourceStatusReason:no room.",
		home + " eu-west-1": "CANCELLED Cancelled since failure tolerance has exceeded"}
	if diff := cmp.Diff(want, l.results("fleet", id)); diff != "" || *op.StatusDetails.FailedStackInstancesCount != 1 {
		t.Error(diff)
	}
	if i := l.instance("fleet", "us-east-1"); i.Status != "OUTDATED" || i.StackInstanceStatus.DetailedStatus != "FAILED" || aws.Val(i.StatusReason) == "" {
		t.Errorf("instance %+v", i)
	}
	id = l.addInstances("fleet", func(in *api.CreateStackInstancesInput) {
		in.Accounts = []string{home, "999999999999"}
		in.OperationPreferences = &api.StackSetOperationPreferences{FailureToleranceCount: aws.Ptr[int32](1), RegionOrder: []string{"eu-west-1"}, MaxConcurrentCount: aws.Ptr[int32](2)}
	})
	l.wantOperation(set, id, "FAILED")
	abroad := "FAILED Account 999999999999 should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role 'AWSCloudFormationStackSetAdministrationRole'."
	want = map[string]string{home + " eu-west-1": "SUCCEEDED", "999999999999 eu-west-1": abroad, "999999999999 us-east-1": abroad,
		home + " us-east-1": "FAILED ResourceLogicalId:A, ResourceType:Test::Fake::Thing, ResourceStatusReason:no room."}
	if diff := cmp.Diff(want, l.results("fleet", id)); diff != "" {
		t.Error(diff)
	}
	l.fake.Before = nil // what was never made is made anew
	l.wantOperation(set, l.addInstances("fleet", nil), "SUCCEEDED")
	if i := l.instance("fleet", "us-east-1"); i.Status != "CURRENT" {
		t.Errorf("instance %+v", i)
	}
	l.fake.Before = func(_ context.Context, method string, _ stack.Request) error {
		if method == "Delete" {
			return errors.New("stays")
		}
		return nil
	}
	l.deleteInstances("fleet", "FAILED")
	if i := l.instance("fleet", "us-east-1"); i.Status != "INOPERABLE" || i.StackInstanceStatus.DetailedStatus != "INOPERABLE" {
		t.Errorf("instance %+v", i)
	}
}

// An operation that nobody works on yet stands for one that is going on.
func TestStackSetWithAnOperationInProgress(t *testing.T) {
	l := newLab(t)
	set := l.newSet("fleet")
	arn := "arn:aws:cloudformation:us-east-1:" + home + ":stackset/" + set
	named := func(in *api.CreateStackInstancesInput) { in.OperationId = aws.Ptr("op1") }
	id := l.addInstances("fleet", named)
	if again := l.addInstances("fleet", named); again != id {
		t.Errorf("the same request began %s", again)
	}
	_, err := call[api.CreateStackInstancesOutput](l, "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: &set, Accounts: []string{home}, Regions: []string{"eu-north-1"}, OperationId: aws.Ptr("op1")})
	wantError(t, err, "OperationIdAlreadyExistsException", "")
	_, err = call[api.UpdateStackSetOutput](l, "UpdateStackSet", &api.UpdateStackSetInput{StackSetName: &set, UsePreviousTemplate: aws.Ptr(true)})
	wantError(t, err, "OperationInProgressException", "Another Operation on StackSet "+arn+" is in progress: op1")
	_, err = call[api.DeleteStackSetOutput](l, "DeleteStackSet", &api.DeleteStackSetInput{StackSetName: &set})
	wantError(t, err, "OperationInProgressException", "")
	must[api.StopStackSetOperationOutput](l, "StopStackSetOperation", &api.StopStackSetOperationInput{StackSetName: &set, OperationId: &id})
	l.begin()
	l.wantOperation(set, id, "STOPPED")
	if diff := cmp.Diff(map[string]string{home + " us-east-1": "CANCELLED Cancelled since the operation was stopped", home + " eu-west-1": "CANCELLED Cancelled since the operation was stopped"}, l.results("fleet", id)); diff != "" {
		t.Error(diff)
	}
	_, err = call[api.StopStackSetOperationOutput](l, "StopStackSetOperation", &api.StopStackSetOperationInput{StackSetName: &set, OperationId: &id})
	wantError(t, err, "InvalidOperationException", "")
	l.wantOperation(set, l.addInstances("fleet", nil), "SUCCEEDED")
	_, err = call[api.CreateStackInstancesOutput](l, "CreateStackInstances", &api.CreateStackInstancesInput{StackSetName: aws.Ptr("fleet"), Accounts: []string{home}, Regions: []string{"us-east-1", "eu-west-1"}, OperationId: aws.Ptr("op1")})
	wantError(t, err, "StaleRequestException", "")
}

// A server that stops in the middle goes on where it was, and makes nothing twice.
func TestStackSetGoesOnAfterARestart(t *testing.T) {
	l := newLab(t)
	stop := l.begin()
	set := l.newSet("fleet")
	reached, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l.fake.Before = func(ctx context.Context, method string, r stack.Request) error {
		if method == "Create" && r.Region == "us-east-1" {
			once.Do(func() { close(reached) })
			<-held
		}
		return nil
	}
	id := l.addInstances("fleet", nil)
	<-reached
	stop()
	close(held)
	l.begin()
	l.wantOperation(set, id, "SUCCEEDED")
	if l.fake.Made() != 2 {
		t.Errorf("%d things were made", l.fake.Made())
	}
}

func TestManagedStackSetQueues(t *testing.T) {
	l := newLab(t)
	set := *must[api.CreateStackSetOutput](l, "CreateStackSet", &api.CreateStackSetInput{StackSetName: aws.Ptr("fleet"), TemplateBody: aws.Ptr(setTemplate),
		ManagedExecution: &api.ManagedExecution{Active: aws.Ptr(true)}}).StackSetId
	first := l.addInstances("fleet", nil)
	second := must[api.DetectStackSetDriftOutput](l, "DetectStackSetDrift", &api.DetectStackSetDriftInput{StackSetName: &set})
	list := must[api.ListStackSetOperationsOutput](l, "ListStackSetOperations", &api.ListStackSetOperationsInput{StackSetName: &set})
	if list.Summaries[0].Status != "QUEUED" || list.Summaries[1].Status != "RUNNING" {
		t.Errorf("operations %+v", list.Summaries)
	}
	l.begin()
	l.wantOperation(set, first, "SUCCEEDED")
	l.wantOperation(set, *second.OperationId, "SUCCEEDED")
}

func TestStacksImportedIntoAStackSet(t *testing.T) {
	l := newLab(t)
	l.begin()
	set := l.newSet("fleet")
	good, bad := l.create("good", setTemplate, nil), l.create("bad", simple, nil)
	for _, c := range []struct {
		stack  string
		status api.StackSetOperationStatus
		detail api.StackInstanceDetailedStatus
	}{{*bad.StackId, "FAILED", "FAILED_IMPORT"}, {*good.StackId, "SUCCEEDED", "SUCCEEDED"}} {
		out := must[api.ImportStacksToStackSetOutput](l, "ImportStacksToStackSet", &api.ImportStacksToStackSetInput{StackSetName: &set, StackIds: []string{c.stack}})
		l.wantOperation(set, *out.OperationId, c.status)
		if i := l.instance(set, "us-east-1"); i.StackInstanceStatus.DetailedStatus != c.detail || aws.Val(i.StackId) != c.stack {
			t.Errorf("instance %+v", i)
		}
		del := must[api.DeleteStackInstancesOutput](l, "DeleteStackInstances", &api.DeleteStackInstancesInput{StackSetName: &set, Accounts: []string{home},
			Regions: []string{"us-east-1"}, RetainStacks: aws.Ptr(true)})
		l.wantOperation(set, *del.OperationId, "SUCCEEDED")
	}
	l.wantStatus(l.rest(*good.StackId), "CREATE_COMPLETE")
}

// Regions that are worked on side by side share the operation and nothing that
// changes while they are.
func TestStackSetRegionsInParallel(t *testing.T) {
	l := newLab(t)
	l.begin()
	set := l.newSet("fleet")
	id := l.addInstances("fleet", func(in *api.CreateStackInstancesInput) {
		in.Regions = []string{"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"}
		in.OperationPreferences = &api.StackSetOperationPreferences{RegionConcurrencyType: api.RegionConcurrencyTypeParallel}
	})
	l.wantOperation(set, id, "SUCCEEDED")
	if l.fake.Made() != 5 {
		t.Errorf("%d things were made", l.fake.Made())
	}
}

// What an operation that is queued asks of a target outlives the end of the one that
// works on it.
func TestManagedStackSetKeepsWhatIsQueued(t *testing.T) {
	held := func(l *lab, method string) (reached, release chan struct{}) {
		reached, release = make(chan struct{}), make(chan struct{})
		var once sync.Once
		l.fake.Before = func(_ context.Context, m string, _ stack.Request) error {
			if m == method {
				once.Do(func() { close(reached); <-release })
			}
			return nil
		}
		return reached, release
	}
	one := func(in *api.CreateStackInstancesInput) { in.Regions = []string{"eu-west-1"} }
	managed := func(l *lab) string {
		return *must[api.CreateStackSetOutput](l, "CreateStackSet", &api.CreateStackSetInput{StackSetName: aws.Ptr("fleet"), TemplateBody: aws.Ptr(setTemplate),
			ManagedExecution: &api.ManagedExecution{Active: aws.Ptr(true)}}).StackSetId
	}
	t.Run("parameters of its own", func(t *testing.T) {
		l := newLab(t)
		l.begin()
		set := managed(l)
		reached, release := held(l, "Create")
		first := l.addInstances("fleet", one)
		<-reached
		second := must[api.UpdateStackInstancesOutput](l, "UpdateStackInstances", &api.UpdateStackInstancesInput{StackSetName: &set, Accounts: []string{home},
			Regions: []string{"eu-west-1"}, ParameterOverrides: []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("own")}}})
		close(release)
		l.wantOperation(set, first, "SUCCEEDED")
		l.wantOperation(set, *second.OperationId, "SUCCEEDED")
		if diff := cmp.Diff(map[string]string{"eu-west-1": "own"}, l.values()); diff != "" {
			t.Error(diff)
		}
		if i := l.instance(set, "eu-west-1"); i.Status != "CURRENT" || aws.Val(i.LastOperationId) != *second.OperationId {
			t.Errorf("instance %+v", i)
		}
	})
	t.Run("an instance after its deletion", func(t *testing.T) {
		l := newLab(t)
		l.begin()
		set := managed(l)
		l.wantOperation(set, l.addInstances("fleet", one), "SUCCEEDED")
		reached, release := held(l, "Delete")
		first := must[api.DeleteStackInstancesOutput](l, "DeleteStackInstances", &api.DeleteStackInstancesInput{StackSetName: &set, Accounts: []string{home},
			Regions: []string{"eu-west-1"}, RetainStacks: aws.Ptr(false)})
		<-reached
		second := l.addInstances("fleet", one)
		close(release)
		l.wantOperation(set, *first.OperationId, "SUCCEEDED")
		l.wantOperation(set, second, "SUCCEEDED")
		if diff := cmp.Diff(map[string]string{"eu-west-1": "one"}, l.values()); diff != "" {
			t.Error(diff)
		}
		if i := l.instance(set, "eu-west-1"); i.Status != "CURRENT" {
			t.Errorf("instance %+v", i)
		}
	})
}

// An update takes previous values from the set as it read it: another one in between
// must not be undone by it.
func TestStackSetChangedDuringAnUpdate(t *testing.T) {
	l := newLab(t)
	l.begin()
	set := l.newSet("fleet")
	l.objects["templates/fleet"] = setTemplate
	update := func(change func(*api.UpdateStackSetInput)) (*api.UpdateStackSetOutput, error) {
		in := &api.UpdateStackSetInput{StackSetName: &set}
		change(in)
		return call[api.UpdateStackSetOutput](l, "UpdateStackSet", in)
	}
	l.fetched = func() {
		out, err := update(func(in *api.UpdateStackSetInput) {
			in.UsePreviousTemplate, in.Parameters = aws.Ptr(true), []api.Parameter{{ParameterKey: aws.Ptr("V"), ParameterValue: aws.Ptr("two")}}
		})
		if err != nil {
			t.Error(err)
			return
		}
		l.wantOperation(set, *out.OperationId, "SUCCEEDED")
	}
	_, err := update(func(in *api.UpdateStackSetInput) {
		in.TemplateURL = aws.Ptr("https://templates.s3.amazonaws.com/fleet")
		in.Parameters = []api.Parameter{{ParameterKey: aws.Ptr("V"), UsePreviousValue: aws.Ptr(true)}}
	})
	wantError(t, err, "StaleRequestException", "")
	for _, p := range must[api.DescribeStackSetOutput](l, "DescribeStackSet", &api.DescribeStackSetInput{StackSetName: &set}).StackSet.Parameters {
		if *p.ParameterKey == "V" && *p.ParameterValue != "two" {
			t.Errorf("V is %s", *p.ParameterValue)
		}
	}
}
