package elbv2

import (
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// signer is the service's name in ARNs, events and principals.
const signer = "elasticloadbalancing"

// Kinds of resources, as they stand in ARNs.
const (
	kindBalancer = "loadbalancer"
	kindListener = "listener"
	kindRule     = "listener-rule"
	kindGroup    = "targetgroup"
	kindTrust    = "truststore"
)

const (
	hexPart  = `/[0-9a-f]{16}`
	namePart = `[0-9A-Za-z-]+`
)

// idForms are the forms of IDs by kind.
var idForms = map[string]*regexp.Regexp{
	kindBalancer: regexp.MustCompile(`^(app|net|gwy)/` + namePart + hexPart + `$`),
	kindListener: regexp.MustCompile(`^(app|net|gwy)/` + namePart + hexPart + hexPart + `$`),
	kindRule:     regexp.MustCompile(`^(app|net|gwy)/` + namePart + hexPart + hexPart + hexPart + `$`),
	kindGroup:    regexp.MustCompile(`^` + namePart + hexPart + `$`),
	kindTrust:    regexp.MustCompile(`^` + namePart + hexPart + `$`),
}

// kindWords name the kinds in errors.
var kindWords = map[string]string{
	kindBalancer: "load balancer", kindListener: "listener", kindRule: "listener rule", kindGroup: "target group", kindTrust: "trust store",
}

func nameOf(kind string, k store.Key) string {
	return arn.New(signer, k.Region, k.Account, kind+"/"+k.ID)
}

func balancerARN(k store.Key) string { return nameOf(kindBalancer, k) }
func listenerARN(k store.Key) string { return nameOf(kindListener, k) }
func ruleARN(k store.Key) string     { return nameOf(kindRule, k) }
func groupARN(k store.Key) string    { return nameOf(kindGroup, k) }

// split reads the ARN of any resource of this service.
func split(text string) (kind string, k store.Key, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != signer || a.Region == "" || len(a.Account) != 12 {
		return "", k, false
	}
	kind, id, _ := strings.Cut(a.Resource, "/")
	form := idForms[kind]
	return kind, store.Key{Account: a.Account, Region: a.Region, ID: id}, form != nil && form.MatchString(id)
}

func open(kind, text string) (store.Key, error) {
	if got, k, ok := split(text); ok && got == kind {
		return k, nil
	}
	return store.Key{}, invalid("'%s' is not a valid %s ARN", text, kindWords[kind])
}

func openBalancer(text string) (store.Key, error) { return open(kindBalancer, text) }
func openRule(text string) (store.Key, error)     { return open(kindRule, text) }
func openGroup(text string) (store.Key, error)    { return open(kindGroup, text) }

// judgeName holds the name of a balancer or a group to the rules that both have.
func judgeName(what, name string) error {
	switch {
	case name == "":
		return invalid("%s name cannot be empty", what)
	case len(name) > 32:
		return invalid("%s name '%s' cannot be longer than '32' characters", what, name)
	case !plain.MatchString(name):
		return invalid("%s name '%s' can only contain characters that are alphanumeric characters or hyphens(-)", what, name)
	}
	return nil
}

var plain = regexp.MustCompile(`^[0-9A-Za-z-]*$`)
