package deploy

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deployedFake is a fake with a stack and these deployments behind it.
func deployedFake(t testing.TB, outputs map[string]string, history ...fakeDeployment) *fakeAWS {
	t.Helper()
	aws := newFake(t)
	aws.stacks["shop"] = &fakeStack{name: "shop", states: []string{"UPDATE_COMPLETE"}, outputs: outputs}
	aws.groups["app-group"] = map[string]any{"ec2TagFilters": []any{map[string]any{"Key": "role", "Value": "web", "Type": "KEY_AND_VALUE"}}}
	aws.deployments = history
	aws.answers["ListStackResources"] = "<StackResourceSummaries><member><LogicalResourceId>Web</LogicalResourceId><PhysicalResourceId>" + instance +
		"</PhysicalResourceId><ResourceType>AWS::EC2::Instance</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResourceSummaries>"
	aws.answers["DescribeInstances"] = machineIn("running")
	return aws
}

func machineIn(state string) string {
	return "<reservationSet><item><instancesSet><item><instanceId>" + instance + "</instanceId><instanceState><name>" + state +
		"</name></instanceState><ipAddress>198.51.100.7</ipAddress><privateIpAddress>10.0.0.7</privateIpAddress></item></instancesSet></item></reservationSet>"
}

func succeeded(key string) fakeDeployment {
	return fakeDeployment{status: "Succeeded", key: key, creator: "user", description: "hardstand deploy"}
}

func failing(key string) fakeDeployment {
	return fakeDeployment{status: "Failed", key: key, creator: "user", code: "HEALTH_CONSTRAINTS", msg: "too few", event: "ApplicationStart", diag: map[string]string{
		"errorCode": "ScriptFailed", "scriptName": "start.sh", "message": "start.sh failed with exit code 7", "logTail": "one\ntwo\n"}}
}

// lookAt looks at a good project.
func lookAt(t testing.TB) *Report {
	t.Helper()
	report, err := Status(t.Context(), Options{Dir: files(t, good())}, Settings{Clock: &hasty{now: time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)}})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func wants(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
}

func TestStatusWell(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer page.Close()
	aws := deployedFake(t, map[string]string{"Site": page.URL, "Note": "no URL"}, succeeded("one.zip"))
	report := lookAt(t)
	if report.State != stateWell || report.Verdict() != nil || !report.URL.Answers {
		t.Errorf("%+v", report)
	}
	want := "stack        shop UPDATE_COMPLETE\n" +
		"               Site: " + page.URL + "\n" +
		"instances    " + instance + " (Web) running 198.51.100.7 runs s3://b/one.zip (d-000000001 ValidateService Succeeded)\n" +
		"deployment   app / app-group\n" +
		"             last: d-000000001 Succeeded, s3://b/one.zip, begun 2026-01-01 00:01:00 UTC (59 min ago), by user (hardstand deploy)\n" +
		"url          " + page.URL + " answers\nall is well\n"
	if got := report.Text(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, string(text), `"state":"well"`, `"exitCode":0`, `"problems":[]`, `"autoScalingGroups":[]`, `"loadBalancerTargets":[]`, `"runs":"s3://b/one.zip"`)
	if n := aws.called("ListDeploymentTargets"); n != 1 || report.Group.Successful == nil || report.Group.Successful.ID != report.Group.Last.ID {
		t.Errorf("the targets of one deployment are read %d times: %+v", n, report.Group)
	}
}

