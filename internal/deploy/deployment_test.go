package deploy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDeploymentFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		end     fakeDeployment
		cause   string
		why     string // in the evidence
		fix     string
		console bool
	}{
		{"script fails", fakeDeployment{event: "ApplicationStart", diag: map[string]string{
			"errorCode": "ScriptFailed", "scriptName": "scripts/start.sh", "message": "exit code 1", "logTail": "one\n\ntwo\n"}},
			"ApplicationStart failed on " + instance + " in scripts/start.sh", "ScriptFailed: exit code 1|one|two", "correct scripts/start.sh (its last lines are above)", false},
		{"script is missing", fakeDeployment{event: "AfterInstall", diag: map[string]string{"errorCode": "ScriptMissing", "scriptName": "s.sh", "message": "m"}},
			"AfterInstall failed on " + instance + " in s.sh", "ScriptMissing: m", "names s.sh, which the archive does not hold", false},
		{"script is not executable", fakeDeployment{event: "AfterInstall", diag: map[string]string{"errorCode": "ScriptNotExecutable", "scriptName": "s.sh", "message": "m"}},
			"in s.sh", "ScriptNotExecutable: m", "make s.sh executable", false},
		{"script hangs", fakeDeployment{event: "ApplicationStart", diag: map[string]string{"errorCode": "ScriptTimedOut", "scriptName": "s.sh", "message": "m"}},
			"in s.sh", "ScriptTimedOut: m", ">/dev/null 2>&1 &", false},
		{"install fails", fakeDeployment{event: "Install", diag: map[string]string{"errorCode": "UnknownError", "message": "The file exists already"}},
			"Install failed on " + instance, "UnknownError: The file exists already", "correct what the message names", false},
		{"no instances", fakeDeployment{code: "NO_INSTANCES", msg: "none found", noTargets: true},
			"the deployment d-000000001 ended as Failed", "NO_INSTANCES: none found", "compare --target with the tags", false},
		{"role is missing", fakeDeployment{code: "IAM_ROLE_PERMISSIONS", msg: "m", noTargets: true},
			"ended as Failed", "IAM_ROLE_PERMISSIONS: m", "must trust codedeploy.amazonaws.com", false},
		{"archive is missing", fakeDeployment{code: "REVISION_MISSING", msg: "m", noTargets: true},
			"ended as Failed", "REVISION_MISSING: m", "s3:Get*", false},
		{"agent is silent", fakeDeployment{code: "AGENT_ISSUE", msg: "it never polled", event: "BeforeInstall", diag: map[string]string{"errorCode": "UnknownError", "message": "m"}},
			"ended as Failed", "AGENT_ISSUE: it never polled|the console of " + instance + " ends with:|yum: not found", "whether user data installed the CodeDeploy agent", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := newFake(t)
			aws.console = "booting\nyum: not found\n"
			c.end.status = "Failed"
			aws.ends = []fakeDeployment{c.end}
			_, f, out := attempt(t, t.Context(), good(), Options{}, Settings{})
			if f == nil || f.Exit != ExitDeployment || f.Step != "deployment" {
				t.Fatalf("%v", f)
			}
			if !strings.Contains(f.Cause, c.cause) || !strings.Contains(f.Fix, c.fix) {
				t.Errorf("cause %q\nfix %q", f.Cause, f.Fix)
			}
			evidence := strings.Join(f.Evidence, "|")
			for want := range strings.SplitSeq(c.why, "|") {
				if !strings.Contains(evidence, want) {
					t.Errorf("the evidence %q lacks %q", evidence, want)
				}
			}
			if strings.Contains(evidence, "booting") != c.console {
				t.Errorf("evidence %q", evidence)
			}
			if want := "nothing was rolled back: there is no earlier successful deployment"; f.State != want {
				t.Errorf("state %q", f.State)
			}
			if !strings.Contains(out, "✗ deployment") {
				t.Errorf("progress:\n%s", out)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer page.Close()
	for _, c := range []struct {
		name string
		back fakeDeployment
		url  string
		want string
	}{
		{"the old revision serves", fakeDeployment{states: []string{"InProgress"}, status: "Succeeded"}, page.URL, "the previous revision is back (d-000000002) and serves at " + page.URL},
		{"it does not serve", fakeDeployment{status: "Succeeded"}, "http://127.0.0.1:1/", "the previous revision is back (d-000000002)"},
		{"it fails too", fakeDeployment{status: "Failed"}, page.URL, "the rollback d-000000002 ended as Failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := newFake(t)
			aws.ends = []fakeDeployment{{status: "Failed", code: "HEALTH_CONSTRAINTS", msg: "too few", rollback: deploymentID(2)}}
			aws.onRollback = &c.back
			_, f, _ := attempt(t, t.Context(), good(), Options{URL: c.url}, Settings{})
			if f == nil || f.Exit != ExitDeployment || f.State != c.want {
				t.Errorf("%v: state %q, want %q", f, f.State, c.want)
			}
		})
	}
}

// A deployment that runs in the group is waited for; another limit is an error.
func TestBusyGroup(t *testing.T) {
	aws := newFake(t)
	aws.busy = 3
	if _, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{}); f != nil {
		t.Fatal(f.Text())
	}
	if n := aws.called("CreateDeployment"); n != 4 {
		t.Errorf("CreateDeployment was called %d times, want 4", n)
	}
	aws = newFake(t)
	aws.refuse["CreateDeployment"] = "400 DeploymentLimitExceededException: too many in the account"
	if _, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{}); f == nil || f.Exit != ExitDeployment || !strings.Contains(f.Text(), "too many in the account") {
		t.Errorf("%v", f)
	}
}

