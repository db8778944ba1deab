package deploy

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hasty is a clock on which every wait is over at once, having taken its time.
type hasty struct {
	mu  sync.Mutex
	now time.Time
}

func (c *hasty) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hasty) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	ch := make(chan time.Time, 1)
	ch <- c.now
	return ch
}

// files writes a directory.
func files(t testing.TB, content map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// good is a project that has all that is needed.
func good() map[string]string {
	return map[string]string{
		"hardstand.yaml":    "target: role=web\nserviceRole: deployer\n",
		"template.yaml":     "Resources: {}\n",
		"app/appspec.yml":   "version: 0.0\nos: linux\nfiles:\n  - source: /index.html\n    destination: /srv\n",
		"app/index.html":    "hello\n",
		"app/.git/HEAD":     "ref\n",
		"notes/readme.text": "no application\n",
	}
}

func with(m map[string]string, name, text string) map[string]string {
	m = maps.Clone(m)
	m[name] = text
	return m
}

// attempt runs the pipeline on a project and returns what it printed.
func attempt(t testing.TB, ctx context.Context, content map[string]string, o Options, s Settings) (*Result, *Failure, string) { //nolint:revive // ctx is seldom given
	t.Helper()
	o.Dir = files(t, content)
	var out bytes.Buffer
	s.Out = &out
	if s.Clock == nil {
		s.Clock = &hasty{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	}
	r, err := Run(ctx, o, s)
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("the error is no *Failure: %v", err)
	}
	return r, f, out.String()
}

func TestRunFromNothing(t *testing.T) {
	aws := newFake(t)
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer page.Close()
	aws.onCreate = func(name string) *fakeStack {
		return &fakeStack{name: name, states: []string{"CREATE_IN_PROGRESS", "CREATE_COMPLETE"}, outputs: map[string]string{"Site": page.URL},
			events: []fakeEvent{{"1", "Web", "AWS::EC2::Instance", instance, "CREATE_COMPLETE", ""}}}
	}
	aws.ends = []fakeDeployment{{states: []string{"Created", "InProgress"}, status: "Succeeded"}}
	r, f, out := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f != nil {
		t.Fatal(f.Text())
	}
	if r.URL != page.URL || r.DeploymentID != deploymentID(1) || r.Outputs["Site"] != page.URL || !strings.Contains(r.StackID, ":stack/shop/") {
		t.Errorf("result %+v", r)
	}
	for _, want := range []string{
		"✓ check        shop in eu-west-1 as arn:aws:iam::123456789012:user/build", "✓ Web: AWS::EC2::Instance CREATE_COMPLETE",
		"✓ application  app / app-group (instances with role=web)", "✓ deployment   d-000000001 Succeeded", "answers",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the progress lacks %q:\n%s", want, out)
		}
	}
	if len(aws.objects) != 1 || !aws.buckets["hardstand-deploy-123456789012-eu-west-1"] {
		t.Errorf("buckets %v with %d objects", aws.buckets, len(aws.objects))
	}
	if g := aws.groups["app-group"]; g["serviceRoleArn"] != "arn:aws:iam::123456789012:role/deployer" || g["deploymentConfigName"] != "CodeDeployDefault.OneAtATime" {
		t.Errorf("group %v", g)
	}
}

func TestRunWithoutURL(t *testing.T) {
	newFake(t)
	r, f, out := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f != nil || r.URL != "" || !strings.Contains(out, "no URL is known") {
		t.Errorf("%+v %v\n%s", r, f, out)
	}
}

func TestNoServer(t *testing.T) {
	aws := newFake(t)
	aws.Close()
	_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
	if f == nil || f.Exit != ExitUnexpected || f.Cause != "no server answers at "+aws.URL || !strings.Contains(f.Fix, "hardstand serve") {
		t.Errorf("%v", f)
	}
}

func TestNoCredentialsOrRegion(t *testing.T) {
	for _, c := range []struct {
		variable, cause string
		exit            int
	}{
		{"AWS_ACCESS_KEY_ID", "there are no credentials", ExitDenied},
		{"AWS_REGION", "no region is set", ExitCheck},
	} {
		newFake(t)
		t.Setenv(c.variable, "")
		_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
		if f == nil || f.Exit != c.exit || f.Cause != c.cause || !strings.Contains(f.Fix, "hardstand env") {
			t.Errorf("without %s: %v", c.variable, f)
		}
	}
}

