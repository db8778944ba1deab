package awscli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

// cloud is a bucket in memory, and answers of other services by action.
type cloud struct {
	*httptest.Server
	objects map[string]string // bucket/key
	answers map[string]string // action or X-Amz-Target
	seen    []string
	broken  int // answers of 503 before the next good one
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{objects: map[string]string{}, answers: map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if c.broken > 0 {
		c.broken--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	auth := r.Header.Get("Authorization")
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		c.seen = append(c.seen, target+" "+string(body))
		io.WriteString(w, c.answers[target])
		return
	}
	if r.Method == http.MethodPost {
		c.seen = append(c.seen, string(body))
		for action, answer := range c.answers {
			if strings.Contains("&"+string(body)+"&", "&Action="+action+"&") {
				io.WriteString(w, answer)
				return
			}
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
		return
	}
	c.seen = append(c.seen, r.Method+" "+r.URL.RequestURI())
	if auth == "" && !strings.HasPrefix(r.URL.Path, "/public/") {
		c.s3Error(w, http.StatusForbidden, "AccessDenied", "Access Denied")
		return
	}
	c.serveS3(w, r, string(body))
}

func (c *cloud) s3Error(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

func (c *cloud) serveS3(w http.ResponseWriter, r *http.Request, body string) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if r.URL.Query().Get("list-type") == "2" {
		c.list(w, strings.TrimSuffix(name, "/"), r.URL.Query().Get("prefix"), r.URL.Query().Get("delimiter"))
		return
	}
	content, ok := c.objects[name]
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if !ok {
			c.s3Error(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
			return
		}
		w.Header().Set("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
		w.Header().Set("X-Amz-Meta-Who", "me")
		io.WriteString(w, content)
	case http.MethodPut:
		if from := r.Header.Get("X-Amz-Copy-Source"); from != "" {
			body = c.objects[strings.TrimPrefix(from, "/")]
		}
		c.objects[name] = body
	case http.MethodDelete:
		delete(c.objects, name)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *cloud) list(w http.ResponseWriter, bucket, prefix, delimiter string) {
	type content struct {
		Key          string
		Size         int
		LastModified string
	}
	var out struct {
		XMLName        xml.Name `xml:"ListBucketResult"`
		Contents       []content
		CommonPrefixes []struct{ Prefix string }
	}
	for _, name := range sortedKeys(c.objects) {
		key, ok := strings.CutPrefix(name, bucket+"/")
		if !ok || !strings.HasPrefix(key, prefix) {
			continue
		}
		if i := strings.Index(key[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			p := struct{ Prefix string }{key[:len(prefix)+i+1]}
			if !slices.Contains(out.CommonPrefixes, p) {
				out.CommonPrefixes = append(out.CommonPrefixes, p)
			}
			continue
		}
		out.Contents = append(out.Contents, content{key, len(c.objects[name]), "2020-01-01T00:00:00Z"})
	}
	xml.NewEncoder(w).Encode(out)
}

// aws runs a command in a directory of its own.
type aws struct {
	*CLI
	out, errs bytes.Buffer
	ran       []string
}

func newAWS(t *testing.T, c *cloud) *aws {
	t.Helper()
	for _, v := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CA_BUNDLE", "AWS_DEFAULT_OUTPUT"} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("TZ", "UTC")
	t.Setenv("AWS_ENDPOINT_URL", c.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0123456789ABCDEF")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-key-0000")
	t.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
	t.Chdir(t.TempDir())
	a := &aws{}
	a.CLI = &CLI{Root: guest.Root(t.TempDir()), Stdin: strings.NewReader("from stdin"), Stdout: &a.out, Stderr: &a.errs, Clock: fast{},
		Options: awsclient.Options{Metadata: imdsclient.New(c.URL + "/no-metadata")},
		Exec: func(program string, argv, _ []string) error {
			a.ran = append([]string{program}, argv...)
			return errors.New("exec in a test")
		}}
	return a
}

// fast does not wait.
type fast struct{}

func (fast) Now() time.Time { return time.Now() }

func (fast) After(time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	ch <- time.Now()
	return ch
}

var _ clock.Clock = fast{}

func (a *aws) run(t *testing.T, line string, code int, want string) {
	t.Helper()
	a.out.Reset()
	a.errs.Reset()
	got := a.Run(strings.Fields(line))
	printed := a.out.String() + a.errs.String()
	if got != code || !strings.Contains(printed, want) {
		t.Errorf("aws %s: exit %d, want %d, and %q in\n%s", line, got, code, want, printed)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestS3(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.objects["aws-codedeploy-eu-west-1/latest/install"] = "#!/bin/sh\n"
	c.objects["public/x"] = "open"
	write(t, "site/index.html", "<p>")
	write(t, "site/css/a b.css", "p{}")

	a.run(t, "s3 cp s3://aws-codedeploy-eu-west-1/latest/install . --region eu-west-1", 0,
		"download: s3://aws-codedeploy-eu-west-1/latest/install to ./install")
	if b, _ := os.ReadFile("install"); string(b) != "#!/bin/sh\n" {
		t.Errorf("install holds %q", b)
	}
	a.run(t, "s3 cp install s3://b/dir/", 0, "upload: ./install to s3://b/dir/install")
	a.run(t, "s3 cp - s3://b/stdin", 0, "")
	a.run(t, "s3 cp s3://b/stdin -", 0, "from stdin")
	a.run(t, "s3 cp s3://b/absent .", 1, "download failed: s3://b/absent to ./absent An error occurred (NoSuchKey) when calling the GetObject operation")
	a.run(t, "s3 cp absent s3://b/", 252, "The user-provided path absent does not exist.")
	a.run(t, "s3 cp s3://b/stdin s3://b/copy --quiet", 0, "")
	a.run(t, "s3 mv s3://b/copy s3://b/moved", 0, "move: s3://b/copy to s3://b/moved")
	a.run(t, "s3 sync site s3://b/site --exclude *.tmp", 0, "upload: ./site/css/a b.css to s3://b/site/css/a b.css")
	a.run(t, "s3 ls s3://b/", 0, "PRE site/")
	a.run(t, "s3 ls s3://b/site/ --recursive", 0, "site/css/a b.css")
	a.run(t, "s3 ls s3://b/nothing", 1, "")
	a.run(t, "s3 cp s3://b/site down --recursive", 0, "download: s3://b/site/index.html to ./down/index.html")
	if b, _ := os.ReadFile("down/css/a b.css"); string(b) != "p{}" {
		t.Errorf("a b.css holds %q", b)
	}
	a.run(t, "s3 rm s3://b/site --recursive", 0, "delete: s3://b/site/index.html")
	a.run(t, "s3 cp s3://public/x y --no-sign-request", 0, "download")
	a.run(t, "s3 cp s3://b/stdin z --no-sign-request", 1, "(AccessDenied)")
	if _, err := os.Stat("z"); err == nil {
		t.Error("a failed download left a file")
	}
	c.broken = 2
	a.run(t, "s3 cp s3://public/x again", 0, "download")
	if _, ok := c.objects["b/moved"]; !ok || c.objects["b/copy"] != "" {
		t.Errorf("objects %v", sortedKeys(c.objects))
	}
	a.run(t, "s3api get-object --bucket b --key stdin out", 0, `"ContentLength": 10`)
	a.run(t, "s3api head-object --bucket b --key stdin --query Metadata.who --output text", 0, "me")
	c.objects["b/evil/../../x"] = "bad"
	a.run(t, "s3 cp s3://b/evil away --recursive", 1, "leads out of the target directory")
}

// What is removed is what lies below a directory, and a dry run removes nothing.
func TestRemoveTrees(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.objects["b/site/a"], c.objects["b/site2"] = "x", "y"
	a.run(t, "s3 rm s3://b/site --recursive", 0, "delete: s3://b/site/a")
	if c.objects["b/site2"] != "y" {
		t.Error("rm s3://b/site --recursive removed b/site2")
	}
	c.objects["b/site/a"] = "x"
	write(t, "down/extra", "mine")
	a.run(t, "s3 sync s3://b/site down --delete --dryrun", 0, "(dryrun) delete: ./down/extra")
	if _, err := os.Stat("down/extra"); err != nil {
		t.Error(err)
	}
	a.run(t, "s3 sync s3://b/site down --delete --quiet", 0, "")
	if _, err := os.Stat("down/extra"); err == nil || a.out.Len() > 0 {
		t.Errorf("down/extra: %v, printed %q", err, a.out.String())
	}
}

func TestSyncOptions(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.objects["b/site/a"] = "x"
	sync := func(line, want string) {
		t.Helper()
		a.run(t, line, 0, "")
		if got := a.out.String(); got != want {
			t.Errorf("%s printed %q, want %q", line, got, want)
		}
	}
	const downloaded = "download: s3://b/site/a to ./down/a\n"
	sync("s3 sync s3://b/site down", downloaded)
	sync("s3 sync s3://b/site down --exact-timestamps", "")
	if err := os.Chtimes("down/a", time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	sync("s3 sync s3://b/site down", "")
	sync("s3 sync s3://b/site down --exact-timestamps", downloaded)
	if err := os.Symlink("a", "down/link"); err != nil {
		t.Fatal(err)
	}
	sync("s3 cp down/link s3://b/link --no-follow-symlinks", "")
	sync("s3 cp down s3://b/up --recursive --no-follow-symlinks", "upload: ./down/a to s3://b/up/a\n")
	sync("s3 cp down s3://b/up --recursive", "upload: ./down/a to s3://b/up/a\nupload: ./down/link to s3://b/up/link\n")
}

func TestCalls(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.answers = map[string]string{
		"GetCallerIdentity": `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"UserId":"AIDA","Account":"123456789012","Arn":"arn:aws:iam::123456789012:user/x"}}}`,
		"DescribeTags":      `<DescribeTagsResponse><requestId>r</requestId><tagSet><item><resourceId>i-1</resourceId><resourceType>instance</resourceType><key>Name</key><value>true</value></item></tagSet></DescribeTagsResponse>`,
		"DescribeInstances": `<DescribeInstancesResponse><reservationSet><item><groupSet/><instancesSet>
			<item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState><ipAddress>198.18.0.1</ipAddress><ebsOptimized>false</ebsOptimized></item>
			<item><instanceId>i-2</instanceId></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`,
		"SignalResource":         `{}`,
		"DescribeStacks":         `{"DescribeStacksResponse":{"DescribeStacksResult":{"NextToken":null,"Stacks":[{"StackName":"s","CreationTime":1.6e9}]}}}`,
		"AmazonSSM.GetParameter": `{"Parameter":{"Name":"/a","Value":"v","Version":1}}`,
	}
	a.run(t, "sts get-caller-identity", 0, `"Account": "123456789012"`)
	a.run(t, "sts get-caller-identity --query Account --output text", 0, "123456789012\n")
	a.run(t, "ec2 describe-tags --filters Name=resource-id,Values=i-1,i-2 Name=key,Values=Name --output text", 0, "TAGS\tName\ti-1\tinstance\ttrue")
	if last := c.seen[len(c.seen)-1]; !strings.Contains(last, "Filter.1.Value.2=i-2") || !strings.Contains(last, "Filter.2.Name=key") {
		t.Errorf("sent %s", last)
	}
	a.run(t, "ec2 describe-instances --instance-ids i-1 i-2 --query Reservations[].Instances[].InstanceId --output text", 0, "i-1\ti-2")
	a.run(t, "ec2 describe-instances --query Reservations[0].Instances[0].State.Code --output text", 0, "16")
	a.run(t, "ec2 describe-instances --query Reservations[*].Instances[*].PublicIpAddress", 0, `"198.18.0.1"`)
	a.run(t, "ec2 describe-instances --query Reservations[].Instances[].[InstanceId,State.Name] --output text", 0, "i-1\trunning\ni-2\tNone\n")
	a.run(t, "cloudformation signal-resource --stack-name s --logical-resource-id R --unique-id u --status SUCCESS", 0, "")
	a.run(t, "cloudformation signal-resource --stack-name s", 252, "--logical-resource-id, --unique-id, --status")
	a.run(t, "cloudformation describe-stacks --query Stacks[0].CreationTime", 0, "2020-09-13T12:26:40")
	a.run(t, "ssm get-parameter --name /a --query Parameter.Value --output text", 0, "v\n")
	delete(c.answers, "DescribeTags")
	a.run(t, "ec2 describe-tags", 254, "An error occurred (AccessDenied) when calling the DescribeTags operation: no")
}

func TestHandOver(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	for _, line := range []string{"ecs list-clusters", "s3 website s3://b", "ec2 describe-instances --query Reservations[?x",
		"sts get-caller-identity --output table", "s3 cp a s3://b --grants x", "configure sso", "help"} {
		a.run(t, line, 252, "hardstand's aws does not know: aws "+line)
	}
	if len(c.seen) > 0 {
		t.Errorf("requests were made: %q", c.seen)
	}
	write(t, a.Root.Path("/usr/bin/aws"), "")
	if err := os.Chmod(a.Root.Path("/usr/bin/aws"), 0o755); err != nil {
		t.Fatal(err)
	}
	a.Run([]string{"ecs", "list-clusters"})
	if got := strings.Join(a.ran, " "); !strings.HasSuffix(got, "/usr/bin/aws aws ecs list-clusters") {
		t.Errorf("ran %q", got)
	}
}

func TestConfigure(t *testing.T) {
	a := newAWS(t, newCloud(t))
	a.run(t, "configure set region us-west-2", 0, "")
	a.run(t, "configure set aws_access_key_id AKIAX --profile p", 0, "")
	a.run(t, "configure set region eu-north-1 --profile p", 0, "")
	a.run(t, "configure set region us-west-1", 0, "")
	a.run(t, "configure get region", 0, "us-west-1\n")
	a.run(t, "configure get p.region", 0, "eu-north-1\n")
	a.run(t, "configure get absent", 1, "")
	a.run(t, "configure list", 0, "****************CDEF")
	home := os.Getenv("HOME")
	if b, _ := os.ReadFile(home + "/.aws/config"); string(b) != "[default]\nregion = us-west-1\n[profile p]\nregion = eu-north-1\n" {
		t.Errorf("config %q", b)
	}
	if b, _ := os.ReadFile(home + "/.aws/credentials"); string(b) != "[p]\naws_access_key_id = AKIAX\n" {
		t.Errorf("credentials %q", b)
	}
}

func TestNoCredentials(t *testing.T) {
	a := newAWS(t, newCloud(t))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	a.run(t, "s3 cp s3://b/k .", 1, "Unable to locate credentials")
	a.run(t, "sts get-caller-identity", 253, "Unable to locate credentials")
	a.run(t, "--version", 0, "aws-cli/2")
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"a.b[0].c", "a[].b[*].[c,d]", "a[?x]", "a[?b=='c' && !d || e>`1`].{x:y,\"z\":@}|[0]", "sort_by(a,&b)[::-1]", "*.a[1:-1:2]"} {
		f.Add(q)
	}
	doc := map[string]any{"a": []any{map[string]any{"b": []any{map[string]any{"c": 1.0}}}}}
	f.Fuzz(func(t *testing.T, q string) {
		if query, err := parseQuery(q); err == nil {
			query(doc)
		}
	})
}
