package app

import (
	"encoding/json"
	"maps"
	"runtime"
	"slices"

	"github.com/hardstand/hardstand/internal/agent"
	"github.com/hardstand/hardstand/internal/agent/dist"
	"github.com/hardstand/hardstand/internal/service/s3"
)

// agentBucket shows the agent's packages to S3 as the buckets
// aws-codedeploy-<region>.
type agentBucket struct{ dist *dist.Dist }

func newAgentBucket(s *System) agentBucket {
	programs := []dist.Program{{Read: s.cfg.Guest.Read, ID: s.cfg.Guest.ID, Arch: runtime.GOARCH}}
	for _, arch := range slices.Sorted(maps.Keys(s.cfg.OtherGuests)) {
		g := s.cfg.OtherGuests[arch]
		programs = append(programs, dist.Program{Read: g.Read, ID: g.ID, Arch: arch})
	}
	return agentBucket{dist.New(dist.Config{Version: agent.Version, CacheDir: s.dir.join("packages"), Programs: programs})}
}

// Region implements s3.Published.
func (agentBucket) Region(bucket string) (string, bool) { return dist.Region(bucket) }

// Objects implements s3.Published.
func (b agentBucket) Objects(string) ([]s3.PublishedObject, error) {
	all, err := b.dist.Objects()
	if err != nil {
		return nil, err
	}
	out := make([]s3.PublishedObject, len(all))
	for i, o := range all {
		out[i] = s3.PublishedObject(o)
	}
	return out, nil
}

// digests is the list by which the package shims in instances know our packages.
func (b agentBucket) digests() ([]byte, error) {
	list, err := b.dist.Digests()
	if err != nil {
		return nil, err
	}
	return json.Marshal(list)
}
