package deploy

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// goBack rolls a good project back.
func goBack(t testing.TB, o Options, back Back) (*Result, *Failure, string) {
	t.Helper()
	o.Dir = files(t, good())
	var out bytes.Buffer
	r, err := Rollback(t.Context(), o, back, Settings{Out: &out, Clock: &hasty{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}})
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("the error is no *Failure: %v", err)
	}
	return r, f, out.String()
}

func TestRollbackChoice(t *testing.T) {
	one, two := succeeded("app/one.zip"), succeeded("app/two.zip")
	undone := fakeDeployment{status: "Succeeded", key: "app/one.zip", creator: "codeDeployRollback", rollbackOf: deploymentID(2)}
	again := fakeDeployment{status: "Succeeded", key: "app/one.zip", description: rollbackWords + deploymentID(1)}
	for _, c := range []struct {
		name    string
		history []fakeDeployment
		back    Back
		key     string // of what is deployed, or
		cause   string // why nothing is
		why     string // in the evidence
	}{
		{"the revision before", []fakeDeployment{one, two}, Back{}, "app/one.zip", "", ""},
		{"the last one failed", []fakeDeployment{one, two, failing("app/three.zip")}, Back{}, "app/two.zip", "", ""},
		{"the last one failed and was rolled back", []fakeDeployment{one, failing("app/two.zip"), undone}, Back{}, "app/one.zip", "", ""},
		{"the last one is a repetition", []fakeDeployment{one, two, two}, Back{}, "app/one.zip", "", ""},
		{"a failed way back", []fakeDeployment{one, two, {status: "Failed", key: "app/one.zip", description: rollbackWords}}, Back{}, "app/two.zip", "", ""},
		{"nothing before", []fakeDeployment{one}, Back{}, "", "there is nothing to go back to: no other revision than s3://b/app/one.zip has succeeded in app / app-group", ""},
		{"nothing has succeeded", []fakeDeployment{failing("app/one.zip"), failing("app/two.zip")}, Back{}, "", "there is nothing to go back to", ""},
		{"nothing was deployed", nil, Back{}, "", "nothing was deployed to app / app-group yet", ""},
		{"it has gone back", []fakeDeployment{one, two, again}, Back{}, "", "the last deployment, d-000000003, has gone back already", "d-000000002 s3://b/app/two.zip of 2026-01-01 00:02:00 UTC"},
		{"it has gone back, to a deployment", []fakeDeployment{one, two, again}, Back{To: deploymentID(2)}, "app/two.zip", "", ""},
		{"to one that failed", []fakeDeployment{one, failing("app/two.zip")}, Back{To: deploymentID(2)}, "", "no successful deployment of app / app-group is d-000000002", "d-000000001 s3://b/app/one.zip"},
		{"to one that is not there", []fakeDeployment{one}, Back{To: "d-X"}, "", "no successful deployment of app / app-group is d-X", "d-000000001"},
		{"to a key", []fakeDeployment{one, two}, Back{Revision: "app/one.zip"}, "app/one.zip", "", ""},
		{"to a file", []fakeDeployment{one, two}, Back{Revision: "one.zip"}, "app/one.zip", "", ""},
		{"to a URL", []fakeDeployment{one, two}, Back{Revision: "s3://b/app/one.zip"}, "app/one.zip", "", ""},
		{"to a revision that failed", []fakeDeployment{one, failing("app/two.zip")}, Back{Revision: "two.zip"}, "", "no successful deployment of app / app-group had the revision two.zip", "d-000000001"},
		{"to a file of two keys", []fakeDeployment{one, succeeded("old/one.zip")}, Back{Revision: "one.zip"}, "", "the revision one.zip has meant more than one archive", "d-000000001 s3://b/app/one.zip"},
		{"two answers", []fakeDeployment{one}, Back{To: "d-X", Revision: "y"}, "", "give --to or --revision", ""},
		{"one runs", []fakeDeployment{one, {status: "InProgress", key: "app/two.zip"}}, Back{}, "", "the deployment d-000000002 of s3://b/app/two.zip is InProgress", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := deployedFake(t, nil, c.history...)
			r, f, out := goBack(t, Options{}, c.back)
			if c.key != "" {
				if f != nil {
					t.Fatal(f.Text())
				}
				last := aws.deployments[len(aws.deployments)-1]
				if last.key != c.key || !strings.HasPrefix(last.description, "hardstand rollback to d-00000000") || r.DeploymentID != deploymentID(len(aws.deployments)) {
					t.Errorf("deployed %+v, result %+v\n%s", last, r, out)
				}
				return
			}
			if f == nil || !strings.Contains(f.Cause, c.cause) || !strings.Contains(strings.Join(f.Evidence, "|"), c.why) || (f.Exit != ExitDeployment && f.Exit != ExitCheck) {
				t.Fatalf("%v", f)
			}
			if len(aws.deployments) != len(c.history) {
				t.Error("it was deployed all the same")
			}
		})
	}
}

