// Package e2e tells stories to a running server through SDK for Go v2 and checks
// that it answers as AWS does. The stories are text (README.md says how they are
// written), so that boto3 tells the very same ones.
//
// story.go reads stories, client.go calls operations by name, check.go looks into
// answers, stories_test.go runs it all. The package imports nothing of hardstand:
// like any user, it knows the endpoint and the keys in its environment.
package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// step is one call and what is said about its answer.
type step struct {
	line               int
	service, operation string
	input              string // JSON with variables
	checks             []check
}

// check is an indented line.
type check struct{ verb, path, value string }

// story is a file: steps, with texts set before them.
type story struct {
	steps []step
	texts map[string]string
}

func readStory(file string) (*story, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &story{texts: map[string]string{}}
	text := "" // the name of the text that is being read
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		rest, indented := strings.CutPrefix(line, "  ")
		switch {
		case indented && text != "":
			s.texts[text] += rest + "\n"
		case strings.TrimSpace(line) == "" && text == "", strings.HasPrefix(line, "#"):
		case indented:
			err = s.addCheck(rest)
		case strings.HasPrefix(line, "text "):
			text = strings.TrimPrefix(line, "text ")
			continue
		default:
			text = ""
			err = s.addStep(n, line)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	return s, lines.Err()
}

func (s *story) addStep(n int, line string) error {
	if strings.TrimSpace(line) == "" {
		return nil // the end of a text
	}
	words := strings.SplitN(line, " ", 3)
	if len(words) < 2 {
		return fmt.Errorf("%q is no call", line)
	}
	input := "{}"
	if len(words) == 3 {
		input = words[2]
	}
	s.steps = append(s.steps, step{line: n, service: words[0], operation: words[1], input: input})
	return nil
}

func (s *story) addCheck(line string) error {
	words := strings.SplitN(line, " ", 3)
	if len(s.steps) == 0 || len(words) < 2 {
		return fmt.Errorf("%q belongs to no call", line)
	}
	c := check{verb: words[0], path: words[1]}
	if len(words) == 3 {
		c.value = words[2]
	}
	last := &s.steps[len(s.steps)-1]
	last.checks = append(last.checks, c)
	return nil
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

// fill puts variables into text, as they are or in the form for JSON strings.
func fill(text string, vars map[string]string, forJSON bool) (string, error) {
	var missing string
	filled := variable.ReplaceAllStringFunc(text, func(ref string) string {
		name := ref[2 : len(ref)-1]
		value, ok := vars[name]
		if !ok {
			missing = name
		}
		if forJSON {
			quoted, err := json.Marshal(value)
			if err != nil {
				missing = name
			}
			return string(quoted[1 : len(quoted)-1])
		}
		return value
	})
	if missing != "" {
		return "", fmt.Errorf("${%s} is not set", missing)
	}
	return filled, nil
}
