package policy

import (
	"encoding/json"
	"slices"
)

// Draft is a resource policy that is being edited statement by statement, as
// AddPermission and RemovePermission of several services do. What else stands in it
// stays as it is.
type Draft struct {
	Version   string            `json:"Version"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// OpenDraft reads a policy that was found valid; a text of "" begins a new one with
// the id.
func OpenDraft(text, id string) (*Draft, error) {
	d := &Draft{Version: version2008, ID: id}
	if text == "" {
		return d, nil
	}
	var read struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return nil, err
	}
	d.ID = read.ID
	if read.Version != "" {
		d.Version = read.Version
	}
	if err := json.Unmarshal(read.Statement, &d.Statement); err != nil { // one without brackets
		d.Statement = []json.RawMessage{read.Statement}
	}
	return d, nil
}

// Has reports whether a statement has the Sid.
func (d *Draft) Has(sid string) bool {
	return slices.ContainsFunc(d.Statement, func(s json.RawMessage) bool { return sidOf(s) == sid })
}

func sidOf(statement json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(statement, &s) // judged when it was set
	return s.Sid
}

// Grant adds a statement that lets accounts call actions on the resource.
func (d *Draft) Grant(sid string, accounts, actions []string, resource string) error {
	who := make([]string, len(accounts))
	for i, a := range accounts {
		who[i] = "arn:aws:iam::" + a + ":root"
	}
	statement, err := json.Marshal(struct {
		Sid, Effect string
		Principal   map[string]any
		Action      any
		Resource    string
	}{sid, string(Allow), map[string]any{"AWS": oneOrAll(who)}, oneOrAll(actions), resource})
	d.Statement = append(d.Statement, statement)
	return err
}

func oneOrAll(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// Remove takes out the statement with the Sid, and reports whether there was one.
func (d *Draft) Remove(sid string) bool {
	had := len(d.Statement)
	d.Statement = slices.DeleteFunc(d.Statement, func(s json.RawMessage) bool { return sidOf(s) == sid })
	return len(d.Statement) < had
}

// Text is the policy, "" without statements.
func (d *Draft) Text() (string, error) {
	if len(d.Statement) == 0 {
		return "", nil
	}
	text, err := json.Marshal(d)
	return string(text), err
}
