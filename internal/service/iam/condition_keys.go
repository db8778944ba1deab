package iam

import (
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/authref"
	"github.com/hardstand/hardstand/internal/policy"
)

// conditionKeys are the global condition keys of a call, as far as they are true,
// and those of the check. A key that does not apply is absent, never empty.
func (s *Service) conditionKeys(call aws.Call, who caller, c aws.Check, account string) policy.Context {
	now := s.clock.Now().UTC()
	k := map[string][]string{
		"aws:CurrentTime":     {now.Format(time.RFC3339)},
		"aws:EpochTime":       {strconv.FormatInt(now.Unix(), 10)},
		"aws:SecureTransport": {strconv.FormatBool(call.Secure)},
		"aws:ViaAWSService":   {strconv.FormatBool(len(call.Via) > 0)},
		"aws:PrincipalType":   {string(call.Principal.Type)},
	}
	set := func(key, value string) {
		if value != "" {
			k[key] = []string{value}
		}
	}
	set("aws:UserAgent", call.UserAgent)
	if call.SourceARN != "" {
		set("aws:SourceArn", call.SourceARN)
		set("aws:SourceAccount", call.Principal.Account)
	}
	set("aws:RequestedRegion", call.Region)
	if account == "" {
		account = call.Principal.Account
	}
	set("aws:ResourceAccount", account)
	// A service that acts for a caller calls from its own address, and from no page.
	if e := gatewayOf(call); e != nil {
		set("aws:SourceVpce", e.ID)
		set("aws:SourceVpc", e.VPC)
		set("aws:VpcSourceIp", e.Source.String())
		set("aws:Referer", call.Referer)
	} else if call.SourceIP.IsValid() && len(call.Via) == 0 {
		set("aws:SourceIp", call.SourceIP.String())
		set("aws:Referer", call.Referer)
	}
	if len(call.Via) > 0 {
		k["aws:CalledVia"] = call.Via
		set("aws:CalledViaFirst", call.Via[0])
		set("aws:CalledViaLast", call.Via[len(call.Via)-1])
	}
	principalKeys(call.Principal, who, k, set)
	return policy.NewContext(k, own(c))
}

// gatewayOf is the endpoint of a VPC that a call came by itself, or nil: what a service
// does for its caller passes none.
func gatewayOf(call aws.Call) *aws.VPCEndpoint {
	if len(call.Via) > 0 {
		return nil
	}
	return call.Gateway
}

// own returns the check's own keys, as far as AWS's authorization reference gives
// them to the action on such a resource: a service may offer what it knows, and
// policies see what they would see on AWS.
func own(c aws.Check) map[string][]string {
	action := authref.ActionOf(c.Action)
	if len(c.Context) == 0 || action == nil {
		return c.Context
	}
	kind, _ := action.TypeOf(c.Resource)
	out := make(map[string][]string, len(c.Context))
	for key, values := range c.Context {
		if action.HasKey(key, kind) {
			out[key] = values
		}
	}
	return out
}

// principalKeys are the keys that describe the caller.
func principalKeys(p aws.Principal, who caller, k map[string][]string, set func(key, value string)) {
	if p.Type == aws.PrincipalAnonymous {
		set("aws:userid", "anonymous")
		return
	}
	set("aws:PrincipalIsAWSService", strconv.FormatBool(p.Type == aws.PrincipalService))
	if p.Type == aws.PrincipalService {
		set("aws:PrincipalServiceName", p.Service)
		return
	}
	set("aws:PrincipalAccount", p.Account)
	set("aws:userid", p.UniqueID)
	set("aws:PrincipalArn", p.ARN)
	if p.Type == aws.PrincipalAssumedRole {
		set("aws:PrincipalArn", p.RoleARN)
	}
	if p.Type == aws.PrincipalUser {
		set("aws:username", arn.Name(p.ARN))
	}
	if !p.IssuedAt.IsZero() {
		set("aws:TokenIssueTime", p.IssuedAt.UTC().Format(time.RFC3339))
		set("aws:MultiFactorAuthPresent", "false")
	}
	if who.entity != nil {
		for _, t := range who.entity.Tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
	}
	set("ec2:SourceInstanceARN", p.Instance.ARN)
	set("aws:Ec2InstanceSourceVpc", p.Instance.VPC)
	set("aws:Ec2InstanceSourcePrivateIPv4", p.Instance.PrivateIP)
	set("aws:SourceIdentity", p.SourceIdentity)
	set("aws:FederatedProvider", p.Provider)
	for key, value := range p.SessionTags {
		k["aws:PrincipalTag/"+key] = []string{value}
	}
}
