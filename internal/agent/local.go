package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/agent/command"
	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/agent/hooks"
	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/agent/poll"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/agent/state"
	"github.com/hardstand/hardstand/internal/aws/ids"
)

const localUsage = `usage: codedeploy-local [options]: deploy a revision on this host without the service

  -l, --bundle-location PATH         directory, bundle file, s3://BUCKET/KEY[?versionId=V&etag=E] or
                                     https://github.com/ACCOUNT/REPOSITORY/tree/REF
                                     (default: the current directory)
  -t, --type TYPE                    directory, zip, tar or tgz (default directory, or what the name of
                                     an object in S3 tells)
      --github-token TOKEN           for a private repository (or CODEDEPLOY_GITHUB_TOKEN)
  -b, --file-exists-behavior B       DISALLOW, OVERWRITE or RETAIN
  -g, --deployment-group ID          default default-local-deployment-group
  -d, --deployment-group-name NAME   default LocalFleet
  -a, --application-name NAME        default the location
  -e, --events LIST                  lifecycle events, separated by commas (default all)
  -c, --agent-configuration-file F   default ` + config.DefaultFile + `
  -A, --appspec-filename NAME        default appspec.yml
`

// typeDirectory is the one type that is no archive.
const typeDirectory = "directory"

// local is one run of codedeploy-local.
type local struct {
	Location, Type, Behavior, Group, GroupName, Application, Events, Config, AppSpec, Token string
}

// LocalMain is the codedeploy-local command; args are without the program's
// name. It returns the exit code.
func LocalMain(args []string) int {
	if err := hideSecrets(args, true); err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
		return 1
	}
	return localMain(args)
}

func localMain(args []string) int {
	l := local{
		Type: typeDirectory, Token: os.Getenv(tokenVariable), Behavior: "DISALLOW", Group: "default-local-deployment-group",
		GroupName: "LocalFleet", Config: config.DefaultFile, AppSpec: "appspec.yml", Location: ".",
	}
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" }) {
		fmt.Print(localUsage)
		return 0
	}
	if slices.ContainsFunc(args, func(a string) bool { return a == "-v" || a == "--version" }) {
		fmt.Println(Version)
		return 0
	}
	err := l.parse(args)
	if err == nil {
		err = l.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
		return 1
	}
	fmt.Println("AppSpec file valid. Local deployment successful")
	return 0
}

func (l *local) parse(args []string) error {
	targets := map[string]*string{
		"-l": &l.Location, "--bundle-location": &l.Location, "-t": &l.Type, "--type": &l.Type,
		"-b": &l.Behavior, "--file-exists-behavior": &l.Behavior, "-g": &l.Group, "--deployment-group": &l.Group,
		"-d": &l.GroupName, "--deployment-group-name": &l.GroupName, "-a": &l.Application, "--application-name": &l.Application,
		"-e": &l.Events, "--events": &l.Events, "-c": &l.Config, "--agent-configuration-file": &l.Config,
		"-A": &l.AppSpec, "--appspec-filename": &l.AppSpec, "--github-token": &l.Token,
	}
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		target := targets[name]
		if target == nil {
			return fmt.Errorf("unknown option %q", args[i])
		}
		if !joined {
			if i++; i >= len(args) {
				return fmt.Errorf("%s needs a value", name)
			}
			value = args[i]
		}
		*target = value
	}
	return l.validate()
}

// spec builds the specification that the service would have signed.
func (l *local) spec() (*spec.Spec, error) {
	revision, err := l.revision()
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(map[string]any{
		"DeploymentId": ids.Deployment() + "-local", "DeploymentGroupId": l.Group, "DeploymentGroupName": l.GroupName,
		"ApplicationName": cmp.Or(l.Application, l.Location), "AppSpecFilename": l.AppSpec, "GitHubAccessToken": l.Token,
		"AgentActionOverrides": map[string]any{"AgentOverrides": map[string]any{"FileExistsBehavior": l.Behavior}},
		"Revision":             revision, "AllPossibleLifecycleEvents": l.possibleEvents(),
	})
	if err != nil {
		return nil, err
	}
	return spec.Parse(doc)
}

func (l *local) events() []string {
	if l.Events == "" {
		return lifecycle.Local()
	}
	var out []string
	for e := range strings.SplitSeq(l.Events, ",") {
		out = append(out, strings.TrimSpace(e))
	}
	// What is missing comes first: no other event can do without.
	for _, needed := range []string{lifecycle.Install, lifecycle.DownloadBundle} {
		if !slices.Contains(out, needed) {
			out = slices.Insert(out, 0, needed)
		}
	}
	return out
}

func (l *local) run() error {
	cfg, err := config.Load(l.Config)
	if err != nil {
		return err
	}
	s, err := l.spec()
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dir := state.Dir{Root: cfg.RootDir, Ongoing: cfg.OngoingDir}
	fetcher, err := l.fetcher(ctx, cfg)
	if err != nil {
		return err
	}
	x := newExecutor(cfg, dir, fetcher, log)
	x.CustomEvents = true
	if err := os.MkdirAll(filepath.Join(cfg.RootDir, "deployment-instructions"), 0o755); err != nil {
		return err
	}
	for _, event := range l.events() {
		if err := runLocal(ctx, x, event, s); err != nil {
			return err
		}
	}
	return nil
}

func runLocal(ctx context.Context, x *command.Executor, event string, s *spec.Spec) error {
	_, err := x.Run(ctx, event, s)
	if err == nil {
		return nil
	}
	d := poll.Describe(err)
	text := fmt.Sprintf("%s failed: %s", event, d.Message)
	if d.Code != hooks.CodeUnknown && d.Log != "" {
		text += "\n" + d.Log
	}
	return fmt.Errorf("%s", strings.TrimRight(text, "\n"))
}
