package ssm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// facts are what a parameter has beside its values; each version remembers its own.
type facts struct {
	Type, Description, AllowedPattern, DataType, Tier string
	Policies                                          []inlinePolicy `json:",omitempty"`
}

// parameter is a row of ssm.parameter; the key's ID is the name.
type parameter struct {
	Name string
	facts
	Tags map[string]string `json:",omitempty"`
	// Versions are kept from the oldest to the newest, at most maxVersions.
	Versions []version
	// Token made the parameter, where a stack did.
	Token string `json:",omitempty"`
}

// version is one value. That of a SecureString is sealed.
type version struct {
	Number   int64
	Value    string `json:",omitempty"`
	Sealed   []byte `json:",omitempty"`
	Modified time.Time
	By       string   // ARN
	Labels   []string `json:",omitempty"`
	// As is how the parameter was described then; nil in rows from before there
	// was a history, for whose versions the parameter's own facts stand.
	As *facts `json:",omitempty"`
}

const maxVersions = 100

var parameters = &store.Table[parameter]{Name: "ssm.parameter", Version: 1}

// last is the newest version.
func (p *parameter) last() version { return p.Versions[len(p.Versions)-1] }

// as is how the parameter was described at a version.
func (p *parameter) as(v version) facts {
	if v.As == nil {
		return p.facts
	}
	return *v.As
}

// at is the place of a version, or -1.
func (p *parameter) at(number int64) int {
	return slices.IndexFunc(p.Versions, func(v version) bool { return v.Number == number })
}

// labelled is the place of the version that has a label, or -1.
func (p *parameter) labelled(label string) int {
	return slices.IndexFunc(p.Versions, func(v version) bool { return slices.Contains(v.Labels, label) })
}

// find returns a parameter that has not expired, and its key. At the top level a
// leading slash makes no difference: both spellings have the same ARN.
func find(tx *store.Tx, c aws.Call, name string) (store.Key, *parameter, error) {
	k := key(c, name)
	p, err := parameters.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) && !strings.Contains(strings.TrimPrefix(k.ID, "/"), "/") {
		other := k
		if bare, ok := strings.CutPrefix(k.ID, "/"); ok {
			other.ID = bare
		} else {
			other.ID = "/" + k.ID
		}
		if q, e := parameters.Get(tx, other); e == nil {
			k, p, err = other, q, nil
		}
	}
	if err == nil && p.expired(tx.Now()) {
		return k, nil, store.ErrNotFound
	}
	return k, p, err
}

// put adds a version.
func (s *Service) put(p *parameter, k store.Key, value string, at time.Time, by string) error {
	f := p.facts
	v := version{Number: 1, Value: value, Modified: at, By: by, As: &f}
	if len(p.Versions) > 0 {
		v.Number = p.last().Number + 1
	}
	if p.Type == string(api.ParameterTypeSecureString) {
		sealed, err := s.cfg.Sealer.Seal(parameters.Name, sealedRow(k), []byte(value))
		if err != nil {
			return fmt.Errorf("seal parameter: %w", err)
		}
		v.Value, v.Sealed = "", sealed
	}
	if len(p.Versions) == maxVersions {
		if oldest := p.Versions[0]; len(oldest.Labels) > 0 {
			return awserr.New("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", p.Name, oldest.Number)
		}
		p.Versions = slices.Clone(p.Versions[1:])
	}
	p.Versions = append(p.Versions, v)
	return nil
}

func sealedRow(k store.Key) string { return k.Account + "/" + k.Region + "/" + k.ID }

// value is the text of a version. A SecureString that is not to be decrypted shows
// its ciphertext, as on AWS.
func (s *Service) value(p *parameter, k store.Key, v version, decrypt bool) (string, error) {
	if v.Sealed == nil {
		return v.Value, nil
	}
	if !decrypt {
		return fmt.Sprintf("%x", v.Sealed), nil
	}
	plain, err := s.cfg.Sealer.Open(parameters.Name, sealedRow(k), v.Sealed)
	if err != nil {
		return "", fmt.Errorf("open parameter %s: %w", p.Name, err)
	}
	return string(plain), nil
}

// view shows a version under the name by which it was asked for.
func (s *Service) view(c aws.Call, k store.Key, p *parameter, v version, name, selector string, decrypt bool) (api.Parameter, error) {
	text, err := s.value(p, k, v, decrypt)
	was := p.as(v)
	if strings.HasPrefix(name, "arn:") {
		name = p.Name
	}
	out := api.Parameter{Name: &name, Type: api.ParameterType(was.Type), Value: &text, Version: aws.Ptr(v.Number),
		LastModifiedDate: aws.Ptr(v.Modified), ARN: aws.Ptr(parameterARN(c, p.Name)), DataType: &was.DataType}
	if selector != "" {
		out.Selector = aws.Ptr(":" + selector)
	}
	return out, err
}

// keyOf is the key that a parameter of some type is encrypted with.
func keyOf(kind string) *string {
	if kind != string(api.ParameterTypeSecureString) {
		return nil
	}
	return aws.Ptr(defaultKey)
}

// orNil leaves an empty text out.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(tags[k])})
	}
	return out
}
