package app

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/network"
)

// Finding is one thing that a server needs of this machine.
type Finding struct {
	Name     string
	OK       bool
	Required bool // serve does not work without it
	Detail   string
	Remedy   string
}

// Doctor looks at this machine as serve with its defaults would find it. It
// changes nothing that lasts.
func Doctor(_ context.Context, dir string) []Finding {
	findings := []Finding{checkRoot()}
	if os.Geteuid() == 0 {
		for _, f := range container.Probe(dir) {
			findings = append(findings, Finding{f.Name, f.OK, true, f.Detail, f.Remedy})
		}
		for _, f := range network.Probe(network.Config{Prefix: "hs000000"}) {
			findings = append(findings, Finding{f.Name, f.OK, true, f.Detail, f.Remedy})
		}
	}
	return append(findings, checkPython(), checkCLI())
}

func checkRoot() Finding {
	f := Finding{Name: "root", OK: os.Geteuid() == 0, Required: true, Detail: fmt.Sprintf("user id %d", os.Geteuid())}
	if !f.OK {
		f.Remedy = "run it with sudo: instances need namespaces, mounts and packet filters"
	}
	return f
}

// checkPython: the image is this machine's /usr, so what instances can run is what
// is installed here.
func checkPython() Finding {
	f := Finding{Name: "python3 for instances"}
	path, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		f.Detail = "/usr/bin/python3 is missing, so `python -m SimpleHTTPServer` does not work inside instances"
		f.Remedy = "apt-get install python3"
		return f
	}
	f.OK, f.Detail = true, path
	return f
}

func checkCLI() Finding {
	f := Finding{Name: "aws CLI", OK: true, Detail: "none on PATH, or new enough"}
	if w := CLIWarning(os.Getenv("PATH")); w != "" {
		f.OK, f.Detail, f.Remedy = false, w, "install a newer one, or pass --endpoint-url with every call"
	}
	return f
}