func TestStatusNotWell(t *testing.T) {
	back := fakeDeployment{status: "Succeeded", key: "one.zip", creator: "codeDeployRollback", rollbackOf: deploymentID(2)}
	stopped := fakeDeployment{status: "Stopped", key: "two.zip", code: "MANUAL_STOP", msg: "by a user"}
	silent := fakeDeployment{status: "Failed", code: "AGENT_ISSUE", msg: "no poll", event: "BeforeInstall", diag: map[string]string{"errorCode": "UnknownError"}}
	mute := silent
	mute.untaken = true
	for _, c := range []struct {
		name    string
		history []fakeDeployment
		exit    int
		text    string // parts, divided by |
		verdict string
	}{
		{"nothing yet", nil, ExitDeployment, "nothing was deployed yet", "nothing was deployed to app / app-group yet"},
		{"a script failed", []fakeDeployment{succeeded("one.zip"), failing("two.zip")}, ExitDeployment,
			"last: d-000000002 Failed, s3://b/two.zip|HEALTH_CONSTRAINTS: too few|✗ " + instance + ": ApplicationStart failed in start.sh: ScriptFailed: start.sh failed with exit code 7|| two|last successful: d-000000001|runs s3://b/one.zip (d-000000002 ApplicationStart Failed)",
			"the last deployment d-000000002 ended as Failed"},
		{"it was rolled back", []fakeDeployment{succeeded("one.zip"), failing("two.zip"), back}, ExitDeployment,
			"last: d-000000002 Failed|rollback of it: d-000000003 Succeeded|runs s3://b/one.zip (d-000000003 ValidateService Succeeded)", "rolled back by d-000000003 (Succeeded)"},
		{"stopped", []fakeDeployment{stopped}, ExitDeployment, "none has ever succeeded|runs none of these revisions", "ended as Stopped"},
		{"stopped and rolled back", []fakeDeployment{succeeded("one.zip"), stopped, back}, ExitOK, "all is well", ""},
		{"an agent fell silent", []fakeDeployment{silent}, ExitDeployment, "its agent is silent since 2026-01-01 00:00:10 UTC (59 min ago)|| yum: not found", "ended as Failed"},
		{"an agent never came", []fakeDeployment{mute}, ExitDeployment, "its agent has never taken a command", "ended as Failed"},
		{"one runs", []fakeDeployment{succeeded("one.zip"), {status: "InProgress", key: "two.zip"}}, ExitOK, "last: d-000000002 InProgress|last successful: d-000000001|somebody is at work on it", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := deployedFake(t, nil, c.history...)
			aws.console = "yum: not found\n"
			report := lookAt(t)
			wants(t, report.Text(), strings.Split(c.text, "|")...)
			err := report.Verdict()
			if ExitCode(err) != c.exit || report.ExitCode != c.exit {
				t.Errorf("exit code %d, %v", report.ExitCode, err)
			}
			if c.verdict != "" && (err == nil || !strings.Contains(err.Error(), c.verdict)) {
				t.Errorf("verdict %v", err)
			}
			if n := aws.called("ListDeploymentTargets"); n > len(c.history) {
				t.Errorf("the targets of %d deployments are read %d times", len(c.history), n)
			}
			if good := report.Group.Successful; strings.HasPrefix(c.text, "last: d-000000002 Failed|rollback") && (good == nil || good.ID != deploymentID(3)) {
				t.Errorf("the last successful deployment is %+v", good)
			}
		})
	}
}

func TestStatusScriptExitCode(t *testing.T) {
	deployedFake(t, nil, failing("one.zip"))
	f := lookAt(t).Group.Last.Failures[0]
	if f.ExitCode == nil || *f.ExitCode != 7 || f.Event != "ApplicationStart" || f.Script != "start.sh" || len(f.Log) != 2 || f.Silent || f.LastHeard != nil {
		t.Errorf("%+v", f)
	}
}

func TestStatusOfStacks(t *testing.T) {
	for _, c := range []struct {
		name, status, text string
		exit               int
	}{
		{"failed", "UPDATE_ROLLBACK_COMPLETE", "Web (AWS::EC2::Instance) is UPDATE_FAILED|no such image", ExitStack},
		{"changing", "UPDATE_IN_PROGRESS", "somebody is at work on it", ExitOK},
		{"cleaning up", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "somebody is at work on it", ExitOK},
		{"going back", "UPDATE_ROLLBACK_IN_PROGRESS", "shop UPDATE_ROLLBACK_IN_PROGRESS", ExitStack},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := deployedFake(t, nil, succeeded("one.zip"))
			s := aws.stacks["shop"]
			s.states = []string{c.status}
			s.events = []fakeEvent{
				{"1", "Old", "AWS::EC2::Instance", "i-1", "CREATE_FAILED", "long ago"},
				{"2", "shop", "AWS::CloudFormation::Stack", s.id(), "UPDATE_IN_PROGRESS", "User Initiated"},
				{"3", "Web", "AWS::EC2::Instance", instance, "UPDATE_FAILED", "no such image"},
			}
			report := lookAt(t)
			wants(t, report.Text(), strings.Split(c.text, "|")...)
			if report.ExitCode != c.exit || strings.Contains(report.Text(), "long ago") {
				t.Errorf("exit code %d:\n%s", report.ExitCode, report.Text())
			}
		})
	}
	newFake(t)
	report := lookAt(t)
	wants(t, report.Text(), "there is no stack shop", "nothing was deployed yet")
	if report.ExitCode != ExitStack {
		t.Errorf("without a stack: %+v", report)
	}
}

