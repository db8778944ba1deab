package main

// prune keeps the wanted operations' shapes and drops the rest. An operation
// that streams events stays known by name only: its framing is not spoken here.
func (a *api) prune() {
	if a.wanted == nil {
		a.wanted = map[string]bool{}
		for name := range a.Operations {
			a.wanted[name] = true
		}
	}
	keep := map[string]bool{}
	for _, name := range sorted(a.Operations) {
		op := a.Operations[name]
		if !a.wanted[name] || a.streamsEvents(op) {
			delete(a.wanted, name)
			continue
		}
		a.reach(op.Input, keep)
		a.reach(op.Output, keep)
		for i := range op.Errors {
			keep[op.Errors[i].Shape] = true
			s := a.Shapes[op.Errors[i].Shape]
			_, capital := s.Members.refs["Message"]
			s.capital = s.capital || capital
			s.Members = members{}
		}
	}
	for name, s := range a.Shapes {
		if !keep[name] && !(s.ours && s.Exception) {
			delete(a.Shapes, name)
		}
	}
}

// reach marks the shapes that ref leads to.
func (a *api) reach(ref *reference, keep map[string]bool) {
	if ref == nil || keep[ref.Shape] {
		return
	}
	keep[ref.Shape] = true
	s := a.Shapes[ref.Shape]
	for _, m := range s.Members.refs {
		a.reach(m, keep)
	}
	a.reach(s.Member, keep)
	a.reach(s.Key, keep)
	a.reach(s.Value, keep)
}

func (a *api) streamsEvents(op *operation) bool {
	if op.Output == nil {
		return false
	}
	for _, m := range a.Shapes[op.Output.Shape].Members.refs {
		if a.Shapes[m.Shape].EventStream {
			return true
		}
	}
	return false
}
