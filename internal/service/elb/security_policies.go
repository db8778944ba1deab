package elb

import (
	"crypto/tls"
	"slices"
	"strconv"

	"github.com/hardstand/hardstand/internal/lb"
)

const defaultSecurityPolicy = "ELBSecurityPolicy-2016-08"

// securityPolicy is one of AWS's own: the oldest protocol that it accepts, and which of
// the ciphers.
type securityPolicy struct {
	name   string
	oldest uint16
	// old ones know ciphers that newer ones have given up.
	old bool
}

// securityPolicies are those that AWS has made, newest first.
var securityPolicies = []securityPolicy{
	{defaultSecurityPolicy, tls.VersionTLS10, false},
	{"ELBSecurityPolicy-TLS-1-2-2017-01", tls.VersionTLS12, false},
	{"ELBSecurityPolicy-TLS-1-1-2017-01", tls.VersionTLS11, false},
	{"ELBSecurityPolicy-2015-05", tls.VersionTLS10, true},
	{"ELBSecurityPolicy-2015-03", tls.VersionTLS10, true},
	{"ELBSecurityPolicy-2015-02", tls.VersionTLS10, true},
	{"ELBSecurityPolicy-2014-10", tls.VersionTLS10, true},
	{"ELBSecurityPolicy-2014-01", tls.VersionTLS10, true},
	{"ELBSecurityPolicy-2011-08", tls.VersionTLS10, true},
	{"ELBSample-ELBDefaultCipherPolicy", tls.VersionTLS10, true},
	{"ELBSample-OpenSSLDefaultCipherPolicy", tls.VersionTLS10, true},
}

// cipher is a suite by the name that policies give it; id is 0 for those that Go does
// not speak, which are then never chosen.
type cipher struct {
	name string
	id   uint16
	// tls12 says that the suite needs TLS 1.2; modern that AWS's newer policies have it.
	tls12, modern bool
}

