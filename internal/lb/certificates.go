package lb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// tlsConfig is how a listener terminates TLS.
func tlsConfig(l Listener, http2 bool) (*tls.Config, error) {
	if len(l.Certificates) == 0 {
		return nil, errors.New("no certificate")
	}
	choose, err := byServerName(l.Certificates)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{GetCertificate: choose, MinVersion: tls.VersionTLS12}
	limits := l.TLS
	if limits == nil {
		known, ok := securityPolicies[l.SecurityPolicy]
		if !ok {
			return nil, fmt.Errorf("unknown security policy %q", l.SecurityPolicy)
		}
		limits = &known
	}
	c.MinVersion, c.MaxVersion, c.CipherSuites = limits.MinVersion, limits.MaxVersion, limits.CipherSuites
	switch {
	case l.Protocol == HTTPS && http2:
		c.NextProtos = []string{"h2", "http/1.1"}
	case l.Protocol == HTTPS:
		c.NextProtos = []string{"http/1.1"}
	default:
		c.NextProtos = alpn[l.ALPN]
	}
	return c, nil
}

// alpn are AWS's policies for TLS listeners.
var alpn = map[string][]string{
	"HTTP1Only":      {"http/1.1"},
	"HTTP2Only":      {"h2"},
	"HTTP2Optional":  {"http/1.1", "h2"},
	"HTTP2Preferred": {"h2", "http/1.1"},
}

// byServerName chooses between certificates by the name that the client asks for: an
// exact name before a wildcard, and the first certificate for everything else.
func byServerName(all []tls.Certificate) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	names := map[string][]*tls.Certificate{}
	for i := range all {
		leaf := all[i].Leaf
		if leaf == nil {
			var err error
			if leaf, err = x509.ParseCertificate(all[i].Certificate[0]); err != nil {
				return nil, fmt.Errorf("certificate %d: %w", i+1, err)
			}
		}
		of := leaf.DNSNames
		if len(of) == 0 {
			of = []string{leaf.Subject.CommonName}
		}
		for _, n := range of {
			n = strings.ToLower(n)
			names[n] = append(names[n], &all[i])
		}
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
		_, parent, _ := strings.Cut(name, ".")
		for _, candidates := range [][]*tls.Certificate{names[name], names["*."+parent]} {
			for _, c := range candidates {
				if hello.SupportsCertificate(c) == nil {
					return c, nil
				}
			}
			if len(candidates) > 0 {
				return candidates[0], nil
			}
		}
		return &all[0], nil
	}, nil
}

// securityPolicies are AWS's, as far as Go can tell them apart: by version. Suites
// that Go lacks, CBC ones with SHA-384 for example, are missing from all of them.
var securityPolicies = policies()

func policies() map[string]TLSLimits {
	all := map[string]TLSLimits{"": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12}}
	add := func(low, high uint16, names ...string) {
		for _, n := range names {
			all[n] = TLSLimits{MinVersion: low, MaxVersion: high, CipherSuites: suitesOf(n)}
		}
	}
	add(tls.VersionTLS10, tls.VersionTLS12, "ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS-1-0-2015-04", "ELBSecurityPolicy-2015-05",
		"ELBSecurityPolicy-FS-2018-06", "ELBSecurityPolicy-2015-02", "ELBSecurityPolicy-2015-03", "ELBSecurityPolicy-2014-10",
		"ELBSecurityPolicy-2014-01", "ELBSecurityPolicy-2011-08")
	add(tls.VersionTLS11, tls.VersionTLS12, "ELBSecurityPolicy-TLS-1-1-2017-01", "ELBSecurityPolicy-FS-1-1-2019-08")
	add(tls.VersionTLS12, tls.VersionTLS12, "ELBSecurityPolicy-TLS-1-2-2017-01", "ELBSecurityPolicy-TLS-1-2-Ext-2018-06",
		"ELBSecurityPolicy-FS-1-2-2019-08", "ELBSecurityPolicy-FS-1-2-Res-2019-08", "ELBSecurityPolicy-FS-1-2-Res-2020-10")
	add(tls.VersionTLS13, tls.VersionTLS13, "ELBSecurityPolicy-TLS13-1-3-2021-06", "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04")
	add(tls.VersionTLS12, tls.VersionTLS13, "ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
		"ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
		"ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04", "ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-2023-04",
		"ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-2023-04", "ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-2023-04",
		"ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-2-Ext1-PQ-2025-09",
		"ELBSecurityPolicy-TLS13-1-2-Ext2-PQ-2025-09")
	add(tls.VersionTLS11, tls.VersionTLS13, "ELBSecurityPolicy-TLS13-1-1-2021-06", "ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04")
	add(tls.VersionTLS10, tls.VersionTLS13, "ELBSecurityPolicy-TLS13-1-0-2021-06", "ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04",
		"ELBSecurityPolicy-TLS13-1-0-PQ-2025-09")
	add(tls.VersionTLS13, tls.VersionTLS13, "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09")
	return all
}

// suitesOf are the TLS 1.2 suites of a policy: only those with forward secrecy where
// its name says so, only AEAD ones where it is restricted, else all that Go has and
// AWS knows.
func suitesOf(policy string) []uint16 {
	forward := strings.Contains(policy, "-FS-") || strings.Contains(policy, "TLS13-1-2-2021") || strings.Contains(policy, "-Res-")
	var ids []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ecdhe, aead := strings.Contains(s.Name, "ECDHE"), strings.Contains(s.Name, "GCM")
		switch {
		case strings.Contains(s.Name, "RC4"), strings.Contains(s.Name, "3DES"), strings.Contains(s.Name, "CHACHA"):
		case forward && !ecdhe, strings.Contains(policy, "-Res-") && !aead:
		default:
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// openSSLName is a suite's name as AWS's header gives it.
func openSSLName(id uint16) string {
	name := tls.CipherSuiteName(id)
	if strings.HasPrefix(name, "TLS_AES") || strings.HasPrefix(name, "TLS_CHACHA") {
		return name
	}
	name = strings.TrimPrefix(name, "TLS_")
	name = strings.Replace(name, "_WITH_", "-", 1)
	name = strings.NewReplacer("AES_128", "AES128", "AES_256", "AES256", "_CBC", "", "_", "-").Replace(name)
	return strings.TrimPrefix(name, "RSA-")
}
