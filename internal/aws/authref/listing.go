package authref

import (
	"slices"
	"strings"
)

// Listing is one thing that the reference says of an action: with a Type and no Key
// that it can be on such a resource, with both that it has the key there, with a Key
// only that it has the key whatever the resource.
type Listing struct {
	Action string `json:"action"` // "s3:GetObject"
	Type   string `json:"type,omitempty"`
	Key    string `json:"key,omitempty"` // as the reference writes it: "aws:RequestTag/${TagKey}"
}

// Listings returns all that the reference lists for the action.
func (a *Action) Listings() []Listing {
	var out []Listing
	for _, k := range a.Keys {
		out = append(out, Listing{Action: a.full(), Key: k})
	}
	for _, r := range a.Resources {
		out = append(out, Listing{Action: a.full(), Type: r.Type})
		keys := slices.Clone(r.Keys)
		if t := a.service.typeOf(r.Type); t != nil {
			keys = append(keys, t.Keys...)
		}
		slices.Sort(keys)
		for _, k := range slices.Compact(keys) {
			if !slices.Contains(a.Keys, k) {
				out = append(out, Listing{Action: a.full(), Type: r.Type, Key: k})
			}
		}
	}
	return out
}

// Touched returns the listings that a check on the resource with the keys makes use
// of.
func (a *Action) Touched(resource string, keys map[string][]string) []Listing {
	kind, _ := a.TypeOf(resource)
	var out []Listing
	for _, l := range a.Listings() {
		if l.Type != "" && l.Type != kind {
			continue
		}
		if l.Key == "" || given(keys, l.Key) {
			out = append(out, l)
		}
	}
	return out
}

// given reports whether keys hold one that the reference lists as listed.
func given(keys map[string][]string, listed string) bool {
	prefix, placed := placeholder(strings.ToLower(listed))
	for key := range keys {
		key = strings.ToLower(key)
		if key == prefix || placed && strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// full is the action with its prefix.
func (a *Action) full() string { return a.service.prefix + ":" + a.Name }
