package policy

import (
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
)

// naming is how closely a Principal element names the caller; it decides how far
// a resource policy's allow reaches.
type naming uint8

const (
	notNamed naming = iota
	// byAccount only delegates: an identity policy must allow too.
	byAccount
	// byRole is cut by the session's boundary and session policy, as is "*".
	byRole
	// byIdentity, a user or session ARN, is final whatever the boundary leaves out.
	byIdentity
)

// name returns how closely refs name the caller.
func name(refs []PrincipalRef, who aws.Principal) naming {
	best := notNamed
	for _, ref := range refs {
		best = max(best, nameOne(ref, who))
	}
	return best
}

func nameOne(ref PrincipalRef, who aws.Principal) naming {
	switch ref.Type {
	case "AWS":
		return nameAWS(ref.Value, who)
	case "Service":
		if who.Type == aws.PrincipalService && ref.Value == who.Service {
			return byIdentity
		}
	case "Federated":
		if who.Type == aws.PrincipalWebIdentity && ref.Value == who.Provider {
			return byIdentity
		}
	}
	return notNamed
}

func nameAWS(value string, who aws.Principal) naming {
	if value == "*" {
		return byRole
	}
	switch who.Type {
	case aws.PrincipalRoot, aws.PrincipalUser, aws.PrincipalAssumedRole, aws.PrincipalFederated:
	default:
		return notNamed
	}
	role, _, _ := strings.Cut(who.UniqueID, ":")
	switch {
	case value == who.Account, value == "arn:aws:iam::"+who.Account+":root":
		return byAccount
	case value == who.ARN, value == who.UniqueID:
		return byIdentity
	case who.Type == aws.PrincipalAssumedRole && (value == who.RoleARN || value == role):
		return byRole
	}
	return notNamed
}

// exempts reports whether a NotPrincipal element spares the caller. Naming the
// account spares its root user only, as on AWS.
func exempts(refs []PrincipalRef, who aws.Principal) bool {
	n := name(refs, who)
	return n > byAccount || n == byAccount && who.Type == aws.PrincipalRoot
}
