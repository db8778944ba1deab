package policy

import "strings"

// confining are the condition keys that, held to fixed values, keep a statement
// for everybody from being public (S3 User Guide, "The meaning of public").
var confining = map[string]bool{
	"aws:sourcearn": true, "aws:sourcevpc": true, "aws:sourcevpce": true, "aws:sourceowner": true,
	"aws:sourceaccount": true, "aws:sourceip": true, "aws:principalorgid": true, "aws:principalorgpaths": true,
	"aws:principalarn": true, "aws:principalaccount": true, "aws:userid": true, "aws:username": true,
	"s3:dataaccesspointarn": true, "s3:dataaccesspointaccount": true, "s3:x-amz-server-side-encryption-aws-kms-key-id": true,
}

// Public reports whether some statement of a resource's policy allows everybody
// something.
func (d *Document) Public() bool {
	for _, st := range d.Statements {
		if st.Effect != Allow {
			continue
		}
		for _, p := range st.Principals {
			if p.Type == "AWS" && p.Value == "*" && !confined(st.Conditions) {
				return true
			}
		}
	}
	return false
}

func confined(conditions []Condition) bool {
	for _, c := range conditions {
		op := strings.ToLower(c.Operator)
		if !confining[strings.ToLower(c.Key)] || strings.Contains(op, "not") || strings.HasSuffix(op, "ifexists") || op == "null" {
			continue
		}
		fixed := len(c.Values) > 0
		for _, v := range c.Values {
			fixed = fixed && v != "" && strings.Trim(v, "*?") != "" && !strings.Contains(v, "${") && v != "0.0.0.0/0" && v != "::/0"
		}
		if fixed {
			return true
		}
	}
	return false
}
