package ssm

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/store"
)

// parameter is a row of ssm.parameter; the key's ID is the name.
type parameter struct {
	Name, Type, Description, AllowedPattern, DataType, Tier string
	Tags                                                    map[string]string `json:",omitempty"`
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
	By       string // ARN
}

const maxVersions = 100

var parameters = &store.Table[parameter]{Name: "ssm.parameter", Version: 1}

// last is the newest version.
func (p *parameter) last() version { return p.Versions[len(p.Versions)-1] }

// put adds a version.
func (s *Service) put(p *parameter, k store.Key, value string, at time.Time, by string) error {
	v := version{Number: 1, Value: value, Modified: at, By: by}
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
	p.Versions = append(p.Versions, v)
	if len(p.Versions) > maxVersions {
		p.Versions = slices.Clone(p.Versions[1:])
	}
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

func (s *Service) view(c aws.Call, p *parameter, v version, selector string, decrypt bool) (api.Parameter, error) {
	k := key(c, p.Name)
	text, err := s.value(p, k, v, decrypt)
	out := api.Parameter{Name: &p.Name, Type: api.ParameterType(p.Type), Value: &text, Version: aws.Ptr(v.Number),
		LastModifiedDate: aws.Ptr(v.Modified), ARN: aws.Ptr(parameterARN(c, p.Name)), DataType: &p.DataType}
	if selector != "" {
		out.Selector = aws.Ptr(":" + selector)
	}
	return out, err
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(tags[k])})
	}
	return out
}
