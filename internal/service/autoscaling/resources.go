package autoscaling

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources are the resource types of the service.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::AutoScaling::AutoScalingGroup":    resourceGroup{s},
		"AWS::AutoScaling::LaunchConfiguration": resourceConfiguration{s},
		"AWS::AutoScaling::LifecycleHook":       resourceHook{s},
		"AWS::AutoScaling::ScalingPolicy":       resourcePolicy{s},
		"AWS::AutoScaling::ScheduledAction":     resourceSchedule{s},
	}
}

// maxResourceName is how long the names may be that are made up for resources.
const maxResourceName = 255

// invoke calls an operation of this service as the stack's caller.
func invoke[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, s.cfg.Invoker, signing, operation, in)
}

// absentGroup reports whether an operation failed because there is no such group, or no
// such thing in it.
func absentGroup(err error) bool {
	e := awserr.As(err)
	return e != nil && e.Code == "ValidationError" && slices.ContainsFunc([]string{"not found", "No Lifecycle Hook found"}, func(s string) bool { return strings.Contains(e.Message, s) })
}

// own is the name that a template gives, or one that is made up.
func own(r stack.Request, given *string) string {
	if given != nil {
		return *given
	}
	return r.Name(maxResourceName)
}

// texts is nil for an empty list: the template may leave it out.
func texts(list []string) any {
	if len(list) == 0 {
		return nil
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// liveText and liveNumber are a value of a property, nil for none.
func liveText(v *string) any {
	if v == nil || *v == "" {
		return nil
	}
	return *v
}

func liveNumber(v *int32) any {
	if v == nil {
		return nil
	}
	return int64(*v)
}

func liveBool(v *bool) any {
	if v == nil {
		return nil
	}
	return *v
}
