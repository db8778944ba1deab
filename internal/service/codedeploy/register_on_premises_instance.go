package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// RegisterOnPremisesInstance gives a machine outside EC2 a name, and says who its
// agent signs as.
func (s *Service) RegisterOnPremisesInstance(ctx context.Context, in *api.RegisterOnPremisesInstanceInput) (*api.RegisterOnPremisesInstanceOutput, error) {
	c := aws.CallFrom(ctx)
	name, user, session := aws.Val(in.InstanceName), aws.Val(in.IamUserArn), aws.Val(in.IamSessionArn)
	if err := checkRegistration(c.Account, name, user, session); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		old, err := onPremises.Get(tx, key(c, name))
		if err != nil && !isNotFound(err) {
			return err
		}
		if old != nil && old.registered() {
			return awserr.New("InstanceNameAlreadyRegisteredException", "The specified on-premises instance name is already registered: %s", name)
		}
		o := &onPremisesInstance{Name: name, User: user, Session: session, Registered: s.clock.Now(),
			ARN: arn.New("codedeploy", c.Region, c.Account, "instance/"+name+"_"+ids.UUID()[:8])}
		switch other, err := onPremisesIdentity(tx, c, o.identity()); {
		case err != nil:
			return err
		case other != nil && user != "":
			return awserr.New("IamUserArnAlreadyRegisteredException", "The specified user ARN is already registered with an on-premises instance: %s", user)
		case other != nil:
			return awserr.New("IamSessionArnAlreadyRegisteredException",
				"The request included an IAM session ARN that has already been used to register a different instance: %s", session)
		}
		emit(tx, key(c, name), name, "onpremises", "registered")
		return onPremises.Put(tx, key(c, name), o)
	})
	if err != nil {
		return nil, err
	}
	return &api.RegisterOnPremisesInstanceOutput{}, nil
}

func checkRegistration(account, name, user, session string) error {
	if err := checkInstanceName(name); err != nil {
		return err
	}
	switch {
	case user == "" && session == "":
		return awserr.New("IamArnRequiredException", "No IAM ARN was included in the request. You must use an IAM session ARN or user ARN in the request.")
	case user != "" && session != "":
		return awserr.New("MultipleIamArnsProvidedException", "Both an user ARN and an IAM session ARN were included in the request. Use only one ARN type.")
	case user != "" && (!userPattern.MatchString(user) || !ofAccount(user, account)):
		return awserr.New("InvalidIamUserArnException", "The user ARN was specified in an invalid format: %s", user)
	case session != "" && (!sessionPattern.MatchString(session) || !ofAccount(session, account)):
		return awserr.New("InvalidIamSessionArnException", "The IAM session ARN was specified in an invalid format: %s", session)
	}
	return nil
}

// ofAccount reports whether an identity belongs to the account: another account's agent
// would ask that account for its commands.
func ofAccount(identity, account string) bool {
	a, err := arn.Parse(identity)
	return err == nil && a.Account == account
}

// DeregisterOnPremisesInstance makes the name and the identity free again. The
// instance's tags go; deregistering what is not registered succeeds, as on AWS.
func (s *Service) DeregisterOnPremisesInstance(ctx context.Context, in *api.DeregisterOnPremisesInstanceInput) (*api.DeregisterOnPremisesInstanceOutput, error) {
	c := aws.CallFrom(ctx)
	name := aws.Val(in.InstanceName)
	if err := checkInstanceName(name); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		o, err := findOnPremises(tx, c, name)
		if err != nil {
			return ignoreCode(err, "InstanceNotRegisteredException")
		}
		o.Deregistered, o.Tags = s.clock.Now(), nil
		emit(tx, key(c, name), name, "onpremises", "deregistered")
		if err := forgetHost(tx, key(c, name)); err != nil {
			return err
		}
		return onPremises.Put(tx, key(c, name), o)
	})
	if err != nil {
		return nil, err
	}
	s.polls.forget(key(c, name))
	return &api.DeregisterOnPremisesInstanceOutput{}, nil
}
