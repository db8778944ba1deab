package agent

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/agent/sentence"
)

// validate checks the options as AWS's codedeploy-local does, in its words.
func (l *local) validate() error {
	types := []string{"tgz", "tar", "zip", typeDirectory}
	if !slices.Contains(types, l.Type) {
		return sentence.Errorf("type %s is not a valid type. Must be one of %s", l.Type, strings.Join(types, ","))
	}
	u, err := url.Parse(l.Location)
	if err != nil {
		return sentence.Errorf("location %s is not a valid uri", l.Location)
	}
	switch u.Scheme {
	case "http":
		return sentence.Errorf("location %s cannot be http, only encrypted (https) url endpoints supported", l.Location)
	case "https":
		if !strings.HasPrefix(l.Location, githubSite) && !strings.HasPrefix(l.Location, githubAPI) {
			return sentence.Errorf("unknown location %s cannot be determined to be S3, Github, or a local file / directory", l.Location)
		}
	case "s3":
	default:
		if err := l.validateFile(); err != nil {
			return err
		}
	}
	return l.validateEvents()
}

func (l *local) validateFile() error {
	info, err := os.Stat(l.Location)
	switch {
	case err != nil:
		return sentence.Errorf("location %s is specified as a file or directory which does not exist", l.Location)
	case l.Type == typeDirectory && !info.IsDir():
		return sentence.Errorf("location %s is specified with type directory but it is a file", l.Location)
	case l.Type != typeDirectory && info.IsDir():
		return sentence.Errorf("location %s is specified as a compressed local file but it is a directory", l.Location)
	case l.Type != typeDirectory:
		return nil
	}
	appspec := l.Location + "/" + l.AppSpec
	if _, err := os.Stat(filepath.FromSlash(appspec)); err != nil {
		return sentence.Errorf("Expecting appspec file at location %s but it is not found there. Please either run the CLI from within a directory "+
			"containing the %s file or specify a bundle location containing an %s file in its root directory", appspec, l.AppSpec, l.AppSpec)
	}
	return nil
}

// validateEvents refuses an order in which an event would come before what it
// works with is there.
func (l *local) validateEvents() error {
	if l.Events == "" {
		return nil
	}
	given := strings.Split(strings.ReplaceAll(l.Events, " ", ""), ",")
	needNew := []string{lifecycle.AfterInstall, lifecycle.ApplicationStart, lifecycle.BeforeAllowTraffic, lifecycle.AfterAllowTraffic, lifecycle.ValidateService}
	before := func(event string, early ...string) bool {
		at := slices.Index(given, event)
		return at >= 0 && slices.ContainsFunc(given[:at], func(e string) bool { return slices.Contains(early, e) })
	}
	useOld := []string{lifecycle.BeforeBlockTraffic, lifecycle.AfterBlockTraffic, lifecycle.ApplicationStop}
	wrong := func(event string, may []string) error {
		return sentence.Errorf("The only events that can be specified before %s are %s. Please fix the order of your specified events: %s",
			event, strings.Join(may, ","), l.Events)
	}
	if before(lifecycle.DownloadBundle, append(needNew, lifecycle.Install)...) {
		return wrong(lifecycle.DownloadBundle, useOld)
	}
	if before(lifecycle.Install, needNew...) {
		return wrong(lifecycle.Install, append(useOld, lifecycle.DownloadBundle, lifecycle.BeforeInstall))
	}
	return nil
}

// possibleEvents are the events that an appspec may have hooks for: AWS's, and
// those that were asked for by name.
func (l *local) possibleEvents() []string {
	all := lifecycle.Local()
	for _, e := range l.events() {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}
