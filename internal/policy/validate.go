package policy

import (
	"regexp"
	"strings"
)

// validate applies the rules that depend on what the document is for.
func (s *Statement) validate(kind Kind) error {
	if !sidForm.MatchString(s.Sid) && kind != Resource {
		return refuse("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	if err := s.validateElements(kind); err != nil {
		return err
	}
	if kind == Identity {
		if err := s.validatePrincipals(kind); err != nil {
			return err
		}
		return s.validateIdentity()
	}
	if err := s.validateActions(kind); err != nil {
		return err
	}
	if err := s.validatePrincipals(kind); err != nil {
		return err
	}
	return s.validateResources(kind)
}

// validateElements refuses what the parser could not judge without the kind.
func (s *Statement) validateElements(kind Kind) error {
	switch {
	case kind == Resource && s.badOperator != "":
		return refuse("Invalid Condition type : %s.", s.badOperator)
	case s.badOperator != "", s.both, s.effectCase && kind != Identity:
		return refuse(syntaxText)
	case kind == Resource && s.bareKey:
		return refuse(vendorText)
	}
	return nil
}

var actionForm = regexp.MustCompile(`^[a-zA-Z0-9-]+:[a-zA-Z0-9*?_.:/-]+$`)

func (s *Statement) validateActions(kind Kind) error {
	actions := s.Actions
	switch {
	case len(s.Actions) > 0 && len(s.NotActions) > 0:
		return refuse(syntaxText)
	case len(s.Actions) == 0:
		actions = s.NotActions
	}
	if len(actions) == 0 {
		return refuse("Policy statement must contain actions.")
	}
	for _, a := range actions {
		if a != "*" && !actionForm.MatchString(a) {
			return refuse(vendorText)
		}
		if kind == Trust && !strings.HasPrefix(strings.ToLower(a), "sts:") {
			return refuse("AssumeRole policy may only specify STS AssumeRole actions.")
		}
	}
	return nil
}

func (s *Statement) validatePrincipals(kind Kind) error {
	named := len(s.Principals) > 0 || len(s.NotPrincipals) > 0
	switch {
	case kind == Identity && named:
		return refuse("Policy document should not specify a principal.")
	case kind == Identity:
		return nil
	case !named:
		return refuse("Missing required field Principal")
	case len(s.Principals) > 0 && len(s.NotPrincipals) > 0:
		return refuse(syntaxText)
	case len(s.NotPrincipals) > 0 && s.Effect == Allow:
		return refuse("Allow with NotPrincipal is not allowed.")
	}
	return nil
}

func (s *Statement) validateResources(kind Kind) error {
	list := append(append([]string(nil), s.Resources...), s.NotResources...)
	switch {
	case kind == Trust && len(list) > 0:
		return refuse("Has prohibited field Resource")
	case kind == Trust:
		return nil
	case len(s.Resources) > 0 && len(s.NotResources) > 0:
		return refuse(syntaxText)
	case len(list) == 0:
		return refuse("Policy statement must contain resources.")
	}
	for _, r := range list {
		if err := validateBucketResource(r); err != nil {
			return err
		}
	}
	return nil
}

func validateBucketResource(r string) error {
	if r == "*" {
		return nil
	}
	parts := strings.SplitN(r, ":", 6)
	if parts[0] != "arn" || len(parts) < 6 && !strings.HasSuffix(r, "*") {
		return refuse(`Resource %s must be in ARN format or "*".`, r)
	}
	if len(parts) < 6 {
		return nil
	}
	if p := parts[1]; p != "aws" && p != "aws-cn" && p != "aws-us-gov" && !strings.ContainsAny(p, "*?$") {
		return refuse(`Partition "%s" is not valid for resource "%s".`, p, r)
	}
	if (parts[2] == "s3" || parts[2] == "iam") && parts[3] != "" && parts[3] != "*" && !s3RegionalResource(parts) {
		vendor := map[string]string{"s3": "S3", "iam": "IAM"}[parts[2]]
		return refuse("%s resource %s cannot contain region information.", vendor, r)
	}
	return nil
}

// s3RegionalResource tells access points and jobs, whose ARNs have a region.
func s3RegionalResource(parts []string) bool {
	return parts[2] == "s3" && (strings.HasPrefix(parts[5], "accesspoint/") || strings.HasPrefix(parts[5], "job/") ||
		strings.HasPrefix(parts[5], "storage-lens/"))
}
