package script_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// prefix begins the name of every kernel object of the server.
func (s *serverUnderTest) prefix() string {
	id, err := os.ReadFile(filepath.Join(s.data(), "id"))
	if err != nil {
		return "no-server-yet"
	}
	return "hs" + strings.TrimSpace(string(id))
}

// machines lists the instances whose process 1 lives, from the driver's records.
func (s *serverUnderTest) machines() []string {
	files, _ := filepath.Glob(filepath.Join(s.data(), "instances", "*", "record.json"))
	var found []string
	for _, file := range files {
		var record struct{ PID int }
		doc, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(doc, &record) != nil {
			continue // removed meanwhile
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", record.PID)); err == nil {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	return found
}
