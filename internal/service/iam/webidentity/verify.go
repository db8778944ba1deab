// Package webidentity judges the tokens of OpenID Connect issuers: it fetches the
// issuer's discovery document and keys, verifies the signature and the times, and
// returns what the token claims.
//
// It owns no state. Flow enters through Issuer, which tells who claims to have made
// a token, and Verifier.Verify. It calls the issuer that it is given and nobody
// else: an administrator has registered it. It imports clock and a JOSE library.
package webidentity

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hardstand/hardstand/internal/clock"
)

// Provider is a registered issuer.
type Provider struct {
	Issuer      string   // with its scheme, as tokens name it
	ClientIDs   []string // the audiences whose tokens are taken
	Thumbprints []string // SHA-1 of certificates that the issuer may show, lower-case hex
}

// Claims are what a verified token says.
type Claims struct {
	Subject string
	// Audience is the one that was judged: the authorized party where the token
	// names one.
	Audience string
	// All are the audiences as the token lists them.
	All            []string
	SourceIdentity string
	Tags           map[string]string
	TransitiveTags []string
	// Texts are the other claims that have a plain value, by name.
	Texts map[string][]string
}

// Kind is why a token is refused.
type Kind int

// The kinds of refusal.
const (
	Invalid       Kind = iota // the token itself
	Expired                   // its time is over
	Claim                     // a claim is missing or wrong
	Communication             // the issuer cannot be asked
)

// Refusal is a token that is not taken. Message is what AWS says.
type Refusal struct {
	Kind    Kind
	Message string
	Cause   error
}

func (r *Refusal) Error() string { return r.Message }

// Unwrap returns what lies below.
func (r *Refusal) Unwrap() error { return r.Cause }

const unreadable = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"

// algorithms are those that IAM takes from an issuer.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// leeway is how far the issuer's clock may be ahead.
const leeway = 5 * time.Minute

// Issuer returns who a token says has made it, before anything is verified.
func Issuer(token string) (string, error) {
	parsed, err := parse(token)
	if err != nil {
		return "", err
	}
	var c jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&c); err != nil || c.Issuer == "" {
		return "", &Refusal{Invalid, unreadable, err}
	}
	return c.Issuer, nil
}

func parse(token string) (*jwt.JSONWebToken, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, &Refusal{Invalid, unreadable, err}
	}
	return parsed, nil
}

// Verifier verifies tokens against a clock.
type Verifier struct{ Clock clock.Clock }

// Verify returns the claims of a token of p. The error is a *Refusal.
func (v Verifier) Verify(ctx context.Context, token string, p Provider) (Claims, error) {
	parsed, err := parse(token)
	if err != nil {
		return Claims{}, err
	}
	keys, err := fetchKeys(ctx, p)
	if err != nil {
		return Claims{}, err
	}
	var std jwt.Claims
	var all map[string]any
	if err := claims(parsed, keys, &std, &all); err != nil {
		return Claims{}, err
	}
	if err := v.checkTimes(std); err != nil {
		return Claims{}, err
	}
	out, err := read(std, all)
	if err != nil {
		return Claims{}, err
	}
	if !out.meant(p.ClientIDs, all) {
		return Claims{}, &Refusal{Kind: Invalid, Message: "Incorrect token audience"}
	}
	return out, nil
}

// claims finds the key that has signed. A token without key id is tried with each.
func claims(parsed *jwt.JSONWebToken, keys jose.JSONWebKeySet, into ...any) error {
	candidates := keys.Keys
	if id := parsed.Headers[0].KeyID; id != "" {
		candidates = keys.Key(id)
	}
	err := fmt.Errorf("the issuer has no key %q", parsed.Headers[0].KeyID)
	for _, k := range candidates {
		if !k.Valid() || !k.IsPublic() {
			continue
		}
		if err = parsed.Claims(k.Key, into...); err == nil {
			return nil
		}
	}
	return &Refusal{Invalid, "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements", err}
}

func (v Verifier) checkTimes(c jwt.Claims) error {
	now := v.Clock.Now().UTC()
	switch {
	case c.Expiry == nil:
		return &Refusal{Kind: Invalid, Message: "Missing a required claim: exp"}
	case c.IssuedAt == nil:
		return &Refusal{Kind: Invalid, Message: "Missing a required claim: iat"}
	case c.Subject == "":
		return &Refusal{Kind: Invalid, Message: "Missing a required claim: sub"}
	case !now.Before(c.Expiry.Time()):
		return &Refusal{Kind: Expired, Message: fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), c.Expiry.Time().Unix())}
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()), now.Add(leeway).Before(c.IssuedAt.Time()):
		return &Refusal{Kind: Invalid, Message: "Token is not yet valid"}
	}
	return nil
}

// read collects the claims. An authorized party takes the place of the audience, as
// in IAM's condition keys.
func read(std jwt.Claims, all map[string]any) (Claims, error) {
	c := Claims{Subject: std.Subject, All: std.Audience, Texts: map[string][]string{}}
	if len(std.Audience) > 0 {
		c.Audience = std.Audience[0]
	}
	if azp, ok := all["azp"].(string); ok && azp != "" {
		c.Audience = azp
	}
	c.SourceIdentity, _ = all["https://aws.amazon.com/source_identity"].(string)
	if err := c.readTags(all["https://aws.amazon.com/tags"]); err != nil {
		return c, err
	}
	for name, value := range all {
		if texts := plain(value); texts != nil {
			c.Texts[name] = texts
		}
	}
	return c, nil
}

// readTags reads the claim that carries session tags.
func (c *Claims) readTags(claim any) error {
	if claim == nil {
		return nil
	}
	var tags struct {
		Principal  map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	}
	text, err := json.Marshal(claim)
	if err == nil {
		err = json.Unmarshal(text, &tags)
	}
	if err != nil {
		return &Refusal{Claim, "The claim https://aws.amazon.com/tags is not well formed.", err}
	}
	c.Tags, c.TransitiveTags = map[string]string{}, tags.Transitive
	for key, values := range tags.Principal {
		if len(values) != 1 {
			return &Refusal{Kind: Claim, Message: "A session tag must have exactly one value."}
		}
		c.Tags[key] = values[0]
	}
	return nil
}

// meant reports whether one of the audiences is a registered client, and takes the
// one that is. Where there is an authorized party, it alone counts.
func (c *Claims) meant(clients []string, all map[string]any) bool {
	if _, party := all["azp"].(string); party {
		return slices.Contains(clients, c.Audience)
	}
	i := slices.IndexFunc(c.All, func(a string) bool { return slices.Contains(clients, a) })
	if i < 0 {
		return false
	}
	c.Audience = c.All[i]
	return true
}

// plain is a claim's value as condition keys hold it: a text, or a list of texts.
func plain(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{fmt.Sprint(v)}
	case float64:
		return []string{strings.TrimSuffix(fmt.Sprintf("%.3f", v), ".000")}
	case []any:
		out := make([]string, 0, len(v))
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil
			}
			out = append(out, text)
		}
		return out
	}
	return nil
}
