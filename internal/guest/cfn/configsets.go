package cfn

import (
	"maps"
	"slices"
	"strings"
)

// configSets resolves every set of the metadata to configs, in order. Without
// configSets there is one, called default, with the config named config.
func configSets(configs map[string]any) (map[string][]string, error) {
	value, declared := configs["configSets"]
	if !declared {
		return map[string][]string{"default": {"config"}}, nil
	}
	sets, ok := value.(map[string]any)
	if !ok {
		return nil, said("configSets should be a mapping of name to list")
	}
	r := &resolver{configs: configs, sets: sets, done: map[string][]string{}, circular: map[string]bool{}}
	for _, name := range sorted(sets) {
		if err := r.resolve(name, nil); err != nil {
			return nil, err
		}
	}
	if len(r.circular) > 0 {
		return nil, said("At least one circular dependency detected; this is not allowed. Culprits: %s",
			strings.Join(slices.Sorted(maps.Keys(r.circular)), ", "))
	}
	return r.done, nil
}

type resolver struct {
	configs, sets map[string]any
	done          map[string][]string
	circular      map[string]bool
}

// resolve puts the configs of a set into done; path are the sets that led to it.
func (r *resolver) resolve(set string, path []string) error {
	if slices.Contains(path, set) {
		for _, p := range path {
			r.circular[p] = true
		}
		return nil
	}
	if _, ok := r.done[set]; ok {
		return nil
	}
	order, err := r.expand(r.sets[set], append(path[:len(path):len(path)], set))
	if err != nil {
		return err
	}
	r.done[set] = order
	return nil
}

// expand turns a name, a reference, or a list of such into configs.
func (r *resolver) expand(value any, path []string) ([]string, error) {
	switch v := value.(type) {
	case string:
		if _, ok := r.configs[v]; !ok {
			return nil, said("No configuration found with name: %s", v)
		}
		return []string{v}, nil
	case map[string]any:
		other, ok := v["ConfigSet"].(string)
		if !ok {
			return nil, said("Config definitions must be either a config name or a reference in the format {'ConfigSet':<config set name>}")
		}
		if _, ok := r.sets[other]; !ok {
			return nil, said("Configuration set %s was referenced but not defined", other)
		}
		if err := r.resolve(other, path); err != nil {
			return nil, err
		}
		return r.done[other], nil
	case []any:
		var order []string
		for _, e := range v {
			names, err := r.expand(e, path)
			if err != nil {
				return nil, err
			}
			order = append(order, names...)
		}
		return order, nil
	}
	return nil, said("Config definitions must be either a config name or a reference in the format {'ConfigSet':<config set name>}")
}