const (
	poolARN  = "arn:aws:elasticloadbalancing:eu-west-1:" + account + ":targetgroup/pool/0123"
	sickPool = "<TargetHealthDescriptions><member><Target><Id>" + instance + "</Id><Port>80</Port></Target><TargetHealth><State>unhealthy</State>" +
		"<Description>Health checks failed with these codes: [500]</Description></TargetHealth></member></TargetHealthDescriptions>"
	fleet = "<AutoScalingGroups><member><AutoScalingGroupName>fleet</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>4</MaxSize><DesiredCapacity>2</DesiredCapacity><Instances>" +
		"<member><InstanceId>" + instance + "</InstanceId><LifecycleState>InService</LifecycleState><HealthStatus>Healthy</HealthStatus></member></Instances></member></AutoScalingGroups>"
)

// withFleet puts the group behind balancers and in an Auto Scaling group.
func withFleet(aws *fakeAWS) {
	g := aws.groups["app-group"]
	g["loadBalancerInfo"] = map[string]any{"targetGroupInfoList": []any{map[string]any{"name": "pool"}}, "elbInfoList": []any{map[string]any{"name": "classic"}}}
	g["autoScalingGroups"] = []any{map[string]any{"name": "fleet"}}
	aws.answers["DescribeTargetGroups"] = "<TargetGroups><member><TargetGroupArn>" + poolARN + "</TargetGroupArn></member></TargetGroups>"
	aws.answers["DescribeTargetHealth"] = sickPool
	aws.answers["DescribeInstanceHealth"] = "<InstanceStates><member><InstanceId>" + instance + "</InstanceId><State>InService</State><Description>N/A</Description></member></InstanceStates>"
	aws.answers["DescribeAutoScalingGroups"] = fleet
}

func TestStatusOfFleets(t *testing.T) {
	aws := deployedFake(t, nil, succeeded("one.zip"))
	withFleet(aws)
	report := lookAt(t)
	wants(t, report.Text(), "scaling      fleet: 2 wanted (1 to 4), 1 there", instance+" InService Healthy", "targets      pool: 1 targets",
		instance+":80 unhealthy Health checks failed with these codes: [500]", "classic: 1 targets")
	if report.ExitCode != ExitURL || report.Verdict().Error() != "not well: "+instance+":80 is unhealthy in pool" {
		t.Errorf("%v", report.Verdict())
	}
	aws.answers["DescribeInstances"] = machineIn("stopped")
	if report = lookAt(t); !strings.Contains(report.Verdict().Error(), "the instance "+instance+" is stopped") {
		t.Errorf("%v", report.Verdict())
	}
}

