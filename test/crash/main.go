// Command crash kills a server, as kill -9 does, at random points while it creates,
// updates, rolls back and deletes a stack of thirty resources, starts it again and
// holds that the end is the one without a kill: the stack's status, and exactly
// the resources of its template, none missing, none twice, none left over. With
// -story objects it does so while clients write objects: what was acknowledged is
// there, whole, and nothing else is left. With -story rollouts it kills the server, the
// agents of instances, and both, within deployments to five real instances: no hook
// runs twice, and what the service says is what has happened. That story needs root
// and namespaces of its own.
//
// It owns the stories and the template. It imports the client of internal/wire and
// runs the server's binary; the flow enters in main, called by scripts/crash.sh,
// and leaves in the exit code. The points are those of -seed: the same seed kills
// after the same delays.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

func main() {
	binary := flag.String("server", "bin/hardstand", "the server's `binary`")
	kills := flag.Int("kills", 100, "how often to kill it")
	seed := flag.Uint64("seed", 1, "what the delays are made from")
	story := flag.String("story", "stacks", "stacks, objects or rollouts")
	dir := flag.String("dir", "", "a `directory` to work in, in place of a temporary one")
	flag.Parse()
	if err := run(*binary, *dir, *story, *kills, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

func run(binary, dir, story string, kills int, seed uint64) (err error) {
	if !slices.Contains([]string{"stacks", "objects", "rollouts"}, story) {
		return fmt.Errorf("no story is called %q", story)
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "hardstand-crash-"); err != nil {
			return err
		}
	}
	s := &server{binary: binary, dir: dir, flags: []string{"--instances", "fake"}}
	if story == "rollouts" {
		s.flags = []string{"--stop-instances"}
	}
	defer func() {
		s.kill()
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			err = fmt.Errorf("%w (seed %d; data and log are kept in %s)", err, seed, dir)
		}
	}()
	if err := s.start(); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	switch story {
	case "objects":
		return objects(s, kills, random)
	case "rollouts":
		return rollouts(s, kills, random)
	}
	p := &player{server: s, random: random, longest: map[string]time.Duration{}}
	if p.baseline, err = s.inventory(); err != nil {
		return err
	}
	// The first round is played without kills: it measures how long each act takes.
	for round := 0; p.kills < kills; round++ {
		if err := p.round(round); err != nil {
			return fmt.Errorf("round %d, after %d kills: %w", round, p.kills, err)
		}
	}
	fmt.Printf("killed %d times (%d within an operation), ended as without\n", p.kills, p.within)
	return nil
}
