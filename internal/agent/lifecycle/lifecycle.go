// Package lifecycle knows the lifecycle events of a server deployment: their
// order, who executes them and which revision on disk each one uses.
//
// It is pure. The agent asks it what to run, the service asks it what to send.
package lifecycle

import "slices"

// The lifecycle events.
const (
	BeforeBlockTraffic = "BeforeBlockTraffic"
	BlockTraffic       = "BlockTraffic"
	AfterBlockTraffic  = "AfterBlockTraffic"
	ApplicationStop    = "ApplicationStop"
	DownloadBundle     = "DownloadBundle"
	BeforeInstall      = "BeforeInstall"
	Install            = "Install"
	AfterInstall       = "AfterInstall"
	ApplicationStart   = "ApplicationStart"
	ValidateService    = "ValidateService"
	BeforeAllowTraffic = "BeforeAllowTraffic"
	AllowTraffic       = "AllowTraffic"
	AfterAllowTraffic  = "AfterAllowTraffic"
)

// InPlace returns the events of a deployment in place without a load balancer,
// in order.
func InPlace() []string {
	return []string{ApplicationStop, DownloadBundle, BeforeInstall, Install, AfterInstall, ApplicationStart, ValidateService}
}

// Block returns the events that take an instance out of traffic, in order, with
// that of the service in the middle when it controls a load balancer.
func Block(balanced bool) []string {
	return around(BeforeBlockTraffic, BlockTraffic, AfterBlockTraffic, balanced)
}

// Allow returns the events that let traffic to an instance, in order, likewise.
func Allow(balanced bool) []string {
	return around(BeforeAllowTraffic, AllowTraffic, AfterAllowTraffic, balanced)
}

func around(before, service, after string, balanced bool) []string {
	if balanced {
		return []string{before, service, after}
	}
	return []string{before, after}
}

// Local returns the events codedeploy-local runs by default, in order.
func Local() []string {
	return slices.Concat(Block(false), InPlace(), Allow(false))
}

// ByAgent reports whether an agent executes the event.
func ByAgent(event string) bool {
	return event == DownloadBundle || event == Install || Scriptable(event)
}

// Scriptable reports whether the event runs the scripts of a hook.
func Scriptable(event string) bool {
	return event != DownloadBundle && event != Install && slices.Contains(Local(), event)
}

// FailureIgnorable reports whether a deployment's
// ignoreApplicationStopFailures covers the event.
func FailureIgnorable(event string) bool {
	return event == ApplicationStop || event == BeforeBlockTraffic || event == AfterBlockTraffic
}

// Revision says which revision on disk an event uses.
type Revision int

// The revisions an event can use.
const (
	Current        Revision = iota // the one being deployed
	LastSuccessful                 // the last whose Install succeeded
	MostRecent                     // the last that was unpacked
)

// RevisionFor returns the revision that event uses. currentUnpacked tells that
// the deployment's own archive is on disk already: all events then belong to it.
func RevisionFor(event, creator, deploymentType string, currentUnpacked bool) Revision {
	if currentUnpacked {
		return Current
	}
	back := creator == "codeDeployRollback" && deploymentType == "BLUE_GREEN"
	switch event {
	case BeforeBlockTraffic, AfterBlockTraffic:
		if back {
			return MostRecent
		}
		return LastSuccessful
	case ApplicationStop:
		return LastSuccessful
	case BeforeAllowTraffic, AfterAllowTraffic:
		if back {
			return LastSuccessful
		}
	}
	return Current
}

// Noop reports whether executing event does nothing: no revision to take
// scripts from, or none for it.
func Noop(event string, haveRevision bool, scripts int) bool {
	if event == DownloadBundle || event == Install {
		return false
	}
	return !haveRevision || scripts == 0
}
