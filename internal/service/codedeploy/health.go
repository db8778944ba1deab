package codedeploy

// health counts the hosts of a deployment. Pending hosts count as healthy: they
// still run what they ran.
type health struct {
	Minimum                                int // that must stay healthy
	Pending, InProgress, Succeeded, Failed int
}

// decision is what the counts allow.
type decision struct {
	Start int  // how many pending hosts to begin with now
	End   bool // nothing runs and nothing may begin
	// Succeeded is the outcome when End is set.
	Succeeded bool
}

// decide applies AWS's rule: while the deployment runs, at most as many hosts
// are out of service (in progress or failed) as leaves the minimum healthy; in
// the end at least the minimum, and at least one, must have succeeded.
func (h health) decide() decision {
	total := h.Pending + h.InProgress + h.Succeeded + h.Failed
	free := total - h.Minimum - h.InProgress - h.Failed
	if h.Pending > 0 && free > 0 {
		return decision{Start: min(free, h.Pending)}
	}
	if h.InProgress > 0 {
		return decision{}
	}
	return decision{End: true, Succeeded: h.Pending == 0 && h.Succeeded >= max(h.Minimum, 1)}
}
