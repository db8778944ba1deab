package policy

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

const (
	syntaxText = "Syntax errors in policy."
	vendorText = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
)

// Parse reads and validates a document of the kind given. The error is a
// *Malformed with IAM's words.
func Parse(text string, kind Kind) (*Document, error) {
	v, err := decodeJSON(text)
	var bad *Malformed
	if errors.As(err, &bad) {
		return nil, bad
	}
	root, ok := v.(object)
	if err != nil || !ok {
		if kind == Identity {
			return nil, refuse(syntaxText)
		}
		return nil, refuse("This policy contains invalid Json")
	}
	doc, statements, err := parseRoot(root)
	if err != nil {
		return nil, err
	}
	sids := map[string]bool{}
	for _, item := range statements {
		s, err := parseStatement(item, doc.Version)
		if err != nil {
			return nil, err
		}
		if s.Sid != "" && sids[s.Sid] {
			return nil, refuse("Statement IDs (SID) in a single policy must be unique.")
		}
		sids[s.Sid] = true
		doc.Statements = append(doc.Statements, *s)
	}
	for i := range doc.Statements {
		if err := doc.Statements[i].validate(kind); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

func parseRoot(root object) (*Document, []any, error) {
	doc := &Document{Version: version2008}
	var statements []any
	for _, m := range root {
		switch m.name {
		case "Version":
			doc.Version, _ = m.value.(string)
			if doc.Version != version2008 && doc.Version != version2012 {
				return nil, nil, refuse("Policy document must be version 2012-10-17 or greater.")
			}
		case "Id":
			id, ok := m.value.(string)
			if !ok {
				return nil, nil, refuse(syntaxText)
			}
			doc.ID = id
		case "Statement":
			switch v := m.value.(type) {
			case object:
				statements = []any{v}
			case []any:
				statements = v
			}
		default:
			return nil, nil, refuse(syntaxText)
		}
	}
	if len(statements) == 0 {
		return nil, nil, refuse(syntaxText)
	}
	return doc, statements, nil
}

func parseStatement(item any, version string) (*Statement, error) {
	obj, ok := item.(object)
	if !ok {
		return nil, refuse(syntaxText)
	}
	s := &Statement{variables: version == version2012}
	names := map[string]bool{}
	for _, m := range obj {
		names[m.name] = true
		if err := s.setElement(m); err != nil {
			return nil, err
		}
	}
	s.both = names["Action"] && names["NotAction"] || names["Resource"] && names["NotResource"]
	if s.Effect == "" {
		return nil, refuse(syntaxText)
	}
	return s, nil
}

var sidForm = regexp.MustCompile(`^[0-9A-Za-z]*$`)

func (s *Statement) setElement(m member) error {
	switch m.name {
	case "Sid":
		sid, ok := m.value.(string)
		if !ok {
			return refuse(syntaxText)
		}
		s.Sid = sid
	case "Effect":
		effect, _ := m.value.(string)
		s.Effect = Effect(effect)
		for _, known := range []Effect{Allow, Deny} {
			if s.Effect != known && strings.EqualFold(effect, string(known)) {
				s.Effect, s.effectCase = known, true
			}
		}
		if s.Effect != Allow && s.Effect != Deny {
			return refuse(syntaxText)
		}
	case "Principal":
		return setPrincipals(&s.Principals, m.value)
	case "NotPrincipal":
		return setPrincipals(&s.NotPrincipals, m.value)
	case "Action":
		return setList(&s.Actions, m.value)
	case "NotAction":
		return setList(&s.NotActions, m.value)
	case "Resource":
		return setList(&s.Resources, m.value)
	case "NotResource":
		return setList(&s.NotResources, m.value)
	case "Condition":
		return s.setConditions(m.value)
	default:
		return refuse(syntaxText)
	}
	return nil
}

func setList(to *[]string, v any) error {
	list, ok := stringList(v, false)
	if !ok {
		return refuse(syntaxText)
	}
	*to = list
	return nil
}

var principalTypes = []string{"AWS", "Service", "Federated", "CanonicalUser"}

func setPrincipals(to *[]PrincipalRef, v any) error {
	if v == "*" {
		*to = []PrincipalRef{{"AWS", "*"}}
		return nil
	}
	obj, ok := v.(object)
	if !ok || len(obj) == 0 {
		return refuse("Invalid principal in policy.")
	}
	for _, m := range obj {
		list, ok := stringList(m.value, false)
		if !ok || len(list) == 0 || !slices.Contains(principalTypes, m.name) {
			return refuse("Invalid principal in policy.")
		}
		for _, value := range list {
			if !validPrincipal(m.name, value) {
				return InvalidPrincipal(m.name, value)
			}
			*to = append(*to, PrincipalRef{m.name, value})
		}
	}
	return nil
}

// InvalidPrincipal is IAM's refusal of a principal that is malformed or does not
// exist.
func InvalidPrincipal(kind, value string) error {
	return refuse(`Invalid principal in policy: "%s":"%s"`, strings.ToUpper(kind), value)
}

var (
	accountForm  = regexp.MustCompile(`^[0-9]{12}$`)
	uniqueIDForm = regexp.MustCompile(`^A[A-Z]{3}[A-Z0-9]{12,}(:[\w+=,.@-]+)?$`)
	iamARNForm   = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(root|(user|role)/[^*?]+)$`)
	stsARNForm   = regexp.MustCompile(`^arn:aws:sts::[0-9]{12}:(assumed-role/[^/*?]+/[^/*?]+|federated-user/[^*?]+)$`)
	serviceForm  = regexp.MustCompile(`^[a-z0-9.-]+\.(amazonaws\.com|amazon\.com|internal|aws)$`)
)

func validPrincipal(kind, value string) bool {
	switch kind {
	case "AWS":
		return value == "*" || accountForm.MatchString(value) || uniqueIDForm.MatchString(value) ||
			iamARNForm.MatchString(value) || stsARNForm.MatchString(value)
	case "Service":
		return serviceForm.MatchString(value)
	}
	return value != ""
}

func (s *Statement) setConditions(v any) error {
	block, ok := v.(object)
	if !ok {
		return refuse(syntaxText)
	}
	for _, m := range block {
		op, ok := parseOperator(m.name)
		known := ok
		keys, ok := m.value.(object)
		if !ok {
			return refuse(syntaxText)
		}
		if !known && len(keys) > 0 && s.badOperator == "" {
			s.badOperator = m.name
		}
		for _, k := range keys {
			values, ok := stringList(k.value, true)
			if !ok {
				return refuse(syntaxText)
			}
			if vendor, _, found := strings.Cut(k.name, ":"); !found || vendor == "" {
				s.bareKey = true
			}
			s.Conditions = append(s.Conditions, Condition{Operator: m.name, Key: k.name, Values: values, op: op})
		}
	}
	return nil
}
