package iam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	stsapi "github.com/hardstand/hardstand/internal/aws/api/sts"
)

// issuer is an OpenID Connect issuer on this machine.
type issuer struct {
	t          testing.TB
	url        string
	key        *ecdsa.PrivateKey
	thumbprint string
}

func newIssuer(t testing.TB, start func(http.Handler) *httptest.Server) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.url, "jwks_uri": i.url + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	web := start(mux)
	t.Cleanup(web.Close)
	i.url = web.URL
	if c := web.Certificate(); c != nil {
		sum := sha1.Sum(c.Raw)
		i.thumbprint = hex.EncodeToString(sum[:])
	}
	return i
}

func (i *issuer) token(key any, alg jose.SignatureAlgorithm, claims map[string]any) string {
	i.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

func (i *issuer) name() string {
	_, name, _ := strings.Cut(i.url, "://")
	return name
}

func (s *system) provider(i *issuer, thumbprints ...string) string {
	s.t.Helper()
	return *must[api.CreateOpenIDConnectProviderOutput](s, s.root(), "iam", "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{
		Url: &i.url, ClientIDList: []string{"ci", "other"}, ThumbprintList: thumbprints}).OpenIDConnectProviderArn
}

func webTrust(provider, name string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"],
		"Condition":{"StringEquals":{"` + name + `:aud":"ci"},"StringLike":{"` + name + `:sub":"repo:me/*"}}}]}`
}

// TestAssumeRoleWithWebIdentity plays an issuer: what it signs opens the role, and
// each thing wrong is refused in AWS's words.
func TestAssumeRoleWithWebIdentity(t *testing.T) {
	s := newSystem(t)
	i := newIssuer(t, httptest.NewTLSServer)
	provider := s.provider(i, i.thumbprint)
	role := s.role("ci", webTrust(provider, i.name()))
	elsewhere := s.role("elsewhere", webTrust(provider+"x", i.name()))
	stranger, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	now := s.clock.Now().Unix()
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": i.url, "sub": "repo:me/app", "aud": "ci", "iat": now, "exp": now + 600}
		maps.Copy(c, change)
		for k, v := range c {
			if v == nil {
				delete(c, k)
			}
		}
		return c
	}
	good := i.token(i.key, jose.ES256, claims(nil))
	const unverifiable = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	const unreadable = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	for _, c := range []struct{ name, token, role, code, message string }{
		{"good", good, *role.Arn, "", ""},
		{"one of several audiences", i.token(i.key, jose.ES256, claims(map[string]any{"aud": []string{"x", "ci"}})), *role.Arn, "", ""},
		{"audience not registered", i.token(i.key, jose.ES256, claims(map[string]any{"aud": "x"})), *role.Arn, "InvalidIdentityToken", "Incorrect token audience"},
		{"audience not trusted", i.token(i.key, jose.ES256, claims(map[string]any{"aud": "other"})), *role.Arn, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"authorized party not registered", i.token(i.key, jose.ES256, claims(map[string]any{"azp": "x"})), *role.Arn, "InvalidIdentityToken", "Incorrect token audience"},
		{"subject not trusted", i.token(i.key, jose.ES256, claims(map[string]any{"sub": "repo:you/app"})), *role.Arn, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"another provider trusted", good, *elsewhere.Arn, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"no such role", good, *role.Arn + "x", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"no role", good, "arn:aws:iam::111122223333:user/ci", "ValidationError", "arn:aws:iam::111122223333:user/ci is invalid"},
		{"role of another account", good, strings.Replace(*role.Arn, account, foreign, 1), "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + i.url},
		{"another issuer", i.token(i.key, jose.ES256, claims(map[string]any{"iss": "https://issuer.example"})), *role.Arn, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://issuer.example"},
		{"issuer by http", i.token(i.key, jose.ES256, claims(map[string]any{"iss": "http://" + i.name()})), *role.Arn, "InvalidIdentityToken", ""},
		{"expired", i.token(i.key, jose.ES256, claims(map[string]any{"exp": now})), *role.Arn, "ExpiredTokenException", ""},
		{"of the future", i.token(i.key, jose.ES256, claims(map[string]any{"nbf": now + 3600})), *role.Arn, "InvalidIdentityToken", "Token is not yet valid"},
		{"no expiry", i.token(i.key, jose.ES256, claims(map[string]any{"exp": nil})), *role.Arn, "InvalidIdentityToken", "Missing a required claim: exp"},
		{"no subject", i.token(i.key, jose.ES256, claims(map[string]any{"sub": nil})), *role.Arn, "InvalidIdentityToken", "Missing a required claim: sub"},
		{"signed by a stranger", i.token(stranger, jose.ES256, claims(nil)), *role.Arn, "InvalidIdentityToken", unverifiable},
		{"signed with a shared secret", i.token([]byte(strings.Repeat("k", 32)), jose.HS256, claims(nil)), *role.Arn, "InvalidIdentityToken", unreadable},
		{"not signed", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", *role.Arn, "InvalidIdentityToken", unreadable},
		{"no token", "abcdef", *role.Arn, "InvalidIdentityToken", unreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := webSession(s, c.role, c.token)
			wantError(t, err, c.code, c.message)
			if err != nil {
				return
			}
			who, err := s.iam.Lookup(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
			if err != nil || who.Principal.ARN != "arn:aws:sts::111122223333:assumed-role/ci/s1" || who.Principal.Provider != provider {
				t.Errorf("session is %+v, %v", who.Principal, err)
			}
			if *out.SubjectFromWebIdentityToken != "repo:me/app" || *out.Audience != "ci" || *out.Provider != provider {
				t.Errorf("answer %+v", out)
			}
		})
	}
	must[api.DeleteOpenIDConnectProviderOutput](s, s.root(), "iam", "DeleteOpenIDConnectProvider", &api.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &provider})
	_, err := webSession(s, *role.Arn, good)
	wantError(t, err, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for "+i.url)
}

func webSession(s *system, role, token string) (*stsapi.AssumeRoleWithWebIdentityOutput, error) {
	anonymous := aws.WithCall(context.Background(), aws.Call{Principal: aws.Principal{Type: aws.PrincipalAnonymous}, Account: account, Region: "us-east-1"})
	return ask[stsapi.AssumeRoleWithWebIdentityOutput](s, anonymous, "sts", "AssumeRoleWithWebIdentity",
		&stsapi.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: p("s1"), WebIdentityToken: &token})
}

func TestIssuerMustShowItsCertificate(t *testing.T) {
	s := newSystem(t)
	i := newIssuer(t, httptest.NewTLSServer)
	provider := s.provider(i, strings.Repeat("a", 40))
	role := s.role("ci", webTrust(provider, i.name()))
	now := s.clock.Now().Unix()
	token := i.token(i.key, jose.ES256, map[string]any{"iss": i.url, "sub": "repo:me/app", "aud": "ci", "iat": now, "exp": now + 600})
	_, err := webSession(s, *role.Arn, token)
	wantError(t, err, "InvalidIdentityToken", "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
	must[api.UpdateOpenIDConnectProviderThumbprintOutput](s, s.root(), "iam", "UpdateOpenIDConnectProviderThumbprint",
		&api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &provider, ThumbprintList: []string{strings.ToUpper(i.thumbprint)}})
	if _, err := webSession(s, *role.Arn, token); err != nil {
		t.Error(err)
	}
}

// TestTokensCarryTags: an issuer on this machine may do without TLS, and what it says
// of tags and source identity is the session's.
func TestTokensCarryTags(t *testing.T) {
	s := newSystem(t)
	i := newIssuer(t, httptest.NewServer)
	role := s.role("ci", webTrust(s.provider(i), i.name()))
	now := s.clock.Now().Unix()
	out, err := webSession(s, *role.Arn, i.token(i.key, jose.ES256, map[string]any{"iss": i.url, "sub": "repo:me/app", "aud": "ci", "iat": now, "exp": now + 600,
		"https://aws.amazon.com/source_identity": "me", "https://aws.amazon.com/tags": map[string]any{
			"principal_tags": map[string][]string{"Team": {"blue"}}, "transitive_tag_keys": []string{"Team"}}}))
	if err != nil {
		t.Fatal(err)
	}
	who, err := s.iam.Lookup(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	if err != nil || who.Principal.SessionTags["Team"] != "blue" || len(who.Principal.TransitiveTags) != 1 || who.Principal.SourceIdentity != "me" || *out.SourceIdentity != "me" {
		t.Errorf("session %+v, %v", who.Principal, err)
	}
	if !who.Principal.ExpiresAt.Equal(s.clock.Now().Add(time.Hour)) {
		t.Errorf("ends %v", who.Principal.ExpiresAt)
	}
}
