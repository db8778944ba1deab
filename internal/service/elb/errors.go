package elb

import (
	"net/http"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

func errNoBalancer(name string) error {
	return awserr.New("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", name)
}

func errValidation(format string, args ...any) error {
	return awserr.New("ValidationError", format, args...)
}

func errConfiguration(format string, args ...any) error {
	return awserr.Status(http.StatusConflict, "InvalidConfigurationRequest", format, args...)
}

func errNoInstance(id string) error {
	return awserr.New("InvalidInstance", "Could not find EC2 instance %s.", id)
}

func errNoPolicy(name, balancer string) error {
	return awserr.New("PolicyNotFound", "There is no policy with name %s for load balancer %s", name, balancer)
}

func errNoListener(balancer string, port int32) error {
	return awserr.New("ListenerNotFound", "There is no listener on port %d for load balancer %s", port, balancer)
}

func errNotImplemented(what string) error {
	return awserr.Status(http.StatusNotImplemented, "NotImplemented", "hardstand does not implement %s.", what)
}
