package wire

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteReference writes docs/reference/<service>.md: which operations of AWS's API
// are implemented, and under which IAM action.
func WriteReference(w io.Writer, s Service) error {
	rows := map[string]*Operation{}
	for i := range s.Operations {
		rows[s.Operations[i].Name] = &s.Operations[i]
	}
	var b strings.Builder
	protocols := string(s.Model.Protocol)
	for _, p := range s.Model.Also {
		protocols += " and " + string(p)
	}
	fmt.Fprintf(&b, "# %s\n\nAPI version %s, protocol %s. %d of %d operations are implemented; the others answer\n`NotImplemented` (HTTP 501). Written from the tables; do not edit.\n\n",
		s.Model.FullName, s.Model.APIVersion, protocols, len(rows), len(s.Model.Operations))
	b.WriteString("| operation | IAM action |\n| --- | --- |\n")
	var missing []string
	for _, name := range s.Model.OperationNames() {
		switch row := rows[name]; {
		case row == nil:
			missing = append(missing, name)
		case row.Action != "":
			fmt.Fprintf(&b, "| %s | `%s` |\n", name, row.Action)
		default:
			fmt.Fprintf(&b, "| %s | none: %s |\n", name, row.Free)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		fmt.Fprintf(&b, "\nNot implemented: %s.\n", strings.Join(missing, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
