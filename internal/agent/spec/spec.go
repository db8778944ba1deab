// Package spec turns the signed deployment specification that the service hands
// out into a checked Spec.
//
// AWS's own agents accept any signer; this one checks the signature, the
// signer's name and, with roots, the chain. See Verifier.
package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hardstand/hardstand/internal/agent/appspec"
	"github.com/hardstand/hardstand/internal/agent/sentence"
)

// Spec is one deployment as the agent needs to know it.
type Spec struct {
	DeploymentID    string // d-XXXXXXXXX
	GroupID         string // UUID: keys everything kept on the host
	GroupName       string
	ApplicationName string
	Creator         string // user, codeDeployRollback, ...
	Type            string // IN_PLACE or BLUE_GREEN
	AppSpecFile     string // slash-separated, inside the revision
	// PossibleEvents are AWS's list of events that hooks may be for, KnownEvents
	// that of hardstand's service. Neither is complete when it is empty.
	PossibleEvents, KnownEvents []string
	FileExists                  string // DISALLOW unless given
	Revision                    Revision
	GitHubToken                 string
	// SendLogs is set by hardstand's service, which takes the whole output of
	// scripts.
	SendLogs bool
	// EndsNoops is set by hardstand's service, for which the acknowledgement of a
	// command with nothing to do is also its end.
	EndsNoops bool
}

// Revision is where the application comes from.
type Revision struct {
	Type string // S3, GitHub, Local File, Local Directory
	// S3
	Bucket, Key, Version, ETag string
	// BundleType is tar, tgz or zip, and directory for local ones.
	BundleType string
	// GitHub
	Account, Repository, CommitID string
	// Local
	Location string
}

type document struct {
	DeploymentID               string `json:"DeploymentId"`
	DeploymentGroupID          string `json:"DeploymentGroupId"`
	DeploymentGroupName        string
	ApplicationName            string
	DeploymentCreator          string
	DeploymentType             string
	AppSpecFilename            string
	AllPossibleLifecycleEvents []string
	AgentActionOverrides       struct {
		AgentOverrides struct{ FileExistsBehavior string }
	}
	GitHubAccessToken string
	SendLogs          bool     `json:"HardstandSendLogs"`
	EndsNoops         bool     `json:"HardstandEndsNoops"`
	KnownEvents       []string `json:"HardstandLifecycleEvents"`
	Revision          *struct {
		RevisionType   string
		S3Revision     *struct{ Bucket, Key, BundleType, Version, ETag string }
		GitHubRevision *struct {
			Account, Repository, BundleType string
			CommitID                        string `json:"CommitId"`
		}
		LocalRevision *struct{ Location, BundleType string }
	}
}

// Patterns are compiled when first used: this package is part of every process of
// the guest binary, most of which never see a specification.
var (
	idPattern    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`) })
	groupPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`) })
	signerName   = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^codedeploy-signer-[a-z0-9-]+\.amazonaws\.com(\.cn)?$`)
	})
)

// reserved are the agent's own directories, beside those of groups.
var reserved = []string{"deployment-instructions", "deployment-logs", "ongoing-deployment"}

// Parse reads the JSON content of a specification. Ids become directory names,
// so that their form is checked here.
func Parse(content []byte) (*Spec, error) {
	var d document
	if err := json.Unmarshal(content, &d); err != nil {
		return nil, fmt.Errorf("deployment specification is not JSON: %w", err)
	}
	for _, f := range []struct{ name, value string }{
		{"DeploymentId", d.DeploymentID}, {"DeploymentGroupId", d.DeploymentGroupID},
		{"DeploymentGroupName", d.DeploymentGroupName}, {"ApplicationName", d.ApplicationName},
	} {
		if f.value == "" {
			return nil, sentence.Errorf("Deployment Spec has no %s", f.name)
		}
	}
	s := &Spec{
		DeploymentID: d.DeploymentID[strings.LastIndexByte(d.DeploymentID, '/')+1:], GroupID: d.DeploymentGroupID,
		GroupName: d.DeploymentGroupName, ApplicationName: d.ApplicationName,
		Creator: or(d.DeploymentCreator, "user"), Type: or(d.DeploymentType, "IN_PLACE"),
		AppSpecFile: or(d.AppSpecFilename, "appspec.yml"), KnownEvents: d.KnownEvents, PossibleEvents: d.AllPossibleLifecycleEvents,
		FileExists:  or(strings.ToUpper(d.AgentActionOverrides.AgentOverrides.FileExistsBehavior), appspec.Disallow),
		GitHubToken: d.GitHubAccessToken, SendLogs: d.SendLogs, EndsNoops: d.EndsNoops,
	}
	if !idPattern().MatchString(s.DeploymentID) || !groupPattern().MatchString(s.GroupID) || slices.Contains(reserved, s.GroupID) {
		return nil, fmt.Errorf("deployment specification names deployment %q of group %q, which are no ids", s.DeploymentID, s.GroupID)
	}
	if c := path.Clean(s.AppSpecFile); path.IsAbs(c) || c == ".." || strings.HasPrefix(c, "../") {
		return nil, fmt.Errorf("AppSpec file name %q leaves the revision", s.AppSpecFile)
	}
	return s, s.readRevision(d)
}

func (s *Spec) readRevision(d document) error {
	if d.Revision == nil {
		return sentence.Errorf("Must specify a revison")
	}
	r := &s.Revision
	r.Type = d.Revision.RevisionType
	switch r.Type {
	case "":
		return sentence.Errorf("Must specify a revision source")
	case "S3":
		v := d.Revision.S3Revision
		if v == nil || v.Bucket == "" || v.Key == "" || v.BundleType == "" {
			return errors.New("S3Revision in Deployment Spec must specify Bucket, Key and BundleType")
		}
		if !oneOf(v.BundleType, "tar", "tgz", "zip") {
			return errors.New("BundleType in S3Revision must be tar, tgz or zip")
		}
		r.Bucket, r.Key, r.BundleType, r.Version, r.ETag = v.Bucket, v.Key, v.BundleType, v.Version, v.ETag
	case "GitHub":
		v := d.Revision.GitHubRevision
		if v == nil || v.Account == "" || v.Repository == "" || v.CommitID == "" {
			return errors.New("GitHubRevision in Deployment Spec must specify Account, Repository and CommitId")
		}
		r.Account, r.Repository, r.CommitID, r.BundleType = v.Account, v.Repository, v.CommitID, or(v.BundleType, "tar")
	case "Local File", "Local Directory":
		v := d.Revision.LocalRevision
		if v == nil || v.Location == "" || !oneOf(v.BundleType, "tar", "tgz", "zip", "directory") {
			return errors.New("LocalRevision in Deployment Spec must specify Location and BundleType")
		}
		r.Location, r.BundleType = v.Location, v.BundleType
	default:
		return sentence.Errorf("Exactly one of S3Revision, GitHubRevision, or LocalRevision must be specified")
	}
	return nil
}

// Environment returns the variables a hook gets about the revision.
func (r Revision) Environment() []string {
	switch r.Type {
	case "S3":
		env := []string{"BUNDLE_BUCKET=" + r.Bucket, "BUNDLE_KEY=" + r.Key}
		if r.Version != "" {
			env = append(env, "BUNDLE_VERSION="+r.Version)
		}
		if r.ETag != "" {
			env = append(env, "BUNDLE_ETAG="+r.ETag)
		}
		return env
	case "GitHub":
		return []string{"BUNDLE_COMMIT=" + r.CommitID}
	}
	return nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func oneOf(s string, of ...string) bool {
	for _, o := range of {
		if s == o {
			return true
		}
	}
	return false
}
