package app

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/network"
)

func TestConfigDefaults(t *testing.T) {
	c := Config{Instances: InstancesFake}
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:4566" || c.AccountID != "123456789012" || c.Region != "us-east-1" || c.IAM != "enforce" || c.PublicCIDR.String() != "198.18.0.0/15" ||
		c.UserNS != "on" || c.Egress != "on" || c.DataDir != DefaultDataDir() || c.Log == nil || c.Clock == nil {
		t.Errorf("%+v", c)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no port", Config{Listen: "127.0.0.1"}, `--listen "127.0.0.1" is not host:port`},
		{"a name to listen at", Config{Listen: "localhost:1"}, "must be an IP address"},
		{"short account", Config{AccountID: "1"}, "is not 12 digits"},
		{"no region", Config{Region: "mars"}, "is not the name of a region"},
		{"IAM", Config{IAM: "off"}, `--iam "off": choose enforce or audit`},
		{"instances", Config{Instances: "docker"}, "choose container or fake"},
		{"userns", Config{UserNS: "maybe"}, "choose on or off"},
		{"egress", Config{Egress: "maybe"}, "choose on or off"},
		{"half a key", Config{RootAccessKeyID: "AKIA"}, "go together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.cfg.Instances == "" {
				c.cfg.Instances = InstancesFake
			}
			err := c.cfg.complete()
			var usage UsageError
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &usage) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestDataDirOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t)
	cfg.DataDir = dir
	var refusal *Refusal
	if _, err := Open(t.Context(), cfg); !errors.As(err, &refusal) || !strings.Contains(refusal.Cause, "other things") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the refusal left %v (%v)", left, err)
	}
}

func TestDataDirIsPrivate(t *testing.T) {
	cfg := testConfig(t)
	if err := os.Mkdir(cfg.DataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	if info, err := os.Stat(cfg.DataDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestDataDirIsLocked(t *testing.T) {
	cfg := testConfig(t)
	start(t, cfg)
	var refusal *Refusal
	if _, err := Open(t.Context(), cfg); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "process") || !strings.Contains(refusal.Remedy, "--data-dir") {
		t.Errorf("%v", err)
	}
}

func TestDamagedID(t *testing.T) {
	cfg := testConfig(t)
	if err := start(t, cfg).finish(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.DataDir, idFile), []byte("../../x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}

func TestPortInUse(t *testing.T) {
	s := start(t, testConfig(t))
	cfg := testConfig(t)
	cfg.Listen = s.listener.Addr().String()
	var refusal *Refusal
	if _, err := Open(t.Context(), cfg); !errors.As(err, &refusal) || refusal.Cause != cfg.Listen+" is in use" {
		t.Errorf("%v", err)
	}
	// What could not start holds nothing.
	cfg.Listen = "127.0.0.1:0"
	start(t, cfg)
}

func TestDatabaseUnreachable(t *testing.T) {
	cfg := testConfig(t)
	cfg.Database = "postgres://someone:hush@127.0.0.1:1/x"
	_, err := Open(t.Context(), cfg)
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Remedy, "--database") || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}

func TestPublicRange(t *testing.T) {
	for _, c := range []struct {
		name, cidr string
		ok         bool
	}{
		{"default", network.DefaultPublicCIDR.String(), true},
		{"part of it", "198.19.7.0/24", true},
		{"private", "10.66.0.0/16", true},
		{"everything", "0.0.0.0/0", false},
		{"half of everything", "128.0.0.0/1", false},
		{"loopback", "127.0.0.0/8", false},
		{"metadata", "169.254.0.0/16", false},
		{"default VPC", "172.16.0.0/12", false},
		{"multicast", "230.0.0.0/8", false},
		{"too small", "198.18.0.0/30", false},
		{"IPv6", "fd00::/16", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkPublic(netip.MustParsePrefix(c.cidr))
			var refusal *Refusal
			if c.ok && err != nil || !c.ok && !errors.As(err, &refusal) {
				t.Errorf("%s: %v", c.cidr, err)
			}
		})
	}
}
