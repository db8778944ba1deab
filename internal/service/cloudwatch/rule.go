package cloudwatch

import (
	"strings"
	"unicode"

	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
)

// rule is the condition of a composite alarm.
type rule interface {
	// holds judges it; stateOf tells the state of an alarm by name or ARN.
	holds(stateOf func(string) api.StateValue) bool
	// alarms are those it refers to.
	alarms(add func(string))
}

type (
	constantRule bool
	stateRule    struct {
		state api.StateValue
		alarm string
	}
	notRule  struct{ of rule }
	bothRule struct {
		or          bool
		left, right rule
	}
)

func (r constantRule) holds(func(string) api.StateValue) bool { return bool(r) }
func (r constantRule) alarms(func(string))                    {}

func (r stateRule) holds(stateOf func(string) api.StateValue) bool {
	return stateOf(r.alarm) == r.state
}
func (r stateRule) alarms(add func(string)) { add(r.alarm) }

func (r notRule) holds(stateOf func(string) api.StateValue) bool { return !r.of.holds(stateOf) }
func (r notRule) alarms(add func(string))                        { r.of.alarms(add) }

func (r bothRule) holds(stateOf func(string) api.StateValue) bool {
	if r.or {
		return r.left.holds(stateOf) || r.right.holds(stateOf)
	}
	return r.left.holds(stateOf) && r.right.holds(stateOf)
}

func (r bothRule) alarms(add func(string)) {
	r.left.alarms(add)
	r.right.alarms(add)
}

// ruleParser reads ALARM("a") AND (NOT OK(b) OR TRUE).
type ruleParser struct {
	rest  string
	depth int
}

// maxRuleDepth bounds nesting, and with it the depth of the parser.
const maxRuleDepth = 100

func parseRule(text string) (rule, error) {
	p := &ruleParser{rest: text}
	r, err := p.either()
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = p.fault()
	}
	return r, err
}

func (p *ruleParser) fault() error {
	rest := strings.TrimSpace(p.rest)
	return violation("AlarmRule must not contain syntax errors: unexpected '%s'", rest[:min(len(rest), 40)])
}

func (p *ruleParser) skip() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

// word takes a keyword, which ends where letters end.
func (p *ruleParser) word(word string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, word)
	if !ok || rest != "" && (unicode.IsLetter(rune(rest[0])) || rest[0] == '_') {
		return false
	}
	p.rest = rest
	return true
}

func (p *ruleParser) take(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *ruleParser) either() (rule, error) {
	left, err := p.both()
	for err == nil && p.word("OR") {
		var right rule
		right, err = p.both()
		left = bothRule{true, left, right}
	}
	return left, err
}

func (p *ruleParser) both() (rule, error) {
	left, err := p.single()
	for err == nil && p.word("AND") {
		var right rule
		right, err = p.single()
		left = bothRule{false, left, right}
	}
	return left, err
}

func (p *ruleParser) single() (rule, error) {
	if p.depth++; p.depth > maxRuleDepth {
		return nil, violation("AlarmRule is nested too deeply")
	}
	defer func() { p.depth-- }()
	switch {
	case p.word("NOT"):
		of, err := p.single()
		return notRule{of}, err
	case p.word("TRUE"):
		return constantRule(true), nil
	case p.word("FALSE"):
		return constantRule(false), nil
	case p.take("("):
		inner, err := p.either()
		if err == nil && !p.take(")") {
			err = p.fault()
		}
		return inner, err
	}
	for _, state := range []api.StateValue{api.StateValueAlarm, api.StateValueOk, api.StateValueInsufficientData} {
		if p.word(string(state)) {
			return p.state(state)
		}
	}
	return nil, p.fault()
}

// state reads (name), ("name") or (arn).
func (p *ruleParser) state(state api.StateValue) (rule, error) {
	if !p.take("(") {
		return nil, p.fault()
	}
	p.skip()
	name, rest, ok := strings.Cut(p.rest, ")")
	for _, quote := range []string{`"`, `'`} {
		if inner, quoted := strings.CutPrefix(p.rest, quote); quoted {
			var after string
			if name, after, ok = strings.Cut(inner, quote); ok {
				after = strings.TrimLeftFunc(after, unicode.IsSpace)
				rest, ok = strings.CutPrefix(after, ")")
			}
		}
	}
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		return nil, p.fault()
	}
	p.rest = rest
	return stateRule{state, name}, nil
}
