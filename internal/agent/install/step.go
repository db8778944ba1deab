package install

import (
	"encoding/json"
	"fmt"

	"github.com/hardstand/hardstand/internal/agent/state"
)

// Step is one instruction of a plan.
type Step struct {
	Type        string // mkdir copy chmod chown setfacl semanage
	Directory   string
	Source      string
	Destination string
	Mode        string
	Owner       string
	Group       string
	ACL         []string
	Context     *StepContext
	File        string

	// base is the directory that is opened for the step: the destination in the
	// files section, or the parent of a directory above it. Nothing outside of it
	// is touched.
	base string
}

// StepContext is an SELinux context.
type StepContext struct{ User, Type, Range string }

// target is the path that the step changes.
func (s Step) target() string {
	switch s.Type {
	case "mkdir":
		return s.Directory
	case "copy":
		return s.Destination
	}
	return s.File
}

// MarshalJSON writes the step as AWS's agents write it into install.json.
func (s Step) MarshalJSON() ([]byte, error) {
	switch s.Type {
	case "mkdir":
		return json.Marshal(struct {
			Type      string `json:"type"`
			Directory string `json:"directory"`
		}{s.Type, s.Directory})
	case "copy":
		return json.Marshal(struct {
			Type        string `json:"type"`
			Source      string `json:"source"`
			Destination string `json:"destination"`
		}{s.Type, s.Source, s.Destination})
	case "chmod":
		return json.Marshal(struct {
			Type string `json:"type"`
			Mode string `json:"mode"`
			File string `json:"file"`
		}{s.Type, s.Mode, s.File})
	case "chown":
		return json.Marshal(struct {
			Type  string  `json:"type"`
			Owner *string `json:"owner"`
			Group *string `json:"group"`
			File  string  `json:"file"`
		}{s.Type, orNull(s.Owner), orNull(s.Group), s.File})
	case "setfacl":
		return json.Marshal(struct {
			Type string   `json:"type"`
			ACL  []string `json:"acl"`
			File string   `json:"file"`
		}{s.Type, s.ACL, s.File})
	case "semanage":
		return json.Marshal(struct {
			Type    string      `json:"type"`
			Context contextJSON `json:"context"`
			File    string      `json:"file"`
		}{s.Type, contextJSON{User: orNull(s.Context.User), Type: s.Context.Type, Range: orNull(s.Context.Range)}, s.File})
	}
	return nil, fmt.Errorf("unknown instruction %q", s.Type)
}

type contextJSON struct {
	User  *string `json:"user"`
	Role  *string `json:"role"` // always null: roles are refused
	Type  string  `json:"type"`
	Range *string `json:"range"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// write leaves the plan where AWS's agents leave theirs.
func (b *plan) write(path string) error {
	steps := b.steps
	if steps == nil {
		steps = []Step{}
	}
	text, err := json.Marshal(map[string]any{"instructions": steps})
	if err != nil {
		return err
	}
	if err := state.WriteFile(path, text); err != nil {
		return fmt.Errorf("write install plan: %w", err)
	}
	return nil
}