var ciphers = []cipher{
	{"ECDHE-ECDSA-AES128-GCM-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true, true},
	{"ECDHE-RSA-AES128-GCM-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true, true},
	{"ECDHE-ECDSA-AES128-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, true, true},
	{"ECDHE-RSA-AES128-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, true, true},
	{"ECDHE-ECDSA-AES128-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, false, true},
	{"ECDHE-RSA-AES128-SHA", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, false, true},
	{"DHE-RSA-AES128-SHA", 0, false, false},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true, true},
	{"ECDHE-RSA-AES256-GCM-SHA384", tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, true, true},
	{"ECDHE-ECDSA-AES256-SHA384", 0, true, true},
	{"ECDHE-RSA-AES256-SHA384", 0, true, true},
	{"ECDHE-RSA-AES256-SHA", tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, false, true},
	{"ECDHE-ECDSA-AES256-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, false, true},
	{"AES128-GCM-SHA256", tls.TLS_RSA_WITH_AES_128_GCM_SHA256, true, true},
	{"AES128-SHA256", tls.TLS_RSA_WITH_AES_128_CBC_SHA256, true, true},
	{"AES128-SHA", tls.TLS_RSA_WITH_AES_128_CBC_SHA, false, true},
	{"AES256-GCM-SHA384", tls.TLS_RSA_WITH_AES_256_GCM_SHA384, true, true},
	{"AES256-SHA256", 0, true, true},
	{"AES256-SHA", tls.TLS_RSA_WITH_AES_256_CBC_SHA, false, true},
	{"DHE-DSS-AES128-SHA", 0, false, false},
	{"CAMELLIA128-SHA", 0, false, false},
	{"EDH-RSA-DES-CBC3-SHA", 0, false, false},
	{"DES-CBC3-SHA", tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, false, false},
	{"ECDHE-RSA-RC4-SHA", 0, false, false},
	{"RC4-SHA", 0, false, false},
	{"ECDHE-ECDSA-RC4-SHA", 0, false, false},
	{"DHE-DSS-AES256-GCM-SHA384", 0, true, false},
	{"DHE-RSA-AES256-GCM-SHA384", 0, true, false},
	{"DHE-RSA-AES256-SHA256", 0, true, false},
	{"DHE-DSS-AES256-SHA256", 0, true, false},
	{"DHE-RSA-AES256-SHA", 0, false, false},
	{"DHE-DSS-AES256-SHA", 0, false, false},
	{"DHE-RSA-CAMELLIA256-SHA", 0, false, false},
	{"DHE-DSS-CAMELLIA256-SHA", 0, false, false},
	{"CAMELLIA256-SHA", 0, false, false},
	{"EDH-DSS-DES-CBC3-SHA", 0, false, false},
	{"DHE-DSS-AES128-GCM-SHA256", 0, true, false},
	{"DHE-RSA-AES128-GCM-SHA256", 0, true, false},
	{"DHE-RSA-AES128-SHA256", 0, true, false},
	{"DHE-DSS-AES128-SHA256", 0, true, false},
	{"DHE-RSA-CAMELLIA128-SHA", 0, false, false},
	{"DHE-DSS-CAMELLIA128-SHA", 0, false, false},
}

// versions are the protocols by the names that policies give them.
var versions = []struct {
	name string
	id   uint16
}{
	{"Protocol-TLSv1", tls.VersionTLS10}, {ssl3, 0},
	{"Protocol-TLSv1.1", tls.VersionTLS11}, {"Protocol-TLSv1.2", tls.VersionTLS12},
}

// ssl3 is a protocol that nothing here speaks: it is known, and refused.
const ssl3 = "Protocol-SSLv3"

func unsupportedProtocol(a attribute) bool { return a.Name == ssl3 && isTrue(a.Value) }

func negotiationAttributes() []typeAttribute {
	all := []typeAttribute{{referencePolicy, "String", "ZERO_OR_ONE", "", "", func(v string) bool {
		return slices.ContainsFunc(securityPolicies, func(p securityPolicy) bool { return p.name == v })
	}}}
	for _, v := range versions {
		all = append(all, typeAttribute{v.name, "Boolean", "ZERO_OR_ONE", "", "", isBool})
	}
	all = append(all, typeAttribute{serverOrder, "Boolean", "ZERO_OR_ONE", "", "", isBool})
	for _, c := range ciphers {
		all = append(all, typeAttribute{c.name, "Boolean", "ZERO_OR_ONE", "", "", isBool})
	}
	return all
}

// securityAttributes are the attributes of one of AWS's policies.
func securityAttributes(name string) []attribute {
	i := slices.IndexFunc(securityPolicies, func(p securityPolicy) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	p := securityPolicies[i]
	var out []attribute
	for _, v := range versions {
		out = append(out, attribute{v.name, strconv.FormatBool(v.id >= p.oldest)})
	}
	out = append(out, attribute{serverOrder, "true"})
	for _, c := range ciphers {
		on := c.modern && (c.tls12 || p.oldest < tls.VersionTLS12) || p.old && c.name == "DES-CBC3-SHA"
		out = append(out, attribute{c.name, strconv.FormatBool(on)})
	}
	return out
}

// samples are AWS's policies as they are described without a balancer.
func samples() []policy {
	var out []policy
	for _, p := range securityPolicies {
		out = append(out, policy{Name: p.name, Type: typeNegotiation, Attributes: securityAttributes(p.name)})
	}
	return out
}

// limits are what a listener's negotiation policy means for the plane. A listener
// without one accepts what AWS's default does.
func (b *balancer) limits(l listener) *lb.TLSLimits {
	attributes := securityAttributes(defaultSecurityPolicy)
	for _, name := range l.Policies {
		if p := b.policy(name); p != nil && p.Type == typeNegotiation {
			attributes = p.Attributes
		}
	}
	out := &lb.TLSLimits{CipherSuites: []uint16{}}
	for _, a := range attributes {
		if !isTrue(a.Value) {
			continue
		}
		if v, ok := versionOf(a.Name); ok {
			if out.MinVersion == 0 || v < out.MinVersion {
				out.MinVersion = v
			}
			out.MaxVersion = max(out.MaxVersion, v)
		}
		if i := slices.IndexFunc(ciphers, func(c cipher) bool { return c.name == a.Name }); i >= 0 && ciphers[i].id != 0 {
			out.CipherSuites = append(out.CipherSuites, ciphers[i].id)
		}
	}
	if out.MinVersion == 0 {
		out.MinVersion, out.MaxVersion = tls.VersionTLS10, tls.VersionTLS12
	}
	return out
}

func versionOf(name string) (uint16, bool) {
	for _, v := range versions {
		if v.name == name && name != ssl3 {
			return v.id, true
		}
	}
	return 0, false
}
