package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/agent/command"
	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/agent/download"
	"github.com/hardstand/hardstand/internal/agent/hooks"
	"github.com/hardstand/hardstand/internal/agent/identity"
	"github.com/hardstand/hardstand/internal/agent/logfile"
	"github.com/hardstand/hardstand/internal/agent/poll"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/clock"
)

// run is the agent in the foreground; it ends on SIGTERM or SIGINT.
func run(cfg config.Config, errs io.Writer) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	// An agent that waits should cost next to nothing.
	debug.SetGCPercent(30)
	syscall.Umask(0o022)
	release, err := takePidFile(cfg)
	if err != nil {
		fmt.Fprintln(errs, "codedeploy-agent:", err)
		return 1
	}
	defer release()
	log, file, err := openLog(cfg)
	if err != nil {
		fmt.Fprintln(errs, "codedeploy-agent:", err)
		return 1
	}
	defer file.Close()
	writeVersion(cfg, log)
	warn(cfg, log, errs)
	hooks.TakeBack()
	announce(file)
	log.Info("agent started", "version", Version, "pid", os.Getpid())
	loop, err := connect(ctx, cfg, log)
	if err == nil {
		err = loop.Run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		log.Error("agent ended", "error", err)
		return 1
	}
	log.Info("agent stopped")
	return 0
}

// warn names the keys of the configuration that change nothing, to the user who starts
// the agent those that ask for something.
func warn(cfg config.Config, log *slog.Logger, errs io.Writer) {
	for _, key := range cfg.Unknown {
		log.Info("configuration key without effect", "key", key)
	}
	for _, key := range cfg.Unheeded {
		log.Warn("configuration key asks for what this agent does not have", "key", key)
		fmt.Fprintf(errs, "codedeploy-agent: warning: :%s: asks for what this agent does not have\n", key)
	}
}

// connect finds out who the host is, trying until it is known, and builds the
// loop.
func connect(ctx context.Context, cfg config.Config, log *slog.Logger) (*poll.Loop, error) {
	clk := clock.System{}
	imds := imdsclient.NewWith(imdsclient.Options{AllowV1: !cfg.DisableIMDSv1, Tries: 3, Clock: clk})
	for wait := time.Second; ; wait = min(2*wait, 5*time.Second) {
		host, keys, err := identity.Discover(ctx, identity.Options{OnPremisesFile: cfg.OnPremisesFile, IMDS: imds, Clock: clk})
		if err == nil {
			log.Info("identity", "host", host.ID, "region", host.Region)
			return newLoop(cfg, host, keys, log)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		log.Error("identity not known yet", "error", err, "retry_in", wait.String())
		if err := clock.Sleep(ctx, clk, wait); err != nil {
			return nil, err
		}
	}
}

func newLoop(cfg config.Config, host identity.Host, keys *identity.Source, log *slog.Logger) (*poll.Loop, error) {
	clk := clock.System{}
	endpoint, overridden := controlEndpoint(cfg, host, os.Getenv)
	verifier, err := spec.NewVerifier([]string{cfg.SignerCA}, !overridden, clk, func(m string) { log.Warn(m) })
	if err != nil {
		return nil, err
	}
	transfers, err := download.NewHTTP(cfg.ProxyURI)
	if err != nil {
		return nil, err
	}
	calls, err := download.NewHTTP(cfg.ProxyURI)
	if err != nil {
		return nil, err
	}
	calls.Timeout = cfg.ReadTimeout
	calls.Transport.(*http.Transport).ResponseHeaderTimeout = cfg.ReadTimeout
	dir := state.Dir{Root: cfg.RootDir, Ongoing: cfg.OngoingDir}
	return &poll.Loop{
		Client: &poll.Client{
			HTTP: calls, Endpoint: endpoint, Secure: cfg.EnableAuthPolicy, Region: host.Region, Host: host.ID,
			Version: Version, Credentials: keys, Clock: clk,
		},
		Verifier: verifier, State: dir, Clock: clk, Log: log, Every: cfg.WaitBetweenRuns, KillWait: cfg.KillWait, Resting: rest,
		Executor: newExecutor(cfg, dir, &download.Client{
			HTTP: transfers, Region: host.Region, Domain: host.Domain, Endpoint: s3Endpoint(cfg, os.Getenv),
			FIPS: cfg.UseFIPS, Credentials: keys, Clock: clk, GitHub: "https://api.github.com",
		}, log),
	}, nil
}

func newExecutor(cfg config.Config, dir state.Dir, fetcher command.Fetcher, log *slog.Logger) *command.Executor {
	x := &command.Executor{
		State: dir, Fetcher: fetcher, MaxRevisions: cfg.MaxRevisions, MaxSize: cfg.MaxExtractionSize,
		Env: os.Environ(), Clock: clock.System{}, Log: log, Hardening: command.Hardening{
			NoLinks: cfg.RejectLinks, NoUnsafeModes: cfg.RejectUnsafeModes, NoUnconfined: cfg.RejectUnconfined, EnvironmentList: cfg.RestrictHookEnv,
		},
	}
	if cfg.EnableDeployLog {
		x.SharedLog = filepath.Join(cfg.RootDir, "deployment-logs", "codedeploy-agent-deployments.log")
	}
	return x
}

// controlEndpoint is the configured endpoint, else the environment's (as for any
// AWS tool), else AWS's host name; overridden tells that it is not the last.
func controlEndpoint(cfg config.Config, host identity.Host, getenv func(string) string) (endpoint string, overridden bool) {
	for _, e := range []string{cfg.ControlEndpoint, getenv("AWS_ENDPOINT_URL_CODEDEPLOY_COMMANDS"), getenv("AWS_ENDPOINT_URL")} {
		if e != "" {
			return e, true
		}
	}
	label := "codedeploy-commands"
	if cfg.EnableAuthPolicy {
		label += "-secure"
	}
	if cfg.UseFIPS {
		label += "-fips"
	}
	return "https://" + label + "." + host.Region + "." + host.Domain, false
}

func s3Endpoint(cfg config.Config, getenv func(string) string) string {
	for _, e := range []string{cfg.S3Endpoint, getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL")} {
		if e != "" {
			return e
		}
	}
	return ""
}

// The agent's own log is rotated at this size, keeping this many old files.
const (
	rotateAt   = 8 << 20
	rotateKeep = 7
)

// openLog opens the agent's own log.
func openLog(cfg config.Config) (*slog.Logger, *logfile.File, error) {
	f, err := logfile.Open(cfg.LogFile(), rotateAt, rotateKeep)
	if err != nil {
		return nil, nil, err
	}
	level := slog.LevelInfo
	if cfg.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(newLineHandler(f, cfg.ProgramName, level)), f, nil
}

// writeVersion leaves the .version file that tools look for. An instance where
// it cannot be written deploys all the same.
func writeVersion(cfg config.Config, log *slog.Logger) {
	path := filepath.Join(filepath.Dir(cfg.RootDir), ".version")
	if err := state.WriteFile(path, []byte("agent_version: "+Version+"\n")); err != nil {
		log.Warn("write version file", "error", err)
	}
}