func TestRollbackOfWhatRuns(t *testing.T) {
	moves := fakeDeployment{status: "InProgress", key: "two.zip"}
	for _, c := range []struct {
		name    string
		history []fakeDeployment
		back    Back
		onStop  *fakeDeployment
		last    string // the key of the last deployment, or
		cause   string
	}{
		{"CodeDeploy goes back", []fakeDeployment{succeeded("one.zip"), moves}, Back{Stop: true}, &fakeDeployment{states: []string{"InProgress"}, status: "Succeeded", key: "one.zip"}, "one.zip", ""},
		{"its way back fails", []fakeDeployment{succeeded("one.zip"), moves}, Back{Stop: true}, &fakeDeployment{status: "Failed", key: "one.zip"}, "", "the deployment d-000000003 ended as Failed"},
		{"nothing to go back to", []fakeDeployment{moves}, Back{Stop: true}, nil, "", "the deployment d-000000001 ended as Stopped, and there is nothing to go back to"},
		{"to another", []fakeDeployment{succeeded("zero.zip"), succeeded("one.zip"), moves}, Back{Stop: true, To: deploymentID(1)}, &fakeDeployment{status: "Succeeded", key: "one.zip"}, "zero.zip", ""},
		{"nothing runs", []fakeDeployment{succeeded("one.zip"), succeeded("two.zip")}, Back{Stop: true}, nil, "one.zip", ""},
		{"a way back runs", []fakeDeployment{succeeded("one.zip"), {status: "InProgress", creator: "codeDeployRollback"}}, Back{Stop: true}, nil, "", "the deployment that runs, d-000000002, is itself a rollback"},
		{"a way back runs, untouched", []fakeDeployment{succeeded("one.zip"), {status: "InProgress", creator: "codeDeployRollback"}}, Back{}, nil, "", "and is itself a rollback"},
		{"an instance of Auto Scaling's is new", []fakeDeployment{succeeded("one.zip"), succeeded("two.zip"), {status: "InProgress", creator: "autoscaling", key: "two.zip"}}, Back{}, nil, "one.zip", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := deployedFake(t, nil, c.history...)
			aws.onStop = c.onStop
			_, f, out := goBack(t, Options{}, c.back)
			if c.cause != "" {
				if f == nil || f.Exit != ExitDeployment || !strings.Contains(f.Cause, c.cause) {
					t.Errorf("%v", f)
				}
				return
			}
			if f != nil {
				t.Fatalf("%s\n%s", f.Text(), out)
			}
			if last := aws.deployments[len(aws.deployments)-1]; last.key != c.last {
				t.Errorf("deployed %+v\n%s", last, out)
			}
		})
	}
}

// It ended between the question and the request to stop it.
func TestRollbackOfWhatHasJustEnded(t *testing.T) {
	aws := deployedFake(t, nil, succeeded("one.zip"), fakeDeployment{states: []string{"InProgress", "InProgress"}, status: "Succeeded", key: "two.zip"})
	aws.refuse["StopDeployment"] = "400 DeploymentAlreadyCompletedException: it has"
	aws.deployments[1].states = []string{"InProgress"}
	_, f, out := goBack(t, Options{}, Back{Stop: true})
	if f != nil || aws.deployments[len(aws.deployments)-1].key != "one.zip" {
		t.Errorf("%v\n%s", f, out)
	}
}

