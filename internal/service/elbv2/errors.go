package elbv2

import (
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

func invalid(format string, args ...any) error { return awserr.New("ValidationError", format, args...) }

func badRequest(format string, args ...any) error {
	return awserr.New("InvalidConfigurationRequest", format, args...)
}

func badAction(format string, args ...any) error {
	return awserr.New("InvalidLoadBalancerAction", format, args...)
}

// notBuilt refuses what AWS has and this server has not.
func notBuilt(format string, args ...any) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement "+format+".", args...)
}

func notPermitted(format string, args ...any) error {
	return awserr.New("OperationNotPermitted", format, args...)
}

func errDuplicateTag(key string) error {
	return awserr.New("DuplicateTagKeys", "Tag key '%s' was specified multiple times", key)
}

// notFound is the answer for one resource of a kind.
func notFound(kind, name string) error {
	switch kind {
	case kindBalancer:
		return awserr.New("LoadBalancerNotFound", "Load balancer '%s' not found", name)
	case kindListener:
		return awserr.New("ListenerNotFound", "Listener '%s' not found", name)
	case kindRule:
		return awserr.New("RuleNotFound", "Rule '%s' not found", name)
	case kindTrust:
		return awserr.New("TrustStoreNotFound", "Trust store '%s' not found", name)
	}
	return awserr.New("TargetGroupNotFound", "Target groups '%s' not found", name)
}

// oneOrMore is the answer of operations that describe several by their ARNs.
func oneOrMore(kind string) error {
	switch kind {
	case kindBalancer:
		return awserr.New("LoadBalancerNotFound", "One or more load balancers not found")
	case kindListener:
		return awserr.New("ListenerNotFound", "One or more listeners not found")
	case kindRule:
		return awserr.New("RuleNotFound", "One or more rules not found")
	}
	return awserr.New("TargetGroupNotFound", "One or more target groups not found")
}

func orNotFound(err error, kind, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(kind, name)
	}
	return err
}

// quoted lists names as AWS's errors do: 'a', 'b'.
func quoted(names []string) string { return "'" + strings.Join(names, "', '") + "'" }
