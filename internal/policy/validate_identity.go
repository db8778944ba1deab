package policy

import (
	"regexp"
	"slices"
	"strings"
)

// legacyText is IAM's refusal of what its older parser did not take.
const legacyText = "The policy failed legacy parsing"

// validateIdentity applies IAM's rules for what is attached to an identity, in the
// order in which IAM finds fault: what its older parser refuses, then missing
// elements, resources, actions.
func (s *Statement) validateIdentity() error {
	resources := append(append([]string(nil), s.Resources...), s.NotResources...)
	actions := append(append([]string(nil), s.Actions...), s.NotActions...)
	switch {
	case s.effectCase, slices.ContainsFunc(resources, shortStorage), s.badDate():
		return refuse(legacyText)
	case len(actions) == 0:
		return refuse("Policy statement must contain actions.")
	case len(resources) == 0:
		return refuse("Policy statement must contain resources.")
	}
	for _, r := range resources {
		if err := validateResource(r); err != nil {
			return err
		}
	}
	for _, a := range actions {
		if err := validateAction(a); err != nil {
			return err
		}
	}
	return nil
}

// shortStorage tells an S3 ARN that lacks a part.
func shortStorage(r string) bool {
	parts := strings.Split(r, ":")
	return len(parts) > 3 && len(parts) < 6 && parts[0] == "arn" && parts[2] == "s3" && !strings.Contains(r, "*")
}

// badDate reports a date that begins like none.
func (s *Statement) badDate() bool {
	for _, c := range s.Conditions {
		if !strings.Contains(c.Operator, "Date") {
			continue
		}
		for _, v := range c.Values {
			if v == "" || strings.IndexByte("-0123456789$", v[0]) < 0 {
				return true
			}
		}
	}
	return false
}

var vendorForm = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)

func validateAction(a string) error {
	vendor, name, found := strings.Cut(a, ":")
	switch {
	case a == "*":
		return nil
	case !found || vendor == "":
		return refuse(vendorText)
	case strings.Contains(name, ":"):
		return refuse("Actions/Condition can contain only one colon.")
	case !vendorForm.MatchString(vendor):
		return refuse("Vendor %s is not valid", vendor)
	}
	return nil
}

// iamPaths are how the resources of IAM begin.
const iamPaths = "user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/"

// validateResource judges a resource by the parts between its colons; IAM does so
// even where it does not begin with "arn", and puts "*" for parts that are missing.
func validateResource(r string) error {
	parts := strings.SplitN(r, ":", 6)
	switch {
	case r == "*" || len(parts) < 6 && strings.HasSuffix(r, "*") && parts[0] == "arn":
		return nil
	case len(parts) < 2:
		return refuse(`Resource %s must be in ARN format or "*".`, r)
	}
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	parts[0] = "arn"
	if p := parts[1]; p != "aws" && p != "aws-cn" && p != "aws-us-gov" && !strings.ContainsAny(p, "*?$") {
		return refuse(`Partition "%s" is not valid for resource "%s".`, p, strings.Join(parts, ":"))
	}
	if strings.Count(r, ":") == 1 || parts[2] == "" {
		return refuse("Resource vendor must be fully qualified and cannot contain regexes.")
	}
	return validatePlace(parts, r)
}

// validatePlace refuses regions where a service has none, and things that IAM lacks.
func validatePlace(parts []string, r string) error {
	placed := parts[3] != "" && parts[3] != "*"
	switch parts[2] {
	case "s3":
		if placed && !s3RegionalResource(parts) {
			return refuse("Resource %s can not contain region information.", r)
		}
	case "iam":
		if placed {
			return refuse("IAM resource %s cannot contain region information.", r)
		}
		thing := parts[5]
		known := thing == "root" || strings.ContainsAny(thing[:min(1, len(thing))], "*?$") || slices.ContainsFunc(strings.Split(iamPaths, ", "), func(p string) bool {
			return strings.HasPrefix(thing, p) || strings.ContainsAny(thing, "*?$") && strings.HasPrefix(p, strings.TrimRight(thing[:strings.IndexAny(thing, "*?$")], "/"))
		})
		if !known {
			return refuse(`IAM resource path must either be "*", root, or start with %s.`, iamPaths)
		}
	}
	return nil
}
