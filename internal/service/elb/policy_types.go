package elb

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
)

// Types of policies, and the attributes that they have.
const (
	typeAppCookie   = "AppCookieStickinessPolicyType"
	typeLBCookie    = "LBCookieStickinessPolicyType"
	typeProxy       = "ProxyProtocolPolicyType"
	typeNegotiation = "SSLNegotiationPolicyType"
	typePublicKey   = "PublicKeyPolicyType"
	typeBackendAuth = "BackendServerAuthenticationPolicyType"

	cookieName      = "CookieName"
	cookiePeriod    = "CookieExpirationPeriod"
	proxyProtocol   = "ProxyProtocol"
	publicKey       = "PublicKey"
	publicKeyName   = "PublicKeyPolicyName"
	referencePolicy = "Reference-Security-Policy"
	serverOrder     = "Server-Defined-Cipher-Order"
)

// policyType describes a type. Cardinalities are AWS's: ONE, ZERO_OR_ONE, ZERO_OR_MORE.
type policyType struct {
	name, text string
	attributes []typeAttribute
}

type typeAttribute struct {
	name, kind, cardinality, usual, text string
	check                                func(value string) bool
}

func isBool(v string) bool { return isTrue(v) || strings.EqualFold(v, "false") }

func isText(v string) bool { return v != "" }

var policyTypes = []policyType{
	{typeBackendAuth, "Authenticates the instances behind the load balancer by their public keys. Its attributes name public key policies. " +
		"It can be set for instance ports whose protocol is HTTPS or SSL.",
		[]typeAttribute{{publicKeyName, "PolicyName", "ONE_OR_MORE", "", "", isText}}},
	{typeNegotiation, "Says which protocols and ciphers a listener with the protocol HTTPS or SSL accepts.", negotiationAttributes()},
	{typePublicKey, "Holds a public key, for the authentication of instances.",
		[]typeAttribute{{publicKey, "String", "ONE", "", "", isPublicKey}}},
	{typeAppCookie, "Binds a session to an instance for as long as a cookie of the application lives. It can be set for listeners with the protocol HTTP or HTTPS.",
		[]typeAttribute{{cookieName, "String", "ONE", "", "", isText}}},
	{typeLBCookie, "Binds a session to an instance for as long as the browser keeps the load balancer's cookie, or for a time. It can be set for listeners with the protocol HTTP or HTTPS.",
		[]typeAttribute{{cookiePeriod, "Long", "ZERO_OR_ONE", "", "", isPeriod}}},
	{typeProxy, "Tells instances the address and port of the client before its TCP stream. It can be set for instance ports.",
		[]typeAttribute{{proxyProtocol, "Boolean", "ONE", "", "", isBool}}},
}

func isPeriod(v string) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	return err == nil && n >= 1
}

// isPublicKey takes a key as AWS does, PEM with or without its first and last line.
func isPublicKey(v string) bool { return publicKeyOf(v) != nil }

func publicKeyOf(v string) []byte {
	der := []byte(nil)
	if block, _ := pem.Decode([]byte(v)); block != nil {
		der = block.Bytes
	} else if raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), "")); err == nil {
		der = raw
	}
	if _, err := x509.ParsePKIXPublicKey(der); err != nil {
		return nil
	}
	return der
}

func typeOf(name string) *policyType {
	i := slices.IndexFunc(policyTypes, func(t policyType) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	return &policyTypes[i]
}

// judgePolicy holds a policy against its type.
func judgePolicy(p policy) error {
	t := typeOf(p.Type)
	if t == nil {
		return errNoPolicyType(p.Type)
	}
	count := map[string]int{}
	for _, a := range p.Attributes {
		i := slices.IndexFunc(t.attributes, func(ta typeAttribute) bool { return ta.name == a.Name })
		if i < 0 {
			return errConfiguration("Policy attribute %s is not known for policy type %s", a.Name, p.Type)
		}
		if !t.attributes[i].check(a.Value) {
			return errConfiguration("Invalid value %s for policy attribute %s", a.Value, a.Name)
		}
		if unsupportedProtocol(a) {
			return errNotImplemented(a.Name)
		}
		count[a.Name]++
	}
	for _, a := range t.attributes {
		n := count[a.name]
		if n == 0 && strings.HasPrefix(a.cardinality, "ONE") {
			return errConfiguration("Policy attribute %s is required for policy type %s", a.name, p.Type)
		}
		if n > 1 && !strings.HasSuffix(a.cardinality, "_MORE") {
			return errConfiguration("Policy attribute %s can be given once", a.name)
		}
	}
	return nil
}

func (t policyType) describe() api.PolicyTypeDescription {
	d := api.PolicyTypeDescription{PolicyTypeName: aws.Ptr(t.name), Description: aws.Ptr(t.text), PolicyAttributeTypeDescriptions: []api.PolicyAttributeTypeDescription{}}
	for _, a := range t.attributes {
		described := api.PolicyAttributeTypeDescription{AttributeName: aws.Ptr(a.name), AttributeType: aws.Ptr(a.kind), Cardinality: aws.Ptr(a.cardinality)}
		if a.usual != "" {
			described.DefaultValue = aws.Ptr(a.usual)
		}
		if a.text != "" {
			described.Description = aws.Ptr(a.text)
		}
		d.PolicyAttributeTypeDescriptions = append(d.PolicyAttributeTypeDescriptions, described)
	}
	return d
}
