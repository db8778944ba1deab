package codedeploy

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
)

func TestMinHealthy(t *testing.T) {
	count := func(n int32) *config {
		return &config{Name: "c", Minimum: api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsTypeHostCount, Value: &n}}
	}
	percent := func(n int32) *config {
		return &config{Name: "c", Minimum: api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsTypeFleetPercent, Value: &n}}
	}
	tests := []struct {
		name    string
		cfg     *config
		n, want int
		ok      bool
	}{
		{"one at a time of 10", predefined(oneAtATime), 10, 9, true}, {"one at a time of 1", predefined(oneAtATime), 1, 0, true},
		{"half of 9", predefined(halfAtATime), 9, 5, true}, {"half of 1", predefined(halfAtATime), 1, 0, true},
		{"all of 9", predefined(allAtOnce), 9, 0, true}, {"6 of 9", count(6), 9, 6, true}, {"40 % of 9", percent(40), 9, 4, true},
		{"95 % of 10", percent(95), 10, 10, false}, {"3 of 3", count(3), 3, 3, false}, {"0 of 1", count(0), 1, 0, true},
	}
	for _, tc := range tests {
		if got, ok := tc.cfg.minHealthy(tc.n); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %d, %t, want %d, %t", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestDecide(t *testing.T) {
	start := func(n int) decision { return decision{Start: n} }
	end := func(ok bool) decision { return decision{End: true, Succeeded: ok} }
	tests := []struct {
		name string
		h    health
		want decision
	}{
		{"first of ten", health{Minimum: 9, Pending: 10}, start(1)},
		{"one runs", health{Minimum: 9, Pending: 9, InProgress: 1}, decision{}},
		{"next", health{Minimum: 9, Pending: 9, Succeeded: 1}, start(1)},
		{"first failed", health{Minimum: 9, Pending: 9, Failed: 1}, end(false)},
		{"last failed", health{Minimum: 9, Succeeded: 9, Failed: 1}, end(true)},
		{"three at a time", health{Minimum: 6, Pending: 9}, start(3)},
		{"a failure makes the batch smaller", health{Minimum: 6, Pending: 5, Succeeded: 2, Failed: 1, InProgress: 1}, start(1)},
		{"all at once", health{Pending: 4}, start(4)},
		{"all but one failed at minimum 0", health{Succeeded: 1, Failed: 3}, end(true)},
		{"all failed at minimum 0", health{Failed: 4}, end(false)},
		{"too many failed, one still runs", health{Minimum: 2, Pending: 1, InProgress: 1, Failed: 2}, decision{}},
	}
	for _, tc := range tests {
		if got := tc.h.decide(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestTagSelection(t *testing.T) {
	kv := func(k, v string) api.EC2TagFilter { return api.EC2TagFilter{Key: &k, Value: &v} }
	key := func(k string) api.EC2TagFilter { return api.EC2TagFilter{Key: &k, Type: api.EC2TagFilterTypeKeyOnly} }
	value := func(v string) api.EC2TagFilter {
		return api.EC2TagFilter{Key: aws.Ptr(""), Value: &v, Type: api.EC2TagFilterTypeValueOnly}
	}
	m := machine{Tags: map[string]string{"app": "web", "stage": "prod"}}
	tests := []struct {
		name string
		g    group
		want bool
	}{
		{"nothing", group{}, false},
		{"any of", group{Filters: []api.EC2TagFilter{kv("app", "db"), kv("stage", "prod")}}, true},
		{"none of", group{Filters: []api.EC2TagFilter{kv("app", "db"), kv("App", "web")}}, false},
		{"key", group{Filters: []api.EC2TagFilter{key("stage")}}, true},
		{"value", group{Filters: []api.EC2TagFilter{value("web")}}, true},
		{"both groups", group{TagSet: &api.EC2TagSet{Ec2TagSetList: [][]api.EC2TagFilter{{kv("app", "web"), kv("app", "x")}, {key("stage")}}}}, true},
		{"one group of two", group{TagSet: &api.EC2TagSet{Ec2TagSetList: [][]api.EC2TagFilter{{kv("app", "web")}, {key("owner")}}}}, false},
	}
	for _, tc := range tests {
		if got := tc.g.matches(m); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}
