package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// Hardening are restrictions beyond those that always apply, by the names that
// they have in the configuration of AWS's agent 2.x.
type Hardening struct {
	NoLinks         bool // reject_symlinks_in_bundle: also those that stay inside
	NoUnsafeModes   bool // reject_unsafe_permissions_in_bundle: setuid and setgid in the permissions section
	NoUnconfined    bool // reject_unconfined_selinux_in_bundle
	EnvironmentList bool // restrict_hook_env_to_allowlist
}

// check refuses what the appspec asks for beyond the restrictions.
func (h Hardening) check(a *appspec.Spec) error {
	for _, p := range a.Permissions {
		if h.NoUnsafeModes && len(p.Mode) == 4 && p.Mode[0] >= '2' {
			return fmt.Errorf("permissions section: mode %s of %s is setuid or setgid, which :reject_unsafe_permissions_in_bundle: refuses", p.Mode, p.Object)
		}
		if h.NoUnconfined && p.Context != nil && slices.Contains([]string{"unconfined_t", "kernel_t", "init_t"}, p.Context.Type) {
			return fmt.Errorf("permissions section: :reject_unconfined_selinux_in_bundle: refuses the SELinux type %s of %s", p.Context.Type, p.Object)
		}
	}
	return nil
}

// environment is what hooks inherit of the agent's.
func (h Hardening) environment(env []string) []string {
	if !h.EnvironmentList {
		return env
	}
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains([]string{"PATH", "HOME", "USER", "LANG", "TZ"}, name)
	})
}
