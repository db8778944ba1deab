// Package cfn is the CloudFormation helper scripts: cfn-signal, cfn-init,
// cfn-get-metadata and cfn-hup.
//
// Options, files, logs and exit codes are those of aws-cfn-bootstrap. Requests
// are signed with a role's or a user's keys where the command line names some;
// otherwise the instance's signed identity document stands for it (CFN_V1), and
// the service checks that the instance belongs to the stack. The flow enters in
// Signal, Init, GetMetadata and Hup. It imports awsclient, imdsclient and
// accounts.
package cfn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
	"github.com/hardstand/hardstand/internal/guest/imdsclient"
)

const apiVersion = "2010-05-15"

// Helper runs one of the scripts.
type Helper struct {
	Root           guest.Root
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Clock          clock.Clock
	Metadata       *imdsclient.Client
	// Path is PATH for the commands that cfn-init runs.
	Path string
}

// New returns the helper of the running instance.
func New() *Helper {
	return &Helper{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Clock: clock.System{},
		Metadata: imdsclient.New(""), Path: guest.DefaultPath}
}

// service is CloudFormation, as one command line addresses it.
type service struct {
	client   *awsclient.Client
	url      string
	metadata *imdsclient.Client
	// signed says that keys were named; otherwise the instance signs.
	signed bool
}

func (h *Helper) connect(ctx context.Context, f *flags) (*service, error) {
	o := awsclient.Options{Region: f.text("region"), Role: f.text("role"), CredentialFile: f.text("credential-file"), Metadata: h.Metadata}
	signed := o.Role != "" || o.CredentialFile != ""
	if key, secret := f.text("access-key"), f.text("secret-key"); key != "" || secret != "" {
		if key == "" || secret == "" {
			return nil, said("Error: --access-key and --secret-key must be given together")
		}
		o.Keys = sign.Credentials{AccessKeyID: key, SecretAccessKey: secret}
		signed = true
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	settings, err := awsclient.Load(ctx, o)
	if err != nil {
		return nil, err
	}
	client, err := awsclient.New(settings, h.Clock)
	if err != nil {
		return nil, err
	}
	base := f.text("url")
	if base == "" {
		base = "https://cloudformation." + o.Region + "." + client.Domain()
	}
	return &service{client: client, url: strings.TrimSuffix(base, "/"), metadata: h.Metadata, signed: signed}, nil
}

// call makes one request and returns the operation's result.
func (s *service) call(ctx context.Context, action string, values url.Values) (map[string]any, error) {
	query := url.Values{"Action": {action}, "Version": {apiVersion}, "ContentType": {"JSON"}}
	for k, v := range values {
		query[k] = v
	}
	header := http.Header{"Accept": {"application/json"}}
	if !s.signed {
		document, signature, err := s.metadata.SignedDocument(ctx)
		if err != nil {
			return nil, fmt.Errorf("no credentials were given, and the instance cannot sign for itself: %w", err)
		}
		header.Set("Authorization", "CFN_V1 "+base64.StdEncoding.EncodeToString(document)+":"+
			strings.NewReplacer("\n", "", "\r", "").Replace(string(signature)))
	}
	resp, err := s.client.Do(ctx, awsclient.Request{Service: "cloudformation", Operation: action, Method: http.MethodGet,
		URL: s.url + "/?" + query.Encode(), Header: header, Unsigned: !s.signed})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var doc map[string]map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", action, err)
	}
	result, _ := doc[action+"Response"][action+"Result"].(map[string]any)
	return result, nil
}

// resource is what DescribeStackResource tells of a resource.
type resource struct {
	metadata   map[string]any // nil when the resource has none
	physicalID string
}

func (s *service) describe(ctx context.Context, stack, logical string) (resource, error) {
	result, err := s.call(ctx, "DescribeStackResource", url.Values{"StackName": {stack}, "LogicalResourceId": {logical}})
	if err != nil {
		return resource{}, err
	}
	detail, _ := result["StackResourceDetail"].(map[string]any)
	r := resource{}
	r.physicalID, _ = detail["PhysicalResourceId"].(string)
	text, _ := detail["Metadata"].(string)
	if strings.TrimSpace(text) == "" {
		return r, nil
	}
	if err := json.Unmarshal([]byte(text), &r.metadata); err != nil {
		return r, fmt.Errorf("metadata of %s: %w", logical, err)
	}
	return r, nil
}

// fail prints an error as the helpers do and returns their exit code.
func (h *Helper) fail(err error) int {
	var answer *awsclient.Error
	if errors.As(err, &answer) {
		fmt.Fprintf(h.Stderr, "%s: %s\n", answer.Code, answer.Message)
		return 1
	}
	fmt.Fprintln(h.Stderr, err)
	return 1
}

// said is an error in the originals' own words, which people search for and which
// begin with a capital letter.
func said(format string, args ...any) error { return fmt.Errorf(format, args...) }

// connection are the options that every helper has.
var connection = map[string]string{"region": "", "url": "u", "role": "", "access-key": "", "secret-key": "",
	"credential-file": "f", "http-proxy": "", "https-proxy": ""}

// flags is a parsed command line.
type flags struct {
	values map[string]string
	args   []string
}

func (f *flags) text(name string) string { return f.values[name] }

func (f *flags) has(name string) bool { _, ok := f.values[name]; return ok }

// parseFlags reads options that take a value (long name to letter) and switches
// (likewise), anywhere on the line.
func parseFlags(args []string, valued, switches map[string]string) (*flags, error) {
	f := &flags{values: map[string]string{}}
	find := func(table map[string]string, long, short string) string {
		for name, letter := range table {
			if long != "" && name == long || short != "" && letter == short {
				return name
			}
		}
		return ""
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "-" || !strings.HasPrefix(a, "-") {
			f.args = append(f.args, a)
			continue
		}
		long, short, value, joined := "", "", "", false
		if rest, ok := strings.CutPrefix(a, "--"); ok {
			long, value, joined = strings.Cut(rest, "=")
		} else {
			short, value = a[1:2], a[2:]
			joined = value != ""
		}
		if name := find(switches, long, short); name != "" && !joined {
			f.values[name] = "true"
			continue
		}
		name := find(valued, long, short)
		if name == "" {
			return nil, fmt.Errorf("no such option: %s", a)
		}
		if !joined {
			if i++; i >= len(args) {
				return nil, fmt.Errorf("%s option requires an argument", a)
			}
			value = args[i]
		}
		f.values[name] = value
	}
	if p := f.text("https-proxy"); p != "" {
		if err := os.Setenv("HTTPS_PROXY", p); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// with joins option tables.
func with(tables ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, t := range tables {
		for k, v := range t {
			all[k] = v
		}
	}
	return all
}
