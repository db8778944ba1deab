package deploy

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeAWS is the little of AWS that deploy talks to: its stacks go through the
// states that a test gives them, its deployments end as a test says. It keeps state
// where deploy relies on it, and refuses what a test wants refused.
type fakeAWS struct {
	*httptest.Server
	t testing.TB

	mu sync.Mutex
	// refuse answers an operation with "status Code: message" as long as it is there.
	refuse map[string]string
	calls  []string

	stacks   map[string]*fakeStack
	stubborn bool // stacks do not let themselves be deleted
	// onCreate and onUpdate say what becomes of a stack.
	onCreate   func(name string) *fakeStack
	onUpdate   func(s *fakeStack) (refusal string)
	parameters []string // NAME or NAME=DEFAULT, of the template
	buckets    map[string]bool
	late       bool              // a bucket that cannot be made has just been made by somebody
	objects    map[string][]byte // bucket/key
	// deployments end in their order of creation as ends says.
	ends        []fakeDeployment
	deployments []fakeDeployment
	onRollback  *fakeDeployment // what CodeDeploy starts when one fails
	busy        int             // how many times another deployment is in the way
	groups      map[string]map[string]any
	console     string
	urls        []string // TemplateURLs

	// What a look finds beside: answers of query operations, in their form.
	answers map[string]string
	onStop  *fakeDeployment // what CodeDeploy starts when one is stopped
	config  string          // of the last deployment
}

type fakeStack struct {
	name    string
	states  []string // the next answers; the last one stays
	reason  string
	outputs map[string]string
	events  []fakeEvent // oldest first
	given   map[string]string
}

type fakeEvent struct{ id, resource, kind, physical, status, reason string }

// fakeDeployment is a deployment with its one target.
type fakeDeployment struct {
	status    string   // the last
	states    []string // before it
	code, msg string   // of the deployment's error
	event     string   // the lifecycle event that failed
	diag      map[string]string
	rollback  string // id of the rollback's deployment
	noTargets bool

	key, creator, description string // of the revision, and who wanted it
	rollbackOf                string // id of the deployment that it rolls back
	untaken                   bool   // its agent has taken no event
}

const (
	account  = "123456789012"
	instance = "i-0123456789abcdef0"
)

// newFake starts a fake and points AWS's variables at it.
func newFake(t testing.TB) *fakeAWS {
	f := &fakeAWS{
		t: t, refuse: map[string]string{}, stacks: map[string]*fakeStack{}, buckets: map[string]bool{}, objects: map[string][]byte{},
		groups: map[string]map[string]any{}, answers: map[string]string{},
		onCreate: func(name string) *fakeStack {
			return &fakeStack{name: name, states: []string{"CREATE_IN_PROGRESS", "CREATE_COMPLETE"}}
		},
		onUpdate: func(*fakeStack) string { return "400 ValidationError: No updates are to be performed." },
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": f.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr",
		"AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	return f
}

// ServeHTTP tells the protocols apart: CodeDeploy's JSON, the query protocol of STS,
// CloudFormation and EC2, and S3's paths.
func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		f.answerJSON(w, op, body)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		form, _ := url.ParseQuery(string(body))
		f.answerQuery(w, form)
	default:
		f.answerS3(w, r, body)
	}
}

// refused notes the call and reports the test's refusal, split.
func (f *fakeAWS) refused(op string) (status int, code, message string, ok bool) {
	f.calls = append(f.calls, op)
	return split(f.refuse[op])
}

func split(refusal string) (status int, code, message string, ok bool) {
	if refusal == "" {
		return 0, "", "", false
	}
	head, message, _ := strings.Cut(refusal, ": ")
	_, err := fmt.Sscanf(head, "%d %s", &status, &code)
	return status, code, message, err == nil
}

// called reports how often an operation was called.
func (f *fakeAWS) called(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool { return c != op }))
}

func (f *fakeAWS) answerQuery(w http.ResponseWriter, form url.Values) {
	op := form.Get("Action")
	status, code, message, no := f.refused(op)
	var result string
	if !no {
		var refusal string
		result, refusal = f.query(op, form)
		status, code, message, no = split(refusal)
	}
	w.Header().Set("Content-Type", "text/xml")
	switch {
	case no && ofEC2(op):
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors></Response>", code, escape(message))
	case no:
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, escape(message))
	case ofEC2(op):
		fmt.Fprintf(w, "<%[1]sResponse>%[2]s</%[1]sResponse>", op, result)
	default:
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", op, result)
	}
}

// ofEC2 tells EC2's form of the query protocol.
func ofEC2(op string) bool { return op == "GetConsoleOutput" || op == "DescribeInstances" }

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func (f *fakeAWS) answerS3(w http.ResponseWriter, r *http.Request, body []byte) {
	bucket, key, isObject := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := "CreateBucket"
	if isObject && key != "" {
		op = "PutObject"
	}
	if status, code, message, no := f.refused(op); no {
		f.buckets[bucket] = f.late
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, escape(message))
		return
	}
	if op != "CreateBucket" && !f.buckets[bucket] {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>")
		return
	}
	f.buckets[bucket] = true
	if op == "PutObject" {
		f.objects[bucket+"/"+key] = body
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
	}
}

func (f *fakeAWS) answerJSON(w http.ResponseWriter, op string, body []byte) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	status, code, message, no := f.refused(op)
	var out map[string]any
	if !no {
		var refusal string
		out, refusal = f.codeDeploy(op, in)
		status, code, message, no = split(refusal)
	}
	if no {
		w.WriteHeader(status)
		out = map[string]any{"__type": code, "message": message}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// sorted writes a map as the members of a list of XML.
func sorted(m map[string]string, form string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, form, escape(k), escape(m[k]))
	}
	return b.String()
}
