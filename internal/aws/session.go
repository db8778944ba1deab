package aws

import "time"

// SessionRequest asks for temporary credentials of a role.
type SessionRequest struct {
	RoleARN string
	// Name is the session's: RoleSessionName, or the instance id.
	Name     string
	Duration time.Duration
	// Policies are documents and PolicyARNs managed policies that further limit
	// the session.
	Policies, PolicyARNs []string
	Tags                 map[string]string
	// TransitiveTags are keys of Tags that sessions chained to this one inherit.
	TransitiveTags []string
	SourceIdentity string
	// Service and InstanceID are set when a service assumes the role.
	Service, InstanceID string
	Instance            Instance
}

// WebIdentityRequest asks for temporary credentials of a role for the owner of an
// OpenID Connect issuer's token. Tags and source identity come with the token.
type WebIdentityRequest struct {
	SessionRequest
	Token string
}

// WebIdentitySession is a session with what is known of the token's owner.
type WebIdentitySession struct {
	Session
	Subject, Audience, Issuer string
}

// Session is a set of temporary credentials. Unlike a Principal it holds secrets:
// it is handed to its owner and never stored.
type Session struct {
	AccessKeyID, SecretAccessKey, Token string
	Expires                             time.Time
	Principal                           Principal
	// PackedSize is the percentage of the allowed size that policies and tags use.
	PackedSize int32
}

// PassRole is the check that a caller may hand the role to a service, given as
// service principal: ec2.amazonaws.com.
func PassRole(roleARN, service string) Check {
	return Check{Action: "iam:PassRole", Resource: roleARN, Context: map[string][]string{"iam:PassedToService": {service}}}
}
