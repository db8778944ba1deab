package iam

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base32"
	"encoding/json"
	"sync"
	"time"
)

// awsPolicy is a policy that AWS manages, in the version that is its default.
type awsPolicy struct {
	Name     string          `json:"name"`
	Path     string          `json:"path"`
	ID       string          `json:"id"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"`
	Version  string          `json:"version"`
	Document json.RawMessage `json:"document"`
}

// awsPolicyData has a line for each policy: those of the services here, and those
// that templates commonly hand to roles of other services. The documents are what
// AWS publishes, whole, so that they limit as they do there.
//
//go:embed aws_policies.jsonl
var awsPolicyData []byte

// awsPolicies returns the AWS managed policies that this server knows, by ARN. Any
// other is unknown here, so that nobody relies on permissions that do not exist.
var awsPolicies = sync.OnceValue(func() map[string]*managed {
	byARN := map[string]*managed{}
	for line := range bytes.Lines(awsPolicyData) {
		var p awsPolicy
		if err := json.Unmarshal(line, &p); err != nil {
			panic("aws_policies.jsonl: " + err.Error()) // a test reads it
		}
		byARN["arn:aws:iam::aws:policy"+p.Path+p.Name] = p.record()
	}
	return byARN
})

// awsManaged returns a policy that AWS manages, nil for any other ARN.
func awsManaged(policyARN string) *managed { return awsPolicies()[policyARN] }

// record gives an AWS managed policy the form of a customer's. Where AWS's unique id
// is not known, one that never changes stands for it.
func (p *awsPolicy) record() *managed {
	id := p.ID
	if id == "" {
		sum := sha256.Sum256([]byte(p.Name))
		id = "ANPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
	}
	return &managed{Name: p.Name, Path: p.Path, ID: id, Created: p.Created.UTC(), Updated: p.Updated.UTC(),
		Versions: []version{{ID: p.Version, Document: string(p.Document), Created: p.Updated.UTC()}}, Default: p.Version}
}
