package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/network"
)

// Defaults of serve's flags.
const (
	DefaultListen  = "127.0.0.1:4566"
	DefaultAccount = "123456789012"
	DefaultRegion  = "us-east-1"
)

// Kinds of instances that --instances chooses from.
const (
	InstancesContainer = "container"
	InstancesFake      = "fake"
)

// Config is everything that serve can be told. The zero value of a field means its
// default; Open fills it in and refuses what does not fit together.
type Config struct {
	Listen    string // host:port
	DataDir   string
	AccountID string // 12 digits
	Region    string
	// Database is a PostgreSQL URL, or empty for SQLite in the data dir.
	Database string
	// Blob is the URL of a bucket for the bytes of objects, or empty for the data dir.
	Blob       string
	PublicCIDR netip.Prefix
	// IAM is enforce or audit; audit logs what would have been denied.
	IAM string
	// Instances is container or fake.
	Instances string
	// UserNS is on or off; off gives up the user namespace of instances.
	UserNS string
	// Egress is on or off; EgressLAN also lets instances reach private networks.
	Egress    string
	EgressLAN bool
	// AllowReset enables POST /_hardstand/reset and /_hardstand/clock.
	AllowReset bool
	// StopInstances terminates the instances when the server stops.
	StopInstances bool
	// RootAccessKeyID and RootSecretAccessKey preset the key of the account root.
	RootAccessKeyID, RootSecretAccessKey string
	// Guest is the binary that runs inside instances.
	Guest guest.Program
	// OtherGuests are those for other architectures, by GOARCH: their agents are in
	// the package buckets.
	OtherGuests map[string]guest.Program
	// Clock and Log may be nil.
	Clock clock.Clock
	Log   *slog.Logger
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// complete fills in defaults and checks what can be checked without touching the
// machine.
func (c *Config) complete() error {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&c.Listen, DefaultListen)
	def(&c.DataDir, DefaultDataDir())
	def(&c.AccountID, DefaultAccount)
	def(&c.Region, DefaultRegion)
	def(&c.IAM, "enforce")
	def(&c.Instances, InstancesContainer)
	def(&c.UserNS, "on")
	def(&c.Egress, "on")
	if !c.PublicCIDR.IsValid() {
		c.PublicCIDR = network.DefaultPublicCIDR
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
		if c.AllowReset {
			c.Clock = &clock.Offset{}
		}
	}
	// Paths below it are kept, printed and mounted.
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("--data-dir %q: %w", c.DataDir, err)
	}
	c.DataDir = dir
	return c.check()
}

func (c *Config) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usagef("--listen %q is not host:port", c.Listen)
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return usagef("--listen %q: the host must be an IP address", c.Listen)
	}
	if !accountForm.MatchString(c.AccountID) {
		return usagef("--account-id %q is not 12 digits", c.AccountID)
	}
	if !regionForm.MatchString(c.Region) {
		return usagef("--region %q is not the name of a region", c.Region)
	}
	if err := checkPublic(c.PublicCIDR); err != nil {
		return err
	}
	for _, o := range []struct{ flag, value, a, b string }{
		{"--iam", c.IAM, "enforce", "audit"},
		{"--instances", c.Instances, InstancesContainer, InstancesFake},
		{"--userns", c.UserNS, "on", "off"},
		{"--egress", c.Egress, "on", "off"},
	} {
		if o.value != o.a && o.value != o.b {
			return usagef("%s %q: choose %s or %s", o.flag, o.value, o.a, o.b)
		}
	}
	if (c.RootAccessKeyID == "") != (c.RootSecretAccessKey == "") {
		return usagef("HARDSTAND_ROOT_ACCESS_KEY_ID and HARDSTAND_ROOT_SECRET_ACCESS_KEY go together")
	}
	if c.Instances == InstancesContainer && os.Geteuid() != 0 {
		return &Refusal{
			Cause:  "instances are Linux system containers, and making them needs root",
			Remedy: "run it with sudo, or with --instances fake for an API in which nothing executes",
		}
	}
	return nil
}

// notPublic are ranges that an address of an instance cannot come from: they mean
// something else to every machine, or to every instance (the default VPC).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.31.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

// checkPublic refuses a range of public addresses that would break the network of
// this machine. Traffic to it does not leave, and traffic from it is translated.
func checkPublic(p netip.Prefix) error {
	const shortest, longest = 8, 28
	bad := func(why string) error {
		return &Refusal{
			Cause:  fmt.Sprintf("--public-cidr %v %s", p, why),
			Remedy: fmt.Sprintf("choose a range that nobody else uses; the default is %v", network.DefaultPublicCIDR),
		}
	}
	if !p.Addr().Is4() || p.Bits() < shortest || p.Bits() > longest {
		return bad(fmt.Sprintf("is not an IPv4 range of /%d to /%d", shortest, longest))
	}
	for _, other := range notPublic {
		if p.Overlaps(other) {
			return bad("overlaps with " + other.String())
		}
	}
	return nil
}

// DefaultDataDir is /var/lib/hardstand for root and a directory of the user's own
// for everybody else.
func DefaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/hardstand"
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "hardstand")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "hardstand-data"
	}
	return filepath.Join(home, ".local", "share", "hardstand")
}

// UsageError says that a flag or variable is wrong by itself.
type UsageError string

func (e UsageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return UsageError(fmt.Sprintf(format, args...)) }

// Refusal is an error with a way out: what is wrong and what to do about it.
type Refusal struct {
	Cause, Remedy string
	Err           error
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Cause + ": " + r.Err.Error()
	}
	return r.Cause
}

func (r *Refusal) Unwrap() error { return r.Err }

const (
	// courtesy is how long calls in flight may go on when the server stops.
	courtesy = 500 * time.Millisecond
	// stopTimeout bounds a stop, with the end of all instances where that is asked
	// for.
	stopTimeout = 20 * time.Second
)