// What the deployment group names and AWS does not have is no matter of permissions.
func TestStatusOfWhatIsGone(t *testing.T) {
	for _, c := range []struct{ op, refusal, answer, verdict string }{
		{"DescribeTargetGroups", "400 TargetGroupNotFound: One or more target groups not found", "", "pool is not there: TargetGroupNotFound: "},
		{"DescribeTargetHealth", "400 TargetGroupNotFound: One or more target groups not found", "", "pool is not there: TargetGroupNotFound: "},
		{"DescribeInstanceHealth", "400 LoadBalancerNotFound: There is no ACTIVE Load Balancer named 'classic'", "", "classic is not there: LoadBalancerNotFound: "},
		{"DescribeAutoScalingGroups", "", "<AutoScalingGroups/>", "there is no Auto Scaling group fleet"},
	} {
		t.Run(c.op, func(t *testing.T) {
			aws := deployedFake(t, nil, succeeded("one.zip"))
			withFleet(aws)
			aws.answers["DescribeTargetHealth"] = "<TargetHealthDescriptions/>"
			if aws.refuse[c.op] = c.refusal; c.refusal == "" {
				delete(aws.refuse, c.op)
				aws.answers[c.op] = c.answer
			}
			report := lookAt(t)
			if err := report.Verdict(); report.ExitCode != ExitURL || !strings.HasPrefix(err.Error(), "not well: "+c.verdict) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStatusOfURLs(t *testing.T) {
	aws := deployedFake(t, map[string]string{"Site": "http://127.0.0.1:1/"}, succeeded("one.zip"))
	report := lookAt(t)
	wants(t, report.Text(), "http://127.0.0.1:1/ does not answer")
	if report.ExitCode != ExitURL {
		t.Errorf("%+v", report)
	}
	aws.stacks["shop"].outputs = nil
	wants(t, lookAt(t).Text(), "url          none is known")
	look := func() *Report {
		report, err := Status(t.Context(), Options{Dir: files(t, good()), URL: "http://{Nowhere}/"}, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	const missing = "url names the output Nowhere, which the stack does not have"
	report = look()
	if wants(t, report.Text(), missing); report.ExitCode != ExitURL || report.Verdict().Error() != "not well: "+missing {
		t.Errorf("an output that is not there: %v", report.Verdict())
	}
	aws.stacks["shop"].states = []string{"UPDATE_IN_PROGRESS"}
	if report = look(); report.State != stateChanging {
		t.Errorf("an output that may come yet: %v", report.Verdict())
	}
}

// What may not be read is said in its line, and the rest is shown.
func TestStatusDenied(t *testing.T) {
	for _, c := range []struct{ op, text string }{
		{"DescribeStacks", "shop may not be read: DescribeStacks: AccessDenied: not you"},
		{"ListStackResources", "its resources may not be read: "},
		{"DescribeInstances", "states and addresses may not be read: "},
		{"GetDeploymentGroup", "app / app-group may not be read: "},
		{"GetDeployment", "the deployments may not be read: "},
		{"ListDeployments", "whether one runs may not be read: "},
		{"ListDeploymentTargets", "its instances may not be read: "},
		{"BatchGetDeploymentTargets", "its instances may not be read: "},
		{"DescribeAutoScalingGroups", "scaling      may not be read: "},
		{"DescribeTargetGroups", "targets      pool may not be read: "},
		{"DescribeTargetHealth", "targets      pool may not be read: "},
		{"DescribeInstanceHealth", "classic may not be read: "},
	} {
		t.Run(c.op, func(t *testing.T) {
			aws := deployedFake(t, nil, succeeded("one.zip"))
			withFleet(aws)
			aws.answers["DescribeTargetHealth"] = "<TargetHealthDescriptions/>"
			aws.answers["DescribeAutoScalingGroups"] = strings.Replace(fleet, ">2<", ">1<", 1)
			aws.refuse[c.op] = "403 AccessDenied: not you"
			report := lookAt(t)
			if report.ExitCode != ExitOK {
				t.Errorf("%v", report.Verdict())
			}
			wants(t, report.Text(), c.text, "not you", "all is well, as far as it may be read")
		})
	}
	aws := deployedFake(t, nil, succeeded("one.zip"))
	aws.refuse["DescribeStacks"], aws.refuse["GetDeploymentGroup"] = "403 AccessDenied: no", "400 AccessDeniedException: no"
	if report := lookAt(t); report.ExitCode != ExitDenied || report.State != stateFailed {
		t.Errorf("nothing may be read: %+v", report)
	}
	aws.stacks["shop"].states = []string{"UPDATE_ROLLBACK_FAILED"}
	delete(aws.refuse, "DescribeStacks")
	aws.refuse["DescribeStackEvents"] = "403 AccessDenied: no"
	wants(t, lookAt(t).Text(), "its events may not be read")
}

// A fault of AWS's own leaves open how the project stands.
func TestStatusOfFaults(t *testing.T) {
	for op, refusal := range map[string]string{"GetDeployment": "500 InternalFailure: not now", "DescribeInstances": "503 Unavailable: not now"} {
		aws := deployedFake(t, nil, succeeded("one.zip"))
		aws.refuse[op] = refusal
		_, err := Status(t.Context(), Options{Dir: files(t, good())}, Settings{})
		if ExitCode(err) != ExitUnexpected || !strings.Contains(err.Error(), "not now") {
			t.Errorf("%s: %v", op, err)
		}
	}
	aws := deployedFake(t, nil, succeeded("one.zip"))
	aws.refuse["DescribeInstances"] = "501 NotImplemented: not here"
	wants(t, lookAt(t).Text(), "states and addresses may not be read: NotImplemented: not here")
}

func TestStatusWithoutServer(t *testing.T) {
	aws := newFake(t)
	aws.Close()
	_, err := Status(t.Context(), Options{Dir: files(t, good())}, Settings{})
	var f *Failure
	if !errors.As(err, &f) || f.Exit != ExitUnexpected || f.Step != "status" || f.Cause != "no server answers at "+aws.URL {
		t.Errorf("%v", err)
	}
}

// A project that could not be deployed now has a status all the same.
func TestStatusOfUnfitProjects(t *testing.T) {
	deployedFake(t, nil, succeeded("one.zip"))
	bare := map[string]string{"hardstand.yaml": "application: app\n"}
	if _, err := Status(t.Context(), Options{Dir: files(t, bare)}, Settings{}); err != nil {
		t.Errorf("without template and application: %v", err)
	}
	_, err := Status(t.Context(), Options{Dir: files(t, map[string]string{"x": ""})}, Settings{})
	if ExitCode(err) != ExitCheck || !strings.Contains(err.Error(), "holds an application") {
		t.Errorf("without a name: %v", err)
	}
}
