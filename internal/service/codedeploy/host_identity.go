package codedeploy

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// secureName is the signing name of the flavour of the host command API that
// asks for IAM permissions.
const secureName = "codedeploy-commands-secure"

// bareInstance returns the id in an instance ARN, or what it is given.
func bareInstance(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// hostOf returns the instance that speaks: the one whose session signed the
// request. An agent can thus only ask for its own commands, whatever it says of
// itself.
func hostOf(c aws.Call) string {
	p := c.Principal
	if p.InstanceID != "" {
		return p.InstanceID
	}
	if p.Type == aws.PrincipalAssumedRole && strings.HasPrefix(p.SessionName, "i-") {
		return p.SessionName
	}
	return ""
}

func errHost(format string, args ...any) error {
	return awserr.Status(http.StatusBadRequest, "AccessDeniedException", format, args...)
}

// authorizeHost checks that the caller is an instance and may use the
// operation.
func (s *Service) authorizeHost(ctx context.Context, operation string) (store.Key, string, error) {
	c := aws.CallFrom(ctx)
	host := hostOf(c)
	if host == "" {
		return store.Key{}, "", errHost("%s is not an EC2 instance: host commands are for the credentials of an instance's role.", c.Principal.ARN)
	}
	k := key(c, host)
	if c.SigningName != secureName {
		return k, host, nil
	}
	err := s.auth.Authorize(ctx, aws.Check{Action: secureName + ":" + operation, Resource: "*"})
	if err != nil {
		s.noteRefusal(ctx, k, err)
	}
	return k, host, err
}

// checkIdentifier holds the host identifier in a request against the caller.
func checkIdentifier(k store.Key, identifier *string) error {
	want := instanceARN(k, k.ID)
	got, err := arn.Parse(aws.Val(identifier))
	if err != nil {
		return awserr.New("ClientException", "HostIdentifier %q is not an ARN.", aws.Val(identifier))
	}
	got.Partition = "aws"
	if got.String() != want {
		return errHost("The credentials are those of %s, which cannot act as host %s.", want, *identifier)
	}
	return nil
}

// executionID names a deployment to an agent, in the form of AWS's ids.
func executionID(k store.Key, deployment string) string {
	return "codedeploy/" + k.Account + "/" + k.Region + "/" + deployment
}

func parseExecutionID(k store.Key, id string) (string, error) {
	deployment, ok := strings.CutPrefix(id, executionID(k, ""))
	if !ok || !deploymentPattern.MatchString(deployment) {
		return "", awserr.New("ClientException", "DeploymentExecutionId %q is not known.", id)
	}
	return deployment, nil
}

// commandID names one event of one target.
func commandID(t *target) string {
	return fmt.Sprintf("%s:%s:%d", t.DeploymentID, t.InstanceID, t.current())
}

func parseCommandID(host string, id *string) (deployment string, index int, err error) {
	parts := strings.Split(aws.Val(id), ":")
	bad := awserr.New("ClientException", "HostCommandIdentifier %q is not known.", aws.Val(id))
	if len(parts) != 3 || !deploymentPattern.MatchString(parts[0]) {
		return "", 0, bad
	}
	if parts[1] != host {
		return "", 0, errHost("The command %s is not one of host %s.", *id, host)
	}
	if _, err := fmt.Sscanf(parts[2], "%d", &index); err != nil || index < 0 {
		return "", 0, bad
	}
	return parts[0], index, nil
}
