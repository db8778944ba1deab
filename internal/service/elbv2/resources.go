package elbv2

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::ElasticLoadBalancingV2::LoadBalancer":        resourceLoadBalancer{s},
		"AWS::ElasticLoadBalancingV2::TargetGroup":         resourceTargetGroup{s},
		"AWS::ElasticLoadBalancingV2::Listener":            resourceListener{s},
		"AWS::ElasticLoadBalancingV2::ListenerRule":        resourceListenerRule{s},
		"AWS::ElasticLoadBalancingV2::ListenerCertificate": resourceListenerCertificate{s},
	}
}

func invoke[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, s.cfg.Invoker, "elbv2", operation, in)
}

// generatedName is a name that balancers and groups may have: no two hyphens in a row.
func generatedName(r stack.Request) string {
	name := r.Name(32)
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	return name
}

// orNotThere is what Read says of what is gone, or else err.
func orNotThere(err error) error {
	if awserr.Is(err, "LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound", "RuleNotFound") {
		return stack.ErrNotFound
	}
	return err
}

func apiTags(tags []stack.Tag) (out []api.Tag) {
	for _, t := range tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

// retagResource brings the tags of a resource up to date.
func (s *Service) retagResource(ctx context.Context, r stack.Request, old, own []stack.Tag) error {
	now := r.TagsWith(own)
	if gone := stack.TagsGone(r.TagsBefore(old), now); len(gone) > 0 {
		if _, err := invoke[api.RemoveTagsOutput](ctx, s, "RemoveTags", &api.RemoveTagsInput{ResourceArns: []string{r.PhysicalID}, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 || slices.Equal(now, r.TagsBefore(old)) {
		return nil
	}
	_, err := invoke[api.AddTagsOutput](ctx, s, "AddTags", &api.AddTagsInput{ResourceArns: []string{r.PhysicalID}, Tags: apiTags(now)})
	return err
}

// liveTags are the tags of a resource as templates have them.
func (s *Service) liveTags(ctx context.Context, name string) ([]any, error) {
	out, err := invoke[api.DescribeTagsOutput](ctx, s, "DescribeTags", &api.DescribeTagsInput{ResourceArns: []string{name}})
	if err != nil {
		return nil, err
	}
	tags := []any{}
	for _, d := range out.TagDescriptions {
		for _, t := range d.Tags {
			tags = append(tags, map[string]any{"Key": aws.Val(t.Key), "Value": aws.Val(t.Value)})
		}
	}
	return tags, nil
}

// settings are attributes by key, of any of the three lists of pairs.
func settings[T api.LoadBalancerAttribute | api.TargetGroupAttribute | api.ListenerAttribute](list []T) map[string]string {
	out := map[string]string{}
	for _, a := range list {
		p := pairOf(a)
		out[p.Key] = p.Value
	}
	return out
}

func pairOf(a any) pair {
	switch a := a.(type) {
	case api.LoadBalancerAttribute:
		return pair{aws.Val(a.Key), aws.Val(a.Value)}
	case api.TargetGroupAttribute:
		return pair{aws.Val(a.Key), aws.Val(a.Value)}
	case api.ListenerAttribute:
		return pair{aws.Val(a.Key), aws.Val(a.Value)}
	}
	return pair{}
}

// changed are the pairs to set so that a thing which had some attributes has others:
// those gone from the template go back to what they were at the beginning, which start
// says where it is not the standard.
func (s attributeSet) changed(start, had, want map[string]string) (out []pair) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if value, ok := had[key]; !ok || value != want[key] {
			out = append(out, pair{key, want[key]})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(had)) {
		if _, ok := want[key]; !ok {
			out = append(out, pair{key, s.value(start, key)})
		}
	}
	return out
}

// liveSettings are the attributes that a template names, as they are.
func liveSettings(named, now map[string]string) []any {
	out := []any{}
	for _, key := range slices.Sorted(maps.Keys(named)) {
		out = append(out, map[string]any{"Key": key, "Value": now[key]})
	}
	return out
}

// generic turns API types into what templates have; absent members are left out.
func generic(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return nil
	}
	return pruned(out)
}

func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil || e == "" {
				delete(v, k)
				continue
			}
			v[k] = pruned(e)
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

// await waits until done says so, which is asked at each event of the resource.
func (s *Service) await(ctx context.Context, resource string, done func(*store.Tx) (bool, error)) error {
	for {
		changed := s.cfg.DB.Changed(store.Filter{Service: signer, Resource: resource})
		var over bool
		err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
			over, err = done(tx)
			return err
		})
		if err != nil || over {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
