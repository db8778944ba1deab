package wire

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
)

// pathRoute is an operation of a rest-xml service whose paths name everything
// (Route 53); buckets, which hosts may name too, have routes of their own.
type pathRoute struct {
	name, method string
	segments     []string // literal, or a label in braces
}

func compilePaths(m *model.Service) []pathRoute {
	var out []pathRoute
	for _, name := range m.OperationNames() {
		op := m.Operations[name]
		path, _, _ := strings.Cut(op.URI, "?")
		out = append(out, pathRoute{name: name, method: op.Method, segments: strings.Split(strings.Trim(path, "/"), "/")})
	}
	// Of two that match, the one with more literal segments is meant.
	slices.SortStableFunc(out, func(a, b pathRoute) int { return a.labels() - b.labels() })
	return out
}

func (r *pathRoute) labels() int {
	n := 0
	for _, s := range r.segments {
		if strings.HasPrefix(s, "{") {
			n++
		}
	}
	return n
}

// matches returns the labels of a path, or false.
func (r *pathRoute) matches(method string, path []string) (map[string]string, bool) {
	if r.method != method || len(r.segments) != len(path) {
		return nil, false
	}
	labels := map[string]string{}
	for i, want := range r.segments {
		if name, ok := strings.CutPrefix(want, "{"); ok && path[i] != "" {
			labels[strings.Trim(name, "}")] = path[i]
		} else if want != path[i] {
			return nil, false
		}
	}
	return labels, true
}

func (e *exchange) routePath() error {
	body, err := e.readBody() // the signature covers it
	if err != nil {
		return err
	}
	e.body = body
	var path []string
	for part := range strings.SplitSeq(strings.Trim(e.r.URL.EscapedPath(), "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil {
			return awserr.New("InvalidInput", "The path of the request can't be read.")
		}
		path = append(path, text)
	}
	for i := range e.service.paths {
		if labels, ok := e.service.paths[i].matches(e.r.Method, path); ok {
			e.operation, e.labels = e.service.paths[i].name, labels
			return nil
		}
	}
	return awserr.Status(http.StatusNotFound, "UnknownOperationException", "The requested operation is not recognized by the service.")
}