func TestRollbackFails(t *testing.T) {
	aws := deployedFake(t, nil, succeeded("one.zip"), succeeded("two.zip"))
	broken := failing("")
	aws.ends = []fakeDeployment{{}, {}, broken}
	_, f, _ := goBack(t, Options{}, Back{})
	if f == nil || f.Exit != ExitDeployment || f.Cause != "ApplicationStart failed on "+instance+" in start.sh" || !strings.Contains(f.See, "`hardstand status ") || !strings.Contains(f.See, "`hardstand rollback ") {
		t.Errorf("%v", f)
	}
}

func TestRollbackVerifies(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer page.Close()
	aws := deployedFake(t, map[string]string{"Site": page.URL}, succeeded("one.zip"), succeeded("two.zip"))
	if r, f, _ := goBack(t, Options{}, Back{}); f != nil || r.URL != page.URL {
		t.Errorf("%+v %v", r, f)
	}
	aws.stacks["shop"].outputs["Site"] = "http://127.0.0.1:1/"
	_, f, _ := goBack(t, Options{}, Back{To: deploymentID(1)})
	if f == nil || f.Exit != ExitURL || !strings.Contains(f.See, "hardstand rollback") {
		t.Errorf("%v", f)
	}
	// Without the stack's outputs the URL cannot be known.
	for refusal, text := range map[string]string{
		"403 AccessDenied: no":         "the outputs may not be read: DescribeStacks: AccessDenied: no",
		"500 InternalFailure: not now": "InternalFailure: not now", // nor does a fault of CloudFormation's keep anybody from going back
	} {
		aws.refuse["DescribeStacks"] = refusal
		r, f, out := goBack(t, Options{URL: "http://{Site}/"}, Back{To: deploymentID(1)})
		if f != nil || r.URL != "" || !strings.Contains(out, text) {
			t.Errorf("%v\n%s", f, out)
		}
	}
	aws.Close()
	if _, f, _ := goBack(t, Options{}, Back{To: deploymentID(1)}); f == nil || f.Exit != ExitUnexpected {
		t.Errorf("without a server: %v", f)
	}
}

func TestRollbackConfiguration(t *testing.T) {
	aws := deployedFake(t, nil, succeeded("one.zip"), succeeded("two.zip"))
	if _, f, _ := goBack(t, Options{Config: "CodeDeployDefault.AllAtOnce"}, Back{}); f != nil || aws.config != "CodeDeployDefault.AllAtOnce" {
		t.Errorf("%v %s", f, aws.config)
	}
	aws = deployedFake(t, nil, succeeded("one.zip"), succeeded("two.zip"))
	if _, f, _ := goBack(t, Options{}, Back{}); f != nil || aws.config != "" {
		t.Errorf("%v %s", f, aws.config)
	}
}

func TestRollbackDenied(t *testing.T) {
	for _, op := range []string{"GetDeploymentGroup", "ListDeployments", "BatchGetDeployments", "GetDeployment", "CreateDeployment", "ListDeploymentTargets"} {
		aws := deployedFake(t, nil, succeeded("one.zip"), succeeded("two.zip"))
		aws.refuse[op] = "400 AccessDeniedException: not you"
		_, f, _ := goBack(t, Options{}, Back{})
		if f == nil || f.Exit != ExitDenied || !strings.Contains(f.Text(), op+": AccessDeniedException: not you") {
			t.Errorf("%s refused: %v", op, f)
		}
	}
	aws := deployedFake(t, nil, succeeded("one.zip"), fakeDeployment{status: "InProgress"})
	aws.refuse["StopDeployment"] = "400 AccessDeniedException: not you"
	if _, f, _ := goBack(t, Options{}, Back{Stop: true}); f == nil || f.Exit != ExitDenied || f.Step != "stop" {
		t.Errorf("%v", f)
	}
}
