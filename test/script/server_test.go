package script_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/clock/clocktest"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// serverUnderTest is one server with its data dir, through all its starts.
type serverUnderTest struct {
	dir      string // holds data and log
	endpoint string
	public   string // the range of its instances' public addresses
	flags    []string
	process  *exec.Cmd
	ended    chan error
	// access are the variables that `hardstand env` exports.
	access map[string]string
}

// ranges counts servers, so that those of scripts that run at once give their
// instances different addresses.
var ranges atomic.Int32

const (
	startTimeout = 15 * time.Second
	pause        = 50 * time.Millisecond
)

// until waits for what a server or an instance does.
func until(limit time.Duration, what string, try func() (bool, error)) error {
	return clocktest.Until(limit, pause, what, try)
}

func newServer(name string) (*serverUnderTest, error) {
	dir, err := os.MkdirTemp(os.Getenv(rootVariable), name+"-")
	if err != nil {
		return nil, err
	}
	s := &serverUnderTest{dir: dir, public: fmt.Sprintf("198.18.%d.0/24", ranges.Add(1))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.endpoint = "http://" + l.Addr().String()
	return s, l.Close()
}

func (s *serverUnderTest) data() string    { return filepath.Join(s.dir, "data") }
func (s *serverUnderTest) logFile() string { return filepath.Join(s.dir, "server.log") }

// start starts the server and returns when it answers.
func (s *serverUnderTest) start() error {
	out, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	args := append([]string{"serve", "--data-dir", s.data(), "--listen", strings.TrimPrefix(s.endpoint, "http://"), "--public-cidr", s.public, "--allow-reset"}, s.flags...)
	s.process = exec.Command(os.Getenv(binaryVariable), args...)
	s.process.Stdout, s.process.Stderr = out, out
	s.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	if err := s.process.Start(); err != nil {
		return err
	}
	s.ended = make(chan error, 1)
	go func(p *exec.Cmd, ended chan<- error) { ended <- p.Wait() }(s.process, s.ended)
	err = until(startTimeout, "the server answers", func() (bool, error) {
		select {
		case err := <-s.ended:
			s.process = nil
			return false, fmt.Errorf("the server ended: %w\n%s", err, s.logTail())
		default:
		}
		resp, err := http.Get(s.endpoint + "/_hardstand/health")
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
	if err != nil {
		return err
	}
	return s.readAccess()
}

// readAccess learns the root key the way users do.
func (s *serverUnderTest) readAccess() error {
	cmd := exec.Command(os.Getenv(binaryVariable), "env", "--data-dir", s.data())
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("hardstand env: %w", err)
	}
	s.access = map[string]string{}
	for line := range strings.Lines(string(out)) {
		if assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			name, value, _ := strings.Cut(assignment, "=")
			s.access[name] = strings.Trim(value, "'")
		}
	}
	return nil
}

// end sends the server a signal and waits until it is gone.
func (s *serverUnderTest) end(sig unix.Signal) error {
	if s.process == nil {
		return errors.New("no server runs")
	}
	if err := s.process.Process.Signal(sig); err != nil {
		return err
	}
	err := <-s.ended
	s.process = nil
	if sig == unix.SIGKILL {
		return nil
	}
	return err
}

// finish removes what the server made and ends it.
func (s *serverUnderTest) finish() error {
	if s.process == nil {
		return nil
	}
	return errors.Join(s.reset(), s.end(unix.SIGTERM))
}

func (s *serverUnderTest) reset() error {
	resp, err := http.Post(s.endpoint+"/_hardstand/reset", "", nil)
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var text bytes.Buffer
		_, _ = text.ReadFrom(resp.Body)
		return fmt.Errorf("reset: %s: %s", resp.Status, text.String())
	}
	return nil
}

// logTail is the end of the server's log, without the calls that waits make.
func (s *serverUnderTest) logTail() string {
	b, _ := os.ReadFile(s.logFile())
	var tail []string
	for line := range strings.Lines(string(b)) {
		if !waits.MatchString(line) {
			tail = append(tail, line)
		}
	}
	return strings.Join(tail[max(0, len(tail)-200):], "")
}

var waits = regexp.MustCompile(`operation=(DescribeStacks|GetDeployment|GetConsoleOutput) principal=\S+:root `)

// client calls a service of the server as the account's root.
func (s *serverUnderTest) client(m *model.Service) *client.Client {
	return &client.Client{Model: m, Config: awssdk.Config{
		Region: s.access["AWS_DEFAULT_REGION"], BaseEndpoint: &s.endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(s.access["AWS_ACCESS_KEY_ID"], s.access["AWS_SECRET_ACCESS_KEY"], ""),
	}}
}

// accessKey is what `aws iam create-access-key` and assume-role print.
type accessKey struct {
	AccessKey, Credentials struct {
		AccessKeyID     string `json:"AccessKeyId"` //nolint:tagliatelle // AWS's name
		SecretAccessKey string
		SessionToken    string
	}
}

func parseAccessKey(text []byte) (id, secret, token string, err error) {
	var k accessKey
	if err := json.Unmarshal(text, &k); err != nil {
		return "", "", "", fmt.Errorf("read access key: %w", err)
	}
	c := k.AccessKey
	if c.AccessKeyID == "" {
		c = k.Credentials
	}
	if c.AccessKeyID == "" {
		return "", "", "", errors.New("the file holds no access key")
	}
	return c.AccessKeyID, c.SecretAccessKey, c.SessionToken, nil
}
