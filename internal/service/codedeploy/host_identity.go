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

// speaker is the host that a request comes from: an instance of EC2 by the
// session that its metadata service handed out, one on premises by the user or
// session it was registered with. An agent can thus only ask for its own
// commands, whatever it says of itself.
type speaker struct {
	store.Key         // ID is the instance id, or the name
	identifier string // what its agent calls itself
}

func (s *Service) hostOf(ctx context.Context, c aws.Call) (speaker, error) {
	p := c.Principal
	if p.Type == aws.PrincipalAssumedRole && p.InstanceID != "" { // an identity document alone is no secret
		return speaker{key(c, p.InstanceID), instanceARN(key(c, ""), p.InstanceID)}, nil
	}
	var o *onPremisesInstance
	if p.Type == aws.PrincipalUser || p.Type == aws.PrincipalAssumedRole {
		var err error
		o, err = view(ctx, s, func(tx *store.Tx) (*onPremisesInstance, error) { return onPremisesIdentity(tx, c, p.ARN) })
		if err != nil {
			return speaker{}, err
		}
	}
	if o == nil {
		return speaker{}, errHost("%s is neither an EC2 instance nor registered as an on-premises instance in %s: "+
			"host commands are for the credentials of an instance's role, or for those given to RegisterOnPremisesInstance.", p.ARN, c.Region)
	}
	return speaker{key(c, o.Name), p.ARN}, nil
}

func errHost(format string, args ...any) error {
	return awserr.Status(http.StatusBadRequest, "AccessDeniedException", format, args...)
}

// authorizeHost checks that the caller is a host and may use the operation.
func (s *Service) authorizeHost(ctx context.Context, operation string) (speaker, error) {
	c := aws.CallFrom(ctx)
	h, err := s.hostOf(ctx, c)
	if err != nil || c.SigningName != secureName {
		return h, err
	}
	err = s.auth.Authorize(ctx, aws.Check{Action: secureName + ":" + operation, Resource: "*"})
	if err != nil {
		s.noteRefusal(ctx, h.Key, err)
	}
	return h, err
}

// check holds the host identifier in a request against the caller. Agents of
// other partitions write their own.
func (h speaker) check(identifier *string) error {
	got, err := arn.Parse(aws.Val(identifier))
	if err != nil {
		return awserr.New("ClientException", "HostIdentifier %q is not an ARN.", aws.Val(identifier))
	}
	want, err := arn.Parse(h.identifier)
	got.Partition, want.Partition = "aws", "aws"
	if err != nil || got != want {
		return errHost("The credentials are those of %s, which cannot act as host %s.", h.identifier, *identifier)
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
