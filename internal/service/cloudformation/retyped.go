package cloudformation

import (
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/stack/template"
)

// retyped lists the resources whose type differs between two templates.
func retyped(old, next map[string]*template.Resource) string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(next)) {
		if before, ok := old[id]; ok && before.Type != next[id].Type {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, ", ")
}