func TestGroupExists(t *testing.T) {
	filter := func(k, v string) []any {
		return []any{map[string]any{"Key": k, "Value": v, "Type": "KEY_AND_VALUE"}}
	}
	for _, c := range []struct {
		name  string
		group map[string]any
		told  string
		fix   string
	}{
		{"the same target", map[string]any{"ec2TagFilters": filter("role", "web")}, "", ""},
		{"another target", map[string]any{"ec2TagFilters": filter("env", "old")}, "app-group: found instances by env=old until now, and finds them by role=web from now on", ""},
		{"groups of tags", map[string]any{"ec2TagSet": map[string]any{"ec2TagSetList": []any{filter("a", "b")}}}, "", "name another with --group"},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := newFake(t)
			aws.groups["app-group"] = c.group
			_, f, out := attempt(t, t.Context(), good(), Options{}, Settings{})
			if strings.Contains(out, "until now") != (c.told != "") || !strings.Contains(out, c.told) {
				t.Errorf("progress:\n%s", out)
			}
			if c.fix != "" {
				if f == nil || f.Exit != ExitDeployment || !strings.Contains(f.Fix, c.fix) || aws.called("UpdateDeploymentGroup") != 0 {
					t.Errorf("%v", f)
				}
				return
			}
			if f != nil {
				t.Fatal(f.Text())
			}
			if got := aws.groups["app-group"]["ec2TagFilters"].([]any)[0].(map[string]any)["Key"]; got != "role" {
				t.Errorf("the group finds instances by %v", got)
			}
		})
	}
}

func TestServiceRole(t *testing.T) {
	aws := newFake(t)
	aws.refuse["CreateDeploymentGroup"] = "400 InvalidRoleException: Cannot assume role provided."
	_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitDenied || !strings.Contains(f.Cause, ":role/deployer") || !strings.Contains(f.Fix, "trust codedeploy.amazonaws.com") {
		t.Errorf("%v", f)
	}
	_, f, _ = attempt(t, t.Context(), with(good(), "hardstand.yaml", "target: a=b\n"), Options{}, Settings{})
	if f == nil || f.Exit != ExitCheck || !strings.Contains(f.Fix, "--service-role") {
		t.Errorf("without a role: %v", f)
	}
}

func TestURL(t *testing.T) {
	status := http.StatusOK
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer page.Close()
	for _, c := range []struct {
		name, url string
		status    int
		want      string // URL, or the text of the failure
		exit      int
	}{
		{"an output", "{Site}/health", 200, page.URL + "/health", 0},
		{"a redirect target that is absent", "{Site}", 304, page.URL, 0},
		{"an unknown output", "http://{Host}/", 200, "url names the output Host, which the stack does not have", ExitURL},
		{"an error page", "{Site}", 503, "does not answer, although the deployment succeeded: it answers 503", ExitURL},
		{"nobody listens", "http://127.0.0.1:1/", 200, "connection refused", ExitURL},
		{"no URL at all", ":::", 200, "missing protocol scheme", ExitURL},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := newFake(t)
			status = c.status
			s := aws.has("CREATE_COMPLETE")
			s.outputs = map[string]string{"Site": page.URL}
			r, f, _ := attempt(t, t.Context(), good(), Options{URL: c.url}, Settings{})
			if c.exit == 0 {
				if f != nil || r.URL != c.want {
					t.Errorf("%+v %v", r, f)
				}
				return
			}
			if f == nil || f.Exit != c.exit || !strings.Contains(f.Text(), c.want) {
				t.Errorf("%v", f)
			}
		})
	}
}
