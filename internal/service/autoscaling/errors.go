package autoscaling

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

var errToken = awserr.New("InvalidNextToken", "The NextToken value is not valid.")

// invalid is the code that the service uses for nearly everything.
func invalid(format string, args ...any) error {
	return awserr.New("ValidationError", format, args...)
}

func alreadyExists(format string, args ...any) error {
	return awserr.New("AlreadyExists", format, args...)
}

func inUse(format string, args ...any) error {
	return awserr.New("ResourceInUse", format, args...)
}

func scalingInProgress(format string, args ...any) error {
	return awserr.New("ScalingActivityInProgress", format, args...)
}

func limitExceeded(format string, args ...any) error {
	return awserr.New("LimitExceeded", format, args...)
}

// notHonoured refuses a member of a request by name.
func notHonoured(what string) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement %s of Auto Scaling.", what)
}

// asked is a member of a request and whether it asks for what is not done here.
type asked struct {
	name string
	set  bool
}

func refuse(list ...asked) error {
	for _, a := range list {
		if a.set {
			return notHonoured(a.name)
		}
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// ended is nil when the work was stopped.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// messageOf is the text of an error of another service.
func messageOf(err error) string {
	if e := awserr.As(err); e != nil {
		return e.Message
	}
	return err.Error()
}
