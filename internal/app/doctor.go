package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

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

// optional are the findings without which serve works, if less well: owners are
// copied, a program is missing in the image, another firewall is in the way.
var optional = []string{"idmapped mounts", "python3", "forward policy"}

// Doctor looks at this machine as a server on dir and listen would find it. It
// changes nothing that lasts.
func Doctor(ctx context.Context, dir, listen string) []Finding {
	findings := []Finding{checkPort(ctx, listen)}
	if os.Geteuid() != 0 {
		return append(findings, Finding{
			Name: "root", Required: true, Detail: fmt.Sprintf("user id %d", os.Geteuid()),
			Remedy: "run this and serve with sudo: instances need namespaces, mounts and packet filters; serve --instances fake does without",
		}, checkCLI())
	}
	for _, f := range container.Probe(dir) {
		findings = append(findings, Finding{f.Name, f.OK, !slices.Contains(optional, f.Name), f.Detail, f.Remedy})
	}
	for _, f := range network.Probe(network.Config{Prefix: prefixOf(dir)}) {
		findings = append(findings, Finding{f.Name, f.OK, !slices.Contains(optional, f.Name), f.Detail, f.Remedy})
	}
	return append(findings, checkCLI())
}

// prefixOf is what begins the names of the kernel objects of the server on dir, or
// of none.
func prefixOf(dir string) string {
	if id, err := readID(dir); err == nil {
		return "hs" + id
	}
	return "hs000000"
}

// portTimeout is how long whoever listens may take to say who it is.
const portTimeout = time.Second

// checkPort looks whether the address is free, or has a server already.
func checkPort(ctx context.Context, listen string) Finding {
	f := Finding{Name: "port", Required: true, OK: true, Detail: listen + " is free"}
	l, err := net.Listen("tcp", listen)
	if err == nil {
		_ = l.Close()
		return f
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		f.OK, f.Detail, f.Remedy = false, err.Error(), "choose another address with --listen"
		return f
	}
	if isServer(ctx, listen) {
		f.Detail = "a hardstand server answers at " + listen
		return f
	}
	f.OK, f.Detail, f.Remedy = false, listen+" is in use by another program", "stop what listens there (ss -ltnp), or choose another port with --listen"
	return f
}

// isServer reports whether a server of ours answers at an address.
func isServer(ctx context.Context, listen string) bool {
	ctx, cancel := context.WithTimeout(ctx, portTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+healthPath, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") == "application/json"
}

// pythonPath is where the image has its Python: this machine's /usr is the image.
const pythonPath = "/usr/bin/python3"

// surroundings is what is in the way of a server that runs: few questions, as it is
// ready when they are asked.
func (s *System) surroundings() []Finding {
	var found []Finding
	for _, f := range network.Surroundings(network.Config{
		Prefix: s.dir.prefix(), PublicCIDR: s.cfg.PublicCIDR, Egress: s.cfg.Egress, EgressLAN: s.cfg.EgressLAN,
	}) {
		if !f.OK {
			found = append(found, Finding{Name: f.Name, Detail: f.Detail, Remedy: f.Remedy})
		}
	}
	if _, err := exec.LookPath(pythonPath); err != nil {
		found = append(found, Finding{Name: "python3", Detail: pythonPath + " is missing, and with it `python -m SimpleHTTPServer` in instances", Remedy: "apt-get install python3"})
	}
	return found
}

func checkCLI() Finding {
	f := Finding{Name: "aws CLI", OK: true, Detail: "none on PATH, or new enough"}
	if w := CLIWarning(os.Getenv("PATH")); w != "" {
		f.OK, f.Detail, f.Remedy = false, w, "install a newer one, or pass --endpoint-url with every call"
	}
	return f
}
