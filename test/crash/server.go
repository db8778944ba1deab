package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/clock/clocktest"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// server is one server through all its lives. Its instances are fake where the
// engine is what is tested: lives are then short.
type server struct {
	binary, dir, address string
	flags                []string
	process              *exec.Cmd
	access               map[string]string
}

const (
	startLimit = 30 * time.Second
	pause      = 10 * time.Millisecond
)

// until waits for what a server or an instance does.
func until(limit time.Duration, what string, try func() (bool, error)) error {
	return clocktest.Until(limit, pause, what, try)
}

func (s *server) start() error {
	if s.address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.address = l.Addr().String()
		if err := l.Close(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command(s.binary, "serve", "--data-dir", filepath.Join(s.dir, "data"), "--listen", s.address, "--log-level", "warn")
	s.process.Args = append(s.process.Args, s.flags...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	if err := s.process.Start(); err != nil {
		return err
	}
	err = until(startLimit, "the server answers", func() (bool, error) {
		resp, err := http.Get("http://" + s.address + "/_hardstand/health")
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
	if err != nil || s.access != nil {
		return err
	}
	return s.readAccess()
}

func (s *server) readAccess() error {
	out, err := exec.Command(s.binary, "env", "--data-dir", filepath.Join(s.dir, "data")).Output()
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

// kill ends the process as kill -9 does.
func (s *server) kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may be gone
	var exit *exec.ExitError
	if err := s.process.Wait(); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "crash: wait for the server:", err)
	}
	s.process = nil
}

func (s *server) call(m *model.Service, operation string, in, out any) error {
	endpoint := "http://" + s.address
	c := &client.Client{Model: m, Config: awssdk.Config{
		Region: s.access["AWS_DEFAULT_REGION"], BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(s.access["AWS_ACCESS_KEY_ID"], s.access["AWS_SECRET_ACCESS_KEY"], ""),
	}}
	return c.Call(context.Background(), operation, in, out)
}
