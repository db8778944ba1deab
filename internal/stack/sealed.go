package stack

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// seal encrypts what a member keeps.
func (e *Engine) seal(m *Member, c *content) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the content of %s: %w", m.LogicalID, err)
	}
	return e.cfg.Sealer.Seal(Members.Name, m.StackID+"/"+m.LogicalID, plain)
}

// open is the reverse of seal; nil gives an empty content.
func (e *Engine) open(m *Member, sealed []byte) (*content, error) {
	c := &content{}
	if sealed == nil {
		return c, nil
	}
	plain, err := e.cfg.Sealer.Open(Members.Name, m.StackID+"/"+m.LogicalID, sealed)
	if err != nil {
		return nil, fmt.Errorf("open the content of %s: %w", m.LogicalID, err)
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("decode the content of %s: %w", m.LogicalID, err)
	}
	return c, nil
}

// NewSpec separates the values of NoEcho parameters from the others and seals
// them.
func (e *Engine) NewSpec(stackID, body string, t *template.Template, values map[string]template.Value) (Spec, error) {
	s := Spec{Template: body, Parameters: map[string]template.Value{}, Description: t.Description}
	secret := map[string]template.Value{}
	for name, v := range values {
		if t.Parameters[name].NoEcho {
			secret[name] = v
			v = template.Value{NoEcho: true}
		}
		s.Parameters[name] = v
	}
	if len(secret) == 0 {
		return s, nil
	}
	plain, err := json.Marshal(secret)
	if err != nil {
		return s, fmt.Errorf("encode parameters: %w", err)
	}
	s.Secrets, err = e.cfg.Sealer.Seal(Stacks.Name, stackID, plain)
	return s, err
}

// Values returns all parameters of a Spec, NoEcho ones too.
func (e *Engine) Values(stackID string, s *Spec) (map[string]template.Value, error) {
	values := make(map[string]template.Value, len(s.Parameters))
	for name, v := range s.Parameters {
		values[name] = v
	}
	if s.Secrets == nil {
		return values, nil
	}
	plain, err := e.cfg.Sealer.Open(Stacks.Name, stackID, s.Secrets)
	if err != nil {
		return nil, fmt.Errorf("open parameters: %w", err)
	}
	secret := map[string]template.Value{}
	if err := json.Unmarshal(plain, &secret); err != nil {
		return nil, fmt.Errorf("decode parameters: %w", err)
	}
	for name, v := range secret {
		values[name] = v
	}
	return values, nil
}