// Whichever call is refused, the exit code and the message's words are the same.
func TestDenied(t *testing.T) {
	for _, op := range []string{
		"ValidateTemplate", "PutObject", "DescribeStacks", "CreateStack", "DescribeStackEvents", "CreateApplication", "CreateDeploymentGroup",
		"CreateDeployment", "GetDeployment", "ListDeploymentTargets", "BatchGetDeploymentTargets",
	} {
		aws := newFake(t)
		aws.refuse[op] = "403 AccessDenied: User: x is not authorized to perform: it"
		_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
		if f == nil || f.Exit != ExitDenied || f.Fix == "" || !strings.Contains(f.Text(), op+": AccessDenied: User: x is not authorized") {
			t.Errorf("%s refused: %v", op, f)
			continue
		}
		if strings.Contains(f.Text(), "RequestID") {
			t.Errorf("%s refused: the SDK's words are left:\n%s", op, f.Text())
		}
	}
}

// What deploying can do without may be refused.
func TestDeniedOptional(t *testing.T) {
	aws := newFake(t)
	aws.refuse["CreateBucket"] = "403 AccessDenied: no"
	aws.buckets["mine"] = true
	aws.groups["app-group"] = map[string]any{}
	aws.refuse["GetDeploymentGroup"] = "400 AccessDeniedException: no"
	if _, f, _ := attempt(t, t.Context(), good(), Options{Bucket: "mine"}, Settings{}); f != nil {
		t.Error(f.Text())
	}
}

func TestWrongKeys(t *testing.T) {
	for _, code := range []string{"InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"} {
		aws := newFake(t)
		aws.refuse["GetCallerIdentity"] = "403 " + code + ": The security token included in the request is invalid"
		_, f, _ := attempt(t, t.Context(), good(), Options{}, Settings{})
		if f == nil || f.Exit != ExitDenied || !strings.Contains(f.Fix, "AWS_ACCESS_KEY_ID") {
			t.Errorf("%s: %v", code, f)
		}
	}
}

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		name, bucket, op, refusal, cause, fix string
		exit                                  int
	}{
		{"taken", "", "CreateBucket", "409 BucketAlreadyExists: not available", "could not be made", "somebody else", ExitUnexpected},
		{"made at the same time", "", "CreateBucket", "409 BucketAlreadyOwnedByYou: yours", "", "", 0},
		{"another region", "far", "PutObject", "301 PermanentRedirect: there", "could not be stored", "another region than eu-west-1", ExitUnexpected},
		{"another account's", "", "PutObject", "403 AccessDenied: no", "could not be stored", "another account's", ExitDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			aws := newFake(t)
			aws.refuse[c.op] = c.refusal
			aws.late = c.name == "made at the same time"
			_, f, _ := attempt(t, t.Context(), good(), Options{Bucket: c.bucket}, Settings{})
			if c.cause == "" {
				if f != nil {
					t.Error(f.Text())
				}
				return
			}
			if f == nil || f.Exit != c.exit || !strings.Contains(f.Cause, c.cause) || !strings.Contains(f.Fix, c.fix) {
				t.Errorf("%v", f)
			}
		})
	}
}

func TestInterruptedAndTimedOut(t *testing.T) {
	aws := newFake(t)
	aws.ends = []fakeDeployment{{status: "InProgress"}} // for ever
	ctx, cancel := context.WithCancel(t.Context())
	stopping := &stopper{after: 5, stop: cancel}
	_, f, _ := attempt(t, ctx, good(), Options{}, Settings{Clock: stopping})
	if f == nil || f.Exit != ExitInterrupted || f.State != "the deployment d-000000001 goes on without this command" {
		t.Errorf("interrupted: %v", f)
	}
	aws = newFake(t)
	aws.onCreate = func(name string) *fakeStack { return &fakeStack{name: name, states: []string{"CREATE_IN_PROGRESS"}} }
	_, f, _ = attempt(t, t.Context(), good(), Options{}, Settings{Timeout: 300 * time.Millisecond})
	if f == nil || f.Exit != ExitTimeout || !strings.HasPrefix(f.State, "the stack goes on without this command: arn:") {
		t.Errorf("timed out: %v", f)
	}
}

// stopper is a hasty clock that stops the run at a wait.
type stopper struct {
	hasty
	after int
	stop  func()
}

func (s *stopper) After(d time.Duration) <-chan time.Time {
	if s.after--; s.after == 0 {
		s.stop()
		return nil
	}
	return s.hasty.After(d)
}

func TestSteps(t *testing.T) {
	newFake(t)
	_, _, out := attempt(t, t.Context(), good(), Options{}, Settings{})
	var names []string
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "✓ "); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	if want := []string{"check", "identity", "package", "upload", "stack", "application", "deployment", "url"}; !slices.Equal(names, want) {
		t.Errorf("steps %v, want %v", names, want)
	}
}
