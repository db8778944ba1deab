package control

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// trusted are the accounts that the images of EC2 let become root without a
// password.
var trusted = []string{"ec2-user", "ubuntu"}

// mayRun reports why the user may not become root: only trusted accounts may, and
// those whom a file of /etc/sudoers.d gives everything without a password. There
// are no passwords here to ask for.
func mayRun(root guest.Root, uid int) error {
	u, err := accounts.LookupUser(root, strconv.Itoa(uid))
	if err != nil {
		return err
	}
	if slices.Contains(trusted, u.Name) {
		return nil
	}
	groups, err := accounts.GroupNames(root, u)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(root.Path("/etc/sudoers.d"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		// As sudo: files with a dot in their name are not read.
		if strings.Contains(e.Name(), ".") || strings.HasSuffix(e.Name(), "~") {
			continue
		}
		rules, err := os.ReadFile(root.Path("/etc/sudoers.d/" + e.Name()))
		if err == nil && grants(string(rules), u.Name, groups) {
			return nil
		}
	}
	return fmt.Errorf("%s is not in the sudoers file, or would need a password, which accounts here do not have", u.Name)
}

// grants reports whether rules give user everything without a password.
func grants(rules, user string, groups []string) bool {
	for line := range strings.Lines(rules) {
		who, what, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(who, "#") {
			continue
		}
		group, isGroup := strings.CutPrefix(who, "%")
		if who != user && !(isGroup && slices.Contains(groups, group)) {
			continue
		}
		// ALL=(ALL) NOPASSWD:ALL, with spaces where people put them.
		compact := strings.Join(strings.Fields(what), "")
		if strings.HasPrefix(compact, "ALL=") && strings.HasSuffix(compact, "NOPASSWD:ALL") {
			return true
		}
	}
	return false
}
